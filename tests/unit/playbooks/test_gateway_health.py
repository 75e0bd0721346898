"""The prober of edge hosts, as a process, over gateways on loopback that speak TLS."""

from __future__ import annotations

import json
import signal
import ssl
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stacks.simulation import in_effect
from tests.unit.operations.support import issue
from tests.unit.playbooks.gateways import CA, EU, HOST, INTERVAL, US, Site, imported, two_gateways


@pytest.fixture(scope="module")
def program() -> ModuleType:
    """The program, imported."""
    return imported()


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    """Both gateways answer, with a good certificate."""
    with two_gateways(tmp_path) as site:
        yield site


def counted(program: ModuleType, probes: str, thresholds: tuple[int, int] = (2, 2)) -> str:
    """What is seen after each probe: `+` and `-` for good and bad ones, and for UP and DOWN."""
    view, seen = program.View("eu"), ""
    for one in probes:
        view.count(one == "+", "", thresholds)
        seen += "+" if view.up else "-"
    return seen


@pytest.mark.parametrize(
    ("probes", "seen"),
    [
        ("++--", "+++-"),
        ("+-+-+-", "++++++"),
        ("--++", "---+"),
        ("-+-+", "----"),
        ("-", "-"),
        ("++--++", "+++--+"),
    ],
)
def test_probes_are_counted_in_a_row_and_the_first_one_decides(
    program: ModuleType, probes: str, seen: str
) -> None:
    assert counted(program, probes) == seen


def test_each_threshold_counts_for_its_own_direction(program: ModuleType) -> None:
    assert counted(program, "+--" + "+++" + "-", (1, 3)) == "+--" + "--+" + "-"


@pytest.mark.parametrize(
    ("status", "state"), [(200, "UP"), (404, "UP"), (500, "UP"), (502, "DOWN"), (503, "DOWN"), (504, "DOWN")]
)
def test_a_gateway_is_down_when_it_says_that_nobody_answers_behind_it(
    site: Site, status: int, state: str
) -> None:
    site.gateways[EU].status = {"/a": status, "/b": status}
    site.start()
    site.wait(state, "UP")
    assert site.seen()[EU]["said"].startswith(f"{status} from https://{HOST}/")


def test_one_path_that_is_answered_is_enough(site: Site) -> None:
    site.gateways[EU].status = {"/a": 503}
    site.start()
    site.wait("UP", "UP")
    assert (HOST, "/b") in site.gateways[EU].asked


def test_one_application_that_hangs_is_not_its_gateway(site: Site) -> None:
    site.start()
    site.wait("UP", "UP")
    site.gateways[EU].status = {"/a": 0}
    time.sleep(5 * INTERVAL)
    assert site.handed_over()[EU] == "UP"
    assert site.gateways[EU].asked[-1] == (HOST, "/b")


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"ca_certificate": issue("other", ca=True).pem}, "certificate signature failure"),
        ({"hosts": {"else.example.org": ["/a"]}}, "Hostname mismatch"),
    ],
)
def test_a_certificate_that_clients_refuse_is_no_answer(
    site: Site, changes: dict[str, Any], words: str
) -> None:
    site.start(**changes)
    site.wait("DOWN", "DOWN")
    said = site.seen()[EU]["said"]
    assert words in said or "unable to get local issuer" in said


def test_a_silent_gateway_is_down_in_time_delays_no_other_and_costs_no_file_descriptor(site: Site) -> None:
    prober = site.start()
    site.wait("UP", "UP")
    site.gateways[EU].status = {"/a": 0, "/b": 0}
    before, begun = len(site.gateways[US].asked), time.monotonic()
    site.wait("DOWN", "UP")
    took = time.monotonic() - begun
    assert took < 20 * INTERVAL, took
    time.sleep(8 * INTERVAL)
    assert len(site.gateways[US].asked) - before > 5
    assert len(list(Path(f"/proc/{prober.pid}/fd").iterdir())) < 12


def test_what_a_killed_prober_saw_is_there_for_the_next(site: Site) -> None:
    first = site.start()
    site.wait("UP", "UP")
    site.gateways[EU].status = {"/a": 503, "/b": 503}
    site.wait("DOWN", "UP")
    first.kill()
    first.wait()
    assert site.handed_over() == {EU: "DOWN", US: "UP"}
    site.gateways[EU].status = {}
    site.start(up_threshold=1000)
    site.told(2)
    # One good probe would have decided for who had seen nothing before.
    assert site.handed_over() == {EU: "DOWN", US: "UP"}


