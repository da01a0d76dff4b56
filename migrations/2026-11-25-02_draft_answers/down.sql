ALTER TABLE chats DROP COLUMN suggest_at, DROP COLUMN suggestion;
ALTER TABLE messages DROP COLUMN suggestion_id;
DROP TABLE suggestions;
DROP TABLE runtime_settings;
