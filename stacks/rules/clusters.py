"""Rules over clusters: their nodes, and the ways into adopted ones."""

from __future__ import annotations

from ipaddress import IPv4Address

import releases
from stacks.model import NodeRole
from stacks.named_secrets import MESH_ROOT_KEY
from stacks.rules.check import Check, repeated
from stacks.wishes import CONTROL_PLANES
from stacks.wording import suggestion


def clusters_have_one_control_plane_node(check: Check) -> None:
    """A cluster has one control-plane node: several need a virtual address for their API, not built yet."""
    for region, cluster in check.bare_metal():
        path = ("regions", region, "cluster", "nodes")
        if not check.intact(*path):
            continue
        count = sum(node.role is NodeRole.CONTROL_PLANE for node in cluster.nodes.values())
        if count != 1:
            check.problem(
                path,
                f"{count} nodes with the role control-plane",
                f"1 control-plane node per cluster; {CONTROL_PLANES.rule}",
                "give one node the role control-plane" if count == 0 else CONTROL_PLANES.until,
            )


def clusters_have_a_worker(check: Check) -> None:
    """A cluster has a node that takes workload: gateways and applications would wait otherwise."""
    for region, cluster in check.bare_metal():
        path = ("regions", region, "cluster", "nodes")
        roles = [node.role for node in cluster.nodes.values()]
        if roles.count(NodeRole.CONTROL_PLANE) != 1 or not check.intact(*path):
            continue  # said by `clusters_have_one_control_plane_node`
        if not any(node.takes_workload for node in cluster.nodes.values()):
            check.problem(
                path,
                "no node that takes workload",
                "a cluster has at least one worker, or a control-plane node with `workload: true`",
                "declare a node with `role: worker`, or write `workload: true` for the control-plane node",
            )


def nodes_have_a_source_of_kubernetes(check: Check) -> None:
    """Nodes get kubeadm, kubelet and kubectl from a declared source: distributions have none of them.

    Who has set up sources on the hosts already says so by an empty list. Asked before anything is built; not
    of who only hands out slices.
    """
    first = next(check.nodes(), None)
    if first is None or not check.require_ledger or "apt" in check.declared("sources"):
        return
    minor = releases.minor(check.environment.versions_of(first.region).kubernetes or "")
    check.problem(
        ("sources", "apt"),
        "nothing",
        f"nodes such as '{first.name}' (line {check.line(*first.path)}) install Kubernetes {minor} from "
        "`sources.apt`; the repositories of Debian and Ubuntu have no kubeadm, kubelet and kubectl",
        "declare the distribution's repositories and that of Kubernetes, as docs/guides/sources.md shows; or "
        "write `sources: {apt: []}` where the hosts have them set up already",
    )


def api_server_names_are_names(check: Check) -> None:
    """A further name of an API server is a name or an address, and stands once: kubeadm refuses others."""
    for region, cluster in check.bare_metal():
        names = cluster.api_server_names
        path = ("regions", region, "cluster", "apiServerNames")
        for index, name in enumerate(names):
            if name.rpartition(".")[2].isdigit() and not _is_address(name):
                rule = "a name whose last part is a number is an IPv4 address"
                check.problem((*path, index), name, rule, "write the address in full, or a name")
        for _, (index, name) in repeated(enumerate(names), lambda entry: entry[1]):
            check.problem((*path, index), f"{name} again", "a name stands once", "remove one of the two")


def _is_address(text: str) -> bool:
    try:
        return bool(IPv4Address(text))
    except ValueError:
        return False


def some_nodes_stay_available(check: Check) -> None:
    """Not all nodes that take workload are interrupted at once: a region of several would be out whole."""
    for region, cluster in check.bare_metal():
        path = ("regions", region, "cluster")
        workers = sum(node.takes_workload for node in cluster.nodes.values())
        if check.intact(*path) and 1 < workers <= cluster.max_unavailable:
            check.problem(
                (*path, "maxUnavailable"),
                str(cluster.max_unavailable),
                f"at least one of the {workers} nodes that take workload stays available in a change",
                f"write at most {workers - 1}",
            )


