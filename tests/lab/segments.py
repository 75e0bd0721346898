"""Machines and routers as network namespaces, with real BIRD in them: a network within seconds, no machines.

Everything is taken away at the end, however the test ends. It needs root, iproute2 and BIRD; no packet leaves
the namespaces.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

from lab.host import one_at_a_time

COMMAND_SECONDS = 20
_SETTINGS = "net.ipv4.ip_forward=1 net.ipv4.conf.all.rp_filter=0 net.ipv4.conf.default.rp_filter=0"
_SWITCHES = "switches"

_PING = """
import os, socket, struct, sys, time
source, seconds, *targets = sys.argv[1:]
raw = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)
raw.bind((source, 0))
packet, mark = b"", os.getpid() & 0xFFFF
for checksum in (0, None):
    if checksum is None:
        total = sum(struct.unpack("!4H", packet))
        checksum = ~((total & 0xFFFF) + (total >> 16)) & 0xFFFF
    packet = struct.pack("!BBHHH", 8, 0, checksum, mark, 1)
missing, until = set(targets), time.monotonic() + float(seconds)
while missing and time.monotonic() < until:
    for target in missing:
        try:
            raw.sendto(packet, (target, 0))
        except OSError:
            pass
    raw.settimeout(0.3)
    try:
        while missing:
            answer, (sender, _) = raw.recvfrom(1500)
            if answer[20] == 0 and answer[24:26] == packet[4:6]:
                missing.discard(sender)
    except TimeoutError:
        pass
