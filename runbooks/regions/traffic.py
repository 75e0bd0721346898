"""What a region's gateways pass on to applications, by their own counters, and what of it clients ask for.

The probers of the name servers go on asking a region that is out of DNS, and nothing at a gateway tells their
requests from those of clients. So what they ask at most is known by their interval, and is taken for theirs.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from access import envoy
from access.cluster import Cluster
from access.envoy import Passed
from components.manifests.mesh import GATEWAY_LABELS
from live.doctor.pods import selecting
from stacks.system_namespaces import ISTIO_INGRESS

SHOWN = 5
"""Services that are told."""
FEW = 3
"""So many failed requests say nothing of a region."""


@dataclass(frozen=True)
class Sample:
    """Counters of all gateways of a region at one moment."""

    at: float
    """Seconds of this machine's monotonic clock."""
    counts: Mapping[tuple[str, str, str], Passed]
    """By pod, service and endpoint."""
    took: float = 0.0
    """Seconds that asking took: the counters were read somewhen in it, before `at`."""


def sample(cluster: Cluster) -> Sample:
    """Ask all gateways of a region. Raises AccessError."""
    began, selector = time.monotonic(), selecting(GATEWAY_LABELS)
    pods = cluster.core.list_namespaced_pod(ISTIO_INGRESS, label_selector=selector).items
    counts = {
        (pod.metadata.name, *key): passed
        for pod in pods
        if pod.status.phase == "Running"
        for key, passed in envoy.passed_on(envoy.clusters(cluster, ISTIO_INGRESS, pod.metadata.name)).items()
    }
    ended = time.monotonic()
    return Sample(ended, counts, ended - began)


@dataclass(frozen=True)
class Window:
    """What was passed on between two samples."""

    seconds: float
    requests: Mapping[str, int]
    """By service; those that were asked for alone."""
    errors: int
    probes: int
    """Of name servers, at most."""

    @property
    def total(self) -> int:
        """All requests."""
        return sum(self.requests.values())

    @property
    def quiet(self) -> bool:
        """Whether probes alone can have asked for all of it."""
        return self.total <= self.probes

    def fails(self, percent: float) -> bool:
        """Whether more than so many requests of a hundred failed, and more than a few."""
        return self.errors > FEW and self.errors * 100 > self.total * percent

    def __str__(self) -> str:
        often = sorted(self.requests.items(), key=lambda entry: (-entry[1], entry[0]))
        named = ", ".join(f"{service} {count}" for service, count in often[:SHOWN])
        words = f"{self.total} requests in {self.seconds:.0f} s{f' ({named})' if named else ''}"
        failed = f", {self.errors} of them failed" if self.errors else ""
        return f"{words}{failed}, of which name servers ask {self.probes} at most"


@dataclass(frozen=True)
class Probers:
    """Who goes on asking a region that names do not lead to."""

    count: int
    """Name servers times addresses of the region's gateway, each of which is asked."""
    interval: float
    """Seconds from one request of each to its next."""

    def most(self, seconds: float) -> int:
        """Requests of theirs within a time, at most."""
        return self.count * (int(seconds / self.interval) + 1)


def between(first: Sample, last: Sample, probers: Probers) -> Window:
    """What came between two samples; a pod or an endpoint that was not there at first counts from nothing."""
    requests, errors = Counter[str](), 0
    for key, passed in last.counts.items():
        before = first.counts.get(key, Passed())
        # A pod of the same name that counts less has started anew.
        since = before if passed.requests >= before.requests else Passed()
        requests[key[1]] += passed.requests - since.requests
        errors += max(0, passed.errors - since.errors)
    asked = {service: count for service, count in requests.items() if count}
    seconds = last.at - first.at
    return Window(seconds, asked, errors, probers.most(seconds + first.took))
