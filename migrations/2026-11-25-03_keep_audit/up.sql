-- Who changed what; written in the transaction of the change.
CREATE TABLE audit_log (
    -- Whose objects were changed.
    tenant_id uuid NOT NULL REFERENCES tenants (id),
    id bigint GENERATED ALWAYS AS IDENTITY,
    -- The person who did it, perhaps one of ours; null: a command line or the product itself.
    actor_tenant_id uuid,
    actor_user_id bigint,
    -- Their name at that time.
    actor text NOT NULL,
    -- What was done, as in `seller.updated`.
    action text NOT NULL,
    -- To what, as in `seller:12`.
    target text NOT NULL,
    ip text,
    user_agent text,
    before jsonb,
    after jsonb,
    at timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, id),
    FOREIGN KEY (actor_tenant_id, actor_user_id) REFERENCES users (tenant_id, id)
);
CREATE INDEX audit_log_at ON audit_log (tenant_id, at DESC, id DESC);

CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% is append-only', TG_TABLE_NAME;
END
$$;
CREATE TRIGGER audit_log_append_only BEFORE UPDATE OR DELETE ON audit_log
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
