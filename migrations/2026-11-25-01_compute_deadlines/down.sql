ALTER TABLE chats ADD COLUMN obligation_due_at timestamptz;
UPDATE chats SET obligation_due_at = (obligation ->> 'due_at')::timestamptz;
ALTER TABLE chats
    DROP COLUMN obligation,
    DROP COLUMN at_risk_at,
    DROP COLUMN alarm_at,
    DROP COLUMN snoozed_until,
    DROP COLUMN tags;
DROP TABLE obligations;
DROP TABLE sla_rules;
DROP TABLE business_hours;
