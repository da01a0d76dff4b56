-- Chats that people want to begin: only the worker can ask the marketplace, as it alone opens keys.
CREATE TABLE chat_starts (
    tenant_id uuid NOT NULL,
    id bigint GENERATED ALWAYS AS IDENTITY,
    seller_id bigint NOT NULL,
    channel text NOT NULL CHECK (channel IN ('ozon', 'wildberries', 'yandex_market')),
    order_id text NOT NULL,
    user_id bigint NOT NULL,
    state text NOT NULL CHECK (state IN ('wanted', 'done', 'failed')),
    chat_id bigint,
    error_code text,
    -- The marketplace's own words.
    error_message text,
    due_at timestamptz NOT NULL,
    failures integer NOT NULL DEFAULT 0,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, id),
    FOREIGN KEY (tenant_id, seller_id) REFERENCES sellers (tenant_id, id),
    FOREIGN KEY (tenant_id, user_id) REFERENCES users (tenant_id, id),
    FOREIGN KEY (tenant_id, chat_id) REFERENCES chats (tenant_id, id)
);
-- Who wants the same chat waits for the same start.
CREATE UNIQUE INDEX chat_starts_wanted ON chat_starts (tenant_id, seller_id, order_id)
    WHERE state = 'wanted';
CREATE INDEX chat_starts_due ON chat_starts (channel, due_at) WHERE state = 'wanted';
