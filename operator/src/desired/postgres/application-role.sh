#!/bin/bash
# Runs once, at the end of initdb: the application's role, which is no superuser, and its database.
# psql reads the password from its file, so that it is in no argument list, no environment and no log.
set -Eeuo pipefail

psql --no-psqlrc --quiet --set ON_ERROR_STOP=1 --username postgres --dbname postgres \
  --set role="$APPLICATION_ROLE" --set database="$APPLICATION_DATABASE" <<'SQL'
SET log_min_error_statement = panic;
SET log_statement = 'none';
\set password `cat /run/secrets/tpstack/postgres/password`
CREATE ROLE :"role" LOGIN PASSWORD :'password';
CREATE DATABASE :"database" OWNER :"role";
REVOKE ALL ON DATABASE :"database" FROM PUBLIC;
SQL
