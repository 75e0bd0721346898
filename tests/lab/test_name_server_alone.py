"""gdnsd itself, of the lab's mirror, with the role's configuration and prober: no machines, only loopback."""

from __future__ import annotations

import importlib
import json
import os
import subprocess
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from ipaddress import IPv4Address
from pathlib import Path

import pytest

from access.outputs import NameServer
from lab.mirror import apt
from lab.spec import load
from tests.lab.clients import addresses
from tests.unit.playbooks.conftest import rendering
from tests.unit.playbooks.gateways import EU, HOST, US, Site, imported, two_gateways

ZONE, PORT, TTL = "example.org", 5390, 60
SETTLED = 4.0
"""Seconds in which gdnsd takes over what is handed to it, on a busy machine."""
LIBRARIES = ("libev4", "liburcu8", "libmaxminddb0", "libsodium23")


@pytest.fixture(scope="module")
def programs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """gdnsd's package, unpacked with its libraries."""
    spec = load()
    pool, root = apt.ensure(spec) / "pool" / spec.suite, tmp_path_factory.mktemp("gdnsd")
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

    @property
    def directory(self) -> Path:
        return self.site.directory / "gdnsd"

    @property
    def admin_state(self) -> Path:
        return self.directory / "state" / "admin_state"

    def configure(self, directory: Path, gateways: Mapping[str, str | list[str]]) -> None:
        """What the role writes, but for addresses and paths of this machine."""
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
        }
        for name in ("run", "state", "etc/zones"):
            (self.directory / name).mkdir(parents=True, exist_ok=True)
        (directory / "zones").mkdir(parents=True, exist_ok=True)
        config = rendering("gdnsd", "config.j2", variables)
        own = f"run_dir => {self.directory}/run\n  state_dir => {self.directory}/state\n"
        config = config.replace("listen => [ 127.0.0.1, 127.0.0.1 ]", f"listen => 127.0.0.1:{PORT}\n  {own}")
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
        return addresses(NameServer(IPv4Address("127.0.0.1"), PORT), HOST)

    def wait(self, wanted: set[str], seconds: float = 20.0) -> None:
        end = time.monotonic() + seconds
        while (found := self.answers()) != (wanted, TTL):
            assert time.monotonic() < end, (found, wanted)
            time.sleep(0.1)

    def states(self) -> dict[str, dict[str, str]]:
        states: dict[str, dict[str, str]] = json.loads(self.said("usr/bin/gdnsdctl", "states")[1])
        return states


@pytest.fixture
def gdnsd(programs: Path, tmp_path: Path) -> Iterator[Gdnsd]:
    """A name server that is configured and does not run yet, with two gateways that answer."""
    with two_gateways(tmp_path) as site:
        server = Gdnsd(programs, site)
        server.configure(server.directory / "etc", {"eu": EU, "us": US})
        yield server
        server.said("usr/bin/gdnsdctl", "stop")
        if server.process is not None:
            server.process.wait(20)


def dead(site: Site, address: str) -> None:
    site.gateways[address].status = {"/a": 503, "/b": 503}


def test_a_dead_gateway_is_left_out_and_comes_back_and_the_ttl_is_always_the_declared_one(
    gdnsd: Gdnsd,
) -> None:
    gdnsd.site.start()
    gdnsd.site.wait("UP", "UP")
    gdnsd.start()
    gdnsd.wait({EU, US})
    dead(gdnsd.site, EU)
    gdnsd.wait({US})
    dead(gdnsd.site, US)
    gdnsd.site.wait("DOWN", "DOWN")
    gdnsd.wait({EU, US})
    gdnsd.site.gateways[EU].status = {}
    gdnsd.wait({EU})


def test_of_a_region_with_several_addresses_the_dead_one_is_left_out(gdnsd: Gdnsd) -> None:
    gdnsd.configure(gdnsd.directory / "etc", {"hoster": [EU, US]})
    gdnsd.site.start(gateways={"hoster": [EU, US]})
    gdnsd.site.wait("UP", "UP")
    gdnsd.start()
    gdnsd.wait({EU, US})
    dead(gdnsd.site, EU)
    gdnsd.wait({US})


def test_a_server_goes_on_with_what_was_seen_last_over_a_reload_too(gdnsd: Gdnsd) -> None:
    prober = gdnsd.site.start()
    gdnsd.site.wait("UP", "UP")
    gdnsd.start()
    dead(gdnsd.site, EU)
    gdnsd.wait({US})
    prober.kill()
    prober.wait()
    gdnsd.site.gateways[EU].status = {}
    assert gdnsd.said("usr/bin/gdnsdctl", "replace")[0] == 0
    gdnsd.wait({US})
    # What cannot be read is no news.
    (gdnsd.site.directory / "view" / "gateways").write_text("nonsense = =")
    time.sleep(SETTLED)
    gdnsd.wait({US})
    gdnsd.site.start()
    gdnsd.wait({EU, US})


