# shellcheck shell=bash
# Shared functions of the testbed's scripts: sourced, never run.
#
# A function that fails says what it was doing on stderr and returns non-zero; `fail` is the one that ends a script.
# bash switches `set -e` off inside a function that is called from `if`, `||` or `&&`, so the functions below
# never rely on it: each step that matters carries its own `|| return`.
set -euo pipefail

if ((BASH_VERSINFO[0] * 100 + BASH_VERSINFO[1] < 404)); then
    echo "testbed: error: bash ${BASH_VERSION} is too old: install bash 4.4 or newer and put it first on PATH" >&2
    exit 1
fi

# shellcheck disable=SC2034 # for the scripts that source this file
TESTBED_HOME=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# The level named in error messages; each script sets its own.
TESTBED_LEVEL=${TESTBED_LEVEL:-testbed}

# shellcheck source-path=SCRIPTDIR source=packages.sh
source "$TESTBED_HOME/packages.sh"

# ---- messages ----------------------------------------------------------------------------------------------------

say() { echo "testbed: $*" >&2; }

# fail WHAT REMEDY: ends the script, naming the level that cannot run and what to do about it.
fail() {
    echo "testbed: error: level '$TESTBED_LEVEL': $1" >&2
    [ -z "${2:-}" ] || echo "testbed: remedy: $2" >&2
    exit 1
}

have() { command -v "$1" >/dev/null 2>&1; }

# need TOOL REMEDY: for small tools that this machine should have.
need() { have "$1" || fail "'$1' is not on PATH" "$2"; }

# use_go: puts a Go that is new enough on PATH.
use_go() {
    local go
    go=$("$TESTBED_HOME/tools" path go) || return
    PATH=${go%/*}:$PATH
    export PATH
}

# ---- cache -------------------------------------------------------------------------------------------------------

# The folder that outlives runs and clones; everything in it can be deleted at any time and is made again.
cache_root() {
    local root=${TESTBED_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/tpstack-testbed}
    mkdir -p "$root/locks" "$root/tmp" "$root/log" || return
    (cd "$root" && pwd)
}

# key_of ITEM...: 16 hex digits over the items in order. A path stands for its content (a folder for all files below
# it, with their names), anything else for itself. Hash what a result is made from, never where it was made.
key_of() {
    local item file
    for item in "$@"; do
        if [ -d "$item" ]; then
            while IFS= read -r file; do
                printf 'file %s ' "$file"
                sha256sum <"$item/$file"
            done < <(cd "$item" && find . -type f | LC_ALL=C sort)
        elif [ -f "$item" ]; then
            printf 'file %s ' "${item##*/}"
            sha256sum <"$item"
        else
            printf 'text %s\n' "$item"
        fi
    done | sha256sum | cut -c1-16
}

# with_lock NAME CMD...: one process at a time on this machine; says so when it has to wait. The descriptor is closed
# for CMD, so that a server CMD leaves behind does not hold the lock.
with_lock() {
    local name=$1 root
    root=$(cache_root) || return
    shift
    (
        if ! flock --nonblock 9; then
            say "waiting for another testbed process ($name)"
            flock 9 || exit
        fi
        "$@" 9>&-
    ) 9>>"$root/locks/$name.lock"
}

# scratch: a new private folder inside the cache, hence on the same file system as what will be published.
scratch() {
    local root
    root=$(cache_root) || return
    # What a killed run left behind goes after a day.
    find "$root/tmp" -mindepth 1 -maxdepth 1 -mmin +1440 -exec rm -rf {} + 2>/dev/null || true
    mktemp -d "$root/tmp/XXXXXXXX"
}

# publish MADE FINAL: puts a finished file or folder in its place in one step. Nobody ever sees half of it; when
# somebody else was first, theirs stays (same key, same content).
publish() {
    mkdir -p "$(dirname "$2")" || return
    if [ -e "$2" ] || ! mv -T "$1" "$2" 2>/dev/null; then
        rm -rf "$1"
        [ -e "$2" ]
    fi
}

# cached KIND KEY CMD...: prints the path of the cached folder KIND/KEY. When it is not there yet, CMD is run once
# (under a lock) with a fresh folder as its last argument, and that folder is published if CMD succeeds.
cached() {
    local path
    path=$(cache_root)/$1/$2 || return
    [ -d "$path" ] || with_lock "$1-$2" cache_fill "$path" "${@:3}" || return
    echo "$path"
}

cache_fill() {
    local path=$1 made
    [ -d "$path" ] && return
    made=$(scratch) || return
    if ! "${@:2}" "$made" >&2; then
        rm -rf "$made"
        return 1
    fi
    publish "$made" "$path"
}

# ---- ports, secrets, folders -------------------------------------------------------------------------------------

# free_port: a loopback port that nobody listens on. Below the ephemeral range and the NodePort range, so neither an
# outgoing connection nor a cluster takes it; two runs may still pick the same one, so who binds it must be ready to retry.
free_port() {
    local port
    while :; do
        port=$((20000 + (RANDOM * 32768 + RANDOM) % 9000))
        port_is_open "$port" || break
    done
    echo "$port"
}

port_is_open() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

# random_secret: 128 bits from the system's source, in hex.
random_secret() { od -An -N16 -tx1 /dev/urandom | tr -d ' \n'; }

# memory_dir DIR NAME: makes a folder on tmpfs (or in TMPDIR where there is none) and links it as DIR/NAME.
memory_dir() {
    local base=${TMPDIR:-/tmp} made
    [ -d /dev/shm ] && [ -w /dev/shm ] && base=/dev/shm
    made=$(mktemp -d "$base/testbed-$2.XXXXXXXX") || return
    ln -s "$made" "$1/$2" || { rmdir "$made"; return 1; }
    echo "$made"
}

