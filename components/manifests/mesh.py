"""Istio: values of its charts, certificates, remote secrets and mesh-wide policies."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from components.manifests import Manifest, named, spread
from components.values.exposure import ALONE
from stacks.model import HTTP_PORT, HTTPS_PORT, STATUS_PORT, UNNAMED_REVISION, MeshSpec
from stacks.system_namespaces import ISTIO_INGRESS, ISTIO_SYSTEM

ISTIOD = "istiod"
GATEWAY = "istio-ingressgateway"
GATEWAY_LABELS = {"istio": "ingressgateway"}
CA_SECRET = "cacerts"
"""What istiod signs with."""
ASKED_ADDRESS = "metallb.io/loadBalancerIPs"
"""Annotation by which a service asks MetalLB for an address."""
INGRESS_CLASS = "istio"
GATEWAY_CLASS = "istio"
"""The class of gateways of the Gateway API that istiod runs, and makes by itself."""
READER = "istio-reader-service-account"
_PORT_NAMES = {HTTP_PORT: "http2", HTTPS_PORT: "https", STATUS_PORT: "status-port"}


def base_values(mesh: MeshSpec) -> dict[str, Any]:
    """Values of the chart `base`: which revision validates Istio's own objects."""
    return {} if mesh.revision == UNNAMED_REVISION else {"defaultRevision": mesh.revision}


def istiod_values(mesh: MeshSpec, *, region: str, network: str, image: str, replicas: int) -> dict[str, Any]:
    """Values of the chart `istiod`. image: of istiod; the proxy's lies beside it, with the same tag.

    The number of replicas is fixed: an autoscaler needs a metrics server, which not every cluster has.
    Ingress objects are served for the class `istio` alone, by the gateway in its own namespace.
    """
    repository, _, tag = image.rpartition(":")
    env: dict[str, str] = {"K8S_INGRESS_NS": ISTIO_INGRESS}
    if mesh.stock_envoy:
        env |= {"PILOT_ENABLE_ALPN_FILTER": "false", "PILOT_ENABLE_METADATA_EXCHANGE": "false"}
    # By the tag `default`, namespaces and pods with the ordinary labels get their sidecars of this revision.
    named_revision = {"revision": mesh.revision, "revisionTags": ["default"]}
    return {
        **({} if mesh.revision == UNNAMED_REVISION else named_revision),
        "autoscaleEnabled": False,
        "env": env,
        "global": {
            "hub": repository.rpartition("/")[0],
            "meshID": mesh.id,
            "multiCluster": {"clusterName": region},
            "network": network,
            "tag": tag,
        },
        "meshConfig": {
            "ingressClass": INGRESS_CLASS,
            "ingressControllerMode": "STRICT",
            "ingressService": GATEWAY,
            "trustDomain": mesh.trust_domain,
            # istiod 1.29 takes workloads of another cluster for those of no trust domain where it reads them
            # before that cluster's mesh configuration, and their certificates are refused. By this alias
            # clients take the mesh's own trust domain as well.
            "trustDomainAliases": [mesh.trust_domain],
        },
        "replicaCount": replicas,
        "telemetry": {"enabled": not mesh.stock_envoy},
        "topologySpreadConstraints": spread({"istio": "pilot"}),
    }


def gateway_values(
    *, replicas: int, ports: Sequence[int], addresses: Sequence[str] = (), of_nodes: bool = False
) -> dict[str, Any]:
    """Values of the chart `gateway` for the ingress gateway.

    ports: for HTTPS, and where its readiness is probed; on port 80 the routes of every Ingress are answered
    unless something forbids it. addresses: what to ask MetalLB for, so that it outlives the service; or those
    of nodes, where kube-proxy leads to the gateway what comes for its ports.
    """
    annotations = {ASKED_ADDRESS: addresses[0]} if addresses and not of_nodes else {}
    outside = {"externalIPs": list(addresses), "type": "ClusterIP"} if of_nodes else {"type": "LoadBalancer"}
    listening = [
        {"name": _PORT_NAMES[port], "port": port, "protocol": "TCP", "targetPort": port} for port in ports
    ]
    return {
        "autoscaling": {"enabled": False},
        # The template's image is `auto` until the injector fills it in, which Kubernetes takes for a moving
        # tag and would pull at every start.
        "imagePullPolicy": "IfNotPresent",
        "podDisruptionBudget": {"minAvailable": 1} if replicas > 1 else {},
        "replicaCount": replicas,
        "service": {"annotations": annotations, "ports": listening, **outside},
        "topologySpreadConstraints": spread(GATEWAY_LABELS),
    }


