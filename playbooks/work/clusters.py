"""Clusters made of machines: container runtime and images, kubelet, control plane and membership."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

import releases
from playbooks.phase import (
    COLLECTION,
    Fixed,
    Host,
    Needs,
    Phase,
    Undo,
    Variables,
    Work,
    bundle,
    is_control_plane,
    is_node,
)
from playbooks.proxy import beside, host_of, is_beside
from playbooks.work.machines import PREPARE
from playbooks.work.network import TUNNEL

API_PORT = 6443
ETCD_LIBRARY = COLLECTION / "plugins" / "module_utils" / "etcd.py"
"""By which plays ask etcd; sent to hosts by whoever asks it otherwise."""
CONTAINERD = "containerd.io"
"""The package of containerd by its makers, which is of the catalogue's releases."""
ADDRESS_SERVICE = "crossmesh-api-address.service"
"""What passes the address of a cluster's API on to another control-plane node."""
CONTROL_PLANE_LABEL = "node-role.kubernetes.io/control-plane"
"""kubeadm's label of control-plane nodes, and the key of its taint."""


FRONT_PROXY, ETCD, SERVICE_ACCOUNTS = "front-proxy-ca", "etcd/ca", "sa"
"""kubeadm's files of what all control planes of a cluster have in common beside its authority, without their
endings."""

_NEW_REGION = "or declare another region beside this one, and take this one out when that serves"
_ENDPOINT = (
    "keep the address at which the API is reached. A cluster that is reached at its only control plane's can "
    "be given an `apiServerAddress`, where that control plane stays; one that has it keeps it, also with one "
    f"control plane; {_NEW_REGION}"
)
_NEW_NODE = "take the node out in a change of its own, and declare it anew under another name"


def is_given_an_address(before: Mapping[str, Any], after: Mapping[str, Any]) -> bool:
    """Whether a cluster that is reached at its only control plane's own address gets one that can pass to
    others: by the role variables of that control plane, whose API server goes on to be served at its own."""
    own, virtual = "control_plane_address", "control_plane_virtual_address"
    return bool(after.get(virtual)) and not before.get(virtual) and before.get(own) == after.get(own)


def authority_name(region: str, number: int) -> str:
    """Common name of an authority of a region's cluster. Each has its own: by it, what it has issued is told
    from what another one has."""
    return f"kubernetes-{region}" if number == 1 else f"kubernetes-{region}-{number}"


_AUDITED = tuple(f"control_plane_audit{part}" for part in ("", "_max_age", "_max_backup", "_max_size"))

CONTROL_PLANE = Phase(
    name="control-plane",
    change="the cluster's control plane is changed",
    changes={
        "control_plane_names": "the API server's certificate is made anew, with other names: who connects by "
        "one that is gone is refused",
        "control_plane_kubernetes_version": "the version is noted that the host was brought to before",
        "control_plane_encrypt_secrets": "the API server starts anew, and all Secrets are written anew: "
        "encrypted, or readable for whoever gets at etcd's data",
        "control_plane_encryption_keys": "the API server starts anew with other keys of Secrets; where "
        "another one is the first, all Secrets are written anew by it",
        "control_plane_authorities": "control planes and kubelet start anew, and trust other "
        "authorities; where another one is the first, what the host shows is issued by it",
        "control_plane_extend_tokens": "the API server starts anew, and takes tokens of pods for as long "
        "as they say, or for a year",
        **dict.fromkeys(_AUDITED, "the API server starts anew, and writes another audit log than before"),
    },
    leads={
        "control_plane_endpoint": "the API is reached at another address, which this host takes: its "
        "server's certificate is made anew with it, then administrators, who joins and kube-proxy are led "
        "there, which starts anew on all nodes. The address before goes on to be served",
    },
    # Without a kubeconfig, as where there is one control plane alone, the host is reset and nobody is asked.
    undo=Undo(
        leaves_cluster=True,
        leaves_etcd=True,
        services=(ADDRESS_SERVICE,),
        files=("/etc/crossmesh/api-address.conf", f"/etc/systemd/system/{ADDRESS_SERVICE}"),
        needs=Needs.CLUSTER_ACCESS,
    ),
    after=(PREPARE.name, TUNNEL.name),
    needs=Needs.JOIN_TOKEN,
    initialises="control_plane_initialises",
    membership=True,
    carries_cluster=True,
    rolled=True,
    fixed=(
        Fixed("control_plane_cluster_name", "clusterName", f"keep the region's name; {_NEW_REGION}"),
        Fixed("control_plane_node_name", "node", f"keep the name of the control plane; {_NEW_REGION}"),
        Fixed("control_plane_endpoint", "endpoint", _ENDPOINT, moves=is_given_an_address),
        Fixed("control_plane_service_cidr", "serviceSubnet", f"keep the slice in the ledger; {_NEW_REGION}"),
    ),
)
JOIN = Phase(
    name="join",
    change="the node's membership is changed",
    changes={
        "join_authorities": "kubelet starts anew, and trusts other authorities; where another one is the "
        "first, it asks for a certificate of that",
    },
    leads={"join_endpoint": "kubelet starts anew, and reaches the API at another address; pods go on"},
    # A kubelet that has started anew takes its pods for not ready until their next probe.
    rolled_for=("join_endpoint",),
    undo=Undo(leaves_cluster=True, needs=Needs.CLUSTER_ACCESS),
    after=(PREPARE.name, TUNNEL.name),
    awaits=(CONTROL_PLANE.name,),
    needs=Needs.JOIN_TOKEN,
    membership=True,
    fixed=(Fixed("join_node_name", "node", _NEW_NODE), Fixed("join_endpoint", "endpoint", _ENDPOINT)),
)


