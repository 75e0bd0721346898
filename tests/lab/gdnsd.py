"""gdnsd itself, of the lab's mirror, on loopback, with the role's configuration."""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

from access.outputs import NameServer
from lab.mirror import apt
from lab.spec import load
from tests.lab.clients import addresses
from tests.unit.playbooks.conftest import rendering
from tests.unit.playbooks.gateways import HOST, Site

ZONE, PORT, TTL = "example.org", 5390, 60
SETTLED = 4.0
"""Seconds in which gdnsd takes over what is handed to it, on a busy machine."""
LIBRARIES = ("libev4", "liburcu8", "libmaxminddb0", "libsodium23")


def unpack(root: Path) -> Path:
    """gdnsd's package, unpacked with its libraries."""
    spec = load()
    pool = apt.ensure(spec) / "pool" / spec.suite
    for name in ("gdnsd", *LIBRARIES):
        for package in pool.glob(f"{name}_*.deb"):
            subprocess.run(["dpkg-deb", "--extract", package, root], check=True)
    return root


@dataclass
class Gdnsd:
    """A name server over a site's gateways."""

    root: Path
    """Where its programs are."""
    site: Site
    process: subprocess.Popen[bytes] | None = None
    port: int = PORT

    @property
    def directory(self) -> Path:
        return self.site.directory / "gdnsd"

    @property
    def admin_state(self) -> Path:
        return self.directory / "state" / "admin_state"

    def configure(self, directory: Path, gateways: Mapping[str, str | list[str]], **more: Any) -> None:
        """What the role writes, but for addresses and paths of this machine. more: other variables of it."""
        variables = {
            "gdnsd_address": "127.0.0.1",
            "gdnsd_ca_certificate": "",
            "gdnsd_gateways": {
                region: [told] if isinstance(told, str) else told for region, told in gateways.items()
            },
            "gdnsd_health_check": {},
            "gdnsd_hosts": {HOST: ["/a"]},
            "gdnsd_name_servers": {"eu-edge-1": "127.0.0.1", "us-edge-1": "127.0.0.2"},
            "gdnsd_region": "eu",
            "gdnsd_ttl": TTL,
            "gdnsd_domain": ZONE,
            "gdnsd_zones": {ZONE: [HOST]},
            **more,
        }
        for name in ("run", "state", "etc/zones"):
            (self.directory / name).mkdir(parents=True, exist_ok=True)
        (directory / "zones").mkdir(parents=True, exist_ok=True)
        config = rendering("gdnsd", "config.j2", variables)
        own = f"run_dir => {self.directory}/run\n  state_dir => {self.directory}/state\n"
        config = config.replace(
            "listen => [ 127.0.0.1, 127.0.0.1 ]", f"listen => 127.0.0.1:{self.port}\n  {own}"
        )
        config = config.replace("/run/crossmesh-health/", f"{self.site.directory}/view/")
        (directory / "config").write_text(config)
        (zone,) = json.loads(rendering("gdnsd", "zones.json.j2", variables))
        (directory / "zones" / ZONE).write_text(zone["content"])
        (directory / "questions").write_text(rendering("gdnsd", "name-server.json.j2", variables))

    def run(self, program: str, *arguments: str, directory: Path | None = None) -> subprocess.Popen[bytes]:
        where = str(directory or self.directory / "etc")
        environment = {**os.environ, "LD_LIBRARY_PATH": str(next(self.root.glob("usr/lib/*-linux-gnu*")))}
        return subprocess.Popen(
            [self.root / program, "-c", where, *arguments],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )

    def said(self, program: str, *arguments: str, directory: Path | None = None) -> tuple[int, str]:
        """How a command ended, and its words."""
        process = self.run(program, *arguments, directory=directory)
        words = process.communicate(timeout=60)[0].decode()
        return process.returncode, words

    def start(self) -> None:
        self.process = self.run("usr/sbin/gdnsd", "start")
        end = time.monotonic() + 20
        while self.said("usr/bin/gdnsdctl", "states")[0]:
            assert time.monotonic() < end
            time.sleep(0.2)

    def answers(self) -> tuple[set[str], int]:
        """Addresses and TTL that clients get."""
        return addresses(NameServer(IPv4Address("127.0.0.1"), self.port), HOST)

    def wait(self, wanted: set[str], seconds: float = 20.0) -> None:
        end = time.monotonic() + seconds
        while (found := self.answers()) != (wanted, TTL):
            assert time.monotonic() < end, (found, wanted)
            time.sleep(0.1)

    def states(self) -> dict[str, dict[str, str]]:
        states: dict[str, dict[str, str]] = json.loads(self.said("usr/bin/gdnsdctl", "states")[1])
        return states