print(" ".join(sorted(missing)))
"""


class Network:
    """Namespaces on switched segments. Use as a context manager."""

    def __init__(self, directory: Path) -> None:
        """directory: for configurations, sockets and logs."""
        self._directory = directory
        self._prefix = f"cmr-{os.getpid()}-"
        self._members: list[str] = []
        self._segments: set[str] = set()
        self._daemons: dict[str, subprocess.Popen[bytes]] = {}
        self._places: dict[str, str] = {}
        self._tunnels: list[str] = []

    def __enter__(self) -> Network:
        self._make(_SWITCHES)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for name in self._tunnels:
            # Without its socket, wireguard-go ends by itself.
            subprocess.run([*self._inside(name), "wg-quick", "down", str(self._tunnel(name))], check=False)
            Path("/run/wireguard", f"{name}.sock").unlink(missing_ok=True)
        for daemon in self._daemons.values():
            daemon.kill()
            daemon.wait(COMMAND_SECONDS)
        with one_at_a_time():
            for name in self._members:
                subprocess.run(["ip", "netns", "delete", self._prefix + name], check=False, timeout=20)

    def add(self, name: str, links: Mapping[str, str], gateway: str = "") -> None:
        """A member. links: address with prefix length by segment. gateway: of its default route."""
        self._make(name)
        lines = ["link set lo up"]
        for number, (segment, address) in enumerate(links.items()):
            if segment not in self._segments:
                self._segments.add(segment)
                self._ip(_SWITCHES, f"link add name br-{segment} type bridge", f"link set br-{segment} up")
            port = f"p{number}-{name}"
            self._ip(name, f"link add eth{number} type veth peer name {port} netns {self._prefix}{_SWITCHES}")
            self._ip(_SWITCHES, f"link set {port} master br-{segment}", f"link set {port} up")
            lines += [f"address add {address} dev eth{number}", f"link set eth{number} up"]
        self._ip(name, *lines, *([f"route add default via {gateway}"] if gateway else []))

    def holds(self, name: str, address: str) -> None:
        """Give a member an address, with prefix length, behind a bridge of its own, as pods are."""
        self._ip(name, "link add cni0 type bridge", f"address add {address} dev cni0", "link set cni0 up")

    def bird(self, name: str, configuration: str, on: str = "") -> None:
        """Start BIRD on the member of that name, or a further one `on` another; one that runs reads it.

        Raises AssertionError with its own words.
        """
        self._places[name] = on or name
        file = self._file(name, "conf")
        file.write_text(configuration)
        checked = subprocess.run(["bird", "-p", "-c", str(file)], capture_output=True, text=True, timeout=20)
        assert checked.returncode == 0, f"{name}: {checked.stderr}\n{configuration}"
        if name in self._daemons:
            self.birdc(name, "configure")
        else:
            self.start(name)

    def start(self, name: str, *options: str) -> None:
        """Start BIRD with the configuration that it had last."""
        self._file(name, "ctl").unlink(missing_ok=True)
        files = ("-c", self._file(name, "conf"), "-s", self._file(name, "ctl"), "-P", self._file(name, "pid"))
        with self._file(name, "log").open("ab") as log:
            argv = [*self._inside(self._places[name]), "bird", "-f", *options, *map(str, files)]
            self._daemons[name] = subprocess.Popen(argv, stdout=log, stderr=log)
        wait(lambda: self._file(name, "ctl").exists(), 10, lambda: self._file(name, "log").read_text())

    def end(self, name: str, with_signal: signal.Signals) -> None:
        """End a member's BIRD."""
        daemon = self._daemons.pop(name)
        daemon.send_signal(with_signal)
        daemon.wait(COMMAND_SECONDS)

    def ended(self, name: str) -> bool:
        """Whether a member's BIRD has ended by itself."""
        return self._daemons[name].poll() is not None

    def running(self, name: str) -> bool:
        """Whether a member's BIRD runs: it was started, and neither was it ended nor did it end by itself."""
        return name in self._daemons and not self.ended(name)

    def birdc(self, name: str, *command: str) -> str:
        """What a member's BIRD says to a command."""
        return self._run(["birdc", "-s", str(self._file(name, "ctl")), *command])

    def established(self, name: str) -> list[str]:
        """The sessions of a member that are up."""
        lines = self.birdc(name, "show", "protocols").splitlines()
        return [line.split()[0] for line in lines if " BGP " in line and "Established" in line]

    def routes(self, name: str) -> dict[str, str]:
        """A member's routes in the kernel that BIRD made: the gateway by network, or the kind of others."""
        listed = self._run(["ip", "-netns", self._prefix + name, "-json", "route", "show", "proto", "bird"])
        entries: list[dict[str, Any]] = json.loads(listed or "[]")
        return {str(entry["dst"]): str(entry.get("gateway", entry.get("type", ""))) for entry in entries}

    def link(self, name: str, state: str) -> None:
        """Set a member's first interface up or down, or its MTU (`mtu 1400`)."""
        self._ip(name, f"link set eth0 {state}")

    def tunnels(self, name: str, configuration: str) -> None:
        """Start a member's tunnels by WireGuard, or let them read another configuration.

        The interface has the member's name: namespaces share the directory of wireguard-go's sockets.
        """
        file = self._tunnel(name)
        file.parent.mkdir(exist_ok=True)
        file.write_text(configuration)
        file.chmod(0o600)
        if name in self._tunnels:
            self.shell(name, f"bash -c 'wg syncconf {name} <(wg-quick strip {file})'")
        else:
            self._tunnels.append(name)
            self.shell(name, f"wg-quick up {file} </dev/null >{file}.log 2>&1")

    def shell(self, name: str, script: str) -> str:
        """What a script of the shell says on a member."""
        return self._run([*self._inside(name), "sh", "-c", script])

    def filter(self, name: str, rules: str) -> None:
        """Give a member's packet filter a file of nftables."""
        self._run([*self._inside(name), "nft", "-f", "-"], given=rules)

    def seen(self, name: str, caller: str, source: str, target: str) -> str:
        """From which address a member sees what another one sends from its address `source` to `target`."""
        listen = (
            "import socket; socket.setdefaulttimeout(10); "
            f"print(socket.create_server(({target!r}, 7000)).accept()[1][0])"
        )
        call = f"import socket; socket.create_connection(({target!r}, 7000), 5, ({source!r}, 0))"
        argv = [*self._inside(name), sys.executable, "-c", listen]
        with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as listener:
            wait(
                lambda: self._run([*self._inside(caller), sys.executable, "-c", call]) == "",
                10,
                lambda: "no call",
            )
            return listener.communicate(timeout=COMMAND_SECONDS)[0].strip()

    def unreached(self, name: str, source: str, targets: Sequence[str], seconds: float = 3.0) -> list[str]:
        """The targets that do not answer, in that time, to packets from a member's own address `source`."""
        argv = [*self._inside(name), sys.executable, "-c", _PING, source, str(seconds), *targets]
        return self._run(argv, timeout=seconds + COMMAND_SECONDS).split()

    def _make(self, name: str) -> None:
        with one_at_a_time():
            self._run(["ip", "netns", "add", self._prefix + name])
            self._members.append(name)
        off = " ".join(f"net.ipv6.conf.{which}.disable_ipv6=1" for which in ("all", "default"))
        self._run([*self._inside(name), "sysctl", "-qw", *_SETTINGS.split(), *off.split()])

    def _inside(self, name: str) -> list[str]:
        return ["nsenter", f"--net=/run/netns/{self._prefix}{name}", "--"]

    def _tunnel(self, name: str) -> Path:
        return self._directory / "tunnels" / f"{name}.conf"

    def _file(self, name: str, ending: str) -> Path:
        return self._directory / f"{name}.{ending}"

    def _ip(self, name: str, *lines: str) -> None:
        argv = ["ip", "-netns", self._prefix + name, "-batch", "-"]
        self._run(argv, given="\n".join(lines) + "\n")

    def _run(self, argv: Sequence[str], given: str = "", timeout: float = COMMAND_SECONDS) -> str:
        done = subprocess.run(argv, input=given, capture_output=True, text=True, timeout=timeout, check=False)
        assert done.returncode == 0, f"{' '.join(argv)}: {done.stderr or done.stdout}"
        return done.stdout


def wait(holds: Callable[[], bool], seconds: float, words: Callable[[], str]) -> float:
    """Wait until something holds, and return the seconds that it took. Raises AssertionError with `words`."""
    began = time.monotonic()
    while True:
        with contextlib.suppress(AssertionError):
            if holds():
                return time.monotonic() - began
        assert time.monotonic() - began < seconds, f"not within {seconds:.0f} s:\n{words()}"
        time.sleep(0.2)


def speaker(asn: int, services: Sequence[str]) -> str:
    """What MetalLB's speaker does, by another BIRD: it calls that of its machine, and announces."""
    routes = "\n".join(f"  route {service}/32 unreachable;" for service in services)
    return f"""log stderr all;
router id 127.0.0.1;
protocol device {{}}
protocol static {{ ipv4; {routes} }}
protocol bgp node {{
  local 127.0.0.1 port 1179 as {asn};
  neighbor 127.0.0.2 as {asn};
  strict bind;
  connect delay time 1;
  connect retry time 1;
  ipv4 {{ import all; export all; next hop self; }};
}}
"""
