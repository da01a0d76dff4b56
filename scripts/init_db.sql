-- Creates the role and the database of Chat Center on a PostgreSQL that you administer yourself
-- (scripts/run needs none of this: it makes a server of its own). Running it again changes only the password.
--
--   psql -h HOST -U postgres -v password=SECRET -f scripts/init_db.sql
--   psql … -v role=chat_center -v database=chat_center -v password=SECRET -f scripts/init_db.sql
--
-- Then set DATABASE_URL=postgres://chat_center:SECRET@HOST:5432/chat_center; `api migrate` makes the tables.

\set ON_ERROR_STOP on
\if :{?role}
\else
  \set role chat_center
\endif
\if :{?database}
\else
  \set database chat_center
\endif
\if :{?password}
\else
  \prompt 'password of the role: ' password
\endif

SELECT format('CREATE ROLE %I LOGIN', :'role')
WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = :'role') \gexec

ALTER ROLE :"role" PASSWORD :'password';

-- CREATE DATABASE knows neither IF NOT EXISTS nor transactions.
SELECT format('CREATE DATABASE %I OWNER %I ENCODING ''UTF8'' TEMPLATE template0', :'database', :'role')
WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = :'database') \gexec

REVOKE ALL ON DATABASE :"database" FROM PUBLIC;
