"""Which versions a region has."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

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


def test_an_adopted_cluster_has_the_version_that_it_declares_or_none(write: Write, later: None) -> None:
    environment = load_stack(write(changed())).environment
    assert environment.versions_of("cloud").kubernetes is None
    declared = changed((CLOUD, f'{CLOUD}          kubernetesVersion: "1.33"\n'))
    assert load_stack(write(declared)).environment.versions_of("cloud").kubernetes == "1.33"
