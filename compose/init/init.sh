#!/bin/sh
# Makes what the stack needs before it starts: passwords, a local certificate authority and the certificate Traefik shows.
# Runs on every `up`. What is there stays as it is; what a crash left half made was never used, and is made again.
# Prints what it did, never a value.
#
#   /secrets/passwords/SERVICE/                renamed into place as one, so they all exist or none does
#   /secrets/tls/                              traefik.pem (certificate and key), ca.crt (public), dashboard-users
#   /secrets/alertmanager/                     alertmanager.yml, made anew on every `up`, and what it sends with
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
: "${API_HOST:?the name the API is asked for}" "${TRAEFIK_HOST:?the name of the dashboard}"

# Each file belongs to the user its service runs as, in a folder that this user cannot write.
postgres_uid=999 redis_uid=999 api_uid=65532 traefik_uid=65533 nobody_uid=65534 redis_exporter_uid=59000 grafana_uid=472

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
redis-admin-password:redis/admin-password
admin-password:grafana/admin-password'

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
    mkdir -m 0755 "$next" "$next/postgres" "$next/redis" "$next/api" "$next/postgres-exporter" "$next/redis-exporter" "$next/grafana"

    password postgres-superuser-password | keep "$next/postgres/superuser-password" "$postgres_uid"
    app=$(password postgres-app-password)
    printf '%s' "$app" | keep "$next/postgres/app-password" "$postgres_uid"
    printf '%s' "$app" | keep "$next/api/db-password" "$api_uid"
    exporter=$(openssl rand -hex 32)
    printf '%s' "$exporter" | keep "$next/postgres/exporter-password" "$postgres_uid"
    printf '%s' "$exporter" | keep "$next/postgres-exporter/password" "$nobody_uid"

    app=$(password redis-app-password)
    admin=$(password redis-admin-password)
    health=$(openssl rand -hex 32)
    printf '%s' "$app" | keep "$next/api/redis-password" "$api_uid"
    printf '%s' "$admin" | keep "$next/redis/admin-password" "$redis_uid"
    printf '%s' "$health" | keep "$next/redis/health-password" "$redis_uid"
    exporter=$(openssl rand -hex 32)
    printf '{"redis://exporter@redis:6379":"%s"}' "$exporter" | keep "$next/redis-exporter/passwords.json" "$redis_exporter_uid"
    # Redis holds hashes only. Nobody is the default user; the API's user can do no harm to the server or to all keys at
    # once, but may read INFO, as clients do to learn the server's version.
    {
        echo "user default off"
        echo "user app on $(acl_hash "$app") ~* &* +@all -@admin -@dangerous +info"
        echo "user admin on $(acl_hash "$admin") ~* &* +@all"
        echo "user health on $(acl_hash "$health") -@all +ping"
        echo "user exporter on $(acl_hash "$exporter") -@all +ping +info +client|setname +slowlog|len +slowlog|get +latency|latest"
    } | keep "$next/redis/users.acl" "$redis_uid"

    # The administrator's, for Grafana and Traefik's dashboard.
    password admin-password | keep "$next/grafana/admin-password" "$grafana_uid"

    sync
    mv "$next" "$passwords"
    say "made the passwords of Postgres, Redis and the administrator"
}

# Anything but a first start that did not finish (see postgres/start.sh) is a database somebody may have used.
database_exists() {
    [ -n "$(find "$database" -mindepth 1 -maxdepth 1 ! -name lost+found ! -name pgdata.partial -print -quit)" ]
}

# A password is in use from the moment it is made, and changing it needs the servers' help: never done by a file alone.
check_kept_passwords() {
    for file in postgres/superuser-password postgres/app-password postgres/exporter-password redis/users.acl \
        redis/admin-password redis/health-password api/db-password api/redis-password postgres-exporter/password \
        redis-exporter/passwords.json grafana/admin-password; do
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
	nameConstraints = critical, permitted;DNS:localhost, permitted;DNS:$API_HOST, permitted;DNS:$TRAEFIK_HOST, permitted;IP:127.0.0.0/255.0.0.0, permitted;IP:::1/ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff
	CONFIG
    openssl ecparam -name prime256v1 -genkey -noout -out /tmp/ca.key
    openssl req -new -x509 -config /tmp/ca.cnf -key /tmp/ca.key -sha256 -days 3650 -out /tmp/ca.crt
    cat /tmp/ca.crt /tmp/ca.key >/tmp/ca.pem
    install_file /tmp/ca.pem "$ca" 0400 0
    say "made a local authority for localhost, $API_HOST and $TRAEFIK_HOST; how to trust it: compose/README.md"
}

