"""Rules over ingresses: which host and path leads where."""

from __future__ import annotations

from stacks.rules.check import Check
from stacks.wording import suggestion


def paths_lead_to_applications(check: Check) -> None:
    """A path leads to a declared application of the ingress's own namespace: an Ingress reaches no other."""
    known = check.declared("applications")
    for name, ingress in check.environment.ingresses.items():
        for index, path in enumerate(ingress.paths):
            where = ("ingresses", name, "paths", index, "application")
            if path.application not in known:
                listed = (
                    f"applications there are: {', '.join(sorted(known))}"
                    if known
                    else "`applications` declares none"
                )
                check.problem(
                    where,
                    f"the unknown application '{path.application}'",
                    listed,
                    suggestion(path.application, known, "declare it under `applications`"),
                )
                continue
            target = check.environment.applications.get(path.application)
            if target is not None and target.namespace != ingress.namespace:
                check.problem(
                    where,
                    f"application '{path.application}' of namespace '{target.namespace}'",
                    f"an ingress leads to applications of its own namespace, '{ingress.namespace}'",
                    "move one of the two, or declare an ingress in that namespace",
                )


def hosts_are_under_the_domain(check: Check) -> None:
    """An ingress's host is a name below the environment's domain.

    The name servers answer for nothing else.
    """
    domain = check.environment.domain
    for name, ingress in check.environment.ingresses.items():
        if check.intact("domain") and not ingress.host.endswith(f".{domain}"):
            check.problem(
                ("ingresses", name, "host"),
                ingress.host,
                f"a host is a name below the domain {domain} (line {check.line('domain')})",
                f"write for example {ingress.host.split('.')[0]}.{domain}",
            )


def hosts_are_unique(check: Check) -> None:
    """A host belongs to one ingress: of two, which one answers a path would depend on their age."""
    first: dict[str, tuple[str, int]] = {}
    for name, ingress in check.environment.ingresses.items():
        if ingress.host in first:
            other, line = first[ingress.host]
            check.problem(
                ("ingresses", name, "host"),
                f"{ingress.host}, the host of ingress '{other}' (line {line})",
                "each ingress has a host of its own",
                f"add its paths to '{other}', or choose another host",
            )
        first.setdefault(ingress.host, (name, check.line("ingresses", name, "host")))


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
        first: dict[str, int] = {}
        for index, path in enumerate(ingress.paths):
            where = ("ingresses", name, "paths", index)
            plain = path.path.rstrip("/") or "/"
            if plain in first:
                check.problem(
                    (*where, "path"),
                    f"{path.path} again; line {first[plain]} has it already",
                    "each path of an ingress leads to one application",
                    "remove one of the two",
                )
            first.setdefault(plain, check.line(*where, "path"))


RULES = (
    paths_lead_to_applications,
    hosts_are_under_the_domain,
    hosts_are_unique,
    hosts_are_not_the_name_servers_own,
    paths_are_unique,
)
