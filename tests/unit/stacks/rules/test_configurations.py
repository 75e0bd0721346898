"""Each rule over configurations that are passed on, broken once in a file that is right otherwise."""

from __future__ import annotations

import pytest

import releases
from stacks.errors import StackFileError
from stacks.load import load_stack
from tests.unit.stacks.bad import Bad, Write, assert_refused, bad
from tests.unit.stacks.conftest import changed

SMALL = "kubelet: {maxPods: 50}"
CASES: dict[str, Bad] = {
    "field that there is not": bad(
        (SMALL, "kubelet: {maxPod: 50}"),
        path="hostProfiles.small.kubelet.maxPod",
        line="maxPod: 50",
        got="the unknown field 'maxPod'",
        rule="KubeletConfiguration of Kubernetes 1.34",
        fix="did you mean 'maxPods'?",
    ),
    "port that there is not": bad(
        (SMALL, "kubelet: {healthzPort: 65536}"),
        path="hostProfiles.small.kubelet.healthzPort",
        line="65536",
        got="65536",
        rule="at most 65535",
        fix="at most 65535",
    ),
    "field that the platform sets": bad(
        (SMALL, "kubeProxy: {clusterCIDR: 10.0.0.0/8}"),
        path="hostProfiles.small.kubeProxy.clusterCIDR",
        line="10.0.0.0/8",
        got="the field clusterCIDR",
        rule="the platform sets it",
        fix="remove it",
    ),
    "images that are collected until there are more": bad(
        (SMALL, "kubelet: {imageGCLowThresholdPercent: 90}"),
        path="hostProfiles.small.kubelet.imageGCLowThresholdPercent",
        line="90",
        got="90, where imageGCHighThresholdPercent is 85",
        rule="imageGCLowThresholdPercent is less than imageGCHighThresholdPercent",
        fix="write imageGCHighThresholdPercent: 95 beside it",
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_a_bad_declaration_is_refused_with_line_value_rule_and_fix(name: str, write: Write) -> None:
    assert_refused(CASES[name], write)


@pytest.mark.parametrize("version", releases.versions("kubernetes"))
def test_a_feature_gate_is_one_of_the_release_that_is_declared(version: str, write: Write) -> None:
    istio = releases.suitable("istio", {"kubernetes": version})[-1]
    text = changed(
        ("    sources:\n", f"    versions: {{kubernetes: {version}, istio: {istio}}}\n    sources:\n"),
        (SMALL, "kubelet: {featureGates: {SizeMemoryBackedVolumes: true}}"),
    )
    if releases.minor(version) == "1.34":
        assert load_stack(write(text))
        return
    with pytest.raises(StackFileError) as caught:
        load_stack(write(text))
    (problem,) = caught.value.problems
    assert (
        text.splitlines()[problem.line - 1].strip()
        == "kubelet: {featureGates: {SizeMemoryBackedVolumes: true}}"
    )
    assert problem.got == "the unknown field 'SizeMemoryBackedVolumes'"
    assert problem.rule.startswith(f"KubeletConfiguration of Kubernetes {releases.minor(version)}")


def test_every_release_says_what_it_takes() -> None:
    for version in releases.versions("kubernetes"):
        known = releases.configurations(version)
        assert known["defaults"]["kubelet"]["maxPods"] == 110
        kube_proxy = known["$defs"][known["kubeProxy"]["$ref"].removeprefix("#/$defs/")]
        assert "nftables" in kube_proxy["properties"]["mode"]["enum"]


def test_a_release_that_is_not_described_is_said_to_be() -> None:
    with pytest.raises(releases.UnknownReleaseError, match=r"Kubernetes 1\.2 is not described"):
        releases.configurations("1.2.3")
