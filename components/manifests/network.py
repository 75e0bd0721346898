"""What a cluster is told of its own slices; MetalLB's release, adapted, and a pool of its addresses."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterable, Mapping
from typing import Any

from components.manifests import Manifest, named
from playbooks.work.clusters import CONTROL_PLANE_LABEL
from stacks.model import AddressRange
from stacks.system_namespaces import KUBE_SYSTEM, METALLB_SYSTEM

NAMESPACE = METALLB_SYSTEM
POOL = "gateways"
SLICES = "crossmesh-pod-network"
"""Name of the ConfigMap that tells a cluster its slices."""
WORKER_LABEL = "node-role.kubernetes.io/worker"
WEBHOOK_SERVICE = f"metallb-webhook-service.{NAMESPACE}.svc"

BIRD_ADDRESS = "127.0.0.2"
"""Where each node's BIRD awaits the speaker."""

_CERTIFICATE_SECRET = "metallb-webhook-cert"
_REQUESTS = {"cpu": "25m", "memory": "64Mi"}
_PROMPT_PROBE = {"initialDelaySeconds": 1, "periodSeconds": 2}


def slices(region: str, pod_cidr: str, service_cidr: str, nodes: Mapping[str, str]) -> Manifest:
    """The cluster's slices of the flat address space, for those inside it who have no stack file."""
    told = json.dumps(dict(sorted(nodes.items())))
    data = {"nodes": told, "podCidr": pod_cidr, "region": region, "serviceCidr": service_cidr}
    return named("v1", "ConfigMap", SLICES, KUBE_SYSTEM, data=data)


def release(
    objects: Iterable[Manifest],
    *,
    images: Mapping[str, str],
    ca_bundle: Any,
    certificate: Any,
    private_key: Any,
    ca_certificate: Any,
) -> list[Manifest]:
    """MetalLB's released objects with a webhook certificate that is given instead of made at run time.

    Left to itself the controller writes its certificate into a Secret after its own pod has mounted it, and
    waits until the kubelet refreshes the mount, for a minute or more; and it rewrites the webhook's CA at run
    time, which a later run would have to tell from a change. Both go away when the certificate is there
    first.

    images: by container. ca_bundle: base64 of the CA's PEM. certificate, private_key, ca_certificate: PEM.
    """
    adapted = []
    for original in objects:
        manifest = copy.deepcopy(original)
        kind, name = manifest["kind"], manifest["metadata"]["name"]
        if kind == "Secret" and name == _CERTIFICATE_SECRET:
            manifest["type"] = "kubernetes.io/tls"
            manifest["stringData"] = {
                "ca.crt": ca_certificate,
                "tls.crt": certificate,
                "tls.key": private_key,
            }
        elif kind == "ValidatingWebhookConfiguration":
            for webhook in manifest["webhooks"]:
                webhook["clientConfig"]["caBundle"] = ca_bundle
        elif kind == "CustomResourceDefinition":
            conversion = manifest["spec"].get("conversion") or {}
            if conversion.get("strategy") == "Webhook":
                conversion["webhook"]["clientConfig"]["caBundle"] = ca_bundle
        elif kind in ("Deployment", "DaemonSet"):
            _adapt_pods(manifest["spec"]["template"]["spec"]["containers"], images, kind == "Deployment")
        adapted.append(manifest)
    return adapted


def address_pool(addresses: AddressRange) -> Manifest:
    """The addresses that services of type LoadBalancer get in this cluster."""
    spec = {"addresses": [f"{addresses.first}-{addresses.last}"], "autoAssign": True}
    return named("metallb.io/v1beta1", "IPAddressPool", POOL, NAMESPACE, spec=spec)


def advertisement(kind: str) -> Manifest:
    """Announce the pool from nodes that run what is reached by it.

    kind: `L2Advertisement`, by ARP from one of them; `BGPAdvertisement`, by BGP from all.
    """
    others = {"matchExpressions": [{"key": CONTROL_PLANE_LABEL, "operator": "DoesNotExist"}]}
    workers = {"matchLabels": {WORKER_LABEL: ""}}
    spec = {"ipAddressPools": [POOL], "nodeSelectors": [others, workers]}
    return named("metallb.io/v1beta1", kind, POOL, NAMESPACE, spec=spec)


def bgp_peer(asn: int) -> Manifest:
    """Who each node's speaker tells: BIRD on the same node, which has the sessions with the site's routers.

    asn: of the nodes.
    """
    spec = {"myASN": asn, "peerASN": asn, "peerAddress": BIRD_ADDRESS}
    return named("metallb.io/v1beta2", "BGPPeer", "bird", NAMESPACE, spec=spec)


def _adapt_pods(containers: list[dict[str, Any]], images: Mapping[str, str], controller: bool) -> None:
    for container in containers:
        container["image"] = images[container["name"]]
        # Which nodes announce is said by their roles: a control-plane node may take workloads, and still has
        # kubeadm's label that excludes it.
        own = "--disable-cert-rotation=true" if controller else "--ignore-exclude-lb=true"
        container["args"] = [*container["args"], own]
        # The release requests nothing; what announces the gateways' addresses is not to be evicted first.
        container["resources"] = {**container.get("resources", {}), "requests": dict(_REQUESTS)}
        # The release waits 10 s before it asks the first time, and 10 s between questions.
        container["readinessProbe"].update(_PROMPT_PROBE)
