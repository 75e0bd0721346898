"""The members of an etcd of several, and who holds the address of the API, as the machines tell."""

from __future__ import annotations

import ast
import json
from dataclasses import replace
from typing import Any

import pytest

from access import ssh
from access.errors import Unanswered
from access.programs import Executed
from live.checks import control_planes, etcd
from live.doctor import foundations, keys
from live.doctor.model import Finding, NotMeasurable
from live.doctor.platform import Platform
from report.model import Severity, Status
from stacks.model import Environment
from tests.unit.operations.support import make_platform, run

ADDRESS = "10.101.1.100"
NAMES = ("eu-cp-1", "eu-cp-2", "eu-cp-3")


def three() -> Platform:
    """The reference platform with three control planes in `eu`."""
    platform = make_platform()
    declared: dict[str, Any] = platform.stack.environment.model_dump(mode="json", by_alias=True)
    cluster = declared["regions"]["eu"]["cluster"]
    cluster["apiServerAddress"] = ADDRESS
    for number, name in enumerate(NAMES):
        node = {**cluster["nodes"]["eu-cp-1"], "address": f"10.101.1.{11 + 10 * number}"}
        cluster["nodes"][name] = node
    environment = Environment.model_validate(declared)
    return replace(platform, stack=replace(platform.stack, environment=environment))


def member(name: str, *, well: bool = True, learner: bool = False) -> dict[str, Any]:
    return {"identifier": "1", "name": name, "address": "10.0.0.1", "learner": learner, "well": well}


def says(*members: dict[str, Any], holds: bool = False, why: str = "") -> Executed:
    told = {"why": why} if why else {"members": members}
    return Executed(0, ("holds\n" if holds else "") + json.dumps(told) + "\n", "")


def found(monkeypatch: pytest.MonkeyPatch, answers: dict[str, Executed | None]) -> Finding:
    def answer(host: str, connection: object, command: object) -> Executed:
        said = answers[host]
        if said is None:
            raise Unanswered(f"{host} does not answer")
        return said

    monkeypatch.setattr(ssh, "run", answer)
    return run(etcd.check_etcd, three(), "eu", ADDRESS)


def alike(*members: dict[str, Any]) -> dict[str, Executed | None]:
    return {name: says(*members, holds=name == "eu-cp-2") for name in NAMES}


def test_there_is_one_for_each_cluster_whose_api_has_an_address() -> None:
    assert [check.id for check in etcd.checks(make_platform())] == []
    (check,) = etcd.checks(three())
    assert check.id == "etcd/eu"
    assert check.rests_on == ("control-plane/eu-cp-1", "control-plane/eu-cp-2", "control-plane/eu-cp-3")


def test_pods_rest_on_the_api_of_several_control_planes_and_not_on_each() -> None:
    platform = three()
    assert keys.api_server("eu") in foundations.pods(platform, "eu")
    assert not set(map(keys.control_plane, NAMES)) & set(foundations.pods(platform, "eu"))
    assert keys.control_plane("us-cp-1") in foundations.pods(platform, "us")


def test_three_healthy_members_and_one_holder_are_well(monkeypatch: pytest.MonkeyPatch) -> None:
    finding = found(monkeypatch, alike(*map(member, NAMES)))
    assert finding.status is Status.PASS
    assert finding.measured == f"3 of 3 members healthy, {ADDRESS} on eu-cp-2"


def test_one_that_is_out_is_named_and_that_the_others_serve(monkeypatch: pytest.MonkeyPatch) -> None:
    there = [member("eu-cp-1"), member("eu-cp-2"), member("eu-cp-3", well=False)]
    finding = found(monkeypatch, {**alike(*there), "eu-cp-3": None})
    assert finding.status is Status.FAIL and finding.severity is Severity.ERROR
    assert (
        "etcd goes on without eu-cp-3, which does not serve; the next one that is lost ends it"
        in finding.message
    )
    assert "clear-lost-node node=eu-cp-3" in finding.fix
    assert finding.runbook == "", "which of the two it is nobody knows"


def test_one_whose_machine_runs_is_made_anew_by_a_runbook(monkeypatch: pytest.MonkeyPatch) -> None:
    finding = found(monkeypatch, alike(member("eu-cp-1"), member("eu-cp-2", well=False), member("eu-cp-3")))
    assert finding.runbook == "renew-etcd-member node=eu-cp-2"
    assert f"`crossmesh runbook run {finding.runbook}`" in finding.fix


def test_etcd_without_a_majority_serves_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    finding = found(monkeypatch, {name: says(why="no leader", holds=name == "eu-cp-1") for name in NAMES})
    assert "etcd of eu serves nobody: no leader" in finding.message
    assert finding.runbook == "rebuild-etcd region=eu"


def test_machines_that_are_gone_with_the_majority_are_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    finding = found(monkeypatch, {"eu-cp-1": says(why="no leader"), "eu-cp-2": None, "eu-cp-3": None})
    assert finding.runbook == "rebuild-etcd region=eu without=eu-cp-2,eu-cp-3"


def test_members_that_are_not_those_declared_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    finding = found(monkeypatch, alike(member("eu-cp-1"), member("eu-cp-2"), member("eu-cp-9")))
    assert "eu-cp-3 has no member of etcd" in finding.message
    assert "etcd counts eu-cp-9 among its members, and nobody declares it" in finding.message


@pytest.mark.parametrize(
    ("holders", "words"),
    [
        ((), f"no control plane has {ADDRESS}"),
        (("eu-cp-1", "eu-cp-3"), f"eu-cp-1, eu-cp-3 each have {ADDRESS}"),
    ],
)
def test_the_address_is_on_one_machine(
    monkeypatch: pytest.MonkeyPatch, holders: tuple[str, ...], words: str
) -> None:
    there = [*map(member, NAMES)]
    finding = found(monkeypatch, {name: says(*there, holds=name in holders) for name in NAMES})
    assert words in finding.message


def test_nobody_that_is_reached_is_nothing_that_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(NotMeasurable, match="eu-cp-1 does not answer"):
        found(monkeypatch, dict.fromkeys(NAMES))


def test_what_a_machine_is_asked_is_one_program_that_its_python_reads() -> None:
    script = etcd.question(ADDRESS)
    program = script.partition("<<'END-OF-PROGRAM'\n")[2].removesuffix("END-OF-PROGRAM")
    assert "def members" in program
    ast.parse(program, feature_version=(3, 10))


def test_a_member_without_data_joins_anew_where_others_have_it(monkeypatch: pytest.MonkeyPatch) -> None:
    said = "".join(f"declared {part}\nrunning {part}\n" for part in control_planes.PARTS) + "asked\n"
    monkeypatch.setattr(ssh, "run", lambda *_: Executed(0, said, ""))
    platform = three()
    node = platform.stack.environment.regions["eu"].nodes["eu-cp-2"]
    finding = run(control_planes.check_control_plane, platform, "eu", "eu-cp-2", node)
    assert "etcd on eu-cp-2 has no data" in finding.message
    assert finding.runbook == "renew-etcd-member node=eu-cp-2"
    assert f"it joins them anew: `crossmesh runbook run {finding.runbook}`" in finding.fix
