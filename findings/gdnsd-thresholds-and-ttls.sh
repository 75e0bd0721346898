#!/bin/sh
# gdnsd 3.8.1 (Debian 12): thresholds are shares of weights, what is down is answered, and TTLs are forecasts.
#
# Seen, with health from a file (extfile):
#
# - `weighted`: `up_thresh` is a share of the sum of weights, 0.5 by default. With an address of weight 1 of 10 as the
#   only one that is up, the dead one of weight 9 is answered too, and mostly. With up_thresh => 0.000001 it is not.
# - `metafo`: with all datacenters down, the first one is answered, also where admin_state forces it down. Nothing that
#   is forced down is sure not to be answered.
# - A record `60 DYNA` is answered with a TTL of 30 where gdnsd counts itself and all is well: it forecasts the next
#   change, here 4 s, and never goes below half of what is written, unless the lowest is written beside, `60/60 DYNA`.
#
# Needs apt-get, python3, a network with Debian 12's archive; no root. Ends with 0 while gdnsd behaves as described.
set -eu

work=$(mktemp -d)
trap 'gdnsdctl stop > /dev/null 2>&1 || true; rm -rf "$work"' EXIT
cd "$work"
mkdir -p root etc/zones run state
# apt gives up its rights for a user of its own where it is run by root.
chmod 755 .
(cd root && apt-get download gdnsd=3.8.1-1 libev4 liburcu8 libmaxminddb0 libsodium23 > /dev/null 2>&1) || {
    echo "gdnsd 3.8.1-1 cannot be had from this machine's sources; Debian 12's archive has it" >&2
    exit 2
}
for archive in root/*.deb; do dpkg-deb -x "$archive" root; done
LD_LIBRARY_PATH=$(dirname "$(find "$work/root" -name 'libev.so.4')")
export LD_LIBRARY_PATH
gdnsdctl() { "$work/root/usr/bin/gdnsdctl" -c "$work/etc" "$@"; }

cat > etc/config <<CONFIG
options => { listen => 127.0.0.1:5391, run_dir => $work/run, state_dir => $work/state }
service_types => {
  seen => { plugin => extfile, direct => true, file => $work/seen }
  counted => { plugin => extfile, file => $work/seen, interval => 2, timeout => 1, down_thresh => 2, ok_thresh => 2 }
}
plugins => {
  weighted => {
    service_types => seen
    half => { heavy => [ 192.0.2.9, 9 ], light => [ 192.0.2.1, 1 ] }
    any => { up_thresh => 0.000001, heavy => [ 192.0.2.9, 9 ], light => [ 192.0.2.1, 1 ] }
  }
  multifo => { well => { service_types => counted, one => 192.0.2.1 } }
  metafo => { resources => { order => {
    service_types => seen, datacenters => [ first, second ]
    dcmap => { first => { a => 192.0.2.8 }, second => { a => 192.0.2.9 } }
  } } }
}
CONFIG
cat > etc/zones/example.org <<'ZONE'
@ SOA ns hostmaster ( 1 7200 1800 259200 60 )
@ NS ns
ns A 127.0.0.1
half 60/60 DYNA weighted!half
any 60/60 DYNA weighted!any
order 60/60 DYNA metafo!order
plain 60 DYNA multifo!well
both 60/60 DYNA multifo!well
ZONE
printf '192.0.2.1 => UP\n192.0.2.8 => DOWN\n192.0.2.9 => DOWN\n' > seen
echo 'metafo/order/first => DOWN' > state/admin_state
root/usr/sbin/gdnsd -c etc start > log 2>&1 &
for _ in 1 2 3 4 5 6 7 8 9 10; do gdnsdctl states > /dev/null 2>&1 && break || sleep 0.5; done

cat > ask.py <<'ASK'
"""Addresses and TTLs of 200 answers."""
import socket, struct, sys
name = b"".join(bytes([len(p)]) + p.encode() for p in (sys.argv[1] + ".example.org").split(".")) + b"\0"
found = set()
for number in range(200):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.settimeout(3)
        sock.sendto(struct.pack("!6H", number, 0, 1, 0, 0, 0) + name + struct.pack("!2H", 1, 1), ("127.0.0.1", 5391))
        answer = sock.recv(512)
    ttl, size = struct.unpack("!IH", answer[12 + len(name) + 4 + 6 :][:6])
    found.add("%s/%d" % (socket.inet_ntoa(answer[-4:]), ttl))
print(" ".join(sorted(found)))
ASK

wrong=0
expect() {
    told=$(python3 ask.py "$1")
    if [ "$told" = "$2" ]; then echo "as described: $3"; else echo "CHANGED: $3; answered: $told"; wrong=1; fi
}
expect half "192.0.2.1/60 192.0.2.9/60" "below half of the weights, the dead address is answered too"
expect any "192.0.2.1/60" "with the smallest threshold it is not"
expect order "192.0.2.8/60" "with all down, the first is answered, forced down or not"
expect plain "192.0.2.1/30" "a TTL of 60 is answered as 30 while all is well"
expect both "192.0.2.1/60" "a TTL of 60/60 as 60"
exit "$wrong"
