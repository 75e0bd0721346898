"""What is exposed goes on when one pod, or its node, does not."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from components.values.exposure import ALONE
from policies.exposed import KINDS, workloads
from policies.objects import Declared, Unknowns, at
from policies.policy import of_cluster

_LEAST = 2


def _find(objects: Sequence[Declared], unknowns: Unknowns) -> Iterator[tuple[Declared, str]]:
    for workload in workloads(objects, unknowns):
        count, least = workload.replicas, _LEAST
        with unknowns.put_off():
            least = 1 if at(workload.declared.props, "metadata", "annotations").get(ALONE) else _LEAST
        if count is not None and count < least:
            many = f"{count or 'no'} replica{'' if count == 1 else 's'}"
            words = f"{workload.declared} has {many} in this cluster, and is exposed by {workload.exposed_by}"
            yield workload.declared, words


POLICY = of_cluster(
    "two-replicas",
    "What is exposed has two replicas or more in each cluster",
    "With one pod, every restart of it or of its node is an outage of the region. Set the application's "
    "replicas to 2 or more. The platform's gateway has two where a cluster has two nodes for it, and "
    "one pod where there is one node: a second would survive nothing that the first does not.",
    KINDS,
    _find,
)
