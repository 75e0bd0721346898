"""Which versions a region has."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from stacks.errors import StackFileError
from stacks.load import load_stack
from tests.unit.stacks.bad import ISTIO, KUBERNETES, METALLB
from tests.unit.stacks.conftest import changed

Write = Callable[[str], Path]
US = "        machineNetwork: 192.0.2.64/26\n"
CLOUD = "          kubeconfigSecret: cloudKubeconfig\n"


@pytest.fixture
def later(catalogue: Callable[[str, str], None]) -> None:
    for program, version in (("kubernetes", "1.35.4"), ("metallb", "0.16.2")):
        catalogue(program, version)


def test_a_region_has_its_own_versions_and_else_the_environment_s(write: Write, later: None) -> None:
    versions = "{kubernetes: 1.35.4, metallb: 0.16.2}"
    environment = load_stack(write(changed((US, f"{US}        versions: {versions}\n")))).environment
    eu, us = environment.versions_of("eu"), environment.versions_of("us")
    assert (eu.kubernetes, eu.istio, eu.metallb) == (KUBERNETES, ISTIO, METALLB)
    assert (us.kubernetes, us.istio, us.metallb) == ("1.35.4", ISTIO, "0.16.2")


def test_containerd_is_the_distribution_s_unless_a_release_is_named(write: Write) -> None:
    environment = load_stack(write(changed())).environment
    assert environment.versions_of("eu").containerd is None
    named = "    versions: {containerd: 2.4.2}\n    sources:\n"
    declared = (("    sources:\n", named), (US, f"{US}        versions: {{containerd: distribution}}\n"))
    environment = load_stack(write(changed(*declared))).environment
    found = [environment.versions_of(region).containerd for region in ("eu", "us", "cloud")]
    assert found == ["2.4.2", None, None]


@pytest.mark.parametrize(
    ("versions", "words"),
    [
        ("{containerd: 1.6.20}", "supported versions of containerd: distribution, 2."),
        ("{istio: distribution}", "supported versions of istio: 1."),
    ],
)
def test_only_what_hosts_have_is_the_distribution_s(write: Write, versions: str, words: str) -> None:
    with pytest.raises(StackFileError, match=words):
        load_stack(write(changed(("    sources:\n", f"    versions: {versions}\n    sources:\n"))))


def test_no_containerd_is_declared_for_an_adopted_cluster(write: Write) -> None:
    network = "        machineNetwork: 10.20.0.0/16\n"
    declared = changed((network, f"{network}        versions: {{containerd: 2.4.2}}\n"))
    with pytest.raises(StackFileError, match="nodes of an adopted cluster are its owner's"):
        load_stack(write(declared))


def test_an_adopted_cluster_has_the_version_that_it_declares_or_none(write: Write, later: None) -> None:
    environment = load_stack(write(changed())).environment
    assert environment.versions_of("cloud").kubernetes is None
    declared = changed((CLOUD, f'{CLOUD}          kubernetesVersion: "1.33"\n'))
    assert load_stack(write(declared)).environment.versions_of("cloud").kubernetes == "1.33"
