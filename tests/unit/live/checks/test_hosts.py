from __future__ import annotations

import time
from typing import Any

import pytest

from access import ssh
from access.errors import Unanswered
from access.programs import Executed
from live.checks import hosts
from live.doctor.model import Finding, NotMeasurable
from playbooks.work import PHASES
from report.model import Status
from stacks.model import Environment
from tests.unit.operations.support import STACK, make_platform, run

ENVIRONMENT = STACK.environment


def unit(name: str, active: str = "active", sub: str = "running", **more: str) -> str:
    """What systemd says of one."""
    values = {"LoadState": "loaded", "Result": "success", "StateChangeTimestamp": "Sat 10:00:00 UTC", **more}
    said = {"Id": f"{name}.service", "ActiveState": active, "SubState": sub, **values}
    return "\n".join(f"{key}={value}" for key, value in said.items())


WELL = (unit("containerd"), unit("kubelet"), unit("bird"))


def found(monkeypatch: pytest.MonkeyPatch, answer: Executed, name: str = "eu-worker-1") -> Finding:
    asked: list[str] = []

    def say(host: str, connection: Any, command: list[str]) -> Executed:
        asked.append(command[-1])
        return answer

    monkeypatch.setattr(ssh, "run", say)
    platform = make_platform()
    host = platform.stack.environment.regions["eu"].hosts[name]
    if answer.stdout.startswith("now"):
        return run(hosts.check_host, platform, name, host)
    finding = run(hosts.check_services, platform, name, host)
    assert all(service in asked[0] for service in hosts.services_of(ENVIRONMENT, name))
    return finding


def says(*units: str) -> Executed:
    return Executed(0, "\n\n".join(units) + "\n", "")


def test_a_machine_that_runs_its_services_is_well(monkeypatch: pytest.MonkeyPatch) -> None:
    finding = found(monkeypatch, says(*WELL))
    assert finding.status is Status.PASS, finding
    assert finding.measured == "3 of 3 services run"
    assert "kubelet runs since Sat 10:00:00 UTC" in finding.details
    edge = found(monkeypatch, says(unit("gdnsd"), unit("crossmesh-health")), "eu-edge-1")
    assert edge.measured == "2 of 2 services run"


@pytest.mark.parametrize(
    ("units", "words", "fix"),
    [
        (
            (WELL[0], unit("kubelet", "inactive", "dead"), WELL[2]),
            "kubelet does not run on eu-worker-1: inactive (dead), since Sat 10:00:00 UTC",
            "systemctl start kubelet",
        ),
        (
            (unit("containerd", "failed", "failed", Result="oom-kill"), *WELL[1:]),
            "containerd does not run on eu-worker-1: failed (failed), result oom-kill",
            "journalctl -u containerd",
        ),
        (
            (WELL[0], unit("kubelet", "activating", "auto-restart", Result="exit-code"), WELL[2]),
            "kubelet does not run on eu-worker-1: activating (auto-restart), result exit-code",
            "journalctl -u kubelet",
        ),
        (
            (*WELL[:2], unit("bird", "inactive", "dead", LoadState="not-found")),
            "eu-worker-1 has no service bird",
            "pulumi up",
        ),
    ],
)
def test_a_service_that_does_not_run_is_named_with_its_state(
    monkeypatch: pytest.MonkeyPatch, units: tuple[str, ...], words: str, fix: str
) -> None:
    finding = found(monkeypatch, says(*units))
    assert finding.status is Status.FAIL
    assert finding.message.startswith(words)
    assert fix in finding.fix
    assert finding.measured == "2 of 3 services run"


def test_the_runtime_is_named_before_kubelet_that_rests_on_it(monkeypatch: pytest.MonkeyPatch) -> None:
    ended = (unit("kubelet", "inactive", "dead"), unit("containerd", "failed", "failed"), WELL[2])
    assert found(monkeypatch, says(*ended)).message.startswith("containerd does not run")


