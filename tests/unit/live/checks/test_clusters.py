from __future__ import annotations

import json
from dataclasses import replace
from ipaddress import IPv4Network
from typing import Any

import pytest

import releases
from access.webhooks import CONFIGURATIONS
from live.checks import clusters
from report.model import Status
from stacks.model import AdoptedClusterSpec
from tests.unit.operations.support import (
    Answers,
    issue,
    make_platform,
    run,
)


def api(
    ready: tuple[int, str] = (200, "ok"),
    version: str = f"v{releases.default('kubernetes')}",
    uid: str = "uid-1",
) -> Answers:
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


@pytest.mark.parametrize(
    ("own", "running", "status"),
    [
        ("1.33", "v1.33.5-eks-113cf36", Status.PASS),
        ("1.33.5", "v1.33.5-gke.1080000", Status.PASS),
        ("1.33", "v1.34.3", Status.FAIL),
        ("1.3", "v1.33.5", Status.FAIL),
        (None, "v1.31.0", Status.PASS),
    ],
)
def test_an_adopted_cluster_is_judged_by_its_own_version(
    own: str | None, running: str, status: Status
) -> None:
    platform = make_platform({"eu": api(version=running)})
    environment = platform.stack.environment
    adopted = AdoptedClusterSpec(
        kind="adopted",
        kubeconfig_secret="k",
        pod_cidr=IPv4Network("10.4.0.0/16"),
        service_cidr=IPv4Network("10.5.0.0/16"),
        kubernetes_version=own,
    )
    region = environment.regions["eu"].model_copy(update={"cluster": adopted})
    regions = {**environment.regions, "eu": region}
    stack = replace(platform.stack, environment=environment.model_copy(update={"regions": regions}))
    assert run(clusters.check_api_server, replace(platform, stack=stack), "eu").status is status


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


@pytest.mark.parametrize(
    ("policy", "service", "words"),
    [
        ("Fail", True, ""),
        ("Ignore", False, ""),
        (
            "Fail",
            False,
            "the webhook all.example.test of ValidatingWebhookConfiguration everything asks the service "
            "nobody in nowhere, which is not there",
        ),
    ],
)
def test_a_webhook_that_fails_closed_without_a_service_is_named(
    monkeypatch: pytest.MonkeyPatch, policy: str, service: bool, words: str
) -> None:
    platform = make_platform()
    hook = {
        "name": "all.example.test",
        "failurePolicy": policy,
        "clientConfig": {"service": {"namespace": "nowhere", "name": "nobody"}},
    }
    by_url = {"name": "far.example.test", "clientConfig": {"url": "https://far.example.test"}}
    found = {"metadata": {"name": "everything"}, "webhooks": [hook, by_url]}

    def get(path: str) -> dict[str, Any] | None:
        if path == CONFIGURATIONS["ValidatingWebhookConfiguration"]:
            return {"items": [found]}
        if path.endswith("/services/nobody"):
            return {} if service else None
        return {"items": []}

    monkeypatch.setattr(platform.clusters["eu"], "get", get)
    finding = run(clusters.check_admission, platform, "eu")
    assert finding.status is (Status.FAIL if words else Status.PASS)
    assert words in finding.message
    assert not words or "kubectl delete validatingwebhookconfiguration everything" in finding.fix
