"""The gate over an adopted cluster: credentials that are wrong, expired or secret. Real API servers on
loopback, without nodes; needs no root.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.lab.api_server import ApiServer
from tests.lab.conftest import log_directory
from tests.lab.site import REFERENCE, Ended, Site

NAME = "test-adopted"
SECRET = "crossmesh:oneKubeconfig"
CANARY = "canary-7f3d9a51c2e84b60"
IDENTITY = (
    "**Stack::**",
    "**Platform::**",
    "**Region::one",
    "**AdoptedCluster::one",
    "**crossmesh::crossmesh",
)
REPORTS = ("terminal", "markdown", "json", "sarif", "junit", "svg")


def declaration() -> dict[str, Any]:
    """One adopted cluster, with what runs in the reference environment."""
    environment = yaml.safe_load(REFERENCE.read_text())["config"]["crossmesh:environment"]
    for key in ("ssh", "hostProfiles", "sources", "globalLoadBalancer"):
        del environment[key]
    cluster = {
        "kind": "adopted",
        "kubeconfigSecret": SECRET.partition(":")[2],
        "podCidr": "10.244.0.0/16",
        "serviceCidr": "10.96.0.0/16",
    }
    environment["regions"] = {"one": {"machineNetwork": "10.9.1.0/24", "cluster": cluster}}
    return {
        "config": {
            "pulumi:disable-default-providers": ["kubernetes"],
            "crossmesh:environment": environment,
            "crossmesh:ledger": {"clusters": {}, "nodes": {}},
        }
    }


class Adopted:
    """The stack, and a way to give it a kubeconfig."""

    def __init__(self, site: Site) -> None:
        self.site = site

    def give(self, kubeconfig: str) -> None:
        """Set the stack's secret."""
        self.site.give_secret(SECRET, kubeconfig)

    def gate(self, *arguments: str) -> tuple[Ended, dict[str, Any]]:
        report = self.site.directory / "gate.json"
        report.unlink(missing_ok=True)
        words = ("gate", "--report", f"json={report}", "--approve", "*", *arguments)
        ended = self.site.crossmesh(*words, check=False)
        (answer,) = json.loads(report.read_text())["stacks"]
        return ended, answer


@pytest.fixture(scope="module")
def server() -> Iterator[ApiServer]:
    with ApiServer("one") as found:
        yield found


@pytest.fixture(scope="module")
def other() -> Iterator[ApiServer]:
    with ApiServer("other") as found:
        yield found


@pytest.fixture(scope="module")
def adopted(server: ApiServer) -> Iterator[Adopted]:
    """A stack whose cluster was adopted once: its state remembers which one it is."""
    site = Site(NAME, log_directory())
    temporary = site.directory / "temporary"
    temporary.mkdir()
    site.environment["TMPDIR"] = str(temporary)
    try:
        site.stack_file.write_text(yaml.safe_dump(declaration(), sort_keys=False))
        site.crossmesh("secrets", "init")
        found = Adopted(site)
        found.give(server.kubeconfig)
        targets = [part for name in (*IDENTITY, "**ClusterIdentity::**") for part in ("--target", name)]
        # Without nodes no whole `up` would end.
        site.up("--skip-preview", *targets)
        assert any(r["type"] == "crossmesh:kubernetes:ClusterIdentity" for r in site.resources())
        yield found
    finally:
        site.stop()


def test_a_kubeconfig_of_another_cluster_is_refused_before_a_write(
    adopted: Adopted, server: ApiServer, other: ApiServer
) -> None:
    adopted.give(other.kubeconfig)
    try:
        ended, _ = adopted.gate()
        up = adopted.site.up("--skip-preview", check=False)
    finally:
        adopted.give(server.kubeconfig)
    assert ended.returncode == 4, ended.words
    assert up.returncode != 0
    for words in (ended.words, up.words):
        assert "another cluster answers" in words, words
        assert server.uid in words and other.uid in words
    assert not other.exists("/api/v1/namespaces/greencompute")
    assert not other.exists("/api/v1/namespaces/istio-system")


def test_expired_credentials_are_named_and_nothing_is_read_as_gone(
    adopted: Adopted, server: ApiServer
) -> None:
    adopted.give(server.kubeconfig_of("operator", "system:masters", age_days=40, validity_days=30))
    before = {resource["urn"] for resource in adopted.site.resources()}
    try:
        ended, answer = adopted.gate("--strict")
        up = adopted.site.up("--skip-preview", check=False)
    finally:
        adopted.give(server.kubeconfig)
    assert ended.returncode == 3, ended.words
    assert "client certificate expired on" in ended.words
    assert "client certificate expired on" in up.words
    assert not [change for change in answer["changes"] if change["op"] == "delete"]
    assert up.returncode != 0
    assert before <= {resource["urn"] for resource in adopted.site.resources()}
    assert not server.exists("/api/v1/namespaces/greencompute")


def spellings(secret: str) -> set[bytes]:
    """A secret as it is, and in base64 wherever it begins."""
    found = {secret.encode()}
    for offset in range(3):
        encoded = base64.b64encode(b"x" * offset + secret.encode() + b"x" * 3)
        found.add(encoded[4 if offset else 0 : -8])
    return found


def test_no_secret_is_in_clear_in_a_report_a_plan_a_log_or_the_state(
    adopted: Adopted, server: ApiServer, tmp_path: Path
) -> None:
    """A canary in the kubeconfig, the root's key and the passphrase; a change of each on the way."""
    site = adopted.site
    kubeconfig = yaml.safe_load(server.kubeconfig)
    kubeconfig["users"][0]["user"]["password"] = CANARY
    kubeconfig["users"][0]["user"]["username"] = "nobody"
    adopted.give(yaml.safe_dump(kubeconfig))
    key = site.run("pulumi", "config", "get", "crossmesh:meshRootKey", "--stack", NAME).stdout
    body = "".join(line for line in key.splitlines() if "-----" not in line)
    canaries = {CANARY, body[20:60], Path(site.environment["PULUMI_CONFIG_PASSPHRASE_FILE"]).read_text()}
    plan = tmp_path / "plan"
    try:
        flags = [part for name in REPORTS for part in ("--report", f"{name}={tmp_path / name}")]
        ended = site.crossmesh(
            "gate", *flags, "--approve", "*", "--seal", str(plan), check=False, timeout=300
        )
        drift = site.crossmesh("drift", "--report", f"json={tmp_path / 'drift'}", check=False)
        up = site.crossmesh("up", "--plan", str(plan), "--yes", "--timeout", "20", check=False)
    finally:
        adopted.give(server.kubeconfig)
    assert all((tmp_path / name).stat().st_size for name in REPORTS), ended.words
    assert plan.is_file(), ended.words
    written = [ended.words, drift.words, up.words]
    backend = Path(site.environment["PULUMI_BACKEND_URL"].removeprefix("file://"))
    temporary = Path(site.environment["TMPDIR"])
    there = (path for place in (tmp_path, backend, temporary) for path in place.rglob("*"))
    files = [path for path in (*there, site.stack_file) if path.is_file()]
    everything = [(path.name, path.read_bytes()) for path in files]
    everything += [(f"output {number}", text.encode()) for number, text in enumerate(written)]
    assert len(everything) > 10
    for canary in canaries:
        for spelling in spellings(canary):
            found = [name for name, content in everything if spelling in content]
            assert not found, (canary[:6], found)
    # The Kubernetes provider writes kubeconfigs to temporary files, for Helm.
    assert not [path for path in temporary.rglob("*") if path.is_file()]
