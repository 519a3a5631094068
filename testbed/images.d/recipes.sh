# shellcheck shell=bash
# How each stand-in image is made: sourced by `images`. No engine and no image registry is needed, only packages.
#
# An image is a layer of its own files on a base that it shares with others (`base_of`): a small Debian, or busybox where the
# official image is built on busybox or Alpine, so that a health check which needs a bash fails here too.

# Every name that TESTBED_IMAGES may have. Those without a stand-in come with what is left undone where the engine cannot
# pull them.
NAMES=(postgres redis traefik prometheus alertmanager postgres_exporter redis_exporter node_exporter cadvisor
    socket_proxy grafana toolbox curl pebble)
declare -A WITHOUT_STAND_IN=(
    [grafana]="Grafana is not started: nothing tests that it takes its provisioning and shows the dashboards"
    [toolbox]="Nothing tests the profile debug but its configuration"
    [curl]="Nothing tests the profile load but its configuration"
)

BASE_SUITE=trixie
# What the programs below are linked with, and openssl, which the official Postgres image has too.
BASE_PACKAGES=openssl,ca-certificates,libpq5,libreadline8t64,libstdc++6,liblz4-1,libzstd1

POSTGRES_VERSION=16.9.0
# What busybox's base has: also what Prometheus' own has, and the C library that Debian links Go's programs with.
BUSYBOX_PACKAGES="busybox-static/bookworm ca-certificates/trixie tzdata/trixie libc6/sid"
declare -A STAND_IN_PACKAGES=(
    [postgres]="postgresql-client-17/trixie"
    [redis]="redis-server/bookworm redis-tools/bookworm libatomic1/bookworm libjemalloc2/bookworm liblzf1/bookworm"
    [traefik]=""
    [prometheus]="prometheus/sid promtool/sid"
    [alertmanager]="prometheus-alertmanager/sid"
    [postgres_exporter]="prometheus-postgres-exporter/sid"
    [redis_exporter]="prometheus-redis-exporter/sid"
    [node_exporter]="prometheus-node-exporter/sid"
    [cadvisor]=""
    [socket_proxy]="haproxy/sid libpcre2-8-0/sid libopentracing-c-wrapper0t64/sid libopentracing1/sid libjemalloc2/sid
        liblua5.4-0/sid busybox-static/bookworm"
    [pebble]=""
)
SYSTEM_PATH='PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'
declare -A STAND_IN_CONFIG=(
    [postgres]='{"Env":["'$SYSTEM_PATH':/usr/lib/postgresql/16/bin","LANG=C.UTF-8","PG_MAJOR=16","PG_VERSION='$POSTGRES_VERSION'","PGDATA=/var/lib/postgresql/data"],"Entrypoint":["docker-entrypoint.sh"],"Cmd":["postgres"],"ExposedPorts":{"5432/tcp":{}},"Volumes":{"/var/lib/postgresql/data":{}},"StopSignal":"SIGINT"}'
    [redis]='{"Env":["'$SYSTEM_PATH'"],"Entrypoint":["docker-entrypoint.sh"],"Cmd":["redis-server"],"WorkingDir":"/data","ExposedPorts":{"6379/tcp":{}},"Volumes":{"/data":{}}}'
    [traefik]='{"Env":["'$SYSTEM_PATH'"],"Entrypoint":["/entrypoint.sh"],"Cmd":["traefik"],"WorkingDir":"/","ExposedPorts":{"80/tcp":{}}}'
    [prometheus]='{"Env":["'$SYSTEM_PATH'"],"User":"nobody","Entrypoint":["/bin/prometheus"],"Cmd":["--config.file=/etc/prometheus/prometheus.yml","--storage.tsdb.path=/prometheus"],"WorkingDir":"/prometheus","ExposedPorts":{"9090/tcp":{}},"Volumes":{"/prometheus":{}}}'
    [alertmanager]='{"Env":["'$SYSTEM_PATH'"],"User":"nobody","Entrypoint":["/bin/alertmanager"],"Cmd":["--config.file=/etc/alertmanager/alertmanager.yml","--storage.path=/alertmanager"],"WorkingDir":"/alertmanager","ExposedPorts":{"9093/tcp":{}},"Volumes":{"/alertmanager":{}}}'
    [postgres_exporter]='{"Env":["'$SYSTEM_PATH'"],"User":"nobody","Entrypoint":["/bin/postgres_exporter"],"WorkingDir":"/","ExposedPorts":{"9187/tcp":{}}}'
    [redis_exporter]='{"Env":["'$SYSTEM_PATH'"],"User":"59000:59000","Entrypoint":["/redis_exporter"],"WorkingDir":"/","ExposedPorts":{"9121/tcp":{}}}'
    [node_exporter]='{"Env":["'$SYSTEM_PATH'"],"User":"nobody","Entrypoint":["/bin/node_exporter"],"WorkingDir":"/","ExposedPorts":{"9100/tcp":{}}}'
    [cadvisor]='{"Env":["'$SYSTEM_PATH'"],"Entrypoint":["/usr/bin/entrypoint.sh"],"WorkingDir":"/","ExposedPorts":{"8080/tcp":{}}}'
    [socket_proxy]='{"Env":["'$SYSTEM_PATH'"],"User":"haproxy","Entrypoint":["docker-entrypoint.sh"],"Cmd":["haproxy","-f","/usr/local/etc/haproxy/haproxy.cfg"],"WorkingDir":"/var/lib/haproxy","StopSignal":"SIGUSR1"}'
    [pebble]='{"Entrypoint":["/app"],"WorkingDir":"/","ExposedPorts":{"14000/tcp":{},"15000/tcp":{}}}'
)

