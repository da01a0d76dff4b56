-- Answers that are written once and used often.
CREATE TABLE canned_replies (
    tenant_id uuid NOT NULL REFERENCES tenants (id),
    id bigint GENERATED ALWAYS AS IDENTITY,
    -- Whose it is; null: everybody's of the tenant.
    owner_id bigint,
    shortcut text NOT NULL,
    title text NOT NULL,
    text text NOT NULL,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, id),
    FOREIGN KEY (tenant_id, owner_id) REFERENCES users (tenant_id, id)
);
CREATE UNIQUE INDEX canned_replies_shared ON canned_replies (tenant_id, lower(shortcut))
    WHERE owner_id IS NULL;
CREATE UNIQUE INDEX canned_replies_own ON canned_replies (tenant_id, owner_id, lower(shortcut))
    WHERE owner_id IS NOT NULL;
