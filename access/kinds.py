"""Where the objects of a kind are in one cluster; or that there can be none."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import Any

from access import api
from access.cluster import Cluster

_DEFINITIONS = api.Kind(
    "apiextensions.k8s.io/v1", "CustomResourceDefinition", "customresourcedefinitions", namespaced=False
)


@dataclass(frozen=True)
class Gone:
    """No object of the kind can be there."""

    words: str


class Lookup:
    """Asks each thing once. May be used by several threads."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._lock = threading.Lock()
        self._served: dict[str, dict[str, api.Kind] | None] = {}
        self._defined: set[tuple[str, str]] | None = None

    def kind(self, api_version: str, kind: str) -> api.Kind | Gone:
        """The kind as this cluster serves it; `Gone` when its definition is.

        Raises `ApiProblem` when neither can be told: what is not served may be there all the same.
        """
        with self._lock:
            if api_version not in self._served:
                self._served[api_version] = api.kinds(self._cluster, api_version)
            served = self._served[api_version]
            if served is not None and kind in served:
                return served[kind]
            return self._why_not(api_version, kind)

    def _why_not(self, api_version: str, kind: str) -> Gone:
        group = api_version.rpartition("/")[0]
        defined = self._definitions()
        if (group, kind) in defined:
            raise api.Unanswered(
                f"the definition of {kind} is there, and the API server does not serve it as {api_version}",
                "It may just have been made: try again. Or the version is no longer served: apply with one "
                "that is.",
            )
        custom = any(found == group for found, _ in defined)
        if not custom and (not group or api.get(self._cluster, f"/apis/{group}") is not None):
            raise api.Unanswered(
                f"the API server does not serve {api_version} (any more); the object may be there under "
                "another version",
                "Apply it with a version that this cluster serves.",
            )
        return Gone(f"with the definition of {kind}")

    def _definitions(self) -> set[tuple[str, str]]:
        """Groups and kinds of all definitions."""
        if self._defined is None:
            self._defined = {_defines(found) for found in api.objects(self._cluster, _DEFINITIONS)}
        return self._defined


def _defines(definition: dict[str, Any]) -> tuple[str, str]:
    spec = definition.get("spec") or {}
    return str(spec.get("group")), str((spec.get("names") or {}).get("kind"))
