"""Rules over clusters: their nodes, and the ways into adopted ones."""

from __future__ import annotations

from ipaddress import IPv4Address

import releases
from stacks.model import FabricPeer, Host, NodeRole
from stacks.named_secrets import MESH_ROOT_KEY
from stacks.rules.check import Check, Placed, repeated
from stacks.wording import suggestion

_QUORUMS = (1, 3, 5)
"""How many members an etcd is made of. An even number fails as soon as the odd one below it, and of more
than five each write waits for so many (etcd's own FAQ names five as enough, and seven as the most)."""


def control_planes_have_a_quorum(check: Check) -> None:
    """A cluster has one, three or five control-plane nodes: each is a member of etcd, which needs more than
    half of them. Of two or four no more may be lost than of one or three."""
    for region, cluster in check.bare_metal():
        path = ("regions", region, "cluster", "nodes")
        count = len(cluster.control_planes)
        if count in _QUORUMS or not check.intact(*path):
            continue
        check.problem(
            path,
            f"{count} nodes with the role control-plane",
            "1, 3 or 5 control-plane nodes per cluster: each holds a member of etcd, which serves while more "
            f"than half of them are there{_lost(count)}",
            "give one node the role control-plane" if count == 0 else _to_a_quorum(count),
        )


def _lost(count: int) -> str:
    if count == 0:
        return ""
    if count > max(_QUORUMS):
        return "; of more than 5, each write waits for so many that all get slower"
    survives, least = (count - 1) // 2, count - 1
    return f"; of {count} it survives the loss of {survives}, as of {least}"


def _to_a_quorum(count: int) -> str:
    if count > max(_QUORUMS):
        return f"give {count - max(_QUORUMS)} of them the role worker"
    return f"give one of them the role worker, or declare {count + 1}"


def several_control_planes_share_an_address(check: Check) -> None:
    """Several control-plane nodes have one address for their API: at that of one node, its loss would take
    the whole API away from all others."""
    for region, cluster in check.bare_metal():
        path = ("regions", region, "cluster", "apiServerAddress")
        nodes = ("regions", region, "cluster", "nodes")
        count = len(cluster.control_planes)
        if count < 2 or count not in _QUORUMS or cluster.api_server_address:
            continue
        if not (check.intact(*path) and check.intact(*nodes)):
            continue
        check.problem(
            path,
            "nothing",
            f"the {count} control-plane nodes of region '{region}' answer at one address, which another of "
            "them takes over when its holder is lost",
            "name a free address of the machine network. A cluster that runs without one is led there in the "
            "same change",
        )


def api_server_addresses_are_free(check: Check) -> None:
    """The address of a cluster's API is one of its region's machine network that nobody has: its holder
    tells neighbours by ARP that it has it, and two that answer at one address are reached by chance."""
    for region, cluster in check.bare_metal():
        path = ("regions", region, "cluster", "apiServerAddress")
        address, network = cluster.api_server_address, check.environment.regions[region].machine_network
        if address is None or not check.intact("regions", region, "machineNetwork"):
            continue
        if network is None:
            check.problem(
                path,
                str(address),
                "control-plane nodes pass the address on to each other in the network that they share, and "
                f"region '{region}' declares none",
                "remove it, and declare one control-plane node; or declare the `machineNetwork` of the "
                "machines, where they are neighbours",
            )
        elif address not in network or address in (network.network_address, network.broadcast_address):
            check.problem(
                path,
                str(address),
                f"the address lies in the machine network {network} of region '{region}' "
                f"(line {check.line('regions', region, 'machineNetwork')}), and is one of a machine's",
                "choose a free address of that network",
            )
        elif owner := _owner(check, region, address):
            check.problem(path, f"{address}, {owner}", "nobody else has the address", "choose a free one")


def _owner(check: Check, region: str, address: IPv4Address) -> str:
    """Who has an address of a machine network, in words with the line; empty for nobody."""
    machines: list[Placed[Host | FabricPeer]] = [*check.hosts(), *check.routers()]
    for machine in machines:
        if machine.spec.address == address:
            what = f"host '{machine.name}'" if machine.name else "a fabric peer"
            return f"the address of {what} (line {check.line(*machine.path)})"
    span = check.environment.regions[region].load_balancer
    if span and span.first <= address <= span.last:
        line = check.line("regions", region, "loadBalancer")
        return f"one of the addresses of `loadBalancer` (line {line})"
    return ""


def api_servers_behind_a_nat_have_no_address(check: Check) -> None:
    """Where machines are reached through tunnels alone, their API is at a machine's address: tunnels lead to
    nodes, and an address that moves between them would be reached from other regions by nobody."""
    for region, cluster in check.bare_metal():
        hidden = [name for name, node in cluster.control_planes.items() if node.tunnel.behind_nat]
        if cluster.api_server_address and hidden and check.environment.tunnel_peers(hidden[0]):
            check.problem(
                ("regions", region, "cluster", "apiServerAddress"),
                str(cluster.api_server_address),
                f"the address of node '{hidden[0]}' is reached through tunnels, which lead to nodes and to "
                "no address that moves between them",
                "remove it, and declare one control-plane node",
            )


def clusters_have_a_worker(check: Check) -> None:
    """A cluster has a node that takes workload: gateways and applications would wait otherwise."""
    for region, cluster in check.bare_metal():
        path = ("regions", region, "cluster", "nodes")
        if len(cluster.control_planes) not in _QUORUMS or not check.intact(*path):
            continue  # said by `control_planes_have_a_quorum`
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


def encryption_keys_stand_once(check: Check) -> None:
    """A key of Secrets is named once: its place says whether Secrets are written by it."""
    for region, cluster in check.bare_metal():
        for _, (index, number) in repeated(enumerate(cluster.encryption_keys), lambda entry: entry[1]):
            path = ("regions", region, "cluster", "encryptionKeys", index)
            check.problem(path, f"key {number} again", "a key stands once", "remove one of the two")


def authorities_stand_once(check: Check) -> None:
    """An authority is named once: its place says whether it issues."""
    for region, cluster in check.bare_metal():
        for _, (index, number) in repeated(
            enumerate(cluster.certificate_authorities), lambda entry: entry[1]
        ):
            path = ("regions", region, "cluster", "certificateAuthorities", index)
            check.problem(
                path, f"authority {number} again", "an authority stands once", "remove one of the two"
            )


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
    authorities_stand_once,
    encryption_keys_stand_once,
    workload_is_said_of_control_planes,
    labels_are_free,
    taints_are_free,
    control_planes_have_a_quorum,
    several_control_planes_share_an_address,
    api_server_addresses_are_free,
    api_servers_behind_a_nat_have_no_address,
    clusters_have_a_worker,
    some_nodes_stay_available,
    profiles_agree_about_kube_proxy,
    kubeconfigs_are_there,
    kubeconfigs_are_of_one_cluster_each,
)
