#!/bin/sh
# Entry point of the testbed's Traefik image: options and Traefik's own commands go to traefik, anything else is run.
set -e
if [ "${1#-}" != "$1" ] || [ $# = 0 ]; then
    set -- traefik "$@"
elif traefik "$1" --help >/dev/null 2>&1; then
    set -- traefik "$@"
fi
exec "$@"
