-- A file: attached by somebody outside and to be fetched, or uploaded here to be sent.
CREATE TABLE files (
    tenant_id uuid NOT NULL REFERENCES tenants (id),
    id bigint GENERATED ALWAYS AS IDENTITY,
    public_id uuid NOT NULL UNIQUE,
    -- The message it belongs to, and its place there; null: uploaded and not sent yet.
    message_id bigint,
    position integer NOT NULL DEFAULT 0,
    uploaded_by bigint,
    -- Of what is fetched: whose key opens it, and the marketplace's handle of it.
    seller_id bigint,
    channel text CHECK (channel IN ('ozon', 'wildberries', 'yandex_market')),
    source text,
    name text NOT NULL,
    -- What the marketplace says, until the bytes are here and tell.
    content_type text,
    size_bytes bigint,
    sha256 text,
    -- Where the bytes lie in the file store; chosen at random before they come.
    storage_key text NOT NULL UNIQUE,
    state text NOT NULL CHECK (state IN ('pending', 'moderation', 'ready', 'blocked', 'failed', 'expired')),
    error text,
    failures integer NOT NULL DEFAULT 0,
    -- When the worker is wanted next; null: nothing to do.
    fetch_at timestamptz,
    lease_token uuid,
    lease_until timestamptz,
    created_at timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, id),
    FOREIGN KEY (tenant_id, message_id) REFERENCES messages (tenant_id, id),
    FOREIGN KEY (tenant_id, uploaded_by) REFERENCES users (tenant_id, id),
    FOREIGN KEY (tenant_id, seller_id) REFERENCES sellers (tenant_id, id)
);
CREATE INDEX files_of_message ON files (tenant_id, message_id, position);
CREATE INDEX files_fetch_due ON files (channel, fetch_at) WHERE fetch_at IS NOT NULL;
CREATE INDEX files_being_fetched ON files (tenant_id, seller_id) WHERE lease_token IS NOT NULL;
CREATE INDEX files_unused ON files (created_at) WHERE message_id IS NULL;

-- What came before there were files is fetched now.
INSERT INTO files (tenant_id, public_id, message_id, position, seller_id, channel, source, name,
    content_type, size_bytes, storage_key, state, fetch_at, created_at)
SELECT messages.tenant_id, gen_random_uuid(), messages.id, attached.no - 1, chats.seller_id,
    chats.channel, attached.value ->> 'source', attached.value ->> 'name',
    attached.value ->> 'content_type', (attached.value ->> 'size_bytes')::bigint,
    messages.tenant_id || '/' || replace(gen_random_uuid()::text, '-', ''), 'pending', now(),
    messages.created_at
FROM messages
JOIN chats ON chats.tenant_id = messages.tenant_id AND chats.id = messages.chat_id
CROSS JOIN LATERAL jsonb_array_elements(messages.attachments) WITH ORDINALITY AS attached (value, no);
UPDATE messages SET attachments = shown.attachments
FROM (
    SELECT tenant_id, message_id, jsonb_agg(jsonb_build_object('file_id', public_id, 'name', name,
        'content_type', content_type, 'size_bytes', size_bytes, 'state', state)
        ORDER BY position) AS attachments
    FROM files GROUP BY tenant_id, message_id
) AS shown
WHERE messages.tenant_id = shown.tenant_id AND messages.id = shown.message_id;
