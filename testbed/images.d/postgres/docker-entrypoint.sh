#!/usr/bin/env bash
# Entry point of the testbed's Postgres image: the behaviour of the official image, by its documentation.
#
# As docker-entrypoint.sh it makes a database where there is none and becomes the server; as docker-ensure-initdb.sh
# it only makes the database.
set -Eeuo pipefail

# from_file NAME [DEFAULT]: lets NAME_FILE name a file that holds the value of NAME.
from_file() {
    local file=$1_FILE
    if [ -n "${!1:-}" ] && [ -n "${!file:-}" ]; then
        echo "error: both $1 and $file are set (but are exclusive)" >&2
        exit 1
    fi
    if [ -n "${!file:-}" ]; then
        export "$1=$(<"${!file}")"
    else
        export "$1=${!1:-${2:-}}"
    fi
    unset "$file"
}

read_settings() {
    from_file POSTGRES_PASSWORD
    from_file POSTGRES_USER postgres
    from_file POSTGRES_DB "$POSTGRES_USER"
    from_file POSTGRES_INITDB_ARGS
    export POSTGRES_HOST_AUTH_METHOD=${POSTGRES_HOST_AUTH_METHOD:-}
}

make_folders() {
    local user
    user=$(id -u)
    mkdir -p "$PGDATA"
    # Both may be mounts that a user without rights has to take as they are.
    chmod 00700 "$PGDATA" || :
    mkdir -p /var/run/postgresql && chmod 03775 /var/run/postgresql || :
    if [ -n "${POSTGRES_INITDB_WALDIR:-}" ]; then
        mkdir -p "$POSTGRES_INITDB_WALDIR"
        [ "$user" != 0 ] || find "$POSTGRES_INITDB_WALDIR" ! -user postgres -exec chown postgres '{}' +
        chmod 700 "$POSTGRES_INITDB_WALDIR"
    fi
    [ "$user" != 0 ] || find "$PGDATA" /var/run/postgresql ! -user postgres -exec chown postgres '{}' +
}

refuse_without_password() {
    if [ -z "$POSTGRES_PASSWORD" ] && [ "$POSTGRES_HOST_AUTH_METHOD" != trust ]; then
        cat >&2 <<'TEXT'
Error: Database is uninitialized and superuser password is not specified.
       Set POSTGRES_PASSWORD (or POSTGRES_PASSWORD_FILE) to a non-empty value for the superuser.
TEXT
        exit 1
    fi
}

make_database() {
    local -a arguments=()
    # The arguments are words as a shell would read them, quotes included.
    eval "arguments=($POSTGRES_INITDB_ARGS)"
    [ -z "${POSTGRES_INITDB_WALDIR:-}" ] || arguments=(--waldir "$POSTGRES_INITDB_WALDIR" "${arguments[@]}")
    initdb --pgdata="$PGDATA" --username="$POSTGRES_USER" --pwfile=<(printf '%s\n' "$POSTGRES_PASSWORD") "${arguments[@]}"
    # What the official server has compiled in, and initdb would overwrite in its sample file.
    printf "\nunix_socket_directories = '/var/run/postgresql'\n" >>"$PGDATA/postgresql.conf"
    printf '\nhost all all all %s\n' "${POSTGRES_HOST_AUTH_METHOD:-$(postgres -C password_encryption)}" >>"$PGDATA/pg_hba.conf"
}

# sql ARGS...: psql as the superuser, on the socket.
sql() { psql -v ON_ERROR_STOP=1 --username "$POSTGRES_USER" --no-password --no-psqlrc "$@"; }

run_init_files() {
    local file
    for file in /docker-entrypoint-initdb.d/*; do
        case $file in
            *.sh)
                if [ -x "$file" ]; then
                    echo "$0: running $file"
                    "$file"
                else
                    echo "$0: sourcing $file"
                    # shellcheck disable=SC1090 # the user's own
                    . "$file"
                fi
                ;;
            *.sql) echo "$0: running $file" && sql --dbname "$POSTGRES_DB" -f "$file" ;;
            *.sql.gz) echo "$0: running $file" && gunzip -c "$file" | sql --dbname "$POSTGRES_DB" ;;
            *.sql.xz) echo "$0: running $file" && xzcat "$file" | sql --dbname "$POSTGRES_DB" ;;
            *.sql.zst) echo "$0: running $file" && zstd -dc "$file" | sql --dbname "$POSTGRES_DB" ;;
            *) [ ! -e "$file" ] || echo "$0: ignoring $file" ;;
        esac
    done
}

# first_start ARGS...: makes the database and runs the user's scripts on a server that only the socket reaches.
first_start() {
    local POSTGRES_SERVER_OPTIONS
    refuse_without_password
    make_database
    export PGPASSWORD=${PGPASSWORD:-$POSTGRES_PASSWORD}
    POSTGRES_SERVER_OPTIONS=$(printf ' %q' "$@" -c listen_addresses= -p "${PGPORT:-5432}")
    PGUSER=${PGUSER:-$POSTGRES_USER} pg_ctl -D "$PGDATA" -o "$POSTGRES_SERVER_OPTIONS" -w start
    if [ "$POSTGRES_DB" != postgres ] && [ -z "$(sql --dbname postgres -v db="$POSTGRES_DB" --tuples-only <<<"SELECT 1 FROM pg_database WHERE datname = :'db';")" ]; then
        sql --dbname postgres -v db="$POSTGRES_DB" <<<'CREATE DATABASE :"db";'
    fi
    run_init_files
    PGUSER=${PGUSER:-postgres} pg_ctl -D "$PGDATA" -m fast -w stop
    unset PGPASSWORD
    echo
    echo 'PostgreSQL init process complete; ready for start up.'
    echo
}

# wants_help ARGS...: whether the server would only print something and end.
wants_help() {
    local argument
    for argument; do
        case $argument in -'?' | --help | --describe-config | -V | --version) return 0 ;; esac
    done
    return 1
}

only_database=''
case ${0##*/} in docker-ensure-initdb.sh | docker-enforce-initdb.sh) only_database=${0##*/} ;; esac

if [ -n "$only_database" ]; then
    [ "${1:-}" = postgres ] || set -- postgres "$@"
elif [ "${1:0:1}" = - ]; then
    set -- postgres "$@"
fi

if [ "${1:-}" = postgres ] && ! wants_help "$@"; then
    # Root reads the password files, which the server's user may have no right to.
    read_settings
    make_folders
    if [ "$(id -u)" = 0 ]; then
        exec setpriv --reuid=postgres --regid=postgres --init-groups "$0" "$@"
    fi
    if [ ! -s "$PGDATA/PG_VERSION" ]; then
        first_start "${@:2}"
    elif [ "$only_database" = docker-enforce-initdb.sh ]; then
        echo "$only_database: error: (unexpected) existing database in $PGDATA" >&2
        exit 1
    else
        echo 'PostgreSQL Database directory appears to contain a database; Skipping initialization'
    fi
fi
[ -z "$only_database" ] || exit 0
exec "$@"
