-- A shop account at one marketplace, and where its polling stands.
CREATE TABLE sellers (
    tenant_id uuid NOT NULL REFERENCES tenants (id),
    id bigint GENERATED ALWAYS AS IDENTITY,
    public_id uuid NOT NULL UNIQUE,
    name text NOT NULL,
    marketplace text NOT NULL CHECK (marketplace IN ('ozon', 'wildberries', 'yandex_market')),
    -- The shop's own id at the marketplace: the same account is one shop.
    account_id text NOT NULL,
    client_id text,
    sealed_key text NOT NULL,
    key_fingerprint text NOT NULL,
    capabilities jsonb NOT NULL DEFAULT '{}',
    warnings jsonb NOT NULL DEFAULT '[]',
    is_active boolean NOT NULL DEFAULT true,
    next_sync_at timestamptz NOT NULL,
    sync_started_at timestamptz,
    woken_at timestamptz,
    lease_token uuid,
    lease_until timestamptz,
    poll_interval_s integer NOT NULL DEFAULT 5,
    blocked_until timestamptz,
    vendor_cursor jsonb NOT NULL DEFAULT '{}',
    last_buyer_at timestamptz,
    last_sync_at timestamptz,
    sync_error text,
    failures integer NOT NULL DEFAULT 0,
    probe_at timestamptz NOT NULL,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, id),
    UNIQUE (tenant_id, marketplace, account_id)
);
CREATE INDEX sellers_due ON sellers (marketplace, next_sync_at) WHERE is_active;
CREATE INDEX sellers_probe_due ON sellers (marketplace, probe_at) WHERE is_active;
