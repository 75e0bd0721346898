"""A way through several declarations of one environment, and what is looked at on it."""

from __future__ import annotations

import json
import secrets
import shlex
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import cache
from ipaddress import ip_address
from pathlib import Path
from threading import Event, Thread
from typing import Any

import dns.exception
from cryptography import x509

import lab
from access.outputs import NameServer
from lab.network import inside
from lab.paths import state_dir
from tests.lab import way_out
from tests.lab.acceptance import wishes
from tests.lab.clients import addresses
from tests.lab.segments import wait
from tests.lab.site import Ended, Site
from tests.unit.operations.support import issue

NAMES_SECONDS, ROUTES_SECONDS = 30.0, 30.0
_CONNECTING = """
import socket, sys, time
asked = failed = 0
until = time.monotonic() + float(sys.argv[2])
while time.monotonic() < until:
    asked += 1
    try:
        socket.create_connection((sys.argv[1], 8080), 1).close()
    except OSError:
        failed += 1
    time.sleep(0.1)
print(asked, failed)
"""
_LISTED = "find /etc -type f -print0 | sort -z | xargs -0 sha256sum"


@dataclass
class Course:
    """The way through the declarations."""

    site: Site
    report: dict[str, Any]
    files: dict[str, str]
    """Of the witness below /etc in the first declaration: digest by path."""
    containers: dict[str, str]
    """Of the reference's applications in `us`: their identities by pod."""
    undo: ExitStack = field(default_factory=ExitStack)
    """Puts the first declaration back."""
    secret: dict[str, str] = field(default_factory=dict)
    """Values as they are now, by name."""
    told: list[str] = field(default_factory=list)
    """All values that there ever were."""
    asked: dict[str, list[way_out.Asked]] = field(default_factory=dict)
    """What proxy and mirror were asked."""

    def declare(self, edit: wishes.Edit) -> None:
        """Change the declaration."""
        text = wishes.edited(self.site.stack_file.read_text(), edit)
        self.undo.enter_context(self.site.changed_declaration(text))

    def conceal(self, name: str, *where: str, value: str = "") -> None:
        """Give a secret a new value. where: the arguments of `pulumi config set` that name it."""
        self.secret[name] = value or secrets.token_urlsafe(24)
        self.told.append(self.secret[name])
        self.site.pulumi("config", "set", "--secret", *where, given=self.secret[name])

    def up(self, what: str) -> Ended:
        """`up`, measured; whether it ended well is asked by a test, so that the others see what is there."""
        ended = self.site.up("--skip-preview", check=False)
        self.report["seconds"][what] = round(ended.seconds, 1)
        return ended


def files(site: Site, machine: str) -> dict[str, str]:
    """Digest of each file below /etc on a machine."""
    lines = (line.split(maxsplit=1) for line in site.on(machine, _LISTED).splitlines())
    return {path: digest for digest, path in lines}


def containers(site: Site, region: str) -> dict[str, str]:
    """The containers of the reference's applications in a region, by pod."""
    with site.clusters() as clusters:
        pods = clusters[region].core.list_namespaced_pod("greencompute").items
    return {
        pod.metadata.name: ", ".join(sorted(entry.container_id for entry in pod.status.container_statuses))
        for pod in pods
        if pod.metadata.name.startswith("asset-")
    }


def in_pods(site: Site, worker: str) -> dict[str, Any]:
    """What the one process of `SHOP` on a node has, once its forerunner has gone."""
    command = f"python3 -c {shlex.quote(wishes.PODS)}"
    found: list[dict[str, Any]] = []

    def alone() -> bool:
        found[:] = json.loads(site.on(worker, command))
        return len(found) == 1

    wait(alone, 60, lambda: f"not one process: {found}")
    return found[0]


def doctor(site: Site) -> dict[str, str]:
    """The doctor's findings by their rules; all of them good."""
    said = json.loads(site.crossmesh("doctor", "--json", check=False).stdout)["stacks"][0]["findings"]
    bad = [finding for finding in said if finding["status"] != "pass"]
    assert not bad, json.dumps(bad, indent=2)
    return {finding["rule"]: finding["status"] for finding in said}