def _node(host: Host) -> Variables:
    """Everything up to, but not including, the membership in a cluster."""
    assert host.node is not None
    images = host.environment.sources.images
    kubelet: Variables = {**host.profile.kubelet}
    # Taints that it registers with; later ones are the cluster's matter.
    if taints := host.environment.taints_of(host.node):
        kubelet["registerWithTaints"] = taints
    return {
        # Pods of one node talk through the bridge; only the packet filter translates services' addresses.
        "base_kernel_modules": ["br_netfilter", "overlay"],
        "base_sysctls": {
            "net.bridge.bridge-nf-call-ip6tables": 1,
            "net.bridge.bridge-nf-call-iptables": 1,
            "net.ipv4.ip_forward": 1,
        },
        "container_runtime_cgroup_driver": str(host.profile.kubelet.get("cgroupDriver", "systemd")),
        "container_runtime_restrict_oom_score_adj": host.profile.containerd_restrict_oom_score_adj,
        "container_runtime_sandbox_image": _sandbox_image(host),
        "images_base_url": images.base_url if images else "",
        "images_bundles": list(host.software.bundles) if images else [],
        "kubelet_node_ip": str(host.address),
        "kubelet_node_labels": {
            "topology.kubernetes.io/region": host.region,
            "topology.kubernetes.io/zone": host.node.zone or host.region,
        },
        "kubelet_configuration": dict(sorted(kubelet.items())),
        "upgrade_version": host.versions.kubernetes,
        "upgrade_ignore_preflight": sorted(host.profile.kubeadm_ignore_preflight),
        **_registries(host),
        **_proxy(host),
    }


def _sandbox_image(host: Host) -> str:
    """Of pods' sandboxes: the one that kubeadm of the cluster's release asks for."""
    version = host.versions.kubernetes
    assert version is not None, "a cluster that is made of machines has one"
    return releases.release("kubernetes", version).images["pause"]


def _has_distribution_s_runtime(host: Host) -> bool:
    return is_node(host) and host.versions.containerd is None


def _has_released_runtime(host: Host) -> bool:
    return is_node(host) and host.versions.containerd is not None


def _registries(host: Host) -> Variables:
    """Registries as they are reached. A mirror is trusted as the registry of its name is."""
    declared = sorted(host.environment.sources.registries, key=lambda registry: registry.name)
    own = {registry.name for registry in declared if registry.ca_file}
    registries = []
    for registry in declared:
        mirror = urlsplit(registry.mirror or "")
        registries.append(
            {
                "name": registry.name,
                "login": registry.login is not None,
                "authority": registry.ca_file is not None,
                "mirror": registry.mirror or "",
                "mirror_path": mirror.path.startswith("/v2/"),
                "mirror_authority": mirror.netloc if mirror.netloc in own else "",
            }
        )
    return {"container_runtime_registries": registries} if registries else {}


def _proxy(host: Host) -> Variables:
    """The way to registries and to the mirror of image bundles."""
    sources = host.environment.sources
    if sources.proxy is None:
        return {}
    http, https, names = sources.proxy.http, sources.proxy.for_https, beside(host)
    variables: Variables = {"container_runtime_proxy": {"http": http, "https": https, "beside": names}}
    if sources.images and not is_beside(host_of(sources.images.base_url), names):
        variables["images_proxy"] = {"http_proxy": http, "https_proxy": https}
    return variables


def _files(host: Host) -> Variables:
    sources = host.environment.sources
    keys = {"images_public_key": sources.images.signed_by} if sources.images else {}
    authorities = {registry.name: registry.ca_file for registry in sources.registries if registry.ca_file}
    return {**keys, "container_runtime_authorities": authorities} if authorities else keys


def _logins(host: Host) -> Variables:
    logins = {registry.name: registry.login for registry in host.environment.sources.registries}
    logins = {name: secret for name, secret in logins.items() if secret}
    return {"container_runtime_logins": logins} if logins else {}


