"""The course of a rehearsal, over a site that is made of answers."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from access.network import WebAnswer
from gate.timeline import Phase
from rehearsal import drive
from rehearsal.commands import Ended
from rehearsal.drive import Order, rehearse
from rehearsal.errors import RehearsalError
from rehearsal.objects import Objects
from rehearsal.place import Place
from rehearsal.site import Applied
from rehearsal.twin import Lab, Twin
from report.errors import OperationsError
from stacks.ledger import Ledger
from stacks.load import Stack
from stacks.model import Environment
from tests.unit.rehearsal.support import declared, nodes, placed, reference, region
from tests.unit.rehearsal.test_report import ILL, REFUSED, WELL

APPLIED = Applied(True, "", (Phase("hosts: prepare", 1.0, 4.0, 2, 6.0),), 7)
NOTHING = Applied(True, "", (), 0)
PASSED = {"exitCode": 0, "findings": []}


@dataclass
class Script:
    """What the twin's site answers, and what it was asked."""

    ups: list[Applied] = field(default_factory=lambda: [APPLIED, APPLIED, NOTHING])
    gate: dict[str, Any] = field(default_factory=lambda: PASSED)
    doctor: list[dict[str, Any]] = field(default_factory=lambda: [WELL, WELL])
    runbook: Ended = field(default_factory=lambda: Ended(0, "", "", 1.0))
    start: Callable[[], None] = lambda: None
    done: list[str] = field(default_factory=list)
    examined: list[str] = field(default_factory=list)
    """What was examined by which declaration."""
    twins: list[Twin] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)


class Grounds:
    """A copy of the project that answers."""

    def __init__(self, script: Script, ref: str | None, say: Callable[[str], None]) -> None:
        self._script, self._ref = script, ref
        self.surroundings = type("Surroundings", (), {"say": staticmethod(say)})

    def up(self) -> Applied:
        self._script.done.append(f"up {self._ref or 'head'}")
        return self._script.ups.pop(0)

    def report(self, *arguments: str) -> dict[str, Any]:
        self._script.done.append(" ".join(arguments))
        self._script.examined.append(f"{arguments[0]} of {self._ref or 'head'}")
        return self._script.gate if arguments[0] == "gate" else self._script.doctor.pop(0)

    def bring(self, several: Sequence[Objects], region: str) -> list[str]:
        self._script.done += [f"{objects.path.name} in {region}" for objects in several]
        return self._script.missing

    def outputs(self) -> None:
        return None

    def crossmesh(self, *arguments: str, check: bool = True) -> Ended:
        self._script.done.append(" ".join(arguments))
        if arguments[1] == "history":
            return Ended(0, '[{"steps": {"cordon": 1.5}}]', "", 0.1)
        return self._script.runbook


@pytest.fixture
def script() -> Script:
    return Script()


@pytest.fixture
def environments() -> dict[str, Environment]:
    """By commit; of the working tree, by the empty name."""
    more = {
        "namespaces": {"shop": {}},
        "applications": {"cart": {"namespace": "shop", "image": "x:1"}},
        "ingresses": {
            "shop": {
                "namespace": "shop",
                "host": "shop.example.test",
                "paths": [{"path": "/cart", "application": "cart"}],
            }
        },
    }
    return {
        "main": declared({"eu": region(nodes("eu", workers=3))}, **more),
        "": declared({"eu": region(nodes("eu", workers=4))}, **more),
    }


@pytest.fixture(autouse=True)
def site(monkeypatch: pytest.MonkeyPatch, script: Script, environments: dict[str, Environment]) -> None:
    class Site:
        name = "twin-1"

        def __init__(self, root: Path, directory: Path, stack: str, say: Callable[[str], None]) -> None:
            self._say, self.directory = say, directory
            script.done.append("begun")

        def declared(self, ref: str | None) -> Stack:
            return Stack("s", environments[ref or ""], Ledger(), frozenset(), Path("x"))

        def choose(self, taken: list[object]) -> None:
            script.done.append("chosen")

        def install(self, wanted: dict[str, list[str]]) -> None:
            script.done.append("installed")

        def start(self, regions: Any, accepted: list[str], wanted: object) -> Place:
            script.start()
            script.done.append(f"started {' '.join(regions['eu'])}")
            return placed(drive.crew([*environments.values()]))

        def lab(self, where: Place) -> Lab:
            return reference()

        def grounds(self, ref: str | None, twin: Twin) -> Grounds:
            script.twins.append(twin)
            return Grounds(script, ref, self._say)

        def stop(self) -> None:
            script.done.append("stopped")

    monkeypatch.setattr(drive, "Site", Site)
    monkeypatch.setattr(drive, "BEFORE_SECONDS", 0.3)
    monkeypatch.setattr(drive, "AFTER_SECONDS", 0.3)
    monkeypatch.setattr(drive, "asking", lambda outputs: lambda host, path: WebAnswer(200))


def run(change: str = "up", *values: str, **more: Any) -> drive.Course:
    base = "main" if change == "up" else None
    return rehearse(Path("/"), Order("s", change, values, base, rate=40.0, **more), lambda words: None)


