"""Rules over what is exposed: which host and path leads where, and where gateways are reached."""

from __future__ import annotations

from stacks.model import BareMetalClusterSpec, Exposed, Node
from stacks.rules.check import Check, Placed, repeated
from stacks.wording import suggestion


def paths_lead_to_applications(check: Check) -> None:
    """A path leads to a declared application of the ingress's own namespace: an Ingress reaches no other."""
    applications, fix = check.environment.applications, "declare it under `applications`"
    for name, ingress in check.environment.ingresses.items():
        for index, path in enumerate(ingress.paths):
            where = ("ingresses", name, "paths", index, "application")
            if not check.refers(where, path.application, "application", "applications", fix):
                continue
            target = applications.get(path.application)
            known = target is not None and target.namespace in check.declared("namespaces")
            if target is not None and known and target.namespace != ingress.namespace:
                check.problem(
                    where,
                    f"application '{path.application}' of namespace '{target.namespace}'",
                    f"an ingress leads to applications of its own namespace, '{ingress.namespace}'",
                    "move one of the two, or declare an ingress in that namespace",
                )


def hosts_are_under_a_domain(check: Check) -> None:
    """A host that the name servers are to answer is one of their domains, or below it: of others they know
    nothing.
    """
    environment = check.environment
    domains = ", ".join(environment.zones)
    for exposed in environment.exposed:
        intact = check.intact("domain") and check.intact("domains")
        if exposed.dns and intact and environment.zone_of(exposed.host) is None:
            parent = exposed.host.partition(".")[2]
            further = f"add {parent} to `domains`" if "." in parent else "add its domain to `domains`"
            check.problem(
                exposed.path,
                exposed.host,
                f"a host is a domain of the name servers, or a name below one: {domains} "
                f"(line {check.line('domain')})",
                f"{further}, or write `dns: false` if others answer the name",
            )


def hosts_are_unique(check: Check) -> None:
    """A host belongs to one ingress or route: of two, which one answers would depend on their age, and of two
    certificates for one name a gateway takes the first.
    """
    in_order = sorted(check.environment.exposed, key=lambda each: check.line(*each.path))
    for before, exposed in repeated(in_order, lambda each: each.host):
        what = _owner(before)
        check.problem(
            exposed.path,
            f"{exposed.host}, {'also' if before.owner == exposed.owner else 'the'} host of {what} "
            f"(line {check.line(*before.path)})",
            f"each {' or '.join(dict.fromkeys([_KINDS[before.owner[0]], _KINDS[exposed.owner[0]]]))} has a "
            "host of its own",
            _apart(before, exposed),
        )


_KINDS = {"ingresses": "ingress", "routes": "route"}


def _owner(exposed: Exposed) -> str:
    kind, name = exposed.owner
    return f"{_KINDS[kind]} '{name}'"


def _apart(before: Exposed, exposed: Exposed) -> str:
    """How a host that two have gets one owner."""
    if before.owner == exposed.owner:
        return "remove one of the two"
    if before.owner[0] != exposed.owner[0]:
        return (
            f"keep it in one of {_owner(before)} and {_owner(exposed)}: a route can do what an ingress does"
        )
    what = "paths" if before.owner[0] == "ingresses" else "rules"
    return f"add its {what} to '{before.owner[1]}', or choose another host"


def redirects_hold_for_all_of_a_wildcard(check: Check) -> None:
    """With a wildcard, all names that it covers are redirected from plain HTTP: one that is not would be
    served in plain text, as the gateway cannot tell it apart.
    """
    wildcards = {
        exposed.host.removeprefix("*"): exposed
        for exposed in check.environment.exposed
        if exposed.host.startswith("*") and exposed.redirect_http
    }
    for exposed in check.environment.exposed:
        wider = next((end for end in wildcards if exposed.host.endswith(end)), None)
        if wider is not None and not exposed.redirect_http:
            check.problem(
                exposed.path,
                f"{exposed.host} without `redirectHttp`, beside *{wider}, which has it "
                f"(line {check.line(*wildcards[wider].path)})",
                "names that a redirected wildcard covers are redirected too",
                "write `redirectHttp: true` here as well",
            )


def hosts_are_not_the_name_servers_own(check: Check) -> None:
    """No host has the name of an edge host: the zone would have two answers for it, and not be loaded."""
    environment = check.environment
    servers = {
        f"{name}.{environment.domain}": ("regions", region, "edges", name)
        for region, spec in environment.regions.items()
        for name in spec.edges
    }
    for exposed in environment.exposed:
        if exposed.host in servers:
            check.problem(
                exposed.path,
                f"{exposed.host}, the name of an edge host (line {check.line(*servers[exposed.host])})",
                "name servers have their own names below the domain",
                "choose another host",
            )