def test_a_gateway_that_is_declared_no_longer_is_handed_over_no_longer(site: Site) -> None:
    site.start().kill()
    site.start(gateways={"us": [US]})
    site.told(2)
    assert set(site.handed_over()) == {US}


def test_systemd_hears_of_a_prober_that_works_and_not_of_one_that_is_stopped(site: Site) -> None:
    prober = site.start()
    end = time.monotonic() + 15
    found: set[bytes] = set()
    while not {b"READY=1", b"WATCHDOG=1"} <= found:
        assert time.monotonic() < end
        found |= site.told(0.5)
    prober.send_signal(signal.SIGSTOP)
    site.told(INTERVAL)
    assert site.told(4 * INTERVAL) == set()
    prober.send_signal(signal.SIGCONT)
    assert b"WATCHDOG=1" in site.told(5 * INTERVAL + 2)
    # What it could not hear while it was stopped is held against nobody.
    assert site.handed_over() == {EU: "UP", US: "UP"}


def test_a_prober_that_cannot_write_what_it_sees_ends(site: Site) -> None:
    prober = site.start(directory="/proc/none")
    assert prober.wait(15) != 0


def test_without_a_name_there_is_nothing_to_ask_for_and_nobody_is_down(site: Site) -> None:
    site.start(hosts={})
    site.wait("UP", "UP")


def test_a_gateway_with_a_name_is_looked_at_where_that_leads_and_handed_over_by_its_full_name(
    site: Site,
) -> None:
    site.start(gateways={"eu": ["localhost"], "us": ["none.invalid"]})
    end = time.monotonic() + 15
    while site.handed_over() != {"localhost.": "UP", "none.invalid.": "DOWN"}:
        assert time.monotonic() < end, site.seen()
        time.sleep(0.05)


def test_of_a_region_with_several_addresses_each_is_seen_by_itself(site: Site) -> None:
    site.start(gateways={"hoster": [EU, US]})
    site.wait("UP", "UP")
    site.gateways[US].status = {"/a": 503, "/b": 503}
    site.wait("UP", "DOWN")
    assert {view["region"] for view in site.seen().values()} == {"hoster"}


def test_what_is_too_old_is_not_counted_on(program: ModuleType, tmp_path: Path) -> None:
    config = {
        "ca_certificate": CA.pem,
        "directory": str(tmp_path),
        "down_threshold": 2,
        "gateways": {"eu": [EU], "us": [US]},
        "hosts": {},
        "interval": 2,
        "port": 443,
        "timeout": 1,
        "up_threshold": 2,
    }
    kept = {"region": "eu", "up": False, "against": 1, "since": 0.0, "said": "200"}
    ages = {EU: 5.0, US: 500.0}
    views = {target: {**kept, "seen": program.now() - age} for target, age in ages.items()}
    (tmp_path / "state.json").write_text(json.dumps({"gateways": views}))
    found = program.Prober(config).views
    assert {target: (view.up, view.against) for target, view in found.items()} == {
        EU: (False, 1),
        US: (False, 0),
    }
    (tmp_path / "state.json").write_text("{")
    assert all(view.up is None for view in program.Prober(config).views.values())


GOOD = "info: Loaded 1 zonefiles"
UNMATCHED = "warning: admin_state: glob '{}' did not match anything!"
OLD, NEW = "10.0.0.1/ingress_gateway", "10.0.0.9/ingress_gateway"


@pytest.mark.parametrize(
    ("new", "in_place", "code", "words"),
    [
        ((0, GOOD), (0, GOOD), 0, ""),
        ((0, UNMATCHED.format(OLD)), (0, UNMATCHED.format(OLD)), 0, ""),
        ((0, UNMATCHED.format(OLD)), (0, UNMATCHED.format(NEW)), 0, ""),
        ((0, UNMATCHED.format(OLD)), (0, GOOD), 1, f"forces {OLD}, which is no gateway any longer"),
        ((0, UNMATCHED.format(OLD)), (42, "fatal: no such file"), 0, ""),
        ((42, "fatal: bad"), (0, GOOD), 1, "fatal: bad"),
        ((42, "fatal: /x/admin_state has errors!"), (42, ""), 1, "none starts with it"),
    ],
)
def test_a_change_that_would_lose_a_forced_state_is_refused(
    program: ModuleType,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    new: tuple[int, str],
    in_place: tuple[int, str],
    code: int,
    words: str,
) -> None:
    def said(*command: str) -> SimpleNamespace:
        status, text = new if "/new" in command else in_place
        return SimpleNamespace(returncode=status, stdout="", stderr=text)

    monkeypatch.setattr(program, "_run", said)
    monkeypatch.setattr(program, "_GDNSD", sys.executable)
    assert program.check("/new") == code
    assert words in capsys.readouterr().out