def test_the_change_is_made_on_what_the_base_was_and_nothing_is_left(script: Script) -> None:
    course = run(approve=("x*",))
    assert script.done == [
        "begun",
        "chosen",
        "installed",
        # The fifth worker is what the change is about.
        "started eu-cp-1 eu-worker-2 eu-worker-5",
        "up main",
        "doctor",
        "gate --approve x*",
        "up head",
        "doctor",
        "up head",
        "stopped",
    ]
    assert [*script.twins[0].environment.regions["eu"].nodes] == ["eu-cp-1", "eu-worker-2"]
    assert [*script.twins[1].environment.regions["eu"].nodes] == ["eu-cp-1", "eu-worker-2", "eu-worker-5"]
    assert [(step.name, step.seconds) for step in course.steps] == [("hosts: prepare (2)", 3.0)]
    assert course.failure == ""
    assert course.before[0].sent > 0 and course.during[0].sent > 0
    assert script.examined == ["doctor of main", "gate of head", "doctor of head"]
    assert course.during[0].url == "https://shop.example.test/cart"


def test_slices_do_not_move_between_the_twin_s_declarations(script: Script) -> None:
    run()
    first, last = (twin.config["crossmesh:ledger"]["nodes"]["eu"] for twin in script.twins)
    assert first.items() <= last.items()


def test_a_change_that_the_gate_refuses_is_not_made(script: Script) -> None:
    script.gate = REFUSED
    course = run()
    assert [entry for entry in script.done if entry.startswith("up")] == ["up main"]
    assert not course.was_made and course.repeated is None
    # The twin is as before, and by the other declaration it would look broken.
    assert script.examined == ["doctor of main", "gate of head", "doctor of main"]


def test_a_change_that_fails_is_not_repeated(script: Script) -> None:
    script.ups[1] = Applied(False, "no room", (), 2)
    course = run()
    assert (course.failure, course.repeated) == ("no room", None)
    assert script.done[-1] == "stopped"


def test_a_runbook_is_run_on_the_working_tree_s_twin(script: Script) -> None:
    script.doctor = [WELL, ILL]
    course = run("drain-node", "node=eu-worker-4")
    assert "runbook run drain-node node=eu-worker-4 --yes" in script.done
    assert "eu-worker-4" in script.done[3]
    assert len(script.twins) == 1
    assert [(step.name, step.seconds) for step in course.steps] == [("cordon", 1.5)]
    assert course.doctor_after == ILL
    assert not course.gate


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ("pods move\n  against it: x\nError: drain-node does not begin: x\n  fix: mend x", "drain-node does"),
        ("Killed", "Killed"),
    ],
)
def test_of_a_runbook_that_fails_its_error_is_told(script: Script, said: str, why: str) -> None:
    script.runbook = Ended(1, "", said, 1.0)
    assert run("drain-node", "node=eu-worker-4").failure.startswith(why)


def test_a_twin_that_does_not_come_up_is_no_verdict_on_the_change(script: Script) -> None:
    script.ups = [Applied(False, "kubeadm failed", (), 0)]
    with pytest.raises(RehearsalError, match="did not come up as it is declared before the change: kubeadm"):
        run()
    assert script.done[-1] == "stopped"


@pytest.mark.parametrize("broken", [KeyboardInterrupt(), RehearsalError("no disk")])
def test_whatever_breaks_it_off_nothing_is_left(script: Script, broken: BaseException) -> None:
    def start() -> None:
        raise broken

    script.start = start
    with pytest.raises(type(broken)):
        run()
    assert script.done[-1] == "stopped"


def test_one_that_is_kept_is_not_stopped_and_says_how_to_end_it(
    script: Script, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    course = run(keep=True)
    assert "stopped" not in script.done
    assert "python -m lab stop --name twin-1" in course.kept
    (kept,) = tmp_path.iterdir()
    assert str(kept) in course.kept


def test_a_lab_that_cannot_be_stopped_hides_nothing(script: Script, monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []

    def stop(self: object) -> None:
        raise OperationsError("busy")

    monkeypatch.setattr(drive.Site, "stop", stop)
    began = time.monotonic()
    course = rehearse(Path("/"), Order("s", "up", (), "main", rate=40.0), said.append)
    assert course.failure == "" and time.monotonic() - began < 30
    assert "python -m lab stop --name twin-1" in said[-1]


def test_what_others_manage_is_there_before_the_clients(script: Script) -> None:
    course = run(objects=(Objects(Path("/budgets")), Objects(Path("/charts"), "eu")))
    up, doctor = script.done.index("up main"), script.done.index("doctor")
    assert script.done[up + 1 : doctor] == ["budgets in eu", "charts in eu"]
    assert "not rolled out" not in " ".join(course.differences)


def test_what_others_manage_and_does_not_come_up_is_told_as_a_difference(script: Script) -> None:
    script.missing = ["region eu: shop/deployment/web was not rolled out: image not found"]
    course = run(objects=(Objects(Path("/charts")),))
    assert course.differences[-1] == script.missing[0]


def test_objects_for_a_region_that_is_not_declared_start_nothing(script: Script) -> None:
    with pytest.raises(OperationsError, match="no region 'ue' is declared"):
        run(objects=(Objects(Path("/budgets"), "ue"),))
    assert script.done == ["begun"]
