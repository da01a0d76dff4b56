-- The tagged chats of a tenant, those changed last first: which tags are in use.
CREATE INDEX chats_tagged ON chats (tenant_id, updated_at) WHERE tags <> '{}';

-- What the tenant's people tell each other about a chat; never sent.
CREATE TABLE notes (
    tenant_id uuid NOT NULL,
    id bigint GENERATED ALWAYS AS IDENTITY,
    chat_id bigint NOT NULL,
    user_id bigint NOT NULL,
    text text NOT NULL,
    created_at timestamptz NOT NULL,
    -- When its author changed it last.
    edited_at timestamptz,
    PRIMARY KEY (tenant_id, id),
    FOREIGN KEY (tenant_id, chat_id) REFERENCES chats (tenant_id, id),
    FOREIGN KEY (tenant_id, user_id) REFERENCES users (tenant_id, id)
);
CREATE INDEX notes_of_chat ON notes (tenant_id, chat_id, id DESC);
