# shellcheck shell=bash
# Downloads and Debian packages: sourced by lib.sh.

# fetch URL FILE [SHA256]: an https download, checked, atomic.
fetch() {
    local part=$2.part.$$
    if have curl; then
        curl --fail --silent --show-error --location --proto '=https' --connect-timeout 10 --retry 3 --output "$part" "$1"
    elif have wget; then
        wget --quiet --https-only --timeout=30 --tries=3 --output-document="$part" "$1"
    else
        say "neither curl nor wget is on PATH"
        return 1
    fi || { rm -f "$part"; return 1; }
    if [ -n "${3:-}" ] && [ "$(sha256sum <"$part" | cut -d' ' -f1)" != "$3" ]; then
        say "checksum of $1 is not $3"
        rm -f "$part"
        return 1
    fi
    mv "$part" "$2"
}

# as_root CMD...: runs CMD as root, or fails without ever asking for a password.
as_root() {
    if [ "$(id -u)" = 0 ]; then
        "$@"
    elif have sudo && sudo -n true 2>/dev/null; then
        sudo -n "$@"
    else
        return 1
    fi
}

can_be_root() { as_root true 2>/dev/null; }

# debian_mirror: the Debian archive that this machine's own apt sources name.
debian_mirror() {
    local mirror
    mirror=$({ grep -rhoE '^[^#]*https?://[^ ]+/debian/?( |$)' /etc/apt/sources.list /etc/apt/sources.list.d 2>/dev/null || true; } |
        grep -oE 'https?://[^ ]+' | head -n 1)
    [ -n "$mirror" ] || { say "this machine's apt sources name no Debian archive"; return 1; }
    echo "$mirror"
}

# apt_install PACKAGE...: installs what is missing. Only where apt-get exists and root is to be had without a password.
apt_install() {
    local package missing=()
    have apt-get && can_be_root || return 1
    for package in "$@"; do
        dpkg-query --show --showformat='${db:Status-Status}\n' "$package" 2>/dev/null | grep -qx installed || missing+=("$package")
    done
    ((${#missing[@]} == 0)) || with_lock apt apt_install_locked "${missing[@]}"
}

apt_install_locked() {
    local log stamp
    log=$(cache_root)/log/apt.log || return
    stamp=$(cache_root)/apt-updated || return
    say "installing $* with apt-get"
    # A package list of the last hour is fresh enough. In its own session, so that an interrupted run does not leave
    # dpkg half way through a package.
    if [ -z "$(find "$stamp" -mmin -60 2>/dev/null)" ] || ! apt_get install --simulate "$@" >/dev/null 2>&1; then
        apt_get update >>"$log" 2>&1 || say "apt-get update was not complete, see $log"
        touch "$stamp"
    fi
    # Services of packages are not started: the testbed starts its own.
    apt_get install --yes --no-install-recommends "$@" >>"$log" 2>&1 || {
        tail -n 5 "$log" >&2
        return 1
    }
}

apt_get() {
    as_root setsid --wait env DEBIAN_FRONTEND=noninteractive RUNLEVEL=1 apt-get -q -o DPkg::Lock::Timeout=300 "$@" </dev/null
}

# apt_unpack ROOT PACKAGE...: downloads the packages and those of their dependencies that this machine lacks, and unpacks
# them below ROOT. Needs no root, runs no maintainer script, starts no service and leaves the machine as it is.
apt_unpack() { with_lock apt apt_unpack_locked "$@"; }

apt_unpack_locked() {
    local root=$1 folder log debs deb wanted
    shift
    if ! have apt-get || ! have dpkg-deb; then
        say 'no apt-get to get packages with'
        return 1
    fi
    folder=$(cache_root)/apt log=$(cache_root)/log/apt.log || return
    mkdir -p "$folder/lists/partial" "$folder/archives/partial" || return
    # Own lists, but the machine's sources and its record of what is installed.
    local options=(-q -o "Dir::State::Lists=$folder/lists" -o "Dir::Cache=$folder" -o APT::Sandbox::User= -o Acquire::Languages=none)
    if [ -z "$(find "$folder/updated" -mmin -1440 2>/dev/null)" ]; then
        say 'fetching the package lists'
        apt-get "${options[@]}" update >>"$log" 2>&1 || say "the package lists are not complete, see $log"
        touch "$folder/updated"
    fi
    wanted=$(apt-get "${options[@]}" install --simulate --no-install-recommends --reinstall "$@" 2>>"$log" | sed -n 's/^Inst \([^ ]*\).*/\1/p') || return
    [ -n "$wanted" ] || { say "apt-get knows no way to get $*, see $log"; rm -f "$folder/updated"; return 1; }
    debs=$(scratch) || return
    # shellcheck disable=SC2086 # one word a package
    (cd "$debs" && apt-get "${options[@]}" download $wanted >>"$log" 2>&1) ||
        { rm -rf "$debs" "$folder/updated"; say "apt-get could not download $*, see $log"; return 1; }
    for deb in "$debs"/*.deb; do
        dpkg-deb -x "$deb" "$root" || return
    done
    rm -rf "$debs"
}

# unpacked_libraries ROOT: the folders of shared libraries below ROOT, separated by colons.
unpacked_libraries() {
    find "$1" -name '*.so*' -path '*/lib/*' -printf '%h\n' 2>/dev/null | sort -u | paste -sd : -
}
