-- An invitation into a tenant. Its token is known to whoever has the link, and to nobody else.
CREATE TABLE invites (
    tenant_id uuid NOT NULL REFERENCES tenants (id),
    id bigint GENERATED ALWAYS AS IDENTITY,
    -- The SHA-256 of the token, in hexadecimal.
    token_hash text NOT NULL,
    role text NOT NULL CHECK (role IN ('admin', 'agent')),
    email text,
    -- For whom it is meant; they choose their name themselves.
    username text,
    invited_by bigint NOT NULL,
    expires_at timestamptz NOT NULL,
    used_at timestamptz,
    withdrawn_at timestamptz,
    created_at timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, id),
    UNIQUE (tenant_id, token_hash),
    FOREIGN KEY (tenant_id, invited_by) REFERENCES users (tenant_id, id)
);
CREATE INDEX invites_pending ON invites (tenant_id, id DESC)
    WHERE used_at IS NULL AND withdrawn_at IS NULL;
