"""One machine with nothing but an edge host's work: the role's own play, and two gateways on its loopback.

The gateways speak TLS as a platform's do, and are units of their own, to be killed, stopped and started.
"""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from ipaddress import IPv4Address
from pathlib import Path

import dns.exception

import lab
from access import ssh as access
from access.outputs import NameServer
from lab import lifecycle, ssh
from lab.machine import Machine
from lab.paths import state_dir
from playbooks.phase import PLAYBOOKS
from playbooks.work.names import EDGE
from tests.lab.clients import addresses
from tests.unit.playbooks.gateways import CA, HOST, LEAF

ROOT = Path(__file__).resolve().parents[2]
ZONE = HOST.partition(".")[2]
GATEWAYS = {"eu": "127.0.0.11", "us": "127.0.0.12"}
INTERVAL, TIMEOUT, THRESHOLD = 2, 1, 2
PROBER = "crossmesh-health.service"
_SPEC = """
regions: {one: [edge]}
fabric: {asn: 65000, acceptedPrefixes: [172.30.0.0/16]}
system:
  suite: bookworm
  packages: [ca-certificates, curl, dbus, gdnsd, iproute2, kmod, openssh-server, passwd, procps, python3,
             python3-apt, systemd, systemd-sysv, usr-is-merged]
mirror: {packages: [bird2]}
"""
_GATEWAY = """
import http.server, ssl, sys, threading

class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *arguments):
        pass

address = sys.argv[1]
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain("/root/pair.pem")
plain = http.server.ThreadingHTTPServer((address, 15021), Handler)
secured = http.server.ThreadingHTTPServer((address, 443), Handler)
secured.socket = context.wrap_socket(secured.socket, server_side=True, do_handshake_on_connect=False)
threading.Thread(target=plain.serve_forever, daemon=True).start()
secured.serve_forever()
"""


@dataclass(frozen=True)
class EdgeHost:
    """The machine, set up."""

    machine: Machine

    @property
    def server(self) -> NameServer:
        return NameServer(IPv4Address(self.machine.address), 53)

    def run(self, script: str, text: str = "", timeout: float = 120) -> str:
        """Output of a shell script on the machine, which reads `text`; fails the test when it fails."""
        argv = ssh.command(self.machine.state, self.machine.address, ["sh", "-ec", script])
        done = subprocess.run(argv, input=text, capture_output=True, text=True, timeout=timeout, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def signal(self, unit: str, name: str) -> None:
        """Send a signal to the main process of a unit."""
        self.run(f"systemctl kill --kill-who=main --signal={name} {unit}")

    def answers(self) -> set[str]:
        """Addresses that a client gets; none where no answer comes."""
        try:
            return addresses(self.server, HOST)[0]
        except (OSError, dns.exception.DNSException):
            return set()

    def wait(self, *regions: str, seconds: float) -> float:
        """Seconds until these regions' gateways are answered, and no others. Fails later than that."""
        wanted, began = {GATEWAYS[region] for region in regions}, time.monotonic()
        while True:
            found = self.answers()
            took = time.monotonic() - began
            assert took < seconds, (found, wanted, self.views())
            if found == wanted:
                return took
            time.sleep(0.1)

    def views(self) -> dict[str, dict[str, object]]:
        """What the prober says that it sees, with ages."""
        command = "/usr/local/lib/crossmesh/gateway_health.py show /etc/crossmesh/health.json"
        views: dict[str, dict[str, object]] = json.loads(self.run(f"python3 -I {command}"))["gateways"]
        return views

    def active(self, unit: str) -> bool:
        """Whether it says that it does its work."""
        return self.run(f"systemctl show --property=ActiveState --value {unit}").strip() == "active"

    def pid(self, unit: str) -> int:
        return int(self.run(f"systemctl show --property=MainPID --value {unit}"))

    def seconds_of_processor(self, *pids: int) -> float:
        """What processes and their children that ended have used."""
        stats = self.run("cat " + " ".join(f"/proc/{pid}/stat" for pid in pids)).splitlines()
        ticks = sum(sum(map(int, line.rpartition(")")[2].split()[11:15])) for line in stats)
        return ticks / os.sysconf("SC_CLK_TCK")

    def start_gateway(self, region: str) -> None:
        command = f"/usr/bin/python3 /root/gateway.py {GATEWAYS[region]}"
        self.run(f"systemd-run --quiet --collect --unit=gateway-{region} {command}")

    def play(self, directory: Path) -> None:
        """Run the phase's own play."""
        keys = ssh.directory(self.machine.state)
        login = access.Connection(
            self.machine.address, "root", str(keys / "id_ed25519"), str(keys / "known_hosts")
        )
        variables = {
            "ansible_host": self.machine.address,
            **access.inventory_variables(login),
            "ansible_become": False,
            "gdnsd_address": self.machine.address,
            "gdnsd_ca_certificate": CA.pem,
            "gdnsd_gateways": {region: [address] for region, address in GATEWAYS.items()},
            "gdnsd_health_check": {
                "interval": INTERVAL,
                "timeout": TIMEOUT,
                "down_threshold": THRESHOLD,
                "up_threshold": THRESHOLD,
            },
            "gdnsd_hosts": {HOST: ["/a", "/b"]},
            "gdnsd_name_servers": {"edge": self.machine.address},
            "gdnsd_region": "eu",
            "gdnsd_ttl": 5,
            "gdnsd_domain": ZONE,
            "gdnsd_zones": {ZONE: [HOST]},
        }
        inventory = directory / "inventory.json"
        inventory.write_text(json.dumps({"all": {"hosts": {"edge": variables}}}))
        done = subprocess.run(
            [Path(sys.executable).with_name("ansible-playbook"), "-i", inventory, EDGE.playbook],
            cwd=PLAYBOOKS,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr


@contextmanager
def edge_host(name: str, directory: Path) -> Iterator[EdgeHost]:
    """A lab of that name, set up, with both gateways answering; nothing of it is left at the end."""
    spec = directory / "lab.yaml"
    spec.write_text(_SPEC)
    command = [sys.executable, "-m", "lab", "start", "--name", name, "--no-mirror", "--spec", str(spec)]
    try:
        started = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=900, check=False)
        assert started.returncode == 0, started.stderr
        (machine,) = lifecycle.machines(name, lifecycle.described(name))
        assert machine.state == state_dir(name)
        host = EdgeHost(machine)
        host.run("umask 077; cat > /root/pair.pem", LEAF.pem + LEAF.key_pem)
        host.run(f"printf %s {shlex.quote(_GATEWAY)} > /root/gateway.py")
        for region in GATEWAYS:
            host.start_gateway(region)
        host.play(directory)
        host.wait(*GATEWAYS, seconds=30)
        yield host
    finally:
        lab.stop(name)