def gateways(site: Site) -> dict[str, str]:
    """Address of each region's gateway."""
    regions = site.outputs().regions
    return {region: str(output.gateway_addresses[0]) for region, output in regions.items()}


def asked(server: NameServer, host: str) -> set[str]:
    """The addresses that a name server answers; none where it does not answer."""
    try:
        return addresses(server, host)[0]
    except (OSError, dns.exception.DNSException):
        return set()


def answered(site: Site, host: str, wanted: set[str]) -> None:
    """Wait until every name server answers a host with these addresses."""
    outputs = site.outputs()

    def found() -> list[set[str]]:
        return [asked(server, host) for server in outputs.nameservers]

    wait(lambda: all(each == wanted for each in found()), NAMES_SECONDS, lambda: f"{host}: {found()}")


@cache
def _router(name: str) -> str:
    return lab.addresses(name).namespace


def led(site: Site, prefix: str) -> str:
    """The machine by which the lab's router reaches a prefix; empty for none."""
    command = ["ip", "-netns", _router(site.name), "-json", "route", "show", prefix]
    listed = json.loads(subprocess.run(command, capture_output=True, check=True, timeout=10).stdout or "[]")
    return str(listed[0].get("gateway", "")) if listed else ""


class Watch(Thread):
    """Asks the router ten times a second whether it has a route."""

    def __init__(self, site: Site, prefix: str) -> None:
        super().__init__(daemon=True)
        self.site, self.prefix = site, prefix
        self.over, self.asked, self.missing = Event(), 0, 0

    def __enter__(self) -> Watch:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.over.set()
        self.join(20)

    def run(self) -> None:
        """Until it is over."""
        while not self.over.wait(0.1):
            self.asked += 1
            self.missing += not led(self.site, self.prefix)


def restarted(site: Site, worker: str, pod: str, command: str) -> dict[str, float]:
    """What a node's BIRD that a command on it ends leaves to its routers and to who calls a pod of it."""
    slice_ = str(site.declaration().ledger.nodes[worker.partition("-")[0]][worker])
    asked_pid = "systemctl show --value --property=MainPID bird"
    before = site.on(worker, asked_pid).strip()
    argv = inside(lab.addresses(site.name), [sys.executable, "-c", _CONNECTING, pod, "20"])
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as caller, Watch(site, slice_) as watch:
        time.sleep(1)
        site.on(worker, command)

        def again() -> bool:
            pid = site.on(worker, asked_pid).strip()
            return pid not in ("0", before) and "Established" in site.on(
                worker, "birdc show protocols fabric1"
            )

        seconds = wait(
            again, ROUTES_SECONDS, lambda: site.on(worker, "journalctl -u bird -n 20", check=False)
        )
        calls, failed = map(int, caller.communicate(timeout=60)[0].split())
    return {
        "secondsUntilItsSessionWasBack": round(seconds, 1),
        "routeAskedFor": watch.asked,
        "routeMissing": watch.missing,
        "podCalled": calls,
        "podNotReached": failed,
    }


@contextmanager
def way(site: Site, login: str, authority: Path) -> Iterator[dict[str, list[way_out.Asked]]]:
    """Proxy and mirror at work, by their names with what they were asked.

    login: `user:password` for the mirror. authority: where the authority of its certificate is written.
    """
    here = lab.addresses(site.name).host
    issuer = issue("the mirror's authority", ca=True)
    mirror = issue("mirror", issuer, sans=(x509.IPAddress(ip_address(here)),))
    authority.write_text(issuer.pem)
    content = way_out.Content.of(state_dir(site.name) / "mirror" / "images" / "solution.tar")
    certificate = (mirror.pem, mirror.key_pem)
    with (
        way_out.proxy(here, wishes.PROXY_PORT) as proxied,
        way_out.registry(here, wishes.MIRROR_PORT, content, login, certificate) as pulled,
    ):
        yield {"proxy": proxied, "mirror": pulled}
