#!/bin/sh
# etcdutl 3.6.6 (etcd 3.6.6): `etcdutl hashkv FILE` writes into FILE.
#
# Given a snapshot that `etcdctl snapshot save` has just made, it prints the right hash, and changes some bytes of the
# file. The SHA-256 that the snapshot ends with holds no more: `etcdutl snapshot restore` refuses the file, unless it is
# told to skip the check, which is the only one that tells a whole snapshot from a broken one. `etcdutl snapshot status`
# leaves the file as it is. So a backup job that compares hashes spoils each backup that it looks at. Look at a copy.
#
# Builds etcd, etcdctl and etcdutl 3.6.6 from their Go modules. Needs Go 1.24 or later and a module proxy; no root; some
# minutes. etcd listens on sockets in a temporary folder alone. Ends with 0 while etcdutl behaves as described.
set -eu

work=$(mktemp -d)
server=
clean() {
    [ -z "$server" ] || kill "$server" 2>/dev/null || true
    chmod -R u+w "$work" && rm -rf "$work"
}
trap clean EXIT
cd "$work"

cat > go.mod <<'MOD'
module example.org/finding

go 1.24

require (
	go.etcd.io/etcd/etcdctl/v3 v3.6.6
	go.etcd.io/etcd/etcdutl/v3 v3.6.6
	go.etcd.io/etcd/server/v3 v3.6.6
)

tool (
	go.etcd.io/etcd/etcdctl/v3
	go.etcd.io/etcd/etcdutl/v3
	go.etcd.io/etcd/server/v3
)
MOD
export GOFLAGS=-mod=mod GOWORK=off CGO_ENABLED=0
go mod tidy > tidy.log 2>&1 || { cat tidy.log >&2; echo "the modules cannot be had" >&2; exit 2; }
for program in etcdctl etcdutl server; do go build -o "bin/$program" "go.etcd.io/etcd/$program/v3"; done

client=unix://localhost:1
peer=unix://localhost:2
bin/server --data-dir data --listen-client-urls "$client" --advertise-client-urls "$client" \
    --listen-peer-urls "$peer" --initial-advertise-peer-urls "$peer" --initial-cluster "default=$peer" \
    > server.log 2>&1 &
server=$!
for _ in 1 2 3 4 5 6 7 8 9 10; do
    bin/etcdctl --endpoints "$client" put first value > /dev/null 2>&1 && break
    sleep 1
done
for key in a b c d e; do bin/etcdctl --endpoints "$client" put "$key" value > /dev/null; done
bin/etcdctl --endpoints "$client" snapshot save whole.db > /dev/null 2>&1
cp whole.db by-status.db
cp whole.db by-hashkv.db

wrong=0
expect() {
    if [ "$2" = "$3" ]; then echo "as described: $1"; else echo "CHANGED: $1: $2, not $3" && wrong=1; fi
}
same() {
    cmp -s whole.db "$1" && echo same || echo changed
}
restored() {
    bin/etcdutl snapshot restore "$1" --data-dir "restored-$1" > restore.log 2>&1 && echo restored && return
    grep -q 'expected sha256' restore.log && echo "refused for its SHA-256" || echo "failed otherwise"
}

bin/etcdutl version | head -n 1
bin/etcdutl snapshot status by-status.db > /dev/null
bin/etcdutl hashkv by-hashkv.db > /dev/null
expect "a snapshot is the same after status" "$(same by-status.db)" same
expect "and can be restored" "$(restored by-status.db)" restored
expect "a snapshot is another after hashkv" "$(same by-hashkv.db)" changed
expect "and cannot be restored" "$(restored by-hashkv.db)" "refused for its SHA-256"
exit "$wrong"
