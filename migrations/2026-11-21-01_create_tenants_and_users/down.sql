DROP TABLE access_changes;
DROP TABLE sessions;
DROP TABLE users;
DROP TABLE tenants;
