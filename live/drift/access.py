"""Ways into the clusters: each opened once, and trusted only when the cluster is the one that was set up."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass

from access.cluster import Cluster
from access.errors import AccessError, CredentialsRefused, IdentityMismatch
from access.kubeconfig import KubeconfigError
from live.drift.model import Record
from live.state import Way


@dataclass(eq=False)
class Stranger(Exception):
    """A cluster that is not compared: why, and what to do."""

    way: Way
    message: str
    fix: str
    measured: bool
    """It did answer, and wrongly; else nothing can be said of it."""
    refused: bool = False
    """It does not take the credentials."""

    def into(self, record: Record) -> None:
        """Say so in a layer's record."""
        what = f"cluster {self.way.region}"
        if self.measured:
            record.stranger(what, self.message, urn=self.way.urn, fix=self.fix, refused=self.refused)
        else:
            record.not_measurable(what, self.message, urn=self.way.urn, fix=self.fix)


class Clusters:
    """Opens each cluster when it is first asked for, whichever layer asks. Use as a context manager."""

    def __init__(self, ways: Mapping[str, Way]) -> None:
        self.ways = ways
        self._locks = {region: threading.Lock() for region in ways}
        self._open: dict[str, Cluster | Stranger] = {}

    def __enter__(self) -> Clusters:
        return self

    def __exit__(self, *_: object) -> None:
        for cluster in self._open.values():
            if not isinstance(cluster, Stranger):
                cluster.close()

    def cluster(self, region: str) -> Cluster:
        """The cluster of a region, after its identity was checked. Raises `Stranger`."""
        with self._locks[region]:
            if region not in self._open:
                self._open[region] = _opened(self.ways[region])
        cluster = self._open[region]
        if isinstance(cluster, Stranger):
            raise cluster
        return cluster


def _opened(way: Way) -> Cluster | Stranger:
    try:
        cluster = Cluster(way.region, way.kubeconfig)
    except KubeconfigError as error:
        return Stranger(way, error.message, error.fix, True, True)
    try:
        uid = cluster.uid()
    except AccessError as error:
        cluster.close()
        refused = isinstance(error, CredentialsRefused | KubeconfigError)
        measured = refused or isinstance(error, IdentityMismatch)
        return Stranger(way, error.message, error.fix, measured, refused)
    if uid == way.uid:
        return cluster
    cluster.close()
    return Stranger(
        way,
        f"cluster {way.region}: another cluster answers at {cluster.server} than the one that was set up: "
        f"kube-system has the UID {uid}, recorded is {way.uid}",
        "Nothing of it was compared. Give the kubeconfig of the cluster that this stack manages; change "
        "nothing before you know why.",
        True,
    )
