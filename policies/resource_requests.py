"""Every container says what it needs, so that the scheduler does not overload a node."""

from __future__ import annotations

from collections.abc import Iterator

from policies.objects import Object, at, containers, pod_template
from policies.policy import of_object

_NEEDED = ("cpu", "memory")


def _find(type: str, props: Object) -> Iterator[str]:
    # Ephemeral containers can have none.
    for what, container in containers(at(pod_template(type, props), "spec"), ephemeral=False):
        resources = at(container, "resources")
        # A limit without a request is taken for both.
        asked = {*at(resources, "requests"), *at(resources, "limits")}
        if missing := [name for name in _NEEDED if name not in asked]:
            yield f"{what} requests no {' and no '.join(missing)}"


POLICY = of_object(
    "resource-requests",
    "Every container requests processor time and memory",
    "Set resources.requests.cpu and resources.requests.memory. Without, pods are put where there is no "
    "room, and are the first to be ended when memory runs short.",
    _find,
)