# With acme.yaml another authority vouches for API_HOST; Traefik asks for no name that it has a certificate for already.
if [ -d /acme ]; then names="DNS:$TRAEFIK_HOST, DNS:localhost"; else names="DNS:$API_HOST, DNS:$TRAEFIK_HOST, DNS:localhost"; fi

make_certificate() {
    cat >/tmp/leaf.cnf <<-CONFIG
	[req]
	distinguished_name = name
	prompt = no
	[name]
	O = TpStack
	CN = local certificate of the stack
	[leaf]
	basicConstraints = critical, CA:FALSE
	keyUsage = critical, digitalSignature
	extendedKeyUsage = serverAuth
	subjectKeyIdentifier = hash
	authorityKeyIdentifier = keyid
	subjectAltName = $names, IP:127.0.0.1, IP:::1
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
        grep -qxF "    $names, IP Address:127.0.0.1, IP Address:0:0:0:0:0:0:0:1"
}

# The authority must outlive what it signs, and be allowed to sign it: when a host has changed, it is not.
ensure_certificate() {
    certificate_fits && return
    if ! [ -s "$ca" ] || ! openssl x509 -in "$ca" -noout -checkend 34300800 >/dev/null; then make_ca; fi
    make_certificate
    if ! openssl verify -CAfile "$ca" /tmp/leaf.crt >/dev/null 2>&1; then
        make_ca
        make_certificate
        openssl verify -CAfile "$ca" /tmp/leaf.crt >/dev/null ||
            refuse "no certificate can be made for API_HOST=$API_HOST and TRAEFIK_HOST=$TRAEFIK_HOST"
    fi
    openssl x509 -in "$ca" -out /tmp/ca.crt
    install_file /tmp/ca.crt "$tls/ca.crt" 0444 0
    cat /tmp/leaf.crt /tmp/leaf.key >/tmp/traefik.pem
    install_file /tmp/traefik.pem "$tls/traefik.pem" 0400 "$traefik_uid"
    say "made a certificate for $(printf %s "$names" | sed 's,DNS:,,g'); if Traefik is running already: docker compose restart traefik"
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
    ensure_dashboard_users
}

# Traefik reads the administrator's password as a salted hash: made again only when it is not this password's.
ensure_dashboard_users() {
    # shellcheck disable=SC2016 # dollar signs of the hash
    salt=$(sed -n 's/^admin:\$apr1\$\([^$]*\)\$.*$/\1/p' "$tls/dashboard-users" 2>/dev/null || :)
    admin="admin:$(openssl passwd -apr1 -salt "${salt:-$(openssl rand -hex 4)}" -stdin <"$passwords/grafana/admin-password")"
    [ "$admin" = "$(cat "$tls/dashboard-users" 2>/dev/null || :)" ] && return
    printf '%s\n' "$admin" >/tmp/dashboard-users
    install_file /tmp/dashboard-users "$tls/dashboard-users" 0400 "$traefik_uid"
}

# --- Whom Alertmanager tells ------------------------------------------------------------------------------------------

alerts=/secrets/alertmanager
: "${ALERT_EMAIL_TO=}" "${ALERT_EMAIL_FROM=}" "${ALERT_SMTP_SERVER=}" "${ALERT_SMTP_USER=}" "${ALERT_SMTP_TLS:=true}"
: "${ALERT_SLACK_CHANNEL=}" "${ALERT_GROUP_WAIT:=30s}" "${ALERT_GROUP_INTERVAL:=5m}" "${ALERT_REPEAT_INTERVAL:=4h}"

