"""The declared gateways are the only way in from outside of a cluster."""

from __future__ import annotations

from collections.abc import Iterator

from components.manifests.mesh import GATEWAY
from components.values.exposure import EXTERNAL_ADDRESSES, LOAD_BALANCER, NODE_PORT
from policies.objects import Object, at, items, kind_of, metadata
from policies.policy import of_object
from stacks.system_namespaces import ISTIO_INGRESS


def _find(type: str, props: Object) -> Iterator[str]:
    if kind_of(type) != "Service" or metadata(props) == (ISTIO_INGRESS, GATEWAY):
        return
    spec = at(props, "spec")
    if (kind := spec.get("type")) in (LOAD_BALANCER, NODE_PORT):
        yield f"its type is {kind}, so it is reached from outside past the gateways"
    if addresses := [str(address) for address in items(spec, EXTERNAL_ADDRESSES)]:
        yield f"it takes requests to {', '.join(addresses)} ({EXTERNAL_ADDRESSES}), past the gateways"


POLICY = of_object(
    "services-behind-gateways",
    "Services are reached from outside through the declared gateways only",
    "Past a gateway there is no TLS of the owner's, no authorization and no failover between regions. "
    "Make the service ClusterIP and expose it by an ingress of the stack file.",
    _find,
)