def test_a_server_that_starts_before_anything_was_seen_answers_with_all(gdnsd: Gdnsd) -> None:
    gdnsd.start()
    gdnsd.wait({EU, US})


def test_forced_states_hold_whatever_is_seen_and_leave_the_ttl_as_it_is(gdnsd: Gdnsd) -> None:
    gdnsd.site.start()
    gdnsd.site.wait("UP", "UP")
    gdnsd.start()
    gdnsd.admin_state.write_text(f"{EU}/ingress_gateway => DOWN\n{US}/* => UP\n")
    gdnsd.wait({US})
    dead(gdnsd.site, US)
    gdnsd.site.wait("UP", "DOWN")
    time.sleep(SETTLED)
    gdnsd.wait({US})
    held = gdnsd.states()
    assert held[f"{EU}/ingress_gateway"] == {"state": "DOWN!", "real_state": "UP"}
    assert held[f"{US}/ingress_gateway"] == {"state": "UP!", "real_state": "DOWN"}
    gdnsd.admin_state.unlink()
    gdnsd.wait({EU})


def test_gateways_with_names_are_answered_by_what_is_seen_of_them(gdnsd: Gdnsd) -> None:
    gateways: dict[str, str | list[str]] = {
        "eu": "lb-eu.example.net",
        "hoster": [EU, US],
        "us": "lb-us.example.net",
    }
    gdnsd.configure(gdnsd.directory / "etc", gateways)
    (gdnsd.site.directory / "view").mkdir(exist_ok=True)
    seen = gdnsd.site.directory / "view" / "gateways"
    seen.write_text("lb-eu.example.net. => UP\nlb-us.example.net. => DOWN\n")
    gdnsd.start()
    held = {key: state["state"] for key, state in gdnsd.states().items() if "/ingress_gateway" in key}
    assert {held.pop(f"{address}/ingress_gateway") for address in (EU, US)} == {"UP"}
    assert held == {"lb-eu.example.net./ingress_gateway": "UP", "lb-us.example.net./ingress_gateway": "DOWN"}


def test_a_server_is_proven_to_answer_as_it_is_declared(
    gdnsd: Gdnsd, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = "ansible_collections.crossmesh.nodes.plugins.modules.name_server_health"
    health = importlib.import_module(name)
    monkeypatch.setattr(health, "QUESTIONS", gdnsd.directory / "etc" / "questions")
    monkeypatch.setattr(health, "_PORT", PORT)
    server, questions = health.declared()
    assert len(questions) == 4
    (silent, *_) = health.prove(server, questions, TTL, 0, 0)
    assert silent == f"{ZONE} SOA (UDP): Connection refused"
    gdnsd.start()
    assert health.prove(server, questions, TTL, 20, 1) == []
    wrong = [f"{name} {kind} ({how}): TTL {TTL} s, declared 61 s" for how, name, kind in questions]
    assert health.prove(server, questions, 61, 0, 0) == wrong
    lacking = f"nowhere.{ZONE}"
    assert health.complaint(server, ("TCP", lacking, "A")) == f"{lacking} A (TCP): NXDOMAIN"
    assert health.complaint(server, ("UDP", "example.net", "SOA")) == "example.net SOA (UDP): REFUSED"


@pytest.mark.parametrize(
    ("forced", "gateways", "code", "words"),
    [
        (f"{EU}/* => DOWN", {"eu": EU, "us": US}, 0, "zonefiles"),
        (
            f"{EU}/* => DOWN",
            {"eu": "127.0.0.9", "us": US},
            1,
            f"forces {EU}/*, which is no gateway any longer",
        ),
        (f"{EU}/* => DOWN\n127.0.0.9/* => DOWN", {"eu": "127.0.0.9", "us": US}, 0, "zonefiles"),
        (f"{EU}/* => DWON", {"eu": EU, "us": US}, 1, "none starts with it"),
    ],
)
def test_what_the_role_s_check_says_of_forced_states_is_what_gdnsd_says(
    gdnsd: Gdnsd,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    forced: str,
    gateways: dict[str, str],
    code: int,
    words: str,
) -> None:
    program = imported()
    gdnsd.admin_state.write_text(f"{forced}\n")
    gdnsd.configure(gdnsd.directory / "new", gateways)
    library = next(gdnsd.root.glob("usr/lib/*-linux-gnu*"))
    monkeypatch.setenv("LD_LIBRARY_PATH", str(library))
    monkeypatch.setattr(program, "_GDNSD", str(gdnsd.root / "usr/sbin/gdnsd"))
    monkeypatch.setattr(program, "_CONFIGURATION", str(gdnsd.directory / "etc"))
    assert program.check(str(gdnsd.directory / "new")) == code
    assert words in capsys.readouterr().out
