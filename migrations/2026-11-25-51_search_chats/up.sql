-- Trusted since PostgreSQL 13: whoever owns the database may create it.
CREATE EXTENSION IF NOT EXISTS pg_trgm;

-- Letters that people take for one another when they look for a name.
CREATE FUNCTION fold_text(text) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN lower(translate($1, 'Ёё', 'Ее'));

-- What chats are found by: the buyer's name and the order number, line by line. Apart from `chats`,
-- whose rows change with every message: there the index would cost each change a quarter more.
CREATE TABLE chat_searches (
    tenant_id uuid NOT NULL,
    chat_id bigint NOT NULL,
    text text NOT NULL,
    PRIMARY KEY (tenant_id, chat_id),
    FOREIGN KEY (tenant_id, chat_id) REFERENCES chats (tenant_id, id) ON DELETE CASCADE
);

CREATE FUNCTION store_chat_search() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO chat_searches (tenant_id, chat_id, text)
    VALUES (NEW.tenant_id, NEW.id, fold_text(coalesce(NEW.context ->> 'buyer_name', '') || E'\n'
        || coalesce(NEW.context ->> 'order_id', '')))
    ON CONFLICT (tenant_id, chat_id) DO UPDATE SET text = excluded.text
        WHERE chat_searches.text <> excluded.text;
    RETURN NULL;
END
$$;
CREATE TRIGGER chats_searched AFTER INSERT OR UPDATE OF context ON chats
    FOR EACH ROW EXECUTE FUNCTION store_chat_search();

INSERT INTO chat_searches (tenant_id, chat_id, text)
SELECT tenant_id, id, fold_text(coalesce(context ->> 'buyer_name', '') || E'\n'
    || coalesce(context ->> 'order_id', '')) FROM chats;
CREATE INDEX chat_searches_text ON chat_searches USING gin (text gin_trgm_ops);
