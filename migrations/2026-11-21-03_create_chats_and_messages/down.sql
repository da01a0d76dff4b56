DROP TABLE read_receipts;
DROP TABLE send_attempts;
DROP TABLE messages;
DROP TABLE chats;
