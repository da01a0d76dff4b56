-- What operators change while everything runs.
CREATE TABLE runtime_settings (
    key text PRIMARY KEY,
    value jsonb NOT NULL,
    updated_at timestamptz NOT NULL,
    updated_by text NOT NULL
);

-- Drafts of answers, each made for one buyer message, and what became of them.
CREATE TABLE suggestions (
    tenant_id uuid NOT NULL,
    id bigint GENERATED ALWAYS AS IDENTITY,
    chat_id bigint NOT NULL,
    -- The buyer's last message when it was made; with a newer one it is stale.
    for_message_id bigint NOT NULL,
    state text NOT NULL CHECK (state IN ('ready', 'held', 'stale', 'failed')),
    text text NOT NULL,
    intent text,
    sentiment text,
    urgency text,
    needs_human boolean NOT NULL DEFAULT false,
    reason text,
    checks jsonb NOT NULL DEFAULT '[]',
    sources jsonb NOT NULL DEFAULT '[]',
    provider text NOT NULL,
    model text NOT NULL,
    prompt_version text NOT NULL,
    usage jsonb,
    latency_ms integer NOT NULL,
    outcome_kind text CHECK (outcome_kind IN ('sent_as_is', 'edited', 'rejected', 'stale')),
    outcome_by bigint,
    outcome_at timestamptz,
    outcome_reason text,
    created_at timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, id),
    FOREIGN KEY (tenant_id, chat_id) REFERENCES chats (tenant_id, id),
    FOREIGN KEY (tenant_id, for_message_id) REFERENCES messages (tenant_id, id),
    FOREIGN KEY (tenant_id, outcome_by) REFERENCES users (tenant_id, id)
);
CREATE INDEX suggestions_of_chat ON suggestions (tenant_id, chat_id, id DESC);
CREATE INDEX suggestions_created ON suggestions (tenant_id, created_at);

-- Which draft a message was sent from.
ALTER TABLE messages ADD COLUMN suggestion_id bigint;
ALTER TABLE messages ADD FOREIGN KEY (tenant_id, suggestion_id) REFERENCES suggestions (tenant_id, id);

ALTER TABLE chats
    -- When a draft is to be made; null: none is wanted.
    ADD COLUMN suggest_at timestamptz,
    -- The newest draft: its id, state and intent.
    ADD COLUMN suggestion jsonb;
CREATE INDEX chats_suggestion_due ON chats (channel, suggest_at) WHERE suggest_at IS NOT NULL;
CREATE INDEX chats_suggestion_ready ON chats (tenant_id, queue_at, id)
    WHERE (suggestion ->> 'state') = 'ready';
CREATE INDEX chats_suggestion_held ON chats (tenant_id, queue_at, id)
    WHERE (suggestion ->> 'state') = 'held';
