DROP TABLE notes;
DROP INDEX chats_tagged;
