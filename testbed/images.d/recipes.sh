# shellcheck shell=bash
# How each stand-in image is made: sourced by `images`. No engine and no image registry is needed, only packages.
#
# Two layers: a small Debian that all but Traefik share, and the image's own files.

BASE_SUITE=trixie
# What the programs below are linked with, and openssl, which the official Postgres image has too.
BASE_PACKAGES=openssl,ca-certificates,libpq5,libreadline8t64,libstdc++6,liblz4-1,libzstd1

POSTGRES_VERSION=16.9.0
declare -A STAND_IN_PACKAGES=(
    [postgres]="postgresql-client-17/trixie"
    [redis]="redis-server/bookworm redis-tools/bookworm libatomic1/bookworm libjemalloc2/bookworm liblzf1/bookworm"
    [traefik]="busybox-static/bookworm ca-certificates/trixie"
    [prometheus]="prometheus/sid promtool/sid busybox-static/bookworm"
)
declare -A STAND_IN_CONFIG=(
    [postgres]='{"Env":["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:/usr/lib/postgresql/16/bin","LANG=C.UTF-8","PG_MAJOR=16","PG_VERSION='$POSTGRES_VERSION'","PGDATA=/var/lib/postgresql/data"],"Entrypoint":["docker-entrypoint.sh"],"Cmd":["postgres"],"ExposedPorts":{"5432/tcp":{}},"Volumes":{"/var/lib/postgresql/data":{}},"StopSignal":"SIGINT"}'
    [redis]='{"Env":["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"],"Entrypoint":["docker-entrypoint.sh"],"Cmd":["redis-server"],"WorkingDir":"/data","ExposedPorts":{"6379/tcp":{}},"Volumes":{"/data":{}}}'
    [traefik]='{"Env":["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"],"Entrypoint":["/entrypoint.sh"],"Cmd":["traefik"],"WorkingDir":"/","ExposedPorts":{"80/tcp":{}}}'
    [prometheus]='{"Env":["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"],"User":"nobody","Entrypoint":["/bin/prometheus"],"Cmd":["--config.file=/etc/prometheus/prometheus.yml","--storage.tsdb.path=/prometheus"],"WorkingDir":"/prometheus","ExposedPorts":{"9090/tcp":{}},"Volumes":{"/prometheus":{}}}'
)

# stand_in_key NAME: hash of what the image is made from.
stand_in_key() {
    local extra=''
    case $1 in
        traefik) extra=$("$TESTBED_HOME/tools" path traefik) || return ;;
        postgres) extra=$POSTGRES_VERSION ;;
    esac
    key_of "$BASE_SUITE" "$BASE_PACKAGES" "${STAND_IN_PACKAGES[$1]}" "${STAND_IN_CONFIG[$1]}" "$extra" \
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
    local name=$1 key=$2 out=$3 base='' layers=()
    debian_need "see to it that the image can be pulled"
    say "making a stand-in for the image $name"
    # Files in an image are read by whoever runs in it.
    umask 022
    mkdir -p "$out/packages" "$out/root" "$out/archive" || return
    if [ "$name" != traefik ]; then
        base=$(cached image-base "$(key_of "$BASE_SUITE" "$BASE_PACKAGES" "$TESTBED_HOME/docker.d/debian.sh")" make_base) || return
        layers+=("$(archive_layer "$out/archive" "$base/root.tar")") || return
    fi
    # shellcheck disable=SC2086 # a list of packages
    debian_unpack "$out/packages" ${STAND_IN_PACKAGES[$name]} || return
    (set -e && "layer_$name" "$out/packages" "$out/root") || return
    tar -C "$out/root" --sort=name --mtime=@946684800 -cf "$out/layer.tar" . || return
    layers+=("$(archive_layer "$out/archive" "$out/layer.tar")") || return
    archive_image "$out/archive" "testbed/$name:$key" "${STAND_IN_CONFIG[$name]}" "${layers[@]}" || return
    archive_write "$out/archive" "$out/image.tar" || return
    rm -rf "$out/packages" "$out/root" "$out/layer.tar"
}

make_base() { debian_rootfs "$BASE_SUITE" "$BASE_PACKAGES" "$1/root.tar"; }

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

layer_traefik() {
    local packages=$1 root=$2 traefik name
    traefik=$("$TESTBED_HOME/tools" path traefik)
    mkdir -p "$root"/{bin,usr/local/bin,etc/ssl/certs,root}
    install -d -m 1777 "$root/tmp"
    install -m 755 "$traefik" "$root/usr/local/bin/traefik"
    install -m 755 "$TESTBED_HOME/images.d/traefik/entrypoint.sh" "$root/entrypoint.sh"
    install -m 755 "$packages/bin/busybox" "$root/bin/busybox"
    for name in sh cat ls wget nc id ps; do ln -s busybox "$root/bin/$name"; done
    cat "$packages"/usr/share/ca-certificates/mozilla/*.crt >"$root/etc/ssl/certs/ca-certificates.crt"
    accounts "$root" ''
}

layer_prometheus() {
    local packages=$1 root=$2
    # The base's /bin is a link to /usr/bin.
    mkdir -p "$root"/{usr/bin,etc/prometheus,usr/share}
    install -m 755 "$packages"/usr/bin/{prometheus,promtool} "$packages/bin/busybox" "$root/usr/bin/"
    ln -s busybox "$root/usr/bin/wget"
    [ ! -d "$packages/usr/share/prometheus" ] || cp -a "$packages/usr/share/prometheus" "$root/usr/share/"
    printf 'scrape_configs:\n  - job_name: prometheus\n    static_configs:\n      - targets: ["localhost:9090"]\n' >"$root/etc/prometheus/prometheus.yml"
    accounts "$root" ''
    install -d -o 65534 -g 65534 -m 755 "$root/prometheus"
}