def _control_plane(host: Host) -> Variables:
    """What `kubeadm init` needs to know, but for the cluster's certificate authority, which is a secret."""
    assert host.node is not None
    slices = host.ledger.clusters[host.region]
    names = sorted(host.cluster.api_server_names)
    return {
        "control_plane_kubernetes_version": host.versions.kubernetes,
        "control_plane_cluster_name": host.region,
        "control_plane_node_name": host.name,
        "control_plane_address": str(host.address),
        "control_plane_endpoint": _endpoint(host),
        **({"control_plane_names": names} if names else {}),
        **_hardening(host),
        "control_plane_pod_cidr": str(slices.pods),
        "control_plane_service_cidr": str(slices.services),
        "control_plane_kube_proxy": {
            "mode": "iptables",
            # Every cluster's pods are local in this sense: what goes from pod to pod keeps its address.
            "detectLocalMode": "ClusterCIDR",
            "clusterCIDR": str(host.environment.addresses.pod_pool),
            **_kube_proxy(host),
        },
        "control_plane_ignore_preflight": sorted(host.profile.kubeadm_ignore_preflight),
        "control_plane_taints": []
        if host.node.takes_workload
        else [{"key": CONTROL_PLANE_LABEL, "effect": "NoSchedule"}],
        **_shared(host),
    }


def _shared(host: Host) -> Variables:
    """What is different where the API has an address that control-plane nodes pass on to each other.

    Nothing in it is of the others: who comes or goes changes nothing on those that stay, but for who would
    be the first.
    """
    address = host.cluster.api_server_address
    if address is None:
        return {}
    return {
        "control_plane_virtual_address": str(address),
        "control_plane_initialises": seniority(host) == 0,
    }


def seniority(host: Host) -> int:
    """The place of a control-plane node among those of its cluster: 0 is the first, which makes the cluster.

    By the ledger, where a slice is never given twice: who joins a cluster later has a later slice, so that
    none of those that are there already comes after it.
    """
    slices = host.ledger.nodes[host.region]
    return sorted(host.cluster.control_planes, key=lambda name: slices[name]).index(host.name)


def _has_virtual_address(host: Host) -> bool:
    return is_control_plane(host) and host.cluster.api_server_address is not None


def _hardening(host: Host) -> Variables:
    """What is declared of a control plane's hardening; nothing where all is as it is by default."""
    audit, default = host.cluster.audit, type(host.cluster.audit)()
    names = {"enabled": "audit", **{name: f"audit_{name}" for name in ("max_age", "max_backup", "max_size")}}
    declared = {
        f"control_plane_{variable}": getattr(audit, name)
        for name, variable in names.items()
        if getattr(audit, name) != getattr(default, name)
    }
    if not host.cluster.encryption_at_rest:
        declared["control_plane_encrypt_secrets"] = False
    if not host.cluster.extend_tokens:
        declared["control_plane_extend_tokens"] = False
    # The gateway is a Service that takes addresses of nodes.
    return declared | ({"control_plane_external_ips": True} if host.spec.gateway_nodes else {})


def _audit_policy(host: Host) -> Variables:
    audit = host.cluster.audit
    return {"control_plane_audit_policy": audit.policy_file} if audit.enabled and audit.policy_file else {}


def _join(host: Host) -> Variables:
    """What `kubeadm join` needs to know, but for the token and the authority's hash."""
    return {
        "join_node_name": host.name,
        "join_endpoint": _endpoint(host),
        "join_ignore_preflight": sorted(host.profile.kubeadm_ignore_preflight),
    }


def _endpoint(host: Host) -> str:
    """`address:port` of the cluster's API server."""
    return f"{host.cluster.endpoint}:{API_PORT}"


def _kube_proxy(host: Host) -> Variables:
    """The kube-proxy fields of all profiles among the cluster's nodes, which agree and share one."""
    profiles = sorted({node.profile for node in host.cluster.nodes.values() if node.profile})
    return {
        field: value
        for profile in profiles
        for field, value in sorted(host.environment.host_profiles[profile].kube_proxy.items())
    }


def _pinned(host: Host) -> dict[str, str]:
    return dict.fromkeys(("kubeadm", "kubectl", "kubelet"), f"{host.versions.kubernetes}-*")


WORK = (
    Work(
        PREPARE,
        is_node,
        _node,
        files=_files,
        logins=_logins,
        quiet=(
            "container_runtime_authorities",
            "container_runtime_registries",
            # What is missing is imported, and no image that is there goes.
            "images_base_url",
            "images_bundles",
            # Of an upgrade that comes.
            "upgrade_ignore_preflight",
        ),
        # gpgv verifies image bundles; apt brings it along on no Debian after 12.
        packages=("conntrack", "ethtool", "gpgv", "iptables"),
        pinned=_pinned,
        bundles=bundle("kubernetes-node", "kubernetes"),
    ),
    Work(PREPARE, _has_distribution_s_runtime, packages=("containerd", "runc")),
    Work(
        PREPARE,
        _has_released_runtime,
        lambda host: {"container_runtime_release": host.versions.containerd},
        # It has a runc of its own, or asks for one.
        pinned=lambda host: {CONTAINERD: f"{host.versions.containerd}-*"},
        replaces=("containerd", "runc"),
    ),
    Work(
        CONTROL_PLANE,
        is_control_plane,
        _control_plane,
        files=_audit_policy,
        bundles=bundle("kubernetes-control-plane", "kubernetes"),
    ),
    Work(
        CONTROL_PLANE,
        _has_virtual_address,
        packages=("keepalived",),
        # Who would be the first is asked of those alone that are no members yet.
        quiet=("control_plane_initialises",),
    ),
    Work(JOIN, lambda host: is_node(host) and not is_control_plane(host), _join),
)