# program_in NAME: the program that the image is made around, where the testbed compiles it.
program_in() {
    case $1 in
        traefik | cadvisor | pebble) echo "$1" ;;
    esac
}

# base_of NAME: which of the bases below the image has; nothing for none.
base_of() {
    case $1 in
        postgres | redis | socket_proxy) echo debian ;;
        pebble) ;;
        *) echo busybox ;;
    esac
}

# stand_in_key NAME: hash of what the image is made from.
stand_in_key() {
    local extra='' program
    program=$(program_in "$1")
    # In the cache, under a key that says what it was compiled from.
    [ -z "$program" ] || extra=$("$TESTBED_HOME/tools" path "$program") || return
    [ "$1" != postgres ] || extra=$POSTGRES_VERSION
    key_of "$BASE_SUITE" "$BASE_PACKAGES" "${STAND_IN_PACKAGES[$1]}" "$BUSYBOX_PACKAGES" "${STAND_IN_CONFIG[$1]}" "$extra" \
        "$TESTBED_HOME/images.d" "$TESTBED_HOME/docker.d/debian.sh" "$TESTBED_HOME/docker.d/archive.sh"
}

stand_in_tag() {
    local key
    key=$(stand_in_key "$1") && echo "testbed/$1:$key"
}

# stand_in NAME: the cached folder that holds image.tar, made if it is not there.
stand_in() {
    local key
    key=$(stand_in_key "$1") || return
    cached "image-$1" "$key" make_stand_in "$1" "$key"
}

make_stand_in() {
    local name=$1 key=$2 out=$3 kind key_of_base base layers=()
    say "making a stand-in for the image $name"
    # Files in an image are read by whoever runs in it.
    umask 022
    mkdir "$out/archive" || return
    kind=$(base_of "$name")
    case $kind in
        debian) key_of_base=$(key_of "$BASE_SUITE" "$BASE_PACKAGES" "$TESTBED_HOME/docker.d/debian.sh") ;;
        busybox) key_of_base=$(key_of "$BUSYBOX_PACKAGES" "$(declare -f layer_busybox accounts make_layer)") ;;
    esac
    if [ -n "$kind" ]; then
        base=$(cached image-base "$key_of_base" "make_${kind}_base") || return
        layers+=("$(archive_layer "$out/archive" "$base/root.tar")") || return
    fi
    make_layer "$name" "${STAND_IN_PACKAGES[$name]}" "$out" "$out/layer.tar" || return
    layers+=("$(archive_layer "$out/archive" "$out/layer.tar")") || return
    archive_image "$out/archive" "testbed/$name:$key" "${STAND_IN_CONFIG[$name]}" "${layers[@]}" || return
    archive_write "$out/archive" "$out/image.tar" || return
    rm -f "$out/layer.tar"
}

# make_layer NAME PACKAGES OUT FILE: FILE has what the function layer_NAME makes of PACKAGES.
make_layer() {
    mkdir -p "$3/packages" "$3/root" || return
    if [ -n "$2" ]; then
        debian_need "see to it that the image can be pulled"
        # apt's own index, which many machines are told not to keep: reading three suites anew takes seconds for each image.
        # shellcheck disable=SC2086 # a list of packages
        debian_unpack "$3/packages" -o "Dir::Cache::pkgcache=$(cache_root)/debian/index" $2 || return
    fi
    # In a process of its own: `set -e` counts for nothing below the `||` that leads here, not even in a subshell.
    "$TESTBED_HOME/images" --layer "$1" "$3/packages" "$3/root" || return
    tar -C "$3/root" --sort=name --mtime=@946684800 -cf "$4" . || return
    rm -rf "${3:?}/packages" "$3/root"
}

