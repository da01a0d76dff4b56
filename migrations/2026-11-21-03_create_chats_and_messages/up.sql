-- A conversation. The columns from status to window_closes_at follow from the messages and are
-- worked out anew whenever one of them changes.
CREATE TABLE chats (
    tenant_id uuid NOT NULL REFERENCES tenants (id),
    id bigint GENERATED ALWAYS AS IDENTITY,
    public_id uuid NOT NULL UNIQUE,
    channel text NOT NULL CHECK (channel IN ('ozon', 'wildberries', 'yandex_market')),
    seller_id bigint NOT NULL,
    external_id text NOT NULL,
    assigned_to bigint,
    status text NOT NULL DEFAULT 'waiting' CHECK (status IN ('open', 'waiting', 'closed')),
    unread_count integer NOT NULL DEFAULT 0,
    last_message_preview text,
    last_message_at timestamptz,
    last_message_direction text,
    -- The nearer clock while an answer is owed, else the year 9999: the queue's order.
    queue_at timestamptz NOT NULL DEFAULT '9999-12-31T00:00:00Z',
    owed_since timestamptz,
    last_buyer_at timestamptz,
    last_buyer_message_id bigint,
    obligation_due_at timestamptz,
    window_closes_at timestamptz,
    -- When the oldest unsettled outgoing message wants the worker; null: nothing to send.
    deliver_at timestamptz,
    lease_token uuid,
    lease_until timestamptz,
    context jsonb NOT NULL DEFAULT '{}',
    vendor_state jsonb NOT NULL DEFAULT '{}',
    version bigint NOT NULL DEFAULT 1,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, id),
    UNIQUE (tenant_id, seller_id, external_id),
    FOREIGN KEY (tenant_id, seller_id) REFERENCES sellers (tenant_id, id),
    FOREIGN KEY (tenant_id, assigned_to) REFERENCES users (tenant_id, id)
);
CREATE INDEX chats_queue ON chats (tenant_id, queue_at, id);
CREATE INDEX chats_queue_of_seller ON chats (tenant_id, seller_id, queue_at, id);
CREATE INDEX chats_queue_of_assignee ON chats (tenant_id, assigned_to, queue_at, id);
CREATE INDEX chats_recent ON chats (tenant_id, last_message_at DESC, id DESC);
CREATE INDEX chats_unread ON chats (tenant_id, queue_at, id) WHERE unread_count > 0;
CREATE INDEX chats_open ON chats (tenant_id, queue_at, id) WHERE status = 'open';
CREATE INDEX chats_waiting ON chats (tenant_id, id) WHERE status = 'waiting';
CREATE INDEX chats_changed ON chats (tenant_id, updated_at, id);
CREATE INDEX chats_delivery_due ON chats (channel, deliver_at) WHERE deliver_at IS NOT NULL;

CREATE TABLE messages (
    tenant_id uuid NOT NULL,
    id bigint GENERATED ALWAYS AS IDENTITY,
    public_id uuid NOT NULL UNIQUE,
    chat_id bigint NOT NULL,
    external_id text,
    client_message_id text,
    direction text NOT NULL CHECK (direction IN ('incoming', 'outgoing')),
    author text NOT NULL CHECK (author IN ('buyer', 'agent', 'bot', 'system')),
    user_id bigint,
    text text NOT NULL,
    attachments jsonb NOT NULL DEFAULT '[]',
    state text NOT NULL CHECK (state IN ('received', 'queued', 'sending', 'sent', 'failed', 'unknown')),
    error_code text,
    error_message text,
    attempts integer NOT NULL DEFAULT 0,
    -- False for what was there before the shop was connected and is past its window.
    starts_clock boolean NOT NULL DEFAULT true,
    -- A queued message is not sent after this.
    send_before timestamptz,
    -- When an unknown message is read back next, and how often it was.
    settle_at timestamptz,
    settle_reads integer NOT NULL DEFAULT 0,
    -- Its place in the thread: the marketplace's time once that is known.
    at timestamptz NOT NULL,
    sent_at timestamptz,
    read_at timestamptz,
    created_at timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, id),
    FOREIGN KEY (tenant_id, chat_id) REFERENCES chats (tenant_id, id),
    FOREIGN KEY (tenant_id, user_id) REFERENCES users (tenant_id, id)
);
CREATE INDEX messages_thread ON messages (tenant_id, chat_id, at, id);
CREATE UNIQUE INDEX messages_external ON messages (tenant_id, chat_id, external_id);
CREATE UNIQUE INDEX messages_client ON messages (tenant_id, chat_id, client_message_id);
CREATE UNIQUE INDEX one_send_in_flight ON messages (tenant_id, chat_id)
    WHERE direction = 'outgoing' AND state IN ('sending', 'unknown');
-- What still waits for its echo from the marketplace.
CREATE INDEX messages_unbound ON messages (tenant_id, chat_id, id)
    WHERE direction = 'outgoing' AND external_id IS NULL;
CREATE INDEX messages_failed ON messages (tenant_id, chat_id)
    WHERE direction = 'outgoing' AND state = 'failed';
CREATE INDEX messages_unread ON messages (tenant_id, chat_id)
    WHERE direction = 'incoming' AND author = 'buyer' AND read_at IS NULL;

-- Each try to hand a message to the marketplace: intent, attempt, result.
CREATE TABLE send_attempts (
    tenant_id uuid NOT NULL,
    message_id bigint NOT NULL,
    no integer NOT NULL,
    token uuid NOT NULL,
    -- The newest message of the chat when the attempt began: an echo is newer.
    baseline_external_id text,
    baseline_at timestamptz,
    -- How far the shop's stream of events had been read then.
    baseline_cursor text,
    started_at timestamptz NOT NULL,
    ended_at timestamptz,
    outcome text CHECK (outcome IN ('sent', 'not_sent', 'maybe_sent')),
    reason text,
    -- The marketplace's own time of the message, where its answer told it.
    vendor_at timestamptz,
    PRIMARY KEY (tenant_id, message_id, no),
    FOREIGN KEY (tenant_id, message_id) REFERENCES messages (tenant_id, id)
);

-- What was read here and is yet to be reported to the marketplace.
CREATE TABLE read_receipts (
    tenant_id uuid NOT NULL,
    chat_id bigint NOT NULL,
    channel text NOT NULL,
    up_to_external_id text NOT NULL,
    due_at timestamptz NOT NULL,
    failures integer NOT NULL DEFAULT 0,
    PRIMARY KEY (tenant_id, chat_id),
    FOREIGN KEY (tenant_id, chat_id) REFERENCES chats (tenant_id, id)
);
CREATE INDEX read_receipts_due ON read_receipts (channel, due_at);
