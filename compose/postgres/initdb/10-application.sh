#!/bin/bash
# Runs once, when the database is made: the application's role, which is no superuser, its database, and who may log in.
# From the environment: APP_DATABASE, APP_USER, APP_PASSWORD_FILE.
set -euo pipefail
: "${PGDATA:?}" "${APP_DATABASE:?}" "${APP_USER:?}" "${APP_PASSWORD_FILE:?}"

# psql reads the password from the file itself and quotes every value, so that none is in an argument list or can be
# taken for SQL. The server is told not to log the statement, not even if it fails.
psql --no-psqlrc --quiet --set=ON_ERROR_STOP=1 --username=postgres --dbname=postgres <<'SQL'
SET log_statement = 'none';
SET log_min_error_statement = 'panic';
SET log_min_duration_statement = -1;
\getenv app_user APP_USER
\getenv app_database APP_DATABASE
\set app_password `cat "$APP_PASSWORD_FILE"`
CREATE ROLE :"app_user" LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS PASSWORD :'app_password';
CREATE DATABASE :"app_database" OWNER :"app_user";
REVOKE ALL ON DATABASE :"app_database" FROM PUBLIC;
REVOKE CONNECT ON DATABASE postgres FROM PUBLIC;
SQL

# The superuser is for whoever is on the server's own machine as its own user; over the network there is none.
cat >"$PGDATA/pg_hba.conf" <<'HBA'
# type  database  user      address  method
local   all       postgres           peer
local   all       all                scram-sha-256
host    all       postgres  all      reject
host    all       all       all      scram-sha-256
HBA
