"""Every machine: its sources and packages, before it is anything else."""

from __future__ import annotations

from playbooks.phase import Ahead, Fixed, Host, Phase, Undo, Variables, Work, is_node
from playbooks.proxy import beside, host_of, is_beside

CONTAINER_RUNTIME_SERVICE, KUBELET_SERVICE = "containerd.service", "kubelet.service"
ROUTING_SERVICE = "bird.service"
"""What a node runs beside pods."""

PREPARE = Phase(
    name="prepare",
    change="what runs on the host may be started anew",
    leads={
        "upgrade_version": "Kubernetes is upgraded on the host: of a control plane the API server is away "
        "for seconds, and kubelet starts anew",
        "container_runtime_release": "containerd is exchanged on the host: the node is drained where its "
        "pods can go elsewhere, and all its containers end and start again",
    },
    rolled=True,
    # What kubeadm brings to all nodes of a cluster at once is of images that each of them needs by then.
    ahead=Ahead("stage", ("images_base_url", "images_bundles")),
    undo=Undo(services=(KUBELET_SERVICE, CONTAINER_RUNTIME_SERVICE, ROUTING_SERVICE)),
    fixed=(
        # Pods that run are in the old driver's cgroups: kubelet does not come up again, or loses them.
        Fixed(
            "container_runtime_cgroup_driver",
            "cgroupDriver",
            "keep it on nodes that there are; to change it, take the node out in a change of its own, and "
            "declare it anew under another name",
        ),
    ),
)


def _software(host: Host) -> Variables:
    software = host.software
    variables: Variables = {
        "prepare_node": is_node(host),
        "base_apt_sources": [
            {
                "name": source.name,
                "uri": source.uri,
                "suite": source.suite,
                "components": list(source.components),
                **({"distribution": source.distribution} if source.distribution else {}),
            }
            for source in host.environment.sources.apt
        ],
        # All in one transaction: each further one costs seconds on a slow host.
        "base_packages": [
            *software.packages,
            *(f"{package}={version}" for package, version in software.pinned.items()),
        ],
    }
    if software.pinned:
        variables["base_pins"] = dict(software.pinned)
    if replaceable := {*host.declared.replaceable_packages, *software.replaces}:
        variables["base_replaceable_packages"] = sorted(replaceable)
    return {**variables, **_proxy(host), **_sshd(host)}


def _sshd(host: Host) -> Variables:
    """Settings of sshd that are declared. Who runs the plays logs in by a key, whoever he is there."""
    ssh = host.environment.ssh_of(host.name)
    if ssh is None or not ssh.hardened:
        return {}
    return {
        "base_sshd": {
            "KbdInteractiveAuthentication": "no",
            "PasswordAuthentication": "no",
            "PermitEmptyPasswords": "no",
            "PermitRootLogin": "prohibit-password" if ssh.user == "root" else "no",
        }
    }


def _proxy(host: Host) -> Variables:
    """The way to repositories. apt knows hosts that are reached without a proxy by their names alone."""
    sources = host.environment.sources
    if sources.proxy is None:
        return {}
    names, hosts = beside(host), {host_of(source.uri) for source in sources.apt}
    direct = sorted(name for name in hosts if is_beside(name, names))
    way = {"http": sources.proxy.http, "https": sources.proxy.for_https, "direct": direct}
    return {"base_apt_proxy": way}


def _keys(host: Host) -> Variables:
    keys = {source.name: source.signed_by for source in host.environment.sources.apt}
    return {"base_apt_keys": keys} if keys else {}


WORK = (Work(PREPARE, lambda _: True, _software, files=_keys),)
