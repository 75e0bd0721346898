"""What comes with an upgrade of Kubernetes is said before it begins, and stops nothing."""

from __future__ import annotations

from typing import Any

import pytest

from gate.rules.change import upgrade
from report.model import Finding, Severity
from tests.unit.gate.rules.support import against, at, changes, stack, with_region

OTHERS = {"istio": "1.29.1", "metallb": "0.16.1"}


def found(had: str, new: str) -> list[Finding]:
    return against(
        upgrade.CHECK, changes(), of=at(kubernetes=new, **OTHERS), before=at(kubernetes=had, **OTHERS)
    )


def test_an_upgrade_names_what_goes_along_and_asks_for_a_backup() -> None:
    first = found("1.34.9", "1.35.3")[0]
    assert first.severity is Severity.NOTE
    assert "Kubernetes goes from 1.34.9 to 1.35.3 on the machines that there are" in first.message
    assert "etcd from 3.6.5 to 3.6.6, CoreDNS from 1.12.4 to 1.13.1" in first.message
    assert "backup-etcd" in first.fix
    assert first.declared == ("versions", "kubernetes")


def test_nodes_whose_pods_can_go_nowhere_are_named() -> None:
    words = [finding.message for finding in found("1.34.9", "1.35.3")[1:]]
    assert words == [
        f"{region}-worker-1 of {region} is the only node that takes pods: it is not drained before"
        for region in ("eu", "us")
    ]


def test_a_patch_release_drains_nobody() -> None:
    (only,) = found("1.34.3", "1.34.9")
    assert "Kubernetes goes from 1.34.3 to 1.34.9" in only.message
    assert "etcd" not in only.message, "it stays as it is"


@pytest.mark.parametrize(("had", "new"), [("1.35.3", "1.35.3"), ("1.35.3", "1.34.9"), ("1.34.9", "1.36.3")])
def test_what_is_no_upgrade_or_is_refused_is_not_announced(had: str, new: str) -> None:
    assert found(had, new) == []


def test_a_region_that_comes_with_a_later_version_is_no_upgrade() -> None:
    assert against(upgrade.CHECK, changes(), of=at(kubernetes="1.35.3", **OTHERS)) == []


def test_one_region_that_goes_first_is_named_at_its_own_version() -> None:
    def newer(old: Any) -> dict[str, Any]:
        return {"versions": old.versions.model_copy(update={"kubernetes": "1.35.3"})}

    before = at(kubernetes="1.34.9", **OTHERS)
    first, alone = against(upgrade.CHECK, changes(), of=with_region(before, "eu", newer), before=before)
    assert first.message.startswith("eu: Kubernetes goes from 1.34.9")
    assert "eu-worker-1" in alone.message


def test_the_reference_stack_as_it_is_is_no_upgrade() -> None:
    assert against(upgrade.CHECK, changes(), of=stack(), before=stack()) == []


def test_another_containerd_is_announced_with_what_ends() -> None:
    before = at(kubernetes="1.35.3", **OTHERS)
    after = at(kubernetes="1.35.3", containerd="2.4.2", **OTHERS)
    first, *alone = against(upgrade.CHECK, changes(), of=after, before=before)
    assert first.message.startswith("containerd goes from the distribution's (1.6.20) to 2.4.2 under pods")
    assert first.declared == ("versions", "containerd")
    assert len(alone) == 2
    later = at(kubernetes="1.35.3", containerd="2.4.2", **OTHERS)
    sooner = at(kubernetes="1.35.3", containerd="2.3.4", **OTHERS)
    assert "from 2.3.4 to 2.4.2" in against(upgrade.CHECK, changes(), of=later, before=sooner)[0].message
    assert against(upgrade.CHECK, changes(), of=later, before=later) == []