make_debian_base() { debian_rootfs "$BASE_SUITE" "$BASE_PACKAGES" "$1/root.tar"; }

make_busybox_base() {
    umask 022
    make_layer busybox "$BUSYBOX_PACKAGES" "$1" "$1/root.tar"
}

# accounts ROOT NAME:UID:HOME: the two files that name the image's users, over the base's.
accounts() {
    local name uid home
    IFS=: read -r name uid home <<<"$2"
    printf 'root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n' >"$1/etc/passwd"
    printf 'root:x:0:\ntty:x:5:\nnogroup:x:65534:\nnobody:x:65534:\n' >"$1/etc/group"
    [ -n "$name" ] || return 0
    echo "$name:x:$uid:$uid::$home:/bin/bash" >>"$1/etc/passwd"
    echo "$name:x:$uid:" >>"$1/etc/group"
}

# The server comes from Maven Central, where the newest build of Postgres 16 is that any Linux can run; the clients are
# Debian's, one major newer.
layer_postgres() {
    local packages=$1 root=$2 jar=$1/server.jar home=$2/usr/lib/postgresql/16 name
    postgres_server "$jar"
    mkdir -p "$home" "$root"/etc "$root"/usr/local/bin "$root"/docker-entrypoint-initdb.d
    unzip -qo "$jar" '*.txz' -d "$packages/server"
    tar -xJf "$packages"/server/*.txz -C "$home" --no-same-owner
    rm -rf "$home"/lib/*.a "$home"/lib/pkgconfig "$home"/lib/libecpg* "$home"/include
    sed -ri "s|^#?(listen_addresses) *=.*|\1 = '*'|" "$home/share/postgresql/postgresql.conf.sample"
    for name in psql pg_isready pg_dump pg_dumpall pg_restore createdb dropdb createuser dropuser vacuumdb reindexdb clusterdb; do
        install -m 755 "$packages/usr/lib/postgresql/17/bin/$name" "$root/usr/local/bin/$name"
    done
    install -m 755 "$TESTBED_HOME/images.d/postgres/docker-entrypoint.sh" "$root/usr/local/bin/"
    ln -s docker-entrypoint.sh "$root/usr/local/bin/docker-ensure-initdb.sh"
    ln -s docker-entrypoint.sh "$root/usr/local/bin/docker-enforce-initdb.sh"
    accounts "$root" postgres:999:/var/lib/postgresql
    install -d -o 999 -g 999 -m 1777 "$root/var/lib/postgresql/data"
    chown 999:999 "$root/var/lib/postgresql"
    # /var/run is a link to /run in the base.
    install -d -m 755 "$root/run"
    install -d -o 999 -g 999 -m 3777 "$root/run/postgresql"
}

# postgres_server FILE: the archive of server binaries.
postgres_server() {
    local architecture
    architecture=$(archive_architecture)
    case $architecture in arm64) architecture=arm64v8 ;; esac
    have mvn || { say "no mvn (Maven) to get Postgres' server with"; return 1; }
    mvn --quiet --batch-mode -Dstyle.color=never dependency:copy -DoutputDirectory="$1.d" \
        -Dartifact="io.zonky.test.postgres:embedded-postgres-binaries-linux-$architecture:$POSTGRES_VERSION" >&2
    mv "$1.d"/*.jar "$1"
}

layer_redis() {
    local packages=$1 root=$2 library
    mkdir -p "$root"/etc "$root"/usr/local/bin
    # Below /usr/local, so that only these programs use libraries of the older suite.
    install -m 755 "$packages"/usr/bin/redis-check-rdb "$packages"/usr/bin/redis-cli "$packages"/usr/bin/redis-benchmark "$root/usr/local/bin/"
    ln -s redis-check-rdb "$root/usr/local/bin/redis-server"
    ln -s redis-check-rdb "$root/usr/local/bin/redis-check-aof"
    for library in "$packages"/usr/lib/*-linux-gnu*; do
        mkdir -p "$root/usr/lib/${library##*/}"
        cp -a "$library"/*.so* "$root/usr/lib/${library##*/}/"
    done
    install -m 755 "$TESTBED_HOME/images.d/redis/docker-entrypoint.sh" "$root/usr/local/bin/"
    accounts "$root" redis:999:/data
    install -d -o 999 -g 999 -m 755 "$root/data"
}

