"""What apt would do to a container runtime, as the preflight says it."""

from __future__ import annotations

import pytest

from report.model import Severity
from tests.unit.playbooks.preflight.test_checks import GOOD, found, said


def test_a_runtime_is_taken_away_under_pods_by_a_declared_release_alone() -> None:
    planned = {**GOOD["packages"], "removes": ["containerd", "runc"], "carrying": ["containerd", "runc"]}
    variables = {"base_replaceable_packages": ["containerd", "runc"]}
    told = said(found(("packages", planned), variables=variables), "packages")
    assert told[0] == (
        Severity.ERROR,
        "host-1: installing would remove containerd, runc under pods that run",
    )
    declared = {**variables, "container_runtime_release": "2.4.2"}
    told = said(found(("packages", planned), variables=declared), "packages")
    assert told[0] == (
        Severity.WARNING,
        "host-1: installing will remove containerd, runc under pods that run, which end and start again",
    )
    free = {**planned, "carrying": []}
    told = said(found(("packages", free), variables=variables), "packages")
    assert told == [(Severity.WARNING, "host-1: installing will remove containerd, runc, as declared")]


@pytest.mark.parametrize(("containerd", "warns"), [("2.4.2-1~debian.12~bookworm", False), ("2.0.9-1", True)])
def test_the_package_of_its_makers_is_held_against_kubernetes_too(containerd: str, warns: bool) -> None:
    planned = {**GOOD["packages"], "installs": {"containerd.io": ["", containerd]}}
    variables = {"base_pins": {"kubelet": "1.35.3-*"}}
    assert bool(said(found(("packages", planned), variables=variables), "packages")) is warns
