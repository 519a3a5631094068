# shellcheck shell=bash
# Image archives in the format of `docker save`, made without an engine: sourced by `images` and `kind`.
#
# An archive under construction is a folder; images in one archive share the layers that they have in common.

# archive_layer DIR FILE.tar [zstd]: adds a layer, compressed if asked, and prints `DIFF_ID NAME` for archive_image.
archive_layer() {
    local diff
    diff=$(sha256sum <"$2" | cut -d' ' -f1) || return
    if [ "${3:-}" = zstd ]; then
        zstd --quiet -3 --threads=0 -c "$2" >"$1/$diff.tar" || return
    else
        # Nobody changes a layer: a link will do. Not a hard one, which would change what tar sees of a layer that it is just
        # reading for another image.
        ln -sf "$(realpath "$2")" "$1/$diff.tar" || return
    fi
    echo "$diff"
}

# archive_image DIR TAG CONFIG DIFF_ID...: adds an image. CONFIG is the JSON of the image's own settings (Env, Cmd...).
archive_image() {
    local dir=$1 tag=$2 config=$3 name diffs layers
    shift 3
    diffs=$(printf ',"sha256:%s"' "$@")
    layers=$(printf ',"%s.tar"' "$@")
    cat >"$dir/config" <<JSON
{"architecture":"$(archive_architecture)","os":"linux","created":"2000-01-01T00:00:00Z","config":$config,"rootfs":{"type":"layers","diff_ids":[${diffs:1}]},"history":[$(printf ',{"created":"2000-01-01T00:00:00Z","created_by":"testbed %s"}' "$@" | cut -c2-)]}
JSON
    name=$(sha256sum <"$dir/config" | cut -d' ' -f1).json
    mv "$dir/config" "$dir/$name" || return
    echo "{\"Config\":\"$name\",\"RepoTags\":[\"$tag\"],\"Layers\":[${layers:1}]}" >>"$dir/images"
    # The old index by repository, which kind still reads.
    echo "\"${tag%:*}\":{\"${tag##*:}\":\"${*: -1}\"}" >>"$dir/tags"
}

# archive_write DIR FILE: packs the archive and removes DIR. No repository may occur twice.
archive_write() {
    (
        cd "$1" || exit
        echo "{$(paste -sd, tags)}" >repositories
        echo "[$(paste -sd, images)]" >manifest.json
        tar --dereference --owner=0 --group=0 --numeric-owner --mode=a+r -cf "$2" repositories ./*.json ./*.tar --transform='s|^\./||'
    ) && rm -rf "$1"
}

archive_architecture() { dpkg --print-architecture 2>/dev/null || case $(uname -m) in x86_64) echo amd64 ;; aarch64) echo arm64 ;; *) uname -m ;; esac; }
