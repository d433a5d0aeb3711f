#!/bin/sh
# The two roles, the extension and the grants that Parlance expects, in a database named parlance. Run once by a
# superuser (PostgreSQL's image runs it on an empty volume); the embedded cluster is prepared the same way.
set -eu
: "${PARLANCE_OWNER_PASSWORD:?}" "${PARLANCE_APP_PASSWORD:?}"
psql --set ON_ERROR_STOP=1 --set owner_password="$PARLANCE_OWNER_PASSWORD" --set app_password="$PARLANCE_APP_PASSWORD" \
    --username "${POSTGRES_USER:-postgres}" --dbname postgres <<'SQL'
CREATE ROLE parlance_owner LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE PASSWORD :'owner_password';
CREATE ROLE parlance_app LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE PASSWORD :'app_password';
CREATE DATABASE parlance OWNER parlance_owner;
\connect parlance
CREATE EXTENSION IF NOT EXISTS vector;
REVOKE CREATE ON SCHEMA public FROM PUBLIC;
GRANT USAGE, CREATE ON SCHEMA public TO parlance_owner;
GRANT USAGE ON SCHEMA public TO parlance_app;
ALTER DEFAULT PRIVILEGES FOR ROLE parlance_owner IN SCHEMA public
    GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO parlance_app;
ALTER DEFAULT PRIVILEGES FOR ROLE parlance_owner IN SCHEMA public
    GRANT USAGE, SELECT, UPDATE ON SEQUENCES TO parlance_app;
SQL