# remove_memory_dir DIR NAME: undoes memory_dir; nothing to do is fine. Only ever removes what memory_dir made.
remove_memory_dir() {
    local made
    made=$(readlink "$1/$2" 2>/dev/null) || return 0
    case $made in
        */testbed-"$2".*) rm -rf "$made" && rm -f "$1/$2" ;;
        *) say "not removing $made: not made by the testbed"; return 1 ;;
    esac
}

# export_line NAME VALUE: a line for DIR/env.
export_line() { printf 'export %s=%q\n' "$1" "$2"; }

# ---- processes ---------------------------------------------------------------------------------------------------

# process_birth PID: tells a process from a later one with the same number; empty when there is none (or a zombie).
process_birth() {
    local stat
    stat=$(cat "/proc/$1/stat" 2>/dev/null) || return 0
    # After the command's name (which may hold anything) comes the state, then 18 fields, then the start time.
    # shellcheck disable=SC2086 # split into fields on purpose
    set -- ${stat##*) }
    [ "$1" = Z ] || echo "${20}"
}

# start_process DIR NAME CMD...: starts a server in its own session, output in DIR/NAME.log, PID and birth in
# DIR/NAME.pid. The file is written before CMD runs, so whatever was started can be found again.
start_process() {
    local dir=$1 name=$2
    shift 2
    (
        # Taken once: inside $(...) it would be the number of that subshell.
        self=$BASHPID
        printf '%s\n%s\n' "$self" "$(process_birth "$self")" >"$dir/$name.pid.new"
        mv "$dir/$name.pid.new" "$dir/$name.pid"
        exec setsid "$@"
    ) </dev/null >"$dir/$name.log" 2>&1 &
    disown
    wait_until 10 "[ -s '$dir/$name.pid' ]" test -s "$dir/$name.pid"
}

# process_pid DIR NAME: prints the PID if that very process is still alive.
process_pid() {
    local pid birth
    [ -f "$1/$2.pid" ] && { read -r pid && read -r birth; } <"$1/$2.pid" || return 1
    [ -n "$birth" ] && [ "$(process_birth "$pid")" = "$birth" ] && echo "$pid"
}

process_is_alive() { process_pid "$1" "$2" >/dev/null; }

# stop_process DIR NAME [SIGNAL] [SECONDS]: asks, waits, insists after SECONDS; fine when it is gone already.
stop_process() {
    local dir=$1 name=$2 signal=${3:-TERM} seconds=${4:-20} pid
    if pid=$(process_pid "$dir" "$name"); then
        kill -s "$signal" "$pid" 2>/dev/null || true
        if ! wait_until "$seconds" '' process_is_gone "$dir" "$name"; then
            say "$name (PID $pid) did not stop within $seconds s: killing it"
            kill -s KILL "$pid" 2>/dev/null || true
            wait_until 10 "end of $name (PID $pid)" process_is_gone "$dir" "$name" || return
        fi
    fi
    rm -f "$dir/$name.pid"
}

# shellcheck disable=SC2329 # called by wait_until
process_is_gone() { ! process_is_alive "$@"; }

# wait_until SECONDS WHAT CMD...: polls CMD (quietly) until it succeeds. After the deadline says WHAT was waited for
# (an empty WHAT says nothing) and returns 1.
wait_until() {
    local deadline what=$2
    deadline=$(($(date +%s%N) + $1 * 1000000000))
    local seconds=$1
    shift 2
    while ! "$@" >/dev/null 2>&1; do
        if (($(date +%s%N) >= deadline)); then
            [ -z "$what" ] || say "gave up after $seconds s waiting for: $what"
            return 1
        fi
        sleep 0.05
    done
}

# wait_for_process DIR NAME SECONDS WHAT CMD...: like wait_until, but gives up as soon as the process has died.
# Returns 2 in that case, with the end of its log on stderr.
wait_for_process() {
    local dir=$1 name=$2 seconds=$3 what=$4
    shift 4
    if wait_until "$seconds" "$what" done_or_dead "$dir" "$name" "$@"; then
        process_is_alive "$dir" "$name" && return
        say "$name ended while waiting for: $what"
        tail -n 15 "$dir/$name.log" >&2
        return 2
    fi
    tail -n 15 "$dir/$name.log" >&2
    return 1
}

# shellcheck disable=SC2329 # called by wait_until
done_or_dead() { process_is_gone "$1" "$2" || "${@:3}"; }

# ---- a component's command line ----------------------------------------------------------------------------------

# component NAME "$@": the four verbs, each handed to the function NAME's script defines: component_ensure,
# component_start DIR, component_stop DIR, component_status DIR. A start that fails is stopped again.
component() {
    export TESTBED_LEVEL=$1
    local verb=${2:-} dir=${3:-}
    case $verb in
        ensure) component_ensure ;;
        start | stop | status)
            [ -n "$dir" ] || fail "$1 $verb needs a run folder" "testbed/$1 $verb DIR"
            if [ "$verb" = start ]; then
                mkdir -p "$dir" && chmod 700 "$dir"
                dir=$(cd "$dir" && pwd)
                # Not local: the trap runs after this function's variables are gone.
                component_dir=$dir
                trap stop_if_failed EXIT
            elif [ ! -d "$dir" ]; then
                [ "$verb" = stop ] && return
                say "$1: not running (no folder $dir)"
                return 3
            fi
            "component_$verb" "$dir"
            ;;
        *)
            echo "usage: testbed/$1 ensure | start DIR | stop DIR | status DIR" >&2
            return 2
            ;;
    esac
}

# shellcheck disable=SC2329 # called by the trap above
stop_if_failed() {
    local status=$?
    trap - EXIT
    [ "$status" = 0 ] || component_stop "$component_dir"
    exit "$status"
}