# quoted VALUE: as YAML, where a quote is written twice and nothing else means anything.
quoted() { printf "'%s'" "$(printf '%s' "$1" | sed "s/'/''/g")"; }

check_alert_settings() {
    for name in ALERT_EMAIL_TO ALERT_EMAIL_FROM ALERT_SMTP_SERVER ALERT_SMTP_USER ALERT_SLACK_CHANNEL; do
        eval "value=\$$name"
        # shellcheck disable=SC2154 # set by eval
        case $value in
        *[[:cntrl:]]*) refuse "$name must be one line" ;;
        *) ;;
        esac
    done
    for name in ALERT_GROUP_WAIT ALERT_GROUP_INTERVAL ALERT_REPEAT_INTERVAL; do
        eval "value=\$$name"
        printf '%s' "$value" | grep -qxE '([0-9]+(ms|[smhd]))+' ||
            refuse "$name must be a duration like 30s, 5m or 4h; it is '$value'"
    done
    case $ALERT_SMTP_TLS in true | false) ;; *) refuse "ALERT_SMTP_TLS must be true or false; it is '$ALERT_SMTP_TLS'" ;; esac
    if [ -n "$ALERT_EMAIL_TO" ]; then
        [ -n "$ALERT_EMAIL_FROM" ] || refuse "ALERT_EMAIL_TO is set and ALERT_EMAIL_FROM is not: who sends the mail?"
        case $ALERT_SMTP_SERVER in
        *?:[0-9]*) ;;
        *) refuse "ALERT_EMAIL_TO is set, so ALERT_SMTP_SERVER must be HOST:PORT; it is '$ALERT_SMTP_SERVER'" ;;
        esac
        if [ -n "$ALERT_SMTP_USER" ] && ! [ -s "$provided/smtp-password" ]; then
            refuse "ALERT_SMTP_USER is set: its password belongs into compose/secrets/smtp-password"
        fi
    fi
    for name in alert-slack-url alert-webhook-url alert-watchdog-url; do
        [ -e "$provided/$name" ] || continue
        case $(cat "$provided/$name") in
        http://?* | https://?*) ;;
        *) refuse "compose/secrets/$name must hold a URL" ;;
        esac
    done
}

# The configuration, on standard output. What it sends with is in files beside it.
alert_configuration() {
    cat <<-CONFIG
	# Made by init from the knobs ALERT_* and compose/secrets: changes here are lost at the next \`up\`.
	route:
	  receiver: team
	  group_by: [alertname, job]
	  group_wait: $ALERT_GROUP_WAIT
	  group_interval: $ALERT_GROUP_INTERVAL
	  repeat_interval: $ALERT_REPEAT_INTERVAL
	  routes:
	    # Always firing: who gets it notices when it stops.
	    - receiver: watchdog
	      matchers: [alertname="Watchdog"]
	      group_wait: 0s
	      repeat_interval: 1m
	# The cause is told, not also what follows from it.
	inhibit_rules:
	  - {source_matchers: ['alertname=~"TraefikDown|APIDown"'], target_matchers: ['alertname=~"TraefikHighErrorRate|APIErrorBudgetBurn.*|APIHighLatency|APIReplicaDown"']}
	  - {source_matchers: ['alertname=~"PostgresDown"'], target_matchers: ['alertname=~"APIDatabaseUnavailable|APIErrorBudgetBurn.*|TraefikHighErrorRate"']}
	  - {source_matchers: ['alertname=~"RedisDown"'], target_matchers: ['alertname=~"APICacheUnavailable|APICacheTrackingLost"']}
	  - {source_matchers: ['alertname=~"APIErrorBudgetBurnFast"'], target_matchers: ['alertname=~"APIErrorBudgetBurnSlow|APIErrorBudgetBurnLasting"']}
	  - {source_matchers: ['alertname=~"TraefikHighErrorRate"'], target_matchers: ['alertname=~"APIErrorBudgetBurn.*"']}
	  - {source_matchers: ['alertname=~"HostDiskSpaceCritical"'], target_matchers: ['alertname=~"HostDiskSpaceLow|HostDiskFillingUp"']}
	  - {source_matchers: ['alertname=~"CertificateExpiresThisWeek"'], target_matchers: ['alertname=~"CertificateExpiresSoon"']}
	receivers:
	  - name: watchdog
	CONFIG
    if [ -s "$provided/alert-watchdog-url" ]; then
        printf '    webhook_configs:\n      - {url_file: /secrets/alert-watchdog-url, send_resolved: false}\n'
    fi
    printf '  - name: team\n'
    if [ -n "$ALERT_EMAIL_TO" ]; then
        cat <<-CONFIG
		    email_configs:
		      - to: $(quoted "$ALERT_EMAIL_TO")
		        from: $(quoted "$ALERT_EMAIL_FROM")
		        smarthost: $(quoted "$ALERT_SMTP_SERVER")
		        require_tls: $ALERT_SMTP_TLS
		        send_resolved: true
		CONFIG
        if [ -n "$ALERT_SMTP_USER" ]; then
            printf '        auth_username: %s\n        auth_password_file: /secrets/smtp-password\n' "$(quoted "$ALERT_SMTP_USER")"
        fi
    fi
    if [ -s "$provided/alert-slack-url" ]; then
        printf '    slack_configs:\n      - api_url_file: /secrets/alert-slack-url\n        send_resolved: true\n'
        [ -z "$ALERT_SLACK_CHANNEL" ] || printf '        channel: %s\n' "$(quoted "$ALERT_SLACK_CHANNEL")"
    fi
    if [ -s "$provided/alert-webhook-url" ]; then
        printf '    webhook_configs:\n      - {url_file: /secrets/alert-webhook-url, send_resolved: true}\n'
    fi
}

