-- When a tenant's people work: what rules count by.
CREATE TABLE business_hours (
    tenant_id uuid NOT NULL REFERENCES tenants (id),
    id bigint GENERATED ALWAYS AS IDENTITY,
    name text NOT NULL,
    -- Time zone, week and holidays, as the API shows them.
    spec jsonb NOT NULL,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, id)
);
CREATE UNIQUE INDEX business_hours_name ON business_hours (tenant_id, lower(name));

-- Within which time which buyers are to be answered.
CREATE TABLE sla_rules (
    tenant_id uuid NOT NULL REFERENCES tenants (id),
    id bigint GENERATED ALWAYS AS IDENTITY,
    name text NOT NULL,
    priority integer NOT NULL,
    is_active boolean NOT NULL,
    marketplace text CHECK (marketplace IN ('ozon', 'wildberries', 'yandex_market')),
    seller_id bigint,
    intent text,
    keyword text,
    chat_type text,
    -- A rule without conditions matches only if it says so.
    matches_everything boolean NOT NULL,
    answer_within_s integer NOT NULL CHECK (answer_within_s > 0),
    -- The last so many seconds are at risk; null: the last quarter.
    at_risk_s integer CHECK (at_risk_s > 0),
    -- Null: the wall clock.
    business_hours_id bigint,
    source text NOT NULL,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, id),
    FOREIGN KEY (tenant_id, seller_id) REFERENCES sellers (tenant_id, id),
    FOREIGN KEY (tenant_id, business_hours_id) REFERENCES business_hours (tenant_id, id)
);
CREATE UNIQUE INDEX sla_rules_name ON sla_rules (tenant_id, lower(name));

-- Each time that an answer was owed: one row from the first unanswered message to the answer.
CREATE TABLE obligations (
    tenant_id uuid NOT NULL,
    id bigint GENERATED ALWAYS AS IDENTITY,
    chat_id bigint NOT NULL,
    rule_id bigint,
    rule_name text,
    started_at timestamptz NOT NULL,
    due_at timestamptz NOT NULL,
    warned_at timestamptz,
    breached_at timestamptz,
    breach_cause text CHECK (breach_cause IN ('no_answer', 'send_failed', 'shop_error', 'read_only')),
    ended_at timestamptz,
    end_cause text CHECK (end_cause IN ('answered', 'closed', 'withdrawn')),
    PRIMARY KEY (tenant_id, id),
    UNIQUE (tenant_id, chat_id, started_at),
    FOREIGN KEY (tenant_id, chat_id) REFERENCES chats (tenant_id, id)
);
CREATE INDEX obligations_started ON obligations (tenant_id, started_at);

-- What the obligation in force says, beside the chat that the queue lists.
ALTER TABLE chats ADD COLUMN obligation jsonb;
UPDATE chats SET obligation = jsonb_build_object('started_at', owed_since, 'due_at', obligation_due_at)
    WHERE obligation_due_at IS NOT NULL AND owed_since IS NOT NULL;
ALTER TABLE chats DROP COLUMN obligation_due_at;
ALTER TABLE chats
    -- From when on the nearer clock is at risk; null: no clock runs.
    ADD COLUMN at_risk_at timestamptz,
    -- When the chat wants to be looked at next: to warn, to find a breach, to end a snooze.
    ADD COLUMN alarm_at timestamptz,
    ADD COLUMN snoozed_until timestamptz,
    ADD COLUMN tags text[] NOT NULL DEFAULT '{}';
-- Clocks that run already are worked out anew at once.
UPDATE chats SET alarm_at = now(), at_risk_at = queue_at WHERE obligation IS NOT NULL;
CREATE INDEX chats_alarm_due ON chats (channel, alarm_at) WHERE alarm_at IS NOT NULL;
CREATE INDEX chats_at_risk ON chats (tenant_id, at_risk_at) WHERE at_risk_at IS NOT NULL;
CREATE INDEX chats_snoozed ON chats (tenant_id, snoozed_until) WHERE snoozed_until IS NOT NULL;
CREATE INDEX chats_tags ON chats USING gin (tags) WHERE tags <> '{}';
