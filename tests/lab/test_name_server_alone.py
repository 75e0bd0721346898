"""gdnsd itself, of the lab's mirror, with the role's configuration and prober: no machines, only loopback."""

from __future__ import annotations

import importlib
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.lab.gdnsd import PORT, SETTLED, TTL, ZONE, Gdnsd, unpack
from tests.unit.playbooks.gateways import EU, US, Site, imported, two_gateways


@pytest.fixture(scope="module")
def programs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """gdnsd's package, unpacked with its libraries."""
    return unpack(tmp_path_factory.mktemp("gdnsd"))


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


def test_a_region_that_failed_stays_out_for_its_time_and_the_only_one_that_is_left_does_not(
    gdnsd: Gdnsd,
) -> None:
    """Half a minute: the prober holds, and gdnsd answers by what it is handed."""
    hold = {
        "seconds": 12,
        "by_hand": False,
        "returned": {},
        "drained": [],
        "directory": str(gdnsd.site.directory),
    }
    gdnsd.site.start(hold=hold)
    gdnsd.site.wait("UP", "UP")
    gdnsd.start()
    gdnsd.wait({EU, US})
    dead(gdnsd.site, EU)
    gdnsd.site.wait("DOWN", "UP")
    failed = time.monotonic()
    gdnsd.wait({US})
    gdnsd.site.gateways[EU].status = {}
    # Seen up again after two probes, and not answered before its time is over.
    while time.monotonic() < failed + 10:
        assert gdnsd.answers() == ({US}, TTL), "eu is answered while it is held out"
        time.sleep(0.2)
    assert gdnsd.site.seen()[EU]["up"], gdnsd.site.seen()
    gdnsd.wait({EU, US}, seconds=2 + 5 * SETTLED)
    dead(gdnsd.site, EU)
    gdnsd.wait({US})
    gdnsd.site.gateways[EU].status = {}
    dead(gdnsd.site, US)
    # With us down too nothing is held, so eu is back by its probes alone.
    gdnsd.site.wait("UP", "DOWN", seconds=8)
    gdnsd.wait({EU})
