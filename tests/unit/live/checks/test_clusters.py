from __future__ import annotations

import json

import pytest

from live.checks import clusters
from report.model import Status
from tests.unit.operations.support import (
    Answers,
    issue,
    make_platform,
    run,
)


def api(ready: tuple[int, str] = (200, "ok"), version: str = "v1.34.3", uid: str = "uid-1") -> Answers:
    paths = {"/readyz?verbose": ready, "/version": (200, json.dumps({"gitVersion": version}))}
    return Answers(paths=paths, uid=uid)


def test_an_api_server_that_is_ready_of_the_right_version_and_identity_is_ok() -> None:
    assert run(clusters.check_api_server, make_platform({"eu": api()}), "eu").status is Status.PASS


@pytest.mark.parametrize(
    ("answers", "words"),
    [
        (api(ready=(500, "[+]ping ok\n[-]etcd failed: reason withheld")), "etcd failed"),
        (api(version="v1.33.0"), "v1.33.0"),
    ],
)
def test_an_api_server_that_is_not_as_declared_says_how(answers: Answers, words: str) -> None:
    finding = run(clusters.check_api_server, make_platform({"eu": answers}), "eu")
    assert finding.status is Status.FAIL
    assert words in finding.message


def test_another_cluster_behind_the_address_is_found_by_its_uid() -> None:
    platform = make_platform({"eu": api(uid="uid-of-another")})
    platform.identities["eu"] = "uid-1"
    finding = run(clusters.check_api_server, platform, "eu")
    assert finding.status is Status.FAIL
    assert "uid-of-another" in finding.message


def test_a_kubeconfig_that_is_about_to_expire_fails_the_check() -> None:
    platform = make_platform({"eu": api()})
    platform.clusters["eu"].client_certificate = issue("admin", days=1, age=90).pem  # type: ignore[misc]
    finding = run(clusters.check_api_server, platform, "eu")
    assert finding.status is Status.FAIL
    assert "expires" in finding.message