def test_what_is_shown_is_what_is_seen_with_its_age_and_what_gdnsd_makes_of_it(
    program: ModuleType,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> None:
    states = {f"{EU}/ingress_gateway": {"state": "DOWN!", "real_state": "UP"}}
    answers: dict[str, Callable[[], tuple[int, str]]] = {
        "states": lambda: (0, json.dumps(states)),
        "stats": lambda: (0, json.dumps({"uptime": 60})),
        "checkconf": lambda: (42, f"error: admin_state: value for 'x'\n{UNMATCHED.format(NEW)}\nfatal: bad"),
    }

    def said(*command: str) -> SimpleNamespace:
        status, text = answers[command[-1]]()
        return SimpleNamespace(returncode=status, stdout=text, stderr="")

    monkeypatch.setattr(program, "_run", said)
    view = {"region": "eu", "up": True, "against": 0, "said": "200", "since": program.now() - 60}
    kept = {"bound": 18.0, "gateways": {EU: {**view, "seen": program.now() - 7}}}
    (tmp_path / "state.json").write_text(json.dumps(kept))
    (tmp_path / "health.json").write_text(json.dumps({"directory": str(tmp_path)}))
    program.show(str(tmp_path / "health.json"))
    shown = json.loads(capsys.readouterr().out)
    assert shown["gateways"][EU]["age"] == pytest.approx(7, abs=1)
    assert shown["gateways"][EU]["since"] == pytest.approx(60, abs=1)
    assert shown["states"] == states
    assert shown["stats"] == {"uptime": 60}
    assert shown["malformed"] == ["admin_state: value for 'x'"]
    assert shown["unmatched"] == [NEW]
    answers["states"] = lambda: (1, "error: connect() failed")
    program.show(str(tmp_path / "health.json"))
    assert json.loads(capsys.readouterr().out)["problem"] == "error: connect() failed"


def test_a_host_is_verified_by_its_own_authorities_where_it_has_some(
    program: ModuleType, tmp_path: Path, site: Site
) -> None:
    """The gateways' certificate is of an authority that is not the general one, but the host's own."""
    general = issue("other", ca=True).pem
    site.start(ca_certificate=general, trust={HOST: CA.pem})
    site.wait("UP", "UP")
    system = program._trusting("")
    assert (system.verify_mode, system.check_hostname) == (ssl.CERT_REQUIRED, True)


def test_the_system_s_store_takes_no_private_authority(site: Site) -> None:
    site.start(trust={HOST: ""})
    site.wait("DOWN", "DOWN")
    assert all("certificate" in view["said"] for view in site.seen().values())


HOLD = {"seconds": 60, "by_hand": False, "returned": {}, "drained": [], "directory": "/nowhere"}
Seen = dict[str, bool | None]


def holds(program: ModuleType, up: Seen | None = None, **changes: Any) -> Any:
    return program.Holds({**HOLD, **changes}, up or {"eu": True, "us": True})


def held_after(found: Any, *seen: tuple[Seen, float]) -> list[set[str]]:
    """Who is held after each look."""
    held = []
    for up, when in seen:
        found.look(up, when)
        held.append(set(found.since))
    return held


BOTH, EU_OUT, US_OUT, NONE = (
    {"eu": eu, "us": us} for eu, us in ((True, True), (False, True), (True, False), (False, False))
)


def test_a_region_that_failed_is_held_for_its_time_though_it_is_up_again(program: ModuleType) -> None:
    looks = [(EU_OUT, 10.0), (BOTH, 15.0), (BOTH, 69.0), (BOTH, 70.0), (BOTH, 71.0)]
    assert held_after(holds(program), *looks) == [{"eu"}, {"eu"}, {"eu"}, set(), set()]
    again = [(EU_OUT, 10.0), (BOTH, 15.0), (EU_OUT, 50.0), (BOTH, 100.0), (BOTH, 110.0)]
    assert held_after(holds(program), *again) == [{"eu"}, {"eu"}, {"eu"}, {"eu"}, set()]


def test_the_last_region_that_is_left_is_held_by_nothing(program: ModuleType) -> None:
    """Neither one that is up again while the other one fails, nor any after a name server was cut off."""
    assert held_after(holds(program), (EU_OUT, 1.0), (BOTH, 2.0), (US_OUT, 3.0)) == [{"eu"}, {"eu"}, set()]
    assert held_after(holds(program), (EU_OUT, 1.0), (NONE, 2.0), (EU_OUT, 3.0), (BOTH, 4.0)) == [
        {"eu"},
        set(),
        set(),
        set(),
    ]
    drained = holds(program, drained=["us"])
    assert held_after(drained, (EU_OUT, 1.0), (BOTH, 2.0)) == [set(), set()], "nobody is led to a drained one"


def test_what_is_not_known_yet_speaks_neither_for_nor_against_a_hold(program: ModuleType) -> None:
    found = holds(program, {"eu": None, "us": None})
    assert held_after(found, ({"eu": False, "us": None}, 1.0), (BOTH, 2.0)) == [set(), set()]
    found.remember({"eu": (2.0, 0), "gone": (2.0, 0)})
    assert held_after(found, ({"eu": True, "us": None}, 3.0), (BOTH, 4.0)) == [{"eu"}, {"eu"}]


def test_a_region_that_waits_for_a_hand_does_so_over_a_boot(program: ModuleType, tmp_path: Path) -> None:
    by_hand = {"by_hand": True, "seconds": 0, "directory": str(tmp_path), "returned": {"eu": 1}}
    found = holds(program, **by_hand)
    found.look(EU_OUT, 10.0)
    found.keep()
    assert held_after(found, (BOTH, 1e9)) == [{"eu"}]
    assert found.left("eu", 1e9) is None
    booted = holds(program, {"eu": None, "us": None}, **by_hand)
    booted.remember({})
    assert held_after(booted, (BOTH, 5.0)) == [{"eu"}]
    returned = holds(program, **{**by_hand, "returned": {"eu": 2}})
    returned.remember({})
    assert returned.look(BOTH, 6.0) == {"eu": "is held out no longer: it was returned"}
    (tmp_path / "held.json").write_text("{")
    other = holds(program, **by_hand)
    other.remember({"us": (1.0, 0)})
    assert set(other.since) == {"us"}


@given(
    st.lists(
        st.tuples(st.fixed_dictionaries(dict.fromkeys(("ap", "eu", "us"), st.booleans())), st.floats(0, 50))
    ),
    st.sampled_from([[], ["us"], ["ap", "us"]]),
    st.booleans(),
)
def test_in_every_history_somebody_is_answered_while_a_region_is_up(
    history: list[tuple[dict[str, bool], float]], drained: list[str], by_hand: bool
) -> None:
    """And who is answered is what the simulator says of those that are held."""
    up: Seen = dict.fromkeys(("ap", "eu", "us"), True)
    found = holds(imported(), up, drained=drained, by_hand=by_hand)
    when = 0.0
    for seen, passed in history:
        when += passed
        before = set(found.since)
        found.look(seen, when)
        healthy = {region for region, is_up in seen.items() if is_up}
        answered = healthy - set(found.since)
        assert answered - set(drained) or not healthy - set(drained)
        assert frozenset(answered) == in_effect(healthy, found.since, drained)
        assert all(not seen[region] for region in set(found.since) - before), "only what fails is held"


def test_a_region_that_failed_is_handed_over_once_its_time_is_over(site: Site, tmp_path: Path) -> None:
    hold = {**HOLD, "seconds": 4, "directory": str(tmp_path)}
    first = site.start(hold=hold)
    site.wait("UP", "UP")
    site.gateways[EU].status = {"/a": 503, "/b": 503}
    site.wait("DOWN", "UP")
    failed = time.monotonic()
    site.gateways[EU].status = {}
    end = time.monotonic() + 15
    while not site.seen()[EU]["up"]:
        assert time.monotonic() < end
        time.sleep(0.05)
    assert site.handed_over() == {EU: "DOWN", US: "UP"}
    document = json.loads((site.directory / "view" / "state.json").read_text())
    assert set(document["held"]) == set(document["left"]) == {"eu"}
    assert (document["handed"][EU][0], document["handed"][US][0]) == (False, True)
    # Another prober goes on with it.
    first.kill()
    first.wait()
    site.start(hold=hold)
    site.wait("UP", "UP")
    assert time.monotonic() - failed > 3.5
    # Of the only one that is left nothing is held.
    site.gateways[EU].status = {"/a": 503, "/b": 503}
    site.wait("DOWN", "UP")
    site.gateways[EU].status = {}
    site.gateways[US].status = {"/a": 503, "/b": 503}
    site.wait("UP", "DOWN", seconds=4)
