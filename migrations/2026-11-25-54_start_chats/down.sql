DROP TABLE chat_starts;
