#!/bin/bash
# Runs once, when the database is made: the role of the exporter, which sees the server's statistics and no row of anybody's.
# From the environment: APP_DATABASE, EXPORTER_PASSWORD_FILE.
set -euo pipefail
: "${APP_DATABASE:?}" "${EXPORTER_PASSWORD_FILE:?}"

# The password takes the same way as the application's (10-application.sh).
psql --no-psqlrc --quiet --set=ON_ERROR_STOP=1 --username=postgres --dbname=postgres <<'SQL'
SET log_statement = 'none';
SET log_min_error_statement = 'panic';
SET log_min_duration_statement = -1;
\getenv app_database APP_DATABASE
\set exporter_password `cat "$EXPORTER_PASSWORD_FILE"`
CREATE ROLE exporter LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS CONNECTION LIMIT 5
  PASSWORD :'exporter_password';
GRANT pg_monitor TO exporter;
GRANT CONNECT ON DATABASE :"app_database" TO exporter;
SQL
