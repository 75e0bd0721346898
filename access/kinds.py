"""Where the objects of a kind are in one cluster, and all of them; or that there can be none. Only reads."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from access.cluster import Cluster, Expired
from access.errors import Unanswered

PAGE = 500
"""Objects of one answer to a list."""


@dataclass(frozen=True)
class Kind:
    """Where the objects of a kind are."""

    api_version: str
    kind: str
    plural: str

    @property
    def path(self) -> str:
        """Path of the list of all of them."""
        return f"{_group_path(self.api_version)}/{self.plural}"


@dataclass(frozen=True)
class Gone:
    """No object of the kind can be there."""

    words: str


_DEFINITIONS = Kind("apiextensions.k8s.io/v1", "CustomResourceDefinition", "customresourcedefinitions")


def objects(cluster: Cluster, kind: Kind) -> Iterator[dict[str, Any]]:
    """All objects of a kind. Raises `AccessError`."""
    try:
        yield from _pages(cluster, kind.path)
    except Expired:
        # In one answer they belong together. What came twice is the same object.
        yield from (cluster.get(kind.path) or {}).get("items") or ()


class Lookup:
    """Asks each thing once. May be used by several threads."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._lock = threading.Lock()
        self._served: dict[str, dict[str, Kind] | None] = {}
        self._defined: set[tuple[Any, Any]] | None = None

    def kind(self, api_version: str, kind: str) -> Kind | Gone:
        """The kind as this cluster serves it; `Gone` when its definition is.

        Raises `AccessError` when neither can be told: what is not served may be there all the same.
        """
        with self._lock:
            if api_version not in self._served:
                self._served[api_version] = _kinds(self._cluster, api_version)
            served = self._served[api_version]
            if served is not None and kind in served:
                return served[kind]
            return self._why_not(api_version, kind)

    def _why_not(self, api_version: str, kind: str) -> Gone:
        group = api_version.rpartition("/")[0]
        if self._defined is None:
            specs = [definition.get("spec") or {} for definition in objects(self._cluster, _DEFINITIONS)]
            self._defined = {(spec.get("group"), (spec.get("names") or {}).get("kind")) for spec in specs}
        defined = self._defined
        if (group, kind) in defined:
            raise Unanswered(
                f"the definition of {kind} is there, and the API server does not serve it as {api_version}",
                fix="It may just have been made: try again. Or the version is no longer served: apply with "
                "one that is.",
            )
        custom = any(other == group for other, _ in defined)
        if not custom and (not group or self._cluster.get(f"/apis/{group}") is not None):
            raise Unanswered(
                f"the API server does not serve {api_version} (any more); the object may be there under "
                "another version",
                fix="Apply it with a version that this cluster serves.",
            )
        return Gone(f"with the definition of {kind}")


def _kinds(cluster: Cluster, api_version: str) -> dict[str, Kind] | None:
    """The kinds of a version of a group, by name; None if it is not served."""
    served = cluster.get(_group_path(api_version))
    if served is None:
        return None
    return {
        entry["kind"]: Kind(api_version, entry["kind"], entry["name"])
        for entry in served.get("resources") or ()
        if "/" not in entry["name"]
    }


def _pages(cluster: Cluster, path: str) -> Iterator[dict[str, Any]]:
    following = ""
    while True:
        page = cluster.get(f"{path}?limit={PAGE}" + (f"&continue={quote(following)}" if following else ""))
        if page is None:
            raise Unanswered(f"{cluster.server} has no {path}", fix="It may be starting: try again.")
        yield from page.get("items") or ()
        following = (page.get("metadata") or {}).get("continue") or ""
        if not following:
            return


def _group_path(api_version: str) -> str:
    """Path of a version of a group: `v1`, `apps/v1`."""
    return f"/apis/{api_version}" if "/" in api_version else f"/api/{api_version}"