def paths_are_unique(check: Check) -> None:
    """A path stands once in its ingress; `/shop` and `/shop/` are the same prefix."""
    for name, ingress in check.environment.ingresses.items():
        where, paths = ("ingresses", name, "paths"), enumerate(ingress.paths)
        for (before, _), (index, entry) in repeated(paths, lambda entry: entry[1].path.rstrip("/")):
            check.problem(
                (*where, index, "path"),
                f"{entry.path} again; line {check.line(*where, before, 'path')} has it already",
                "each path of an ingress leads to one application",
                "remove one of the two",
            )


def gateway_nodes_are_nodes_that_take_workload(check: Check) -> None:
    """Nodes that lead to a gateway are workers of its region: nobody would answer at another's address, and
    clients' requests stay off the machine of the API server.
    """
    for region, spec in check.environment.regions.items():
        path = ("regions", region, "gatewayNodes")
        if not spec.gateway_nodes or not check.intact("regions", region, "cluster"):
            continue
        if not isinstance(spec.cluster, BareMetalClusterSpec):
            rule = "an adopted cluster's own load balancer gives its gateway an address"
            check.problem(path, ", ".join(spec.gateway_nodes), rule, "remove it")
            continue
        for (before, _), (index, name) in repeated(enumerate(spec.gateway_nodes), lambda entry: entry[1]):
            got = f"{name} again; line {check.line(*path, before)} has it already"
            check.problem((*path, index), got, "each node is named once", "remove one of the two")
        workers = sorted(name for name, node in spec.nodes.items() if node.takes_workload)
        listed = f"nodes of region '{region}' that take workload: {', '.join(workers)}"
        for index, name in enumerate(spec.gateway_nodes):
            if name not in spec.nodes:
                got, fix = f"the unknown node '{name}'", "name one of these"
                check.problem((*path, index), got, listed, suggestion(name, workers, fix))
            elif name not in workers:
                fix = f"name one of these, or declare `workload: true` for '{name}'"
                check.problem((*path, index), f"{name}, a control-plane node without workload", listed, fix)


def gateways_have_addresses_of_one_kind(check: Check) -> None:
    """A gateway has addresses of its own or those of nodes: its service would be of one kind, and the other
    addresses lead nowhere.
    """
    for region, spec in check.environment.regions.items():
        path = ("regions", region, "gatewayNodes")
        if spec.gateway_nodes and spec.load_balancer and check.intact(*path):
            check.problem(
                path,
                f"{', '.join(spec.gateway_nodes)}, beside `loadBalancer` (line "
                f"{check.line('regions', region, 'loadBalancer')})",
                "clients reach a region's gateway at addresses of its own, or at those of nodes",
                "remove one of the two",
            )


def gateway_nodes_keep_their_ssh(check: Check) -> None:
    """sshd of a node that leads to the gateway has another port than this: nobody could log in any more."""
    ports = check.environment.gateway_ports
    for node in _gateway_nodes(check):
        ssh = check.environment.ssh_of(node.name)
        if ssh and ssh.port in ports and not node.spec.is_reached_elsewhere:
            check.problem(
                node.path,
                f"{node.name}, where ssh is at port {ssh.port}",
                f"ports {', '.join(map(str, ports))} of a node of `gatewayNodes` lead to the gateway",
                "give its sshd another port and name it as its `ssh.port`, or leave the node out",
            )


def kube_proxy_keeps_addresses_of_nodes_apart(check: Check) -> None:
    """kube-proxy of a region with `gatewayNodes` has not the mode ipvs: it puts each address that it leads
    from on an interface of every node, so others would take that machine's address for their own.
    """
    said = set()
    for region, cluster in check.bare_metal():
        for node in cluster.nodes.values() if check.environment.regions[region].gateway_nodes else ():
            profile = check.environment.host_profiles.get(node.profile or "")
            if profile and profile.kube_proxy.get("mode") == "ipvs" and node.profile not in said:
                said.add(node.profile)
                check.problem(
                    ("hostProfiles", str(node.profile), "kubeProxy", "mode"),
                    f"ipvs, of nodes of region '{region}', which has `gatewayNodes`",
                    "in the mode ipvs every node would take the addresses of these nodes for its own",
                    "write nftables, or remove it",
                )


def _gateway_nodes(check: Check) -> list[Placed[Node]]:
    """The nodes that lead to gateways, each with its place among `gatewayNodes`."""
    return [
        Placed(region, name, ("regions", region, "gatewayNodes", index), spec.nodes[name])
        for region, spec in check.environment.regions.items()
        for index, name in enumerate(spec.gateway_nodes)
        if name in spec.nodes
    ]


RULES = (
    gateway_nodes_are_nodes_that_take_workload,
    gateways_have_addresses_of_one_kind,
    gateway_nodes_keep_their_ssh,
    kube_proxy_keeps_addresses_of_nodes_apart,
    paths_lead_to_applications,
    hosts_are_under_a_domain,
    redirects_hold_for_all_of_a_wildcard,
    hosts_are_unique,
    hosts_are_not_the_name_servers_own,
    paths_are_unique,
)
