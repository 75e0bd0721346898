"""Where resources come from: the region and the key of the declaration that they or their holders carry."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

_OWN = "crossmesh:"
"""Types of this project's own resources; of others an input of the same name means something else."""


@dataclass(frozen=True)
class Provenance:
    """region: empty for what belongs to all. declared: path of the key below the environment."""

    region: str = ""
    declared: tuple[str, ...] = ()


def identity(urn: str, recorded: Mapping[str, Any], provenance: Provenance) -> dict[str, Any]:
    """The fields of a resource's `Identity`, from the engine's record of it."""
    return {
        "urn": urn,
        "type": recorded["type"],
        "name": urn.rpartition("::")[2],
        "parent": recorded.get("parent") or "",
        "provider": (recorded.get("provider") or "").rpartition("::")[0],
        "custom": bool(recorded.get("custom")),
        "protect": bool(recorded.get("protect")),
        **vars(provenance),
    }


class Provenances:
    """Of resources of one state or program: what each says itself, else what its nearest ancestor says."""

    def __init__(self, resources: Mapping[str, Mapping[str, Any]]) -> None:
        """resources: by URN, each with `type`, `inputs` and `parent` as the engine has them."""
        self._resources = resources
        self._of: dict[str, Provenance] = {"": Provenance()}

    def __getitem__(self, urn: str) -> Provenance:
        if urn not in self._of:
            resource = self._resources.get(urn) or {}
            inputs = resource.get("inputs") or {}
            region, declared = inputs.get("region"), inputs.get("declared")
            if str(resource.get("type")).startswith(_OWN) and isinstance(declared, str):
                self._of[urn] = Provenance(str(region or ""), tuple(declared.split(".")) if declared else ())
            else:
                self._of[urn] = self[str(resource.get("parent") or "")]
        return self._of[urn]
