"""Facts of a cluster, as lists of its API, and what each point makes of them."""

from __future__ import annotations

from typing import Any

import yaml
from cryptography import x509
from cryptography.x509.oid import NameOID

from access.cluster import Cluster
from access.errors import AccessError
from access.kinds import Kind, objects
from live.hardening.facts import PROXY, ClusterFacts
from live.hardening.model import CLUSTER, Entry, unknown
from live.hardening.points import OF_CLUSTERS
from stacks.system_namespaces import KUBE_SYSTEM

_RBAC = "rbac.authorization.k8s.io/v1"
_KINDS = (
    Kind(_RBAC, "ClusterRole", "clusterroles"),
    Kind(_RBAC, "ClusterRoleBinding", "clusterrolebindings"),
    Kind(_RBAC, "Role", "roles"),
    Kind(_RBAC, "RoleBinding", "rolebindings"),
    Kind("v1", "ServiceAccount", "serviceaccounts"),
    Kind("v1", "Pod", "pods"),
    Kind("v1", "Service", "services"),
    Kind("networking.k8s.io/v1", "NetworkPolicy", "networkpolicies"),
)
_NAMESPACES = Kind("v1", "Namespace", "namespaces")
_PROXY = f"/api/v1/namespaces/{KUBE_SYSTEM}/configmaps/kube-proxy"
_LISTING = "give the kubeconfig's user the right to list them"


def look(cluster: Cluster, *, adopted: bool) -> list[Entry]:
    """All points of a cluster. Raises nothing for what it does not answer."""
    try:
        facts = read(cluster, adopted=adopted)
    except AccessError as error:
        return unseen(cluster.region, error.message, error.fix)
    return of_facts(cluster.region, facts)


def of_facts(region: str, facts: ClusterFacts) -> list[Entry]:
    """Each point of a cluster, judged."""
    return [Entry(region, CLUSTER, point, point.judge(facts), _LISTING) for point in OF_CLUSTERS]


def unseen(region: str, why: str, fix: str) -> list[Entry]:
    """Each point of a cluster that cannot be asked."""
    return [Entry(region, CLUSTER, point, unknown(why), fix) for point in OF_CLUSTERS]


def read(cluster: Cluster, *, adopted: bool) -> ClusterFacts:
    """What a cluster's API shows. Raises `AccessError` where it does not answer at all."""
    found: dict[str, list[dict[str, Any]]] = {_NAMESPACES.plural: list(objects(cluster, _NAMESPACES))}
    problems: dict[str, str] = {}
    for kind in _KINDS:
        try:
            found[kind.plural] = list(objects(cluster, kind))
        except AccessError as error:
            problems[kind.plural] = error.message
    proxy: dict[str, Any] | None = None
    try:
        proxy = _proxy(cluster)
    except AccessError as error:
        problems[PROXY] = error.message
    groups = cluster.get("/apis") or {}
    return ClusterFacts(
        objects=found,
        problems=problems,
        groups=frozenset(str(group["name"]) for group in groups.get("groups") or ()),
        organizations=organizations(cluster.client_certificate),
        proxy=proxy,
        adopted=adopted,
    )


def _proxy(cluster: Cluster) -> dict[str, Any] | None:
    """kube-proxy's configuration as kubeadm keeps it; None where there is none."""
    text = ((cluster.get(_PROXY) or {}).get("data") or {}).get("config.conf")
    if text is None:
        return None
    try:
        document = yaml.safe_load(text)
    except yaml.YAMLError:
        document = None
    if not isinstance(document, dict):
        msg = f"{KUBE_SYSTEM}/kube-proxy has no configuration that can be read"
        raise AccessError(msg, fix="see that ConfigMap")
    return document


def organizations(certificate: str | None) -> tuple[str, ...]:
    """The groups that a client certificate gives; none where there is no certificate."""
    if certificate is None:
        return ()
    try:
        subject = x509.load_pem_x509_certificate(certificate.encode()).subject
    except ValueError:
        return ()
    return tuple(str(name.value) for name in subject.get_attributes_for_oid(NameOID.ORGANIZATION_NAME))
