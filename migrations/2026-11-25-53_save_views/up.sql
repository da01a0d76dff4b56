-- Filters of the list of chats that people come back to.
CREATE TABLE saved_views (
    tenant_id uuid NOT NULL REFERENCES tenants (id),
    id bigint GENERATED ALWAYS AS IDENTITY,
    -- Whose it is; null: everybody's of the tenant.
    owner_id bigint,
    name text NOT NULL,
    -- The query parameters of the list, by name.
    filter jsonb NOT NULL,
    -- Its place among the views.
    position integer NOT NULL,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, id),
    FOREIGN KEY (tenant_id, owner_id) REFERENCES users (tenant_id, id)
);
CREATE INDEX saved_views_of_owner ON saved_views (tenant_id, owner_id);
