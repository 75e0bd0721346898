from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest
from kubernetes import client

from live.checks.mesh import ISTIOD
from live.doctor import parts
from report.model import Status
from tests.unit.operations.support import (
    Answers,
    deployment,
    make_platform,
    pod,
    run,
)


def warning(name: str, reason: str, message: str) -> object:
    return SimpleNamespace(reason=reason, message=message, involved_object=SimpleNamespace(name=name))


def test_a_part_with_all_pods_ready_is_ok() -> None:
    platform = make_platform({"eu": Answers(deployments={"istiod": deployment("istiod")})})
    finding = run(parts.check_part, ISTIOD, platform, "eu")
    assert finding.status is Status.PASS
    assert finding.measured == "istiod 1/1"


def test_a_part_that_is_not_there_at_all_fails() -> None:
    finding = run(parts.check_part, ISTIOD, make_platform(), "eu")
    assert finding.status is Status.FAIL
    assert "istio-system" in finding.message


def test_a_part_that_is_scaled_to_nothing_is_told_as_that() -> None:
    answers = Answers(deployments={"istiod": deployment("istiod", wanted=0, ready=0)})
    finding = run(parts.check_part, ISTIOD, make_platform({"eu": answers}), "eu")
    assert finding.status is Status.FAIL
    assert finding.message == "istiod is scaled to 0"
    assert "pulumi up --refresh" in finding.fix


def test_a_part_that_is_not_ready_says_why_in_its_pods_own_words() -> None:
    broken = pod(
        "istiod-1", "istio-system", ready=False, waiting=("ImagePullBackOff", "no such image pilot:1.28.3")
    )
    answers = Answers(deployments={"istiod": deployment("istiod", ready=0)}, pods=[broken])
    finding = run(parts.check_part, ISTIOD, make_platform({"eu": answers}), "eu")
    assert finding.status is Status.FAIL
    assert "no such image pilot:1.28.3" in finding.message
    assert "image" in finding.fix


@pytest.mark.parametrize(("age", "status"), [(20, Status.PASS), (600, Status.FAIL)])
def test_a_pod_that_has_just_been_started_is_let_become_ready(
    monkeypatch: pytest.MonkeyPatch, age: int, status: Status
) -> None:
    """Nobody waits for kubeadm's CoreDNS: a doctor that came at once found one of its pods not ready."""
    young = pod("istiod-1", "istio-system", ready=False)
    young.metadata.creation_timestamp = datetime.now(UTC) - timedelta(days=1)
    started = client.V1ContainerStateRunning(started_at=datetime.now(UTC) - timedelta(seconds=age))
    young.status.container_statuses[0].state = client.V1ContainerState(running=started)
    answers = Answers(deployments={"istiod": deployment("istiod", ready=0)}, pods=[young])
    platform = make_platform({"eu": answers})

    def become_ready(event: threading.Event, seconds: float) -> bool:
        answers.deployments["istiod"] = deployment("istiod")
        return False

    monkeypatch.setattr(threading.Event, "wait", become_ready)
    assert run(parts.check_part, ISTIOD, platform, "eu", seconds=30).status is status


def test_a_workload_whose_pods_cannot_be_made_says_what_its_events_say() -> None:
    event = warning("istiod-5c", "FailedCreate", "violates PodSecurity baseline")
    answers = Answers(deployments={"istiod": deployment("istiod", ready=0)}, events=[event])  # type: ignore[list-item]
    finding = run(parts.check_part, ISTIOD, make_platform({"eu": answers}), "eu")
    assert "violates PodSecurity baseline" in finding.message
    assert "admission" in finding.fix