layer_busybox() {
    local packages=$1 root=$2 name
    mkdir -p "$root"/{bin,etc/ssl/certs,root,usr/bin,usr/lib,usr/local/bin,usr/share}
    install -d -m 1777 "$root/tmp"
    install -m 755 "$packages/bin/busybox" "$root/bin/busybox"
    for name in cat chmod cp cut date echo env grep head hostname id kill ls mkdir mv nc nslookup od ps rm sed sh sleep sort stat \
        tail test touch tr wc wget; do
        ln -s busybox "$root/bin/$name"
    done
    cat "$packages"/usr/share/ca-certificates/mozilla/*.crt >"$root/etc/ssl/certs/ca-certificates.crt"
    cp -a "$packages/usr/share/zoneinfo" "$root/usr/share/"
    cp -a "$packages"/usr/lib/*-linux-gnu* "$root/usr/lib/"
    # The loader is in one or the other, by architecture.
    for name in usr/lib64 $(cd "$packages" && echo usr/lib/ld-linux*); do
        [ ! -e "$packages/$name" ] || cp -a "$packages/$name" "$root/$name"
    done
    ln -s usr/lib "$root/lib"
    ln -s usr/lib64 "$root/lib64"
    echo 'hosts: files dns' >"$root/etc/nsswitch.conf"
    accounts "$root" ''
}

# program FILE ROOT PLACE: puts the program there, below ROOT.
program() { install -D -m 755 "$1" "$2$3"; }

layer_traefik() {
    program "$("$TESTBED_HOME/tools" path traefik)" "$2" /usr/local/bin/traefik
    program "$TESTBED_HOME/images.d/traefik/entrypoint.sh" "$2" /entrypoint.sh
}

layer_prometheus() {
    program "$1/usr/bin/prometheus" "$2" /bin/prometheus
    program "$1/usr/bin/promtool" "$2" /bin/promtool
    # Debian's reads its pages from files.
    mkdir -p "$2"/{usr/share,etc/prometheus}
    cp -a "$1/usr/share/prometheus" "$2/usr/share/"
    printf 'scrape_configs:\n  - job_name: prometheus\n    static_configs:\n      - targets: ["localhost:9090"]\n' >"$2/etc/prometheus/prometheus.yml"
    install -d -o 65534 -g 65534 -m 755 "$2/prometheus"
}

layer_alertmanager() {
    program "$1/usr/bin/prometheus-alertmanager" "$2" /bin/alertmanager
    program "$1/usr/bin/amtool" "$2" /bin/amtool
    # Debian's reads its templates from files.
    mkdir -p "$2"/{usr/share,etc/alertmanager}
    cp -a "$1/usr/share/prometheus" "$2/usr/share/"
    printf 'route: {receiver: nobody}\nreceivers: [{name: nobody}]\n' >"$2/etc/alertmanager/alertmanager.yml"
    install -d -o 65534 -g 65534 -m 755 "$2/alertmanager"
}

layer_postgres_exporter() { program "$1/usr/bin/prometheus-postgres-exporter" "$2" /bin/postgres_exporter; }

# As the official image whose tag ends in -alpine: the other one has no program but the exporter.
layer_redis_exporter() { program "$1/usr/bin/prometheus-redis-exporter" "$2" /redis_exporter; }

layer_node_exporter() { program "$1/usr/bin/prometheus-node-exporter" "$2" /bin/node_exporter; }

layer_cadvisor() {
    program "$("$TESTBED_HOME/tools" path cadvisor)" "$2" /usr/bin/cadvisor
    program "$TESTBED_HOME/images.d/cadvisor/entrypoint.sh" "$2" /usr/bin/entrypoint.sh
}

layer_socket_proxy() {
    local packages=$1 root=$2 library
    mkdir -p "$root"/{etc,usr/local/bin,usr/local/sbin,usr/local/etc/haproxy,usr/lib}
    install -m 755 "$packages/usr/sbin/haproxy" "$root/usr/local/sbin/haproxy"
    # Over the base's, where that has an older one: the program is of a newer suite.
    for library in "$packages"/usr/lib/*-linux-gnu*; do
        mkdir -p "$root/usr/lib/${library##*/}"
        cp -a "$library"/*.so* "$root/usr/lib/${library##*/}/"
    done
    # As the official image whose tag ends in -alpine: the other one has nothing to ask itself with.
    install -m 755 "$packages/bin/busybox" "$root/usr/local/bin/busybox"
    ln -s busybox "$root/usr/local/bin/wget"
    cp -a "$packages/etc/haproxy/errors" "$root/usr/local/etc/haproxy/errors"
    install -m 755 "$TESTBED_HOME/images.d/socket_proxy/docker-entrypoint.sh" "$root/usr/local/bin/"
    accounts "$root" haproxy:99:/var/lib/haproxy
    install -d -o 99 -g 99 -m 755 "$root/var/lib/haproxy"
}

layer_pebble() {
    install -d -m 1777 "$2/tmp"
    program "$("$TESTBED_HOME/tools" path pebble)" "$2" /app
}
