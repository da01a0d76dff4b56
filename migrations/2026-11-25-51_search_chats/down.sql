DROP TRIGGER chats_searched ON chats;
DROP FUNCTION store_chat_search;
DROP TABLE chat_searches;
DROP FUNCTION fold_text;
DROP EXTENSION pg_trgm;
