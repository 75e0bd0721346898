"""Objects that the environment has beside what is declared: brought along to the twin."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from report.errors import ConfigurationError

_KUSTOMIZATIONS = ("kustomization.yaml", "kustomization.yml", "Kustomization")
"""Names that kubectl knows."""
_ROLLED_OUT = ("DaemonSet", "Deployment", "StatefulSet")
"""Kinds of which kubectl tells whether they are rolled out."""


@dataclass(frozen=True)
class Objects:
    """A file or a directory of manifests, or a kustomization."""

    path: Path
    region: str = ""
    """Whose cluster gets them; empty for every one."""

    @classmethod
    def of(cls, text: str) -> Objects:
        """Read `[REGION=]PATH`. Raises `ConfigurationError` when there is nothing at the path."""
        region, _, path = ("", "", text) if Path(text).exists() else text.partition("=")
        found = Path(path)
        if not found.exists():
            raise ConfigurationError(
                f"--objects {text}: there is no {path}",
                fix="name a file or a directory of manifests, or a kustomization; for one region alone as "
                "REGION=PATH",
            )
        return cls(found.resolve(), region)

    def regions(self, known: Collection[str]) -> list[str]:
        """The regions whose clusters get them. Raises `ConfigurationError` for one that is not declared."""
        if not self.region:
            return sorted(known)
        if self.region not in known:
            raise ConfigurationError(
                f"--objects {self.region}={self.path}: no region {self.region!r} is declared",
                fix=f"regions are {', '.join(sorted(known))}",
            )
        return [self.region]

    def arguments(self, kubeconfig: Path) -> list[str]:
        """What kubectl is told to apply them: as often as one likes, and whoever else has fields of them."""
        kustomized = self.path.is_dir() and any((self.path / name).is_file() for name in _KUSTOMIZATIONS)
        how = ["--kustomize"] if kustomized else ["--recursive", "--filename"]
        apply = ["apply", "--server-side", "--force-conflicts", "--field-manager=crossmesh-rehearsal"]
        return [f"--kubeconfig={kubeconfig}", *apply, "--output=json", *how, str(self.path)]


def workloads(applied: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Namespace and `kind/name` of what a cluster rolls out, of objects that kubectl has applied."""
    several: Iterable[Mapping[str, Any]] = applied["items"] if applied.get("kind") == "List" else [applied]
    return [
        (one["metadata"]["namespace"], f"{str(one['kind']).lower()}/{one['metadata']['name']}")
        for one in several
        if one["kind"] in _ROLLED_OUT and one["apiVersion"].startswith("apps/")
    ]
