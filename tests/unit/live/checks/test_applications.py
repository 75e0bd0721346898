from __future__ import annotations

from live.checks import applications
from report.model import Status
from tests.unit.operations.support import (
    Answers,
    deployment,
    make_platform,
    pod,
    run,
)

APPLICATION = "asset-mgr-ms-svc"


def test_an_application_with_its_pods_and_sidecars_is_ok() -> None:
    answers = Answers(deployments={APPLICATION: deployment(APPLICATION)}, pods=[pod("a")])
    finding = run(applications.check_application, make_platform({"eu": answers}), "eu", APPLICATION)
    assert finding.status is Status.PASS
    assert "with a sidecar" in finding.measured


def test_an_application_without_sidecars_fails_where_injection_is_declared() -> None:
    answers = Answers(deployments={APPLICATION: deployment(APPLICATION)}, pods=[pod("a", sidecar=False)])
    finding = run(applications.check_application, make_platform({"eu": answers}), "eu", APPLICATION)
    assert finding.status is Status.FAIL
    assert "no sidecar" in finding.message


def test_an_application_that_somebody_scaled_is_found() -> None:
    answers = Answers(deployments={APPLICATION: deployment(APPLICATION, wanted=0, ready=0)})
    finding = run(applications.check_application, make_platform({"eu": answers}), "eu", APPLICATION)
    assert finding.status is Status.FAIL
    assert "scaled to 0, declared is 1" in finding.message
