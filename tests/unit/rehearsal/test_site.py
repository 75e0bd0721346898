"""What a twin's copy of the project does with kubectl, over one that is a script."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from rehearsal import site
from rehearsal.errors import RehearsalError
from rehearsal.objects import Objects
from rehearsal.site import Grounds

_KUBECTL = """#!/bin/sh
echo "$*" >> {asked}
case "$*" in
    *" apply "*refused*) echo "refused by a webhook" >&2; exit 1 ;;
    *" apply "*) cat {applied} ;;
    *"rollout status deployment/late"*) echo "error: timed out waiting for the condition" >&2; exit 1 ;;
esac
"""


def named(kind: str, name: str, version: str = "apps/v1") -> dict[str, Any]:
    return {"apiVersion": version, "kind": kind, "metadata": {"name": name, "namespace": "shop"}}


@pytest.fixture
def grounds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[Any], Grounds]:
    kubectl = tmp_path / "kubectl"
    kubectl.write_text(_KUBECTL.format(asked=tmp_path / "asked", applied=tmp_path / "applied"))
    kubectl.chmod(0o755)
    (tmp_path / "asked").touch()
    monkeypatch.setattr(site.toolchain, "program", lambda name: kubectl)
    kubeconfigs: list[str] = []
    monkeypatch.setattr(Grounds, "crossmesh", lambda self, *arguments: kubeconfigs.append(arguments[2]))

    def make(applied: Any) -> Grounds:
        (tmp_path / "applied").write_text(json.dumps(applied))
        workspace: Any = SimpleNamespace(directory=tmp_path, environment=dict(os.environ), stack="s")
        return Grounds(workspace, lambda words: None)

    return make


def asked(tmp_path: Path) -> list[str]:
    return [line.partition(" ")[2] for line in (tmp_path / "asked").read_text().splitlines()]


def test_what_is_brought_along_is_waited_for(grounds: Callable[[Any], Grounds], tmp_path: Path) -> None:
    several = [
        named("Deployment", "web"),
        named("PodDisruptionBudget", "web", "policy/v1"),
        named("StatefulSet", "db"),
        named("Deployment", "of-another", "example.org/v1"),
    ]
    made = grounds({"kind": "List", "apiVersion": "v1", "items": several})
    assert made.bring([Objects(tmp_path / "web.yaml"), Objects(tmp_path / "more.yaml")], "eu") == []
    told = [line.partition(" rollout status ")[2].split()[0] for line in asked(tmp_path)[2:]]
    assert told == ["deployment/web", "statefulset/db"] * 2


def test_what_does_not_come_up_is_told_with_its_reason(
    grounds: Callable[[Any], Grounds], tmp_path: Path
) -> None:
    (missing,) = grounds(named("Deployment", "late")).bring([Objects(tmp_path / "late.yaml")], "eu")
    assert missing == (
        "region eu: shop/deployment/late was not rolled out: error: timed out waiting for the condition"
    )


def test_what_is_refused_stops_the_rehearsal(grounds: Callable[[Any], Grounds], tmp_path: Path) -> None:
    with pytest.raises(RehearsalError, match="refused by a webhook"):
        grounds({}).bring([Objects(tmp_path / "refused.yaml")], "eu")
