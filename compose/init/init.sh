#!/bin/sh
# Makes what the stack needs before it starts: passwords, a local certificate authority and the certificate Traefik shows.
# Runs on every `up`. What is there stays as it is; what a crash left half made was never used, and is made again.
# Prints what it did, never a value.
#
#   /secrets/passwords/{postgres,redis,api}/   renamed into place as one, so they all exist or none does
#   /secrets/tls/                              traefik.pem (certificate and key), ca.crt (public)
#   /ca/ca.pem                                 the authority's key and certificate: no other service mounts this volume
#   /provided/                                 the user's own values (compose/secrets on the host); they win
#   /stack/                                    the folder `compose` of the repository
set -eu
umask 077

passwords=/secrets/passwords
tls=/secrets/tls
ca=/ca/ca.pem
provided=/provided
database=/var/lib/postgresql/data
: "${API_HOST:?the name the API is asked for}"

# Each file belongs to the user its service runs as, in a folder that this user cannot write.
postgres_uid=999 redis_uid=999 api_uid=65532 traefik_uid=65533

say() { printf 'init: %s\n' "$*" >&2; }
refuse() {
    say "REFUSED: $1"
    shift
    for line; do say "  $line"; done
    exit 1
}

# --- Passwords --------------------------------------------------------------------------------------------------------

# What the user may provide, and where the stack keeps it.
provisions='postgres-superuser-password:postgres/superuser-password
postgres-app-password:postgres/app-password
redis-app-password:api/redis-password
redis-admin-password:redis/admin-password'

# password NAME: the user's own, or 256 bits from the system's random source.
password() {
    if [ -e "$provided/$1" ]; then cat "$provided/$1"; else openssl rand -hex 32; fi
}

check_provided_passwords() {
    for provision in $provisions; do
        name=${provision%%:*}
        [ -e "$provided/$name" ] || continue
        value=$(cat "$provided/$name")
        case $value in
        '' | *[[:cntrl:]]*) refuse "the password in compose/secrets/$name must be one line and not empty" ;;
        *) ;;
        esac
    done
}

# keep FILE UID: the value on standard input, without a final newline, readable by that user only.
keep() {
    value=$(cat)
    [ -n "$value" ] || refuse "no value could be made for $1: is there an openssl in this image?"
    printf '%s' "$value" >"$1"
    chmod 0400 "$1"
    chown "$2:$2" "$1"
}

acl_hash() { printf '#%s' "$(printf '%s' "$1" | openssl dgst -sha256 -r | cut -d' ' -f1)"; }

make_passwords() {
    next=$passwords.partial
    rm -rf "$next"
    mkdir -m 0755 "$next" "$next/postgres" "$next/redis" "$next/api"

    password postgres-superuser-password | keep "$next/postgres/superuser-password" "$postgres_uid"
    app=$(password postgres-app-password)
    printf '%s' "$app" | keep "$next/postgres/app-password" "$postgres_uid"
    printf '%s' "$app" | keep "$next/api/db-password" "$api_uid"

    app=$(password redis-app-password)
    admin=$(password redis-admin-password)
    health=$(openssl rand -hex 32)
    printf '%s' "$app" | keep "$next/api/redis-password" "$api_uid"
    printf '%s' "$admin" | keep "$next/redis/admin-password" "$redis_uid"
    printf '%s' "$health" | keep "$next/redis/health-password" "$redis_uid"
    # Redis holds hashes only. Nobody is the default user; the API's user can do no harm to the server or to all keys at
    # once, but may read INFO, as clients do to learn the server's version.
    {
        echo "user default off"
        echo "user app on $(acl_hash "$app") ~* &* +@all -@admin -@dangerous +info"
        echo "user admin on $(acl_hash "$admin") ~* &* +@all"
        echo "user health on $(acl_hash "$health") -@all +ping"
    } | keep "$next/redis/users.acl" "$redis_uid"

    sync
    mv "$next" "$passwords"
    say "made the passwords of Postgres and Redis"
}

