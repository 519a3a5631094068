#!/bin/bash
# Starts Postgres; on an empty disk, makes the database first.
#
# The image's own entrypoint makes the database where it will be served from. A crash in the middle would leave something
# that looks finished and has no application role. So it is made beside and renamed: `pgdata` exists whole or not at all.
set -euo pipefail
: "${PGDATA:?where the database is}"

if [[ ! -e $PGDATA ]]; then
    rm -rf "$PGDATA.partial" # never served, so nobody's data
    PGDATA=$PGDATA.partial docker-ensure-initdb.sh postgres
    sync
    mv "$PGDATA.partial" "$PGDATA"
fi
exec docker-entrypoint.sh postgres "$@"
