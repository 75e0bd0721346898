"""Reading a cluster's API, and what its refusals mean. Nothing here can write."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from urllib3.exceptions import HTTPError

from access.cluster import Cluster, say

PAGE = 500
"""Objects of one answer to a list."""
_AGAIN_SECONDS = 1.0
_CERTIFICATE_REFUSED = "CERTIFICATE_VERIFY_FAILED"
_ALERT = ("TLSV1_ALERT", "TLSV13_ALERT", "SSLV3_ALERT")
"""How TLS says that the other end refused what it was shown."""


class ApiProblem(Exception):
    """The cluster could not be read. The message says what happened, `fix` what to do."""

    def __init__(self, message: str, fix: str = "") -> None:
        super().__init__(message)
        self.fix = fix


class Unanswered(ApiProblem):
    """No answer, or none that says anything about the object: it may be there or not."""


class Busy(Unanswered):
    """The API server itself says that it cannot answer now."""


class NotAllowed(ApiProblem):
    """The credentials are good, and may not read this."""


class CredentialsRefused(ApiProblem):
    """The credentials are wrong, withdrawn or expired."""


class NotTheCluster(ApiProblem):
    """Something answers that is not the cluster that the credentials are for."""


class Expired(ApiProblem):
    """A list took so long that its pages no longer belong together."""


@dataclass(frozen=True)
class Kind:
    """Where the objects of a kind are."""

    api_version: str
    kind: str
    plural: str
    namespaced: bool

    @property
    def path(self) -> str:
        """Path of the list of all of them."""
        return f"{group_path(self.api_version)}/{self.plural}"


def group_path(api_version: str) -> str:
    """Path of a version of a group: `v1`, `apps/v1`."""
    return f"/apis/{api_version}" if "/" in api_version else f"/api/{api_version}"


def get(cluster: Cluster, path: str) -> dict[str, Any] | None:
    """The object at `path`; None if there is none. Raises `ApiProblem`."""
    try:
        return _get(cluster, path)
    except Busy:
        # One that is just being restarted, or is asked too much, is asked once more.
        time.sleep(_AGAIN_SECONDS)
        return _get(cluster, path)


def kinds(cluster: Cluster, api_version: str) -> dict[str, Kind] | None:
    """The kinds of a version of a group, by name; None if it is not served. Raises `ApiProblem`."""
    found = get(cluster, group_path(api_version))
    if found is None:
        return None
    return {
        entry["kind"]: Kind(api_version, entry["kind"], entry["name"], bool(entry["namespaced"]))
        for entry in found.get("resources") or ()
        if "/" not in entry["name"]
    }


def objects(cluster: Cluster, kind: Kind) -> Iterator[dict[str, Any]]:
    """All objects of a kind. Raises `ApiProblem`."""
    try:
        yield from _pages(cluster, kind.path)
    except Expired:
        # In one answer they belong together. What came twice is the same object.
        found = get(cluster, kind.path)
        yield from (found or {}).get("items") or ()


def _pages(cluster: Cluster, path: str) -> Iterator[dict[str, Any]]:
    following = ""
    while True:
        page = get(cluster, f"{path}?limit={PAGE}" + (f"&continue={quote(following)}" if following else ""))
        if page is None:
            raise Unanswered(f"{cluster.server} has no {path}", "It may be starting: try again.")
        yield from page.get("items") or ()
        following = (page.get("metadata") or {}).get("continue") or ""
        if not following:
            return


def _get(cluster: Cluster, path: str) -> dict[str, Any] | None:
    where = f"{cluster.server}{path.partition('?')[0]}"
    try:
        status, body = cluster.get(path)
    except (HTTPError, OSError) as error:
        raise _transport_problem(cluster, error) from error
    if status == 404:
        return None
    try:
        found = json.loads(body)
    except ValueError:
        found = None
    if status == 200 and isinstance(found, dict):
        return found
    words = str(found.get("message") if isinstance(found, dict) else body[:200]) or "no reason given"
    message = f"{where} answers {status}: {words}"
    match status:
        case 401:
            raise CredentialsRefused(
                f"{cluster.server} refuses the credentials: {words}",
                "They have expired or were withdrawn. `pulumi up` renews those of clusters on machines; give "
                "an adopted cluster's stack a new kubeconfig.",
            )
        case 403:
            raise NotAllowed(message, "Give the kubeconfig's user the right to read (get, list) this kind.")
        case 410:
            raise Expired(message)
    raise Busy(message, "See the API server's log; `crossmesh doctor` says what it lacks.")


def _transport_problem(cluster: Cluster, error: BaseException) -> ApiProblem:
    words = " ".join(say(error).split())
    if _CERTIFICATE_REFUSED in words:
        return NotTheCluster(
            f"{cluster.server}: what answers has no certificate of this cluster: {words}",
            "Another machine answers at this address, or the cluster's authority was replaced: change "
            "nothing before you know why.",
        )
    if any(alert in words for alert in _ALERT):
        return CredentialsRefused(
            f"{cluster.server} refuses the client certificate: {words}",
            "It has expired or is of another authority. `pulumi up` issues a new one.",
        )
    return Unanswered(
        f"{cluster.server} does not answer: {words}",
        "See that its machines run and that this one has a route to them.",
    )
