#!/bin/sh
# As the official image's: what begins with an option is for HAProxy, and HAProxy runs in the foreground below a master
# process, which reloads on SIGUSR2.
set -eu
case ${1:-} in
    -*) set -- haproxy "$@" ;;
esac
if [ "${1:-}" = haproxy ]; then
    shift
    set -- haproxy -W -db "$@"
fi
exec "$@"
