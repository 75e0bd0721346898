"""Claim 4: with no asset-mgr in eu, asset-consumer in eu is answered by asset-mgr in us."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from access.cluster import Cluster
from report.exit_codes import ExitCode
from tests.lab.clients import Curled, curl
from tests.lab.conftest import BroughtUp

NAME, NAMESPACE = "asset-mgr-ms-svc", "greencompute"


def scale(cluster: Cluster, name: str, namespace: str, replicas: int) -> None:
    body = {"spec": {"replicas": replicas}}
    cluster.apps.patch_namespaced_deployment_scale(name, namespace, body, _request_timeout=10)


@contextmanager
def scaled(cluster: Cluster, name: str, namespace: str, replicas: int) -> Iterator[None]:
    """The Deployment with that many pods, then as it was and ready again."""
    before = cluster.apps.read_namespaced_deployment(name, namespace, _request_timeout=10).spec.replicas
    scale(cluster, name, namespace, replicas)
    try:
        yield
    finally:
        scale(cluster, name, namespace, before)
        deadline = time.monotonic() + 120
        while time.monotonic() < deadline:
            found = cluster.apps.read_namespaced_deployment(name, namespace, _request_timeout=10)
            if (found.status.ready_replicas or 0) >= before:
                break
            time.sleep(0.5)
        else:
            raise AssertionError(f"{name} does not come back")


def until(seconds: float, ask: Callable[[], Curled], good: Callable[[Curled], bool]) -> Curled:
    """The first good answer. Asks at most ten times a second."""
    deadline = time.monotonic() + seconds
    while True:
        answer = ask()
        if good(answer):
            return answer
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {seconds:.0f} s; the last answer was {answer}")
        time.sleep(0.1)


def by(region: str) -> Callable[[Curled], bool]:
    """Whether the application of that region answered the one that was asked."""
    return lambda answer: answer.status == 200 and answer.document["upstream"]["region"] == region


def test_another_cluster_answers_when_the_own_one_has_no_pod(platform: BroughtUp) -> None:
    """Claim 4, and back when the pod is there again; the doctor meanwhile names what is missing."""
    gateway = str(platform.outputs.regions["eu"].gateway_addresses[0])

    def ask() -> Curled:
        return curl(platform.outputs, gateway, "/assetconsumer")

    until(30, ask, by("eu"))
    with platform.site.clusters() as clusters:
        with scaled(clusters["eu"], NAME, NAMESPACE, 0):
            answer = until(30, ask, by("us")).document
            assert answer["region"] == "eu"
            assert answer["upstream"]["service"] == NAME
            # Not just once: ten in a row.
            assert all(by("us")(ask()) for _ in range(10))
            ended = platform.site.crossmesh("doctor", "--json", check=False)
            assert ended.returncode == ExitCode.UNHEALTHY
            (stack,) = json.loads(ended.stdout)["stacks"]
            findings = {finding["rule"]: finding for finding in stack["findings"]}
            named = findings[f"doctor/application/eu/{NAME}"]
            assert named["status"] == "fail"
            assert "scaled to 0" in named["message"]
            assert stack["causes"][0]["rule"] == f"doctor/application/eu/{NAME}"
        until(60, ask, by("eu"))
