# shellcheck shell=bash
# Builds a kind node image where none can be pulled: sourced by `kind`.
#
# The base image is Debian with kind's own files; the rest is what `kind build node-image` makes of a Kubernetes release,
# whose tarball is put together here from binaries that were compiled.

NODE_PROGRAMS=(kind kubeadm kubectl kubelet kube-apiserver kube-controller-manager kube-scheduler kube-proxy etcd coredns
    pause kindnetd crictl local-path-provisioner)
NODE_SUITE=bookworm
NODE_PACKAGES=systemd,systemd-sysv,dbus,conntrack,iptables,nftables,ebtables,iproute2,ethtool,util-linux,mount,kmod,libseccomp2,pigz,e2fsprogs,ca-certificates,curl,jq,procps,socat,runc,containernetworking-plugins
# Firewall programs with their libraries, for the images that set rules on the node.
NET_PACKAGES=(libc6 nftables libnftables1 libnftnl11 libmnl0 libjansson4 libgmp10 libedit2 libbsd0 libmd0 libtinfo6 iptables
    libxtables12 libip4tc2 libip6tc2 conntrack libnetfilter-conntrack3 libnfnetlink0)

declare -A PROGRAM=()

# find_programs: fills PROGRAM with the path of everything above, compiled if need be.
find_programs() {
    local paths name
    ((${#PROGRAM[@]} == 0)) || return 0
    paths=$("$TESTBED_HOME/tools" path "${NODE_PROGRAMS[@]}") || return
    for name in "${NODE_PROGRAMS[@]}"; do
        read -r PROGRAM["$name"]
    done <<<"$paths"
}

# node_image_key: hash of what the image is made from. A program's folder in the cache is named by such a hash.
node_image_key() {
    local name parts=()
    for name in "${NODE_PROGRAMS[@]}"; do
        parts+=("$name $(basename "$(dirname "${PROGRAM[$name]}")")")
    done
    key_of "${parts[@]}" "$("${PROGRAM[kind]}" version -q)" "$TESTBED_HOME/kind.d" "$TESTBED_HOME/docker.d/debian.sh" "$TESTBED_HOME/docker.d/archive.sh"
}

node_image_tag() { echo "testbed/kind-node:$(node_image_key)"; }

# node_image: the cached folder with image.tar, made if it is not there. An engine must answer for that.
node_image() { cached kind-node "$(node_image_key)" make_node_image; }

kind_module() {
    local version
    version=$("${PROGRAM[kind]}" version -q) || return
    go mod download -json "sigs.k8s.io/kind@v$version" | sed -n 's/^\t"Dir": "\(.*\)",\?$/\1/p'
}

make_node_image() {
    local out=$1 base tag log seconds=$SECONDS
    debian_need "see to it that the engine can pull kindest/node"
    say "making a kind node image"
    umask 022
    KIND_MODULE=$(kind_module) && [ -d "$KIND_MODULE/images/base/files" ] || { say "kind's Go module could not be downloaded"; return 1; }
    KUBERNETES=$("${PROGRAM[kubelet]}" --version) && KUBERNETES=${KUBERNETES##* }
    mkdir "$out/work" || return
    base=testbed/kind-base:$(basename "$out")
    tag=$(node_image_tag)
    make_base_image "$out/work" "$base" && make_release "$out/work" || return

    mkdir "$out/work/bin" && install -m 755 "$TESTBED_HOME/kind.d/shim" "$out/work/bin/docker" || return
    log=$(cache_root)/log/kind-node-image.log
    TESTBED_DOCKER=$(command -v docker) PATH=$out/work/bin:$PATH TMPDIR=$out/work \
        "${PROGRAM[kind]}" build node-image --type file --base-image "$base" --image "$tag" "$out/work/release.tar.gz" >"$log" 2>&1 ||
        { tail -n 20 "$log" >&2; return 1; }
    docker save --output "$out/image.tar" "$tag" || return
    docker image rm --force "$tag" "$base" >/dev/null || return
    rm -rf "$out/work"
    say "made a kind node image for Kubernetes $KUBERNETES in $((SECONDS - seconds)) s"
}

# make_base_image WORK TAG: kind's base image, loaded into the engine.
make_base_image() {
    local work=$1 layer
    debian_unpack "$work/containerd" containerd/sid || return
    KIND_FILES=$KIND_MODULE/images/base/files KIND_CRICTL=${PROGRAM[crictl]} KIND_CONTAINERD=$work/containerd KIND_HOME=$TESTBED_HOME/kind.d \
        debian_rootfs "$NODE_SUITE" "$NODE_PACKAGES" "$work/root.tar" "$TESTBED_HOME/kind.d/root-hook \"\$1\"" || return
    mkdir "$work/base" && layer=$(archive_layer "$work/base" "$work/root.tar") || return
    archive_image "$work/base" "$2" '{"Env":["container=docker"],"Entrypoint":["/usr/local/bin/entrypoint","/sbin/init"],"StopSignal":"SIGRTMIN+3"}' "$layer" || return
    archive_write "$work/base" "$work/base.tar" && rm "$work/root.tar" || return
    docker load --quiet --input "$work/base.tar" >/dev/null && rm "$work/base.tar"
}

# constant FILE NAME: a string constant out of kind's sources, where the images it will ask for are named.
constant() { sed -n "s/^const $2 = \"\(.*\)\"\$/\1/p" "$KIND_MODULE/pkg/build/nodeimage/$1"; }

# make_release WORK: WORK/release.tar.gz, a Kubernetes server release as kind reads it. Its four archives hold all images
# of a node, so that kind finds none to pull; the tags are those that kubeadm and kind ask for.
make_release() {
    local work=$1 bin=$1/release/kubernetes/server/bin required pause coredns etcd busybox net
    mkdir -p "$bin" "$work/layers" || return
    required=$("${PROGRAM[kubeadm]}" config images list --kubernetes-version "$KUBERNETES") || return
    coredns=$(grep /coredns: <<<"$required") && etcd=$(grep /etcd: <<<"$required") || return
    pause=$(sed -n 's/^ *sandbox_image = "\(.*\)"$/\1/p' "$KIND_MODULE/images/base/files/etc/containerd/config.toml")
    busybox_root "$work/busybox" && net_root "$work/net" || return

    release_archive && release_image "registry.k8s.io/kube-apiserver:$KUBERNETES" '' kube-apiserver usr/local/bin &&
        release_image "$etcd" '' etcd usr/local/bin && archive_write "$work/archive" "$bin/kube-apiserver.tar" || return
    release_archive && release_image "registry.k8s.io/kube-controller-manager:$KUBERNETES" '' kube-controller-manager usr/local/bin &&
        release_image "$coredns" /coredns coredns . && release_image "$pause" /pause pause . &&
        archive_write "$work/archive" "$bin/kube-controller-manager.tar" || return
    release_archive && release_image "registry.k8s.io/kube-scheduler:$KUBERNETES" '' kube-scheduler usr/local/bin &&
        release_image "$(constant const_storage.go storageProvisionerImage)" '' local-path-provisioner usr/local/bin &&
        busybox=$(archive_folder "$work/busybox") &&
        archive_image "$work/archive" "$(constant const_storage.go storageHelperImage)" "$(image_config '')" "$busybox" &&
        archive_write "$work/archive" "$bin/kube-scheduler.tar" || return
    release_archive && net=$(archive_folder "$work/net") &&
        release_image "registry.k8s.io/kube-proxy:$KUBERNETES" '' kube-proxy usr/local/bin "$net" &&
        release_image "$(constant const_cni.go kindnetdImage)" /bin/kindnetd kindnetd bin "$net" &&
        archive_write "$work/archive" "$bin/kube-proxy.tar" || return

    install -m 755 "${PROGRAM[kubeadm]}" "${PROGRAM[kubectl]}" "${PROGRAM[kubelet]}" "$bin/" || return
    echo "$KUBERNETES" >"$work/release/kubernetes/version"
    # Unpacked again in a moment, so hardly compressed.
    tar -C "$work/release" -c kubernetes | gzip -1 >"$work/release.tar.gz" && rm -rf "$work/release" "$work/busybox" "$work/net"
}

release_archive() { rm -rf "$work/archive" && mkdir "$work/archive"; }

image_config() { echo "{\"Env\":[\"PATH=/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\"]${1:+,\"Entrypoint\":[\"$1\"]}}"; }

# release_image TAG ENTRYPOINT PROGRAM FOLDER [LAYER]: an image of one static program, on top of LAYER.
release_image() {
    local layer root=$work/layers/$3
    mkdir -p "$root/$4" && install -m 755 "${PROGRAM[$3]}" "$root/$4/$3" || return
    [ -n "${5:-}" ] || image_root "$root" || return
    layer=$(archive_folder "$root") || return
    archive_image "$work/archive" "$1" "$(image_config "$2")" ${5:+"$5"} "$layer" && rm -rf "$root"
}

# archive_folder FOLDER: adds a folder's content as a compressed layer and prints its digest.
archive_folder() {
    tar -C "$1" --sort=name --owner=0 --group=0 --mtime=@946684800 -cf "$work/layer.tar" . || return
    archive_layer "$work/archive" "$work/layer.tar" zstd && rm "$work/layer.tar"
}

# image_root ROOT: the files that any program may look for.
image_root() {
    mkdir -p "$1/etc" && install -d -m 1777 "$1/tmp" || return
    printf 'root:x:0:0:root:/:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/sh\n' >"$1/etc/passwd"
    printf 'root:x:0:\nnobody:x:65534:\n' >"$1/etc/group"
}

busybox_root() {
    local name
    image_root "$1" && debian_unpack "$1/unpacked" busybox-static/$NODE_SUITE && mkdir -p "$1/bin" && mv "$1/unpacked/bin/busybox" "$1/bin/" && rm -rf "$1/unpacked" || return
    for name in $("$1/bin/busybox" --list); do
        [ "$name" = busybox ] || ln -s busybox "$1/bin/$name" || return
    done
}

net_root() {
    local name
    busybox_root "$1" && mkdir -p "$1/run" && debian_unpack "$1" "${NET_PACKAGES[@]/%//$NODE_SUITE}" && rm -rf "${1:?}/usr/share" || return
    printf 'ip 0 IP\nicmp 1 ICMP\ntcp 6 TCP\nudp 17 UDP\nsctp 132 SCTP\n' >"$1/etc/protocols"
    for name in iptables iptables-save iptables-restore ip6tables ip6tables-save ip6tables-restore; do
        ln -s xtables-nft-multi "$1/usr/sbin/$name" || return
    done
}