def profiles_agree_about_kube_proxy(check: Check) -> None:
    """Profiles of a cluster's nodes give a field of kube-proxy one value: it has one configuration of it."""
    for region, cluster in check.bare_metal():
        first: dict[str, tuple[object, str]] = {}
        for name, node in sorted(cluster.nodes.items()):
            profile = check.environment.host_profiles.get(node.profile or "")
            for field, value in (profile.kube_proxy if profile else {}).items():
                other, owner = first.setdefault(field, (value, str(node.profile)))
                if other != value:
                    check.problem(
                        ("regions", region, "cluster", "nodes", name, "profile"),
                        f"the profile '{node.profile}', which sets kube-proxy's '{field}' to {value!r}; the "
                        f"profile '{owner}' of another node sets it to {other!r}",
                        "a cluster has one kube-proxy configuration",
                        "make the profiles agree",
                    )


def kubeconfigs_are_there(check: Check) -> None:
    """The secrets hold each adopted cluster's kubeconfig: found now, not half way through its mesh."""
    if not check.require_secrets:
        return
    for region, cluster in check.adopted():
        name = cluster.kubeconfig_secret
        if name not in check.secrets:
            near = suggestion(name, check.secrets - {MESH_ROOT_KEY}, "")
            set_it = f"run `pulumi config set --secret --stack {check.stack} {name} < kubeconfig`"
            check.problem(
                ("regions", region, "cluster", "kubeconfigSecret"),
                f"the name '{name}', and no such secret",
                f"the stack secret `crossmesh:{name}` holds the kubeconfig of the adopted cluster",
                f"{near} or {set_it}" if near else set_it,
            )


def kubeconfigs_are_of_one_cluster_each(check: Check) -> None:
    """A secret holds one region's kubeconfig: in a cluster adopted twice, each overwrites the other's."""
    names = [("", MESH_ROOT_KEY), *((region, spec.kubeconfig_secret) for region, spec in check.adopted())]
    for (other, _), (region, name) in repeated(names, lambda entry: entry[1]):
        owner = f"region '{other}'" if other else "the mesh's root of trust"
        check.problem(
            ("regions", region, "cluster", "kubeconfigSecret"),
            f"the name '{name}', the secret of {owner}",
            "each adopted cluster has a secret of its own",
            "name another secret",
        )


def labels_are_free(check: Check) -> None:
    """A node's labels are none that say where and what it is: those follow from the declaration."""
    for _, _, path, node in check.nodes():
        for key in node.labels:
            domain = key.rpartition("/")[0]
            if domain == "kubernetes.io" or domain.endswith((".kubernetes.io", "k8s.io")):
                check.problem(
                    (*path, "labels", key),
                    f"the label {key}",
                    "labels of kubernetes.io and k8s.io follow from the declaration",
                    "choose a key of your own, or set `zone` for topology.kubernetes.io/zone",
                )


def taints_are_free(check: Check) -> None:
    """Only workers have taints, one of each key and effect, and none that tells a node's condition.

    A control-plane node's taint follows from its role; those of conditions Kubernetes puts and takes itself.
    Of two taints with one key and effect it refuses the node.
    """
    for _, _, path, node in check.nodes():
        for _, (index, taint) in repeated(enumerate(node.taints), lambda one: (one[1].key, one[1].effect)):
            check.problem(
                (*path, "taints", index),
                f"{taint.key} with {taint.effect} again",
                "a node has one taint of each key and effect",
                "remove one of the two",
            )
        taints = check.environment.taints_of(node)
        where = (*path, "taints" if node.taints else "profile")
        for key in sorted({str(taint["key"]) for taint in taints}):
            if key.startswith("node.kubernetes.io/"):
                check.problem(
                    where,
                    f"the taint {key}",
                    "taints of node.kubernetes.io tell a node's condition: Kubernetes puts and takes them",
                    "choose a key of your own",
                )
        if taints and node.role is not NodeRole.WORKER:
            check.problem(
                where,
                "taints of a control-plane node",
                "workers have taints; a control-plane node's follows from its role",
                "remove them",
            )


def workload_is_said_of_control_planes(check: Check) -> None:
    """Only of a control-plane node is it said that it takes workload: a worker does nothing else."""
    for _, _, path, node in check.nodes():
        if node.workload and node.role is NodeRole.WORKER:
            check.problem(
                (*path, "workload"),
                "workload of a worker",
                "`workload` says that a control-plane node is a worker as well",
                "remove it",
            )


RULES = (
    nodes_have_a_source_of_kubernetes,
    api_server_names_are_names,
    workload_is_said_of_control_planes,
    labels_are_free,
    taints_are_free,
    clusters_have_one_control_plane_node,
    clusters_have_a_worker,
    some_nodes_stay_available,
    profiles_agree_about_kube_proxy,
    kubeconfigs_are_there,
    kubeconfigs_are_of_one_cluster_each,
)
