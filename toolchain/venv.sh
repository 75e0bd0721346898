#!/bin/sh
# Makes the project's Python virtual environment and prints its path.
#
#   venv.sh path   print the path, make nothing
#   venv.sh make   make it if it is not there (instant when it is), print the path
#
# Its directory is named by the digest of requirements.lock and the Python version, so a checkout with another
# lock has another environment. Everything but the path goes to stderr.
set -eu

root=$(cd "$(dirname "$(readlink -f "$0")")/.." && pwd)
lock="$root/requirements.lock"
cache="${XDG_CACHE_HOME:-$HOME/.cache}/crossmesh/venv"

say() { printf 'venv: %s\n' "$*" >&2; }

# The lock holds the wheels of one minor version; Debian 12 has it as python3.
find_python() {
    for candidate in ${PYTHON:+"$PYTHON"} python3.11 python3 /usr/bin/python3.11; do
        version=$("$candidate" -c 'import sys; print("%d.%d.%d" % sys.version_info[:3])' 2>/dev/null) || continue
        case $version in 3.11.*) python=$candidate; return 0 ;; esac
    done
    say "Python 3.11 was not found (looked at \$PYTHON, python3.11, python3)."
    say "Install it (Debian 12: apt-get install python3) or set PYTHON to its path."
    exit 1
}

find_python
digest=$({ cat "$lock"; printf '%s' "$version"; } | sha256sum | cut -c1-16)
venv="$cache/$digest"

case ${1:-make} in
path) printf '%s\n' "$venv"; exit 0 ;;
make) ;;
*) say "usage: venv.sh path|make"; exit 2 ;;
esac

if [ -f "$venv/.complete" ]; then printf '%s\n' "$venv"; exit 0; fi

if ! "$python" -c 'import ensurepip, venv' 2>/dev/null; then
    if [ "$(id -u)" -eq 0 ] && command -v apt-get >/dev/null; then
        say "python3-venv is missing, installing it with apt-get"
        { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
            python3-venv; } >&2
    else
        say "the Python module venv is missing. As root: apt-get install python3-venv. Then run this again."
        exit 1
    fi
fi

mkdir -p "$cache"
# One maker at a time; who waited finds the work done.
exec 9>"$cache/.lock"
if ! flock -n 9; then say "another process is making the environment, waiting for it"; flock 9; fi
if [ ! -f "$venv/.complete" ]; then
    count=$(grep -c '==' "$lock")
    say "installing $count locked packages into $venv (about a minute)"
    # Scripts in a virtual environment hold its path, so it is made in place; the marker comes last.
    rm -rf "$venv"
    "$python" -m venv "$venv" >&2
    "$venv/bin/python" -m pip install --quiet --disable-pip-version-check --no-input --require-hashes --no-deps \
        --only-binary :all: --requirement "$lock" >&2
    : >"$venv/.complete"
    say "done"
fi
printf '%s\n' "$venv"
