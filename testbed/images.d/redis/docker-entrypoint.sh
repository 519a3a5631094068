#!/bin/sh
# Entry point of the testbed's Redis image: the behaviour of the official image, by its documentation.
set -e

case ${1:-} in -* | *.conf) set -- redis-server "$@" ;; esac

if [ "${1:-}" = redis-server ]; then
    if [ "$(id -u)" = 0 ]; then
        find . ! -user redis -exec chown redis '{}' +
        exec setpriv --reuid=redis --regid=redis --clear-groups "$0" "$@"
    fi
    # The official image is built with protected mode off; Debian's package is not.
    case " $* " in
        *' --protected-mode '*) ;;
        *)
            if [ ! -f "${2:-}" ] || ! grep -q '^[[:space:]]*protected-mode' "$2"; then
                set -- "$@" --protected-mode no
            fi
            ;;
    esac
    [ "$(umask)" != 0022 ] || umask 0077
fi
exec "$@"