def said_to_be_alone(manifest: Manifest) -> Manifest:
    """A Deployment that says why it has one pod, where it has; anything else as it is.

    The chart would give an annotation to the service, the account and their roles as well.
    """
    if manifest["kind"] != "Deployment" or manifest["spec"]["replicas"] != 1:
        return manifest
    metadata = manifest["metadata"]
    annotations = {**(metadata.get("annotations") or {}), ALONE: "the cluster has one node for it"}
    return {**manifest, "metadata": {**metadata, "annotations": annotations}}


def certificate_authority(
    *, certificate: Any, private_key: Any, root_certificate: Any, chain: Any
) -> Manifest:
    """The intermediate that istiod signs workloads' certificates with; must be there before istiod starts."""
    data = {
        "ca-cert.pem": certificate,
        "ca-key.pem": private_key,
        "cert-chain.pem": chain,
        "root-cert.pem": root_certificate,
    }
    return named("v1", "Secret", CA_SECRET, ISTIO_SYSTEM, type="Opaque", stringData=data)


def remote_secret(region: str, kubeconfig: Any) -> Manifest:
    """What istiod elsewhere reads this region's services and endpoints with."""
    return named(
        "v1",
        "Secret",
        f"istio-remote-secret-{region}",
        ISTIO_SYSTEM,
        labels={"istio/multiCluster": "true"},
        annotations={"networking.istio.io/cluster": region},
        type="Opaque",
        stringData={region: kubeconfig},
    )


def configuration_reader(revision: str) -> list[Manifest]:
    """What lets istiod of other clusters read this one's mesh configuration, as 1.29 and later do.

    Readers' roles of earlier charts do not: a region that goes first would wait for it and start late.
    """
    name = "istio-configuration-reader"
    configuration = "istio" if revision == UNNAMED_REVISION else f"istio-{revision}"
    rule = {
        "apiGroups": [""],
        "resources": ["configmaps"],
        "resourceNames": [configuration],
        "verbs": ["get", "list", "watch"],
    }
    role = named("rbac.authorization.k8s.io/v1", "Role", name, ISTIO_SYSTEM, rules=[rule])
    reference = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": name}
    reader = {"kind": "ServiceAccount", "name": READER, "namespace": ISTIO_SYSTEM}
    binding = named(
        "rbac.authorization.k8s.io/v1",
        "RoleBinding",
        name,
        ISTIO_SYSTEM,
        roleRef=reference,
        subjects=[reader],
    )
    return [role, binding]


def peer_authentication(namespace: str, mode: str) -> Manifest:
    """The mTLS mode of a namespace; in the control plane's namespace, of the whole mesh."""
    return named(
        "security.istio.io/v1", "PeerAuthentication", "default", namespace, spec={"mtls": {"mode": mode}}
    )


def offered() -> Manifest:
    """An object by which it is tried out whether istiod answers: valid, and the same whatever is declared."""
    spec = {"mtls": {"mode": "STRICT"}}
    return named("security.istio.io/v1", "PeerAuthentication", "offered", ISTIO_SYSTEM, spec=spec)


def locality_failover(namespace: str) -> Manifest:
    """Keep requests to a namespace's services in their region, or elsewhere when it has no healthy pod."""
    # Envoy fails over between localities only where outliers are detected.
    policy = {
        "loadBalancer": {"localityLbSetting": {"enabled": True}, "simple": "LEAST_REQUEST"},
        "outlierDetection": {
            "baseEjectionTime": "30s",
            "consecutive5xxErrors": 5,
            "consecutiveGatewayErrors": 3,
            "interval": "5s",
            "maxEjectionPercent": 100,
        },
    }
    spec = {"host": f"*.{namespace}.svc.cluster.local", "trafficPolicy": policy}
    return named("networking.istio.io/v1", "DestinationRule", "locality-failover", namespace, spec=spec)


def ingress_class() -> Manifest:
    """The class by which an Ingress asks for the mesh's gateway."""
    spec = {"controller": "istio.io/ingress-controller"}
    return named("networking.k8s.io/v1", "IngressClass", INGRESS_CLASS, spec=spec)


def fail_closed(objects: Sequence[Manifest]) -> list[Manifest]:
    """Istio's webhook configurations as istiod leaves them: failing closed, with its CA, which is awaited.

    As rendered, the validating ones fail open and istiod changes that at run time, so a later run would find
    a conflict. They are created when istiod serves already, and so can say from the start what they end as.
    """
    ready = "jsonpath={.webhooks[0].clientConfig.caBundle}"
    changed = []
    for manifest in objects:
        metadata = manifest["metadata"]
        annotations = {**metadata.get("annotations", {}), "pulumi.com/waitFor": ready}
        webhooks = [{**webhook, "failurePolicy": "Fail"} for webhook in manifest["webhooks"]]
        metadata = {**metadata, "annotations": annotations}
        changed.append({**manifest, "metadata": metadata, "webhooks": webhooks})
    return changed
