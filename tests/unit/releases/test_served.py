"""Which API versions a Kubernetes serves, and that what this project sends is of such."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import releases
from releases import served
from releases.served import Served, Standing, standing

ROOT = Path(__file__).resolve().parents[3]
KUBERNETES = releases.versions("kubernetes")
WRITE = ("access", "components", "live", "operations", "playbooks")
"""Packages that send objects to clusters."""


@pytest.mark.parametrize(
    ("kubernetes", "api_version", "kind", "expected"),
    [
        ("1.34.3", "apps/v1", "Deployment", Standing(Served.BY_DEFAULT)),
        (
            "1.34.3",
            "policy/v1beta1",
            "PodDisruptionBudget",
            Standing(Served.ENDED, "", "1.21", "1.25", "policy/v1 PodDisruptionBudget"),
        ),
        # Not the next one, which has ended as well; and a list, by a slip of its source.
        (
            "1.34",
            "flowcontrol.apiserver.k8s.io/v1beta1",
            "FlowSchema",
            Standing(Served.ENDED, "", "1.23", "1.26", "flowcontrol.apiserver.k8s.io/v1 FlowSchema"),
        ),
        (
            "1.34",
            "networking.k8s.io/v1beta1",
            "IngressClass",
            Standing(Served.ENDED, "", "1.19", "1.22", "networking.k8s.io/v1 IngressClass"),
        ),
        (
            "1.34",
            "v1",
            "Endpoints",
            Standing(Served.BY_DEFAULT, "", "1.33", "", "discovery.k8s.io/v1 EndpointSlice"),
        ),
        # Of a beta version nothing is served unless it is asked for.
        (
            "1.35.3",
            "resource.k8s.io/v1beta1",
            "ResourceClaim",
            Standing(Served.ON_REQUEST, "", "1.35", "1.38", "resource.k8s.io/v1 ResourceClaim"),
        ),
        (
            "1.34",
            "admissionregistration.k8s.io/v1",
            "MutatingAdmissionPolicy",
            Standing(Served.NOT_YET, "1.36"),
        ),
        (
            "1.34",
            "lifecycle.k8s.io/v1alpha1",
            "EvictionRequest",
            Standing(Served.NOT_YET, "1.37", "", "1.43"),
        ),
        # It was to go with 1.36, and went with 1.35.
        (
            "1.35",
            "storagemigration.k8s.io/v1alpha1",
            "StorageVersionMigration",
            Standing(Served.ENDED, "", "1.33"),
        ),
        # Their packages are gone with them.
        ("1.34", "policy/v1beta1", "PodSecurityPolicy", Standing(Served.NEVER)),
        (
            "1.34",
            "apiextensions.k8s.io/v1beta1",
            "CustomResourceDefinition",
            Standing(Served.NEVER, instead="apiextensions.k8s.io/v1 CustomResourceDefinition"),
        ),
        ("1.34", "apps/v3", "Deployment", Standing(Served.NEVER, instead="apps/v1 Deployment")),
    ],
)
def test_a_kind_is_served_or_it_is_said_until_when_and_what_serves_in_its_place(
    kubernetes: str, api_version: str, kind: str, expected: Standing
) -> None:
    assert standing(kubernetes, api_version, kind) == expected


@pytest.mark.parametrize(
    ("kubernetes", "api_version", "kind", "expected"),
    [
        ("1.33", "resource.k8s.io/v1", "ResourceClaim", Served.NOT_YET),
        ("1.30.2", "batch/v1beta1", "CronJob", Served.ENDED),
        ("1.30", "apps/v1", "Deployment", Served.BY_DEFAULT),
        ("1.31", "flowcontrol.apiserver.k8s.io/v1beta3", "FlowSchema", Served.BY_DEFAULT),
        ("1.32", "flowcontrol.apiserver.k8s.io/v1beta3", "FlowSchema", Served.ENDED),
        ("1.38", "resource.k8s.io/v1beta1", "ResourceClaim", Served.ENDED),
        ("1.38", "apps/v1", "Deployment", Served.BY_DEFAULT),
    ],
)
def test_of_versions_that_are_not_described_the_nearest_says_it(
    kubernetes: str, api_version: str, kind: str, expected: Served
) -> None:
    found = standing(kubernetes, api_version, kind)
    assert found is not None
    assert found.served is expected


@pytest.mark.parametrize(
    ("api_version", "kind"),
    [
        ("example.com/v1", "Shop"),
        ("metrics.k8s.io/v1beta1", "PodMetrics"),
        ("gateway.networking.k8s.io/v1beta1", "Gateway"),
        ("apps/v1", "Deploymnt"),
        ("v1", "List"),
    ],
)
def test_of_what_is_no_kind_of_kubernetes_nothing_is_said(api_version: str, kind: str) -> None:
    assert standing("1.34.3", api_version, kind) is None


@pytest.mark.parametrize("version", KUBERNETES)
def test_every_release_is_described(version: str) -> None:
    assert releases.minor(version) in served.described()


def _configurations() -> Iterator[tuple[str, str]]:
    """API version and kind of each configuration that a role writes."""
    for file in (ROOT / "playbooks" / "collections").rglob("*.j2"):
        text = file.read_text(encoding="utf-8")
        yield from re.findall(r"^apiVersion: (\S+)\nkind: (\w+)$", text, re.MULTILINE)
        yield from re.findall(r"'apiVersion': '([^']+)', 'kind': '(\w+)'", text)


OF_API_SERVER = {
    ("apiserver.config.k8s.io/v1", "AdmissionConfiguration"): "1.17",
    ("apiserver.config.k8s.io/v1", "AuthenticationConfiguration"): "1.34",
    ("apiserver.config.k8s.io/v1", "EncryptionConfiguration"): "1.13",
    ("audit.k8s.io/v1", "Policy"): "1.12",
}
"""Files that API servers read, and since which release (k8s.io/apiserver, pkg/apis/*/v1; release notes)."""


@pytest.mark.parametrize("version", KUBERNETES)
def test_roles_write_configurations_of_api_versions_that_each_release_reads(version: str) -> None:
    everything = set(_configurations())
    assert everything >= OF_API_SERVER.keys()
    assert all(releases.numbers(since) <= releases.numbers(version) for since in OF_API_SERVER.values())
    written = everything - OF_API_SERVER.keys()
    assert {kind for _, kind in written} == {
        "ClusterConfiguration",
        "InitConfiguration",
        "JoinConfiguration",
        "KubeProxyConfiguration",
        "KubeletConfiguration",
    }
    read = {(api, kind) for api, kinds in served.configurations(version).items() for kind in kinds}
    assert written <= read


def test_the_configurations_of_kubeadm_that_are_written_outlast_those_that_go() -> None:
    assert "kubeadm.k8s.io/v1beta3" in served.configurations("1.36")
    assert "kubeadm.k8s.io/v1beta3" not in served.configurations("1.37")
    assert "kubeadm.k8s.io/v1beta4" in served.configurations("1.37")


def _constant(node: Any) -> str:
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else ""


def _objects() -> Iterator[tuple[str, str]]:
    """API version and kind of each object that this project's own code writes."""
    for package in WRITE:
        for file in (ROOT / package).rglob("*.py"):
            for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
                if (
                    isinstance(node, ast.Call)
                    and len(node.args) > 2
                    and getattr(node.func, "id", "") == "named"
                ):
                    yield _constant(node.args[0]), _constant(node.args[1])
                elif isinstance(node, ast.Dict):
                    entries = dict(zip(map(_constant, filter(None, node.keys)), node.values, strict=False))
                    if {"apiVersion", "kind"} <= entries.keys():
                        yield _constant(entries["apiVersion"]), _constant(entries["kind"])


@pytest.mark.parametrize("version", KUBERNETES)
def test_objects_of_the_project_s_own_are_of_api_versions_that_each_release_serves(version: str) -> None:
    written = {entry for entry in _objects() if all(entry)}
    assert {
        ("apps/v1", "Deployment"),
        ("policy/v1", "Eviction"),
        ("metallb.io/v1beta1", "IPAddressPool"),
    } <= written
    found = {entry: standing(version, *entry) for entry in written}
    assert {
        entry: known
        for entry, known in found.items()
        if known and (known.served is not Served.BY_DEFAULT or known.deprecated)
    } == {}
