#!/bin/sh
# apt 2.6.1 (Debian 12), with dpkg's state of a package whose unpacking was killed.
#
# dpkg writes `half-installed` before it unpacks a package's files and `unpacked` after. A package that is left at
# `half-installed` lacks files, any number of them. Seen:
#
# - `apt-get install PACKAGE` says "is already the newest version", plans nothing, and ends with 0, although the same
#   version lies beside it as a .deb; one line says "1 not fully installed or removed".
# - `apt-get check` ends with 0.
# - `apt-get --fix-broken install` plans to REMOVE it, where a person expects it to be finished, as it plans to
#   configure one that is `unpacked`.
# - Only `apt-get --reinstall install` plans to unpack it again.
#
# So "the package is installed" cannot be told from apt's exit code after a crash: read the third word of dpkg's Status.
#
# Needs apt-get, dpkg, a network with Debian 12's archive; no root. Ends with 0 while apt behaves as described.
set -eu

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
mkdir -p apt demo/DEBIAN demo/usr/share/demo etc/preferences.d etc/apt.conf.d state/lists/partial cache/archives/partial

fetched=$(mktemp -d "$work/fetched.XXXXXX")
(cd "$fetched" && apt-get download apt=2.6.1 libapt-pkg6.0=2.6.1 >/dev/null 2>&1) || {
    echo "apt 2.6.1 cannot be had from this machine's sources; Debian 12's archive has it" >&2
    exit 2
}
for archive in "$fetched"/*.deb; do dpkg-deb -x "$archive" apt; done
libraries=$(dirname "$(find apt -name 'libapt-pkg.so.6.0')")
export LD_LIBRARY_PATH="$work/$libraries"

cat > demo/DEBIAN/control <<'CONTROL'
Package: demo
Version: 1.0
Architecture: all
Maintainer: Nobody <nobody@example.org>
Description: a package with one file
CONTROL
echo content > demo/usr/share/demo/file
dpkg-deb -b demo demo_1.0_all.deb > /dev/null
: > etc/sources.list

state() {
    {
        sed '/^Package/q' demo/DEBIAN/control
        echo "Status: $1"
        sed '1d' demo/DEBIAN/control
    } > state/status
}

apt() {
    apt/usr/bin/apt-get -s -o Dir::State="$work/state" -o Dir::State::status="$work/state/status" \
        -o Dir::Etc="$work/etc" -o Dir::Cache="$work/cache" -o Dir::Bin::Methods="$work/apt/usr/lib/apt/methods" "$@" 2>&1
}

wrong=0
expect() {
    told=$1 wanted=$2 what=$3
    if printf '%s\n' "$told" | grep -q "$wanted"; then
        echo "as described: $what"
    else
        echo "CHANGED: $what; apt says:" && printf '%s\n' "$told" && wrong=1
    fi
}

apt/usr/bin/apt-get --version | head -n 1
state "install ok half-installed"
expect "$(apt install ./demo_1.0_all.deb && echo "ended with 0")" "demo is already the newest version" "install takes it for installed"
expect "$(apt install ./demo_1.0_all.deb && echo "ended with 0")" "^ended with 0" "and ends with 0"
expect "$(apt check && echo "ended with 0")" "^ended with 0" "check finds nothing"
expect "$(apt --fix-broken install)" "^Remv demo" "--fix-broken install would remove it"
expect "$(apt --reinstall install ./demo_1.0_all.deb)" "^Inst demo" "--reinstall install would unpack it again"
state "install ok unpacked"
expect "$(apt --fix-broken install)" "^Conf demo" "beside it: one that is unpacked would be configured"
exit "$wrong"
