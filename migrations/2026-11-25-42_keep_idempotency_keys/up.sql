-- Requests that were done once, and what was answered; kept for a day.
CREATE TABLE idempotency_keys (
    tenant_id uuid NOT NULL,
    user_id bigint NOT NULL,
    key text NOT NULL,
    -- Part of what the answer is sealed with.
    public_id uuid NOT NULL,
    request_digest text NOT NULL,
    -- Sealed: it may hold what is shown only once.
    sealed_answer text NOT NULL,
    created_at timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, user_id, key),
    FOREIGN KEY (tenant_id, user_id) REFERENCES users (tenant_id, id)
);
CREATE INDEX idempotency_keys_created ON idempotency_keys (created_at);
