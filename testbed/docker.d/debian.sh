# shellcheck shell=bash
# Debian packages without installing them: sourced by the components that unpack programs or make root file systems.
#
# A private apt (own lists, own sources, all suites) reads the archive that this machine's own apt reads, so the
# machine's sources and its list of installed packages stay as they are.

DEBIAN_SUITES=(bookworm trixie sid)
DEBIAN_KEYRING=/usr/share/keyrings/debian-archive-keyring.gpg

# debian_need: ends the script unless Debian packages can be used here.
debian_need() {
    local tool
    for tool in apt-get dpkg-deb tar perl; do
        have "$tool" || fail "'$tool' is missing, so Debian packages cannot be used here" "$1"
    done
    [ -f "$DEBIAN_KEYRING" ] || fail "$DEBIAN_KEYRING is missing" "install the package debian-archive-keyring, or: $1"
}

# debian_apt VERB ARGS...: apt-get with the private configuration. The caller holds the lock `debian`.
debian_apt() { APT_CONFIG=$(cache_root)/debian/apt.conf apt-get -qq "$@"; }

# debian_lists [MINUTES]: configuration and package lists, not older than MINUTES (a day unless said).
debian_lists() {
    local dir suite mirror
    dir=$(cache_root)/debian || return
    mirror=$(debian_mirror) || return
    mkdir -p "$dir/lists/partial" "$dir/archives/partial" || return
    : >"$dir/preferences"
    for suite in "${DEBIAN_SUITES[@]}"; do
        echo "deb [signed-by=$DEBIAN_KEYRING] $mirror $suite main"
    done >"$dir/sources.list"
    cat >"$dir/apt.conf" <<CONF
Dir::Etc::SourceList "$dir/sources.list";
Dir::Etc::SourceParts "/dev/null";
Dir::Etc::Preferences "$dir/preferences";
Dir::Etc::PreferencesParts "/dev/null";
Dir::State::Lists "$dir/lists";
Dir::Cache "$dir";
Acquire::Languages "none";
APT::Sandbox::User "";
CONF
    [ -z "$(find "$dir/updated" -mmin "-${1:-1440}" 2>/dev/null)" ] || return 0
    say "fetching Debian's package lists (${DEBIAN_SUITES[*]})"
    debian_apt update -o APT::Update::Error-Mode=any >&2 || return
    touch "$dir/updated"
}

# debian_unpack ROOT PACKAGE/SUITE...: downloads the packages and unpacks them below ROOT; no maintainer script runs.
debian_unpack() { with_lock debian debian_unpack_locked "$@"; }

debian_unpack_locked() {
    local root=$1 debs deb
    shift
    debs=$(scratch) || return
    # An old list may name a version that the archive no longer has, hence the second try with fresh lists.
    debian_lists || return
    (cd "$debs" && debian_apt download "$@" >&2) ||
        { debian_lists 0 && (cd "$debs" && debian_apt download "$@" >&2); } || { rm -rf "$debs"; return 1; }
    for deb in "$debs"/*.deb; do
        dpkg-deb -x "$deb" "$root" || return
    done
    # Programs look for certificates and the like as any user, whatever this run's umask is.
    chmod 755 "$root" || return
    rm -rf "$debs"
}

# debian_rootfs SUITE PACKAGES OUT.tar [HOOK]: a root file system with the essential packages and PACKAGES (separated
# by commas). HOOK is a shell command that gets the root folder as $1 before it is packed.
debian_rootfs() {
    local tools mirror options=(--quiet --variant=essential --aptopt='Acquire::Languages "none"')
    tools=$(cached debian-tools "$(key_of mmdebstrap/trixie)" debian_tools) || return
    mirror=$(debian_mirror) || return
    [ -z "$2" ] || options+=(--include="$2")
    # Nobody reads manuals in a container, and apt's lists would be half of the file.
    # shellcheck disable=SC2016 # $1 is for the hook's own shell
    options+=(--customize-hook='rm -rf "$1"/usr/share/{doc,man,info,locale,lintian,bash-completion}/* "$1"/var/lib/apt/lists/* "$1"/var/cache/{apt,debconf,ldconfig}/* "$1"/var/log/*')
    [ -z "${4:-}" ] || options+=(--customize-hook="$4")
    say "making a root file system from Debian $1 ($2)"
    perl "$tools/usr/bin/mmdebstrap" "${options[@]}" "$1" "$3" \
        "deb [signed-by=$DEBIAN_KEYRING] $mirror $1 main" >&2
}

debian_tools() { debian_unpack "$1" mmdebstrap/trixie; }
