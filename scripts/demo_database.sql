-- Creates the demo's database beside the real one; the PostgreSQL of docker-compose.yml runs it once, when it is new.
SELECT format('CREATE DATABASE %I', current_database() || '_demo') \gexec
