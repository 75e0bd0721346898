"""Rules over ingresses: which host and path leads where."""

from __future__ import annotations

from stacks.rules.check import Check, repeated


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


RULES = (
    paths_lead_to_applications,
    hosts_are_under_a_domain,
    redirects_hold_for_all_of_a_wildcard,
    hosts_are_unique,
    hosts_are_not_the_name_servers_own,
    paths_are_unique,
)
