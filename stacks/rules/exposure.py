"""Rules over ingresses: which host and path leads where."""

from __future__ import annotations

from stacks.model import BareMetalClusterSpec, Node
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
    for name, ingress in environment.ingresses.items():
        intact = check.intact("domain") and check.intact("domains")
        if ingress.dns and intact and environment.zone_of(ingress.host) is None:
            parent = ingress.host.partition(".")[2]
            further = f"add {parent} to `domains`" if "." in parent else "add its domain to `domains`"
            check.problem(
                ("ingresses", name, "host"),
                ingress.host,
                f"a host is a domain of the name servers, or a name below one: {domains} "
                f"(line {check.line('domain')})",
                f"{further}, or write `dns: false` if others answer the name",
            )


def hosts_are_unique(check: Check) -> None:
    """A host belongs to one ingress: of two, which one answers a path would depend on their age."""
    ingresses = check.environment.ingresses.items()
    for (other, _), (name, ingress) in repeated(ingresses, lambda entry: entry[1].host):
        check.problem(
            ("ingresses", name, "host"),
            f"{ingress.host}, the host of ingress '{other}' (line {check.line('ingresses', other, 'host')})",
            "each ingress has a host of its own",
            f"add its paths to '{other}', or choose another host",
        )


def redirects_hold_for_all_of_a_wildcard(check: Check) -> None:
    """With a wildcard, all names that it covers are redirected from plain HTTP: one that is not would be
    served in plain text, as the gateway cannot tell it apart.
    """
    ingresses = check.environment.ingresses
    wildcards = {
        ingress.host.removeprefix("*"): name
        for name, ingress in ingresses.items()
        if ingress.host.startswith("*") and ingress.redirect_http
    }
    for name, ingress in ingresses.items():
        wider = next((end for end in wildcards if ingress.host.endswith(end)), None)
        if wider is not None and not ingress.redirect_http:
            other = wildcards[wider]
            check.problem(
                ("ingresses", name, "host"),
                f"{ingress.host} without `redirectHttp`, beside *{wider}, which has it "
                f"(line {check.line('ingresses', other, 'host')})",
                "names that a redirected wildcard covers are redirected too",
                "write `redirectHttp: true` here as well",
            )


def hosts_are_not_the_name_servers_own(check: Check) -> None:
    """No ingress has the name of an edge host: the zone would have two answers for it, and not be loaded."""
    environment = check.environment
    servers = {
        f"{name}.{environment.domain}": ("regions", region, "edges", name)
        for region, spec in environment.regions.items()
        for name in spec.edges
    }
    for name, ingress in environment.ingresses.items():
        if ingress.host in servers:
            check.problem(
                ("ingresses", name, "host"),
                f"{ingress.host}, the name of an edge host (line {check.line(*servers[ingress.host])})",
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