# Anything but a first start that did not finish (see postgres/start.sh) is a database somebody may have used.
database_exists() {
    [ -n "$(find "$database" -mindepth 1 -maxdepth 1 ! -name lost+found ! -name pgdata.partial -print -quit)" ]
}

# A password is in use from the moment it is made, and changing it needs the servers' help: never done by a file alone.
check_kept_passwords() {
    for file in postgres/superuser-password postgres/app-password redis/users.acl redis/admin-password \
        redis/health-password api/db-password api/redis-password; do
        [ -s "$passwords/$file" ] || refuse "the secret $file is missing from the volume 'secrets'" \
            "Somebody removed it: put the volume back from a backup." \
            "To give up all data and start anew: docker compose down --volumes"
    done
    for provision in $provisions; do
        name=${provision%%:*} kept=${provision#*:}
        [ -e "$provided/$name" ] || continue
        [ "$(cat "$provided/$name")" = "$(cat "$passwords/$kept")" ] ||
            refuse "compose/secrets/$name is not the password the stack was started with" \
                "Nothing was changed. Take the file away, or put the first value back into it."
    done
}

ensure_passwords() {
    check_provided_passwords
    if [ -d "$passwords" ]; then
        check_kept_passwords
    elif database_exists; then
        refuse "there is a database in the volume 'postgres-data', and its passwords are not in the volume 'secrets'" \
            "New passwords would lock its owner out, so none were made and nothing was started." \
            "To keep the data: put the volume 'secrets' back from a backup, then: docker compose up --wait" \
            "To give up the data and start anew: docker compose down --volumes"
    else
        make_passwords
    fi
}

# --- Authority and certificate ----------------------------------------------------------------------------------------

# Written beside and renamed, so that no reader sees half a file. install_file FROM TO MODE UID
install_file() {
    # What a crash left belongs to the service already, and root without privileges cannot write into it.
    rm -f "$2.partial"
    cp "$1" "$2.partial"
    chmod "$3" "$2.partial"
    chown "$4:$4" "$2.partial"
    mv "$2.partial" "$2"
}

# The authority may vouch for this machine's own names only: whoever trusts it does not thereby trust us for the whole web.
make_ca() {
    cat >/tmp/ca.cnf <<-CONFIG
	[req]
	distinguished_name = name
	prompt = no
	x509_extensions = ca
	[name]
	O = TpStack
	CN = TpStack local authority of $(date -u +%Y-%m-%d)
	[ca]
	basicConstraints = critical, CA:TRUE, pathlen:0
	keyUsage = critical, keyCertSign, cRLSign
	subjectKeyIdentifier = hash
	nameConstraints = critical, permitted;DNS:localhost, permitted;DNS:$API_HOST, permitted;IP:127.0.0.0/255.0.0.0, permitted;IP:::1/ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff
	CONFIG
    openssl ecparam -name prime256v1 -genkey -noout -out /tmp/ca.key
    openssl req -new -x509 -config /tmp/ca.cnf -key /tmp/ca.key -sha256 -days 3650 -out /tmp/ca.crt
    cat /tmp/ca.crt /tmp/ca.key >/tmp/ca.pem
    install_file /tmp/ca.pem "$ca" 0400 0
    say "made a local authority for localhost and $API_HOST; how to trust it: compose/README.md"
}

make_certificate() {
    cat >/tmp/leaf.cnf <<-CONFIG
	[req]
	distinguished_name = name
	prompt = no
	[name]
	O = TpStack
	CN = $API_HOST
	[leaf]
	basicConstraints = critical, CA:FALSE
	keyUsage = critical, digitalSignature
	extendedKeyUsage = serverAuth
	subjectKeyIdentifier = hash
	authorityKeyIdentifier = keyid
	subjectAltName = DNS:$API_HOST, DNS:localhost, IP:127.0.0.1, IP:::1
	CONFIG
    openssl ecparam -name prime256v1 -genkey -noout -out /tmp/leaf.key
    openssl req -new -config /tmp/leaf.cnf -key /tmp/leaf.key -out /tmp/leaf.csr
    # Browsers refuse more than 398 days.
    openssl x509 -req -in /tmp/leaf.csr -CA "$ca" -CAkey "$ca" -set_serial "0x$(openssl rand -hex 16)" \
        -sha256 -days 397 -extfile /tmp/leaf.cnf -extensions leaf -out /tmp/leaf.crt 2>/dev/null
}

# The kept certificate is for the wanted names, ours to vouch for, and good for another 30 days.
certificate_fits() {
    [ -s "$tls/traefik.pem" ] && [ -s "$tls/ca.crt" ] && [ -s "$ca" ] &&
        openssl verify -CAfile "$ca" "$tls/traefik.pem" >/dev/null 2>&1 &&
        openssl x509 -in "$tls/traefik.pem" -noout -checkend 2592000 >/dev/null &&
        openssl x509 -in "$tls/traefik.pem" -noout -ext subjectAltName |
        grep -qxF "    DNS:$API_HOST, DNS:localhost, IP Address:127.0.0.1, IP Address:0:0:0:0:0:0:0:1"
}

# The authority must outlive what it signs, and be allowed to sign it: when API_HOST has changed, it is not.
ensure_certificate() {
    certificate_fits && return
    if ! [ -s "$ca" ] || ! openssl x509 -in "$ca" -noout -checkend 34300800 >/dev/null; then make_ca; fi
    make_certificate
    if ! openssl verify -CAfile "$ca" /tmp/leaf.crt >/dev/null 2>&1; then
        make_ca
        make_certificate
        openssl verify -CAfile "$ca" /tmp/leaf.crt >/dev/null ||
            refuse "no certificate can be made for API_HOST=$API_HOST"
    fi
    openssl x509 -in "$ca" -out /tmp/ca.crt
    install_file /tmp/ca.crt "$tls/ca.crt" 0444 0
    cat /tmp/leaf.crt /tmp/leaf.key >/tmp/traefik.pem
    install_file /tmp/traefik.pem "$tls/traefik.pem" 0400 "$traefik_uid"
    say "made a certificate for $API_HOST; if Traefik is running already: docker compose restart traefik"
}

use_provided_certificate() {
    [ -s "$provided/tls.crt" ] && [ -s "$provided/tls.key" ] ||
        refuse "compose/secrets must hold both tls.crt and tls.key, or neither"
    [ "$(openssl x509 -in "$provided/tls.crt" -noout -pubkey)" = "$(openssl pkey -in "$provided/tls.key" -pubout)" ] ||
        refuse "compose/secrets/tls.key is not the key of compose/secrets/tls.crt"
    cat "$provided/tls.crt" "$provided/tls.key" >/tmp/traefik.pem
    cmp -s /tmp/traefik.pem "$tls/traefik.pem" && return
    install_file /tmp/traefik.pem "$tls/traefik.pem" 0400 "$traefik_uid"
    say "took your certificate; if Traefik is running already: docker compose restart traefik"
}

ensure_tls() {
    [ -d "$tls" ] || mkdir -m 0755 "$tls"
    if [ -e "$provided/tls.crt" ] || [ -e "$provided/tls.key" ]; then use_provided_certificate; else ensure_certificate; fi
}

# ----------------------------------------------------------------------------------------------------------------------

# The services read their settings from the repository, as users of their own: under a strict umask, git made it
# readable by its owner only.
check_settings_are_readable() {
    closed=$(cd /stack && find traefik prometheus postgres redis \( ! -perm -o=r -o -type d ! -perm -o=x \) -print | head -n 1)
    [ -z "$closed" ] || refuse "the services cannot read compose/$closed" "Let them: chmod -R go+rX compose"
}

command -v openssl >/dev/null || refuse "this image has no openssl: use the official Debian image of Postgres (POSTGRES_IMAGE)"
case $API_HOST in
[.-]* | *[!a-z0-9.-]* | *..*) refuse "API_HOST must be a host name in small letters, like api.localhost; it is '$API_HOST'" ;;
*) ;;
esac
check_settings_are_readable
ensure_passwords
ensure_tls
say "ready"
