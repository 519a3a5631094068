#!/bin/bash
# Runs before every start of the server. The data directory is made beside its place and moved there when it is whole,
# so that an interrupted first start leaves nothing that looks finished.
set -Eeuo pipefail

if [ -s "$PGDATA/PG_VERSION" ]; then
  exit 0
fi
if [ -e /etc/tpstack/initialized ]; then
  echo "This volume has held data before and is empty now: refusing to start on an empty disk." >&2
  echo "Restore it, or look at the TpStack's condition Stalled for the way to give the data up." >&2
  exit 1
fi
if [ -e "$PGDATA" ]; then
  echo "$PGDATA is there without PG_VERSION: not a data directory that was made here. Look at it before anything is changed." >&2
  exit 1
fi
# Only ever the half-made directory of an interrupted first start.
rm -rf -- "$PGDATA.new"
PGDATA="$PGDATA.new" docker-ensure-initdb.sh
sync
mv --no-target-directory -- "$PGDATA.new" "$PGDATA"