@pytest.mark.parametrize(
    ("skew", "words"), [(0, ""), (-200, ""), (200, ""), (-4000, "behind this machine's"), (4000, "ahead of")]
)
def test_a_clock_by_which_new_certificates_do_not_hold_is_told(
    monkeypatch: pytest.MonkeyPatch, skew: float, words: str
) -> None:
    finding = found(monkeypatch, Executed(0, f"now {int(time.time() + skew)}\n", ""))
    assert finding.status is (Status.FAIL if words else Status.PASS)
    assert words in finding.message


@pytest.mark.parametrize(("left", "words"), [(0, "/var of eu-worker-1 is full: 0 MiB"), (4096, "")])
def test_a_disk_that_is_full_is_told(monkeypatch: pytest.MonkeyPatch, left: int, words: str) -> None:
    said = [
        f"now {int(time.time())}",
        "Filesystem     1048576-blocks  Used Available Capacity Mounted on",
        "overlay                 40000 30000     10000      75% /",
        f"tmpfs                     512   512 {left:>9}     100% /var",
        f"tmpfs                     512   512 {left:>9}     100% /var",
    ]
    finding = found(monkeypatch, Executed(1, "\n".join(said), ""))
    assert finding.status is (Status.FAIL if words else Status.PASS)
    assert words in finding.message
    assert finding.message.count("is full") == bool(words)


def test_a_machine_that_ssh_does_not_reach_is_not_known(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(host: str, connection: Any, command: list[str]) -> Executed:
        raise Unanswered(f"{host}: cannot be reached", fix="wake it")

    monkeypatch.setattr(ssh, "run", refuse)
    platform = make_platform()
    host = platform.stack.environment.regions["eu"].hosts["eu-worker-1"]
    for check in (hosts.check_host, hosts.check_services):
        with pytest.raises(NotMeasurable, match="cannot be reached") as unseen:
            run(check, platform, "eu-worker-1", host)
        assert unseen.value.fix == "wake it"


@pytest.mark.parametrize(
    "answer", [Executed(1, "", "sudo: a password is required"), Executed(127, "", "systemctl: not found")]
)
def test_a_machine_that_says_nothing_is_not_known_and_no_failure(
    monkeypatch: pytest.MonkeyPatch, answer: Executed
) -> None:
    with pytest.raises(NotMeasurable, match=r"eu-worker-1.*(password|not found)") as unseen:
        found(monkeypatch, answer)
    assert "root may become root there" in unseen.value.fix
    monkeypatch.setattr(ssh, "run", lambda host, connection, command: answer)
    platform = make_platform()
    host = platform.stack.environment.regions["eu"].hosts["eu-worker-1"]
    with pytest.raises(NotMeasurable, match=r"password|not found"):
        run(hosts.check_host, platform, "eu-worker-1", host)


def test_the_services_of_each_machine_are_those_that_its_work_sets_up() -> None:
    """Those that a reset stops, and no others."""
    told = {name: set(hosts.services_of(ENVIRONMENT, name)) for name in ENVIRONMENT.regions["eu"].hosts}
    assert told["eu-worker-1"] == told["eu-cp-1"] == set(PHASES["prepare"].undo.services)
    assert told["eu-edge-1"] == set(PHASES["edge"].undo.services)
    declared = ENVIRONMENT.model_dump(mode="json", by_alias=True, exclude_unset=True)
    for region in declared["regions"].values():
        del region["fabric"]
    tunnelled = Environment.model_validate({**declared, "tunnels": {"mtu": 1400}})
    more = set(hosts.services_of(tunnelled, "eu-worker-1")) - told["eu-worker-1"]
    assert more == set(PHASES["tunnel"].undo.services)
    declared["regions"]["eu"]["cluster"]["apiServerAddress"] = "10.101.1.100"
    shared = Environment.model_validate({**declared, "tunnels": {"mtu": 1400}})
    holds = set(hosts.services_of(shared, "eu-cp-1")) - set(hosts.services_of(tunnelled, "eu-cp-1"))
    assert holds == set(PHASES["control-plane"].undo.services)
    assert hosts.services_of(shared, "eu-worker-1") == hosts.services_of(tunnelled, "eu-worker-1")
