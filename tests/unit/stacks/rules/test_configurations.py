"""Each rule over configurations that are passed on, broken once in a file that is right otherwise."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

import releases
from playbooks.inventory import host_plans
from playbooks.work.clusters import CONTROL_PLANE
from playbooks.work.machines import PREPARE
from stacks.errors import StackFileError
from stacks.load import load_stack, stack_path
from stacks.rules.configurations import faults
from tests.unit.stacks.bad import MINOR, Bad, Write, assert_refused, bad
from tests.unit.stacks.conftest import changed

SMALL = "kubelet: {maxPods: 50}"
CASES: dict[str, Bad] = {
    "field that there is not": bad(
        (SMALL, "kubelet: {maxPod: 50}"),
        path="hostProfiles.small.kubelet.maxPod",
        line="maxPod: 50",
        got="the unknown field 'maxPod'",
        rule=f"KubeletConfiguration of Kubernetes {MINOR}",
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
    istio = (*releases.suitable("istio", {"kubernetes": version}), releases.default("istio"))[0]
    text = changed(
        ("    sources:\n", f"    versions: {{kubernetes: {version}, istio: {istio}}}\n    sources:\n"),
        (SMALL, "kubelet: {featureGates: {SizeMemoryBackedVolumes: true}}"),
    )
    if releases.minor(version) == "1.34":
        assert load_stack(write(text))
        return
    with pytest.raises(StackFileError) as caught:
        load_stack(write(text))
    (problem,) = (problem for problem in caught.value.problems if "hostProfiles" in problem.path)
    assert (
        text.splitlines()[problem.line - 1].strip()
        == "kubelet: {featureGates: {SizeMemoryBackedVolumes: true}}"
    )
    assert problem.got == "the unknown field 'SizeMemoryBackedVolumes'"
    assert problem.rule == (
        f"KubeletConfiguration of Kubernetes {releases.minor(version)}: no such feature gate; "
        "Kubernetes 1.34 was the last that has it"
    )
    assert problem.fix == "remove it: what it turns on is always on"


def test_a_field_that_the_release_no_longer_has_says_which_had_it(
    write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No described release has lost one; the next may."""
    root = tmp_path / "releases"
    shutil.copytree(releases.ROOT, root, ignore=shutil.ignore_patterns("*.py", "__pycache__"))
    later = root / "kubernetes" / "configurations-1.35.json"
    later.write_text(later.read_text().replace('"maxPods"', '"mostPods"'))
    monkeypatch.setattr(releases, "ROOT", root)
    text = changed(("    sources:\n", "    versions: {kubernetes: 1.35.3, istio: 1.29.1}\n    sources:\n"))
    with pytest.raises(StackFileError) as caught:
        load_stack(write(text))
    (problem,) = caught.value.problems
    assert problem.rule.endswith("1.35: no such field; Kubernetes 1.34 was the last that has it")
    assert (problem.fix, text.splitlines()[problem.line - 1].strip()) == ("remove it", SMALL)
    earlier = "    versions: {kubernetes: 1.34.9}\n    sources:\n"
    newer = changed(("    sources:\n", earlier), (SMALL, "kubelet: {mostPods: 50}"))
    with pytest.raises(StackFileError) as caught:
        load_stack(write(newer))
    assert caught.value.problems[0].fix == "remove it, or go to 1.35 first"


def test_every_release_says_what_it_takes() -> None:
    for version in releases.versions("kubernetes"):
        known = releases.configurations(version)
        assert known["defaults"]["kubelet"]["maxPods"] == 110
        kube_proxy = known["$defs"][known["kubeProxy"]["$ref"].removeprefix("#/$defs/")]
        assert "nftables" in kube_proxy["properties"]["mode"]["enum"]


def test_a_release_that_is_not_described_is_said_to_be() -> None:
    with pytest.raises(releases.UnknownReleaseError, match=r"Kubernetes 1\.2 is not described"):
        releases.configurations("1.2.3")


@pytest.mark.parametrize("version", releases.versions("kubernetes"))
def test_what_the_platform_itself_gives_kubelet_and_kube_proxy_is_taken_by_each_release(version: str) -> None:
    found = load_stack(stack_path("lab"))
    known = releases.configurations(version)
    for plan in host_plans(found.environment, found.ledger).values():
        for phase, kind, name in (
            (PREPARE, "kubelet", "kubelet_configuration"),
            (CONTROL_PLANE, "kubeProxy", "control_plane_kube_proxy"),
        ):
            fields = plan.variables.get(phase, {}).get(name, {})
            assert list(faults(fields, known[kind], known["$defs"])) == []