ensure_alert_receivers() {
    [ -d "$alerts" ] || mkdir -m 0755 "$alerts"
    for name in smtp-password alert-slack-url alert-webhook-url alert-watchdog-url; do
        if [ -s "$provided/$name" ]; then
            # Without a final newline, which would be part of it.
            printf '%s' "$(cat "$provided/$name")" >"/tmp/$name"
            cmp -s "/tmp/$name" "$alerts/$name" || install_file "/tmp/$name" "$alerts/$name" 0400 "$nobody_uid"
        else
            rm -f "$alerts/$name"
        fi
    done
    alert_configuration >/tmp/alertmanager.yml
    cmp -s /tmp/alertmanager.yml "$alerts/alertmanager.yml" && return
    install_file /tmp/alertmanager.yml "$alerts/alertmanager.yml" 0400 "$nobody_uid"
    say "wrote whom Alertmanager tells; if it is running already: docker compose restart alertmanager"
}

# --- The rest ---------------------------------------------------------------------------------------------------------

: "${RATE_LIMIT_AVERAGE=200}" "${RATE_LIMIT_BURST=400}" "${HSTS_SECONDS=3600}" "${API_STICKY=false}" "${API_READY_PATH=/}"

check_traefik_settings() {
    for name in RATE_LIMIT_AVERAGE RATE_LIMIT_BURST HSTS_SECONDS; do
        eval "value=\$$name"
        printf '%s' "$value" | grep -qxE '[0-9]{1,9}' || refuse "$name must be a whole number; it is '$value'"
    done
    case $API_STICKY in true | false) ;; *) refuse "API_STICKY must be true or false; it is '$API_STICKY'" ;; esac
    printf '%s' "$API_READY_PATH" | grep -qxE '/[A-Za-z0-9._~/?=&-]*' ||
        refuse "API_READY_PATH must be a path like /health/ready; it is '$API_READY_PATH'"
}

# The services read their settings from the repository, as users of their own: under a strict umask, git made it
# readable by its owner only.
check_settings_are_readable() {
    closed=$(cd /stack && find traefik prometheus postgres redis socket-proxy grafana \( ! -perm -o=r -o -type d ! -perm -o=x \) -print | head -n 1)
    [ -z "$closed" ] || refuse "the services cannot read compose/$closed" "Let them: chmod -R go+rX compose"
}

command -v openssl >/dev/null || refuse "this image has no openssl: use the official Debian image of Postgres (POSTGRES_IMAGE)"
check_host() {
    case $2 in
    [.-]* | *[!a-z0-9.-]* | *..*) refuse "$1 must be a host name in small letters, like $3; it is '$2'" ;;
    *) ;;
    esac
}
check_host API_HOST "$API_HOST" api.localhost
check_host TRAEFIK_HOST "$TRAEFIK_HOST" traefik.localhost
[ "$API_HOST" != "$TRAEFIK_HOST" ] || refuse "API_HOST and TRAEFIK_HOST are the same name, '$API_HOST'"
# All that can be wrong, before anything is made.
check_traefik_settings
check_alert_settings
check_settings_are_readable
ensure_passwords
ensure_tls
ensure_alert_receivers
# With acme.yaml: where Traefik keeps what it is given. A new volume is root's; what is Traefik's already, root without
# privileges cannot change.
if [ -d /acme ] && [ "$(stat -c %u /acme)" = 0 ]; then
    chmod 0700 /acme
    chown "$traefik_uid:$traefik_uid" /acme
fi
say "ready"
