"""Rules over namespaces, applications, ingresses and the health check."""

from __future__ import annotations

import re

from stacks.rules.check import Check
from stacks.wording import suggestion

SYSTEM_NAMESPACES = (
    "default",
    "istio-ingress",
    "istio-system",
    "kube-node-lease",
    "kube-public",
    "kube-system",
    "metallb-system",
)


def namespaces_are_not_the_systems(check: Check) -> None:
    """A namespace of the mesh is none of the platform's own.

    Sidecars in those would cut off what everything needs.
    """
    for name in check.environment.namespaces:
        if name in SYSTEM_NAMESPACES:
            check.problem(
                ("namespaces", name),
                f"the namespace '{name}'",
                f"these belong to the platform: {', '.join(SYSTEM_NAMESPACES)}",
                "choose another name",
            )


def injected_namespaces_admit_sidecars(check: Check) -> None:
    """A namespace with sidecars is privileged: they redirect traffic with NET_ADMIN, refused below."""
    for name, spec in check.environment.namespaces.items():
        refused = spec.injection and spec.pod_security != "privileged"
        if refused and check.intact("namespaces", name):
            check.problem(
                ("namespaces", name),
                f"podSecurity {spec.pod_security} with injection",
                "sidecars need NET_ADMIN to redirect traffic, which pod security admits at privileged only",
                "write podSecurity: privileged, or injection: false",
            )


def application_names_begin_with_a_letter(check: Check) -> None:
    """An application's name is its Service's, which Kubernetes wants to begin with a letter."""
    for name in check.environment.applications:
        if name[0].isdigit():
            check.problem(
                ("applications", name),
                f"the name '{name}'",
                "an application's name begins with a letter",
                f"rename it, for example to app-{name}"[:90],
            )


def namespaces_exist(check: Check) -> None:
    """Applications and ingresses lie in declared namespaces.

    Only those are made, labelled and given their policies.
    """
    known = check.declared("namespaces")
    listed = f"namespaces there are: {', '.join(sorted(known))}" if known else "`namespaces` declares none"
    owners = (("applications", check.environment.applications), ("ingresses", check.environment.ingresses))
    for kind, specs in owners:
        for name, spec in specs.items():
            if spec.namespace not in known:
                check.problem(
                    (kind, name, "namespace"),
                    f"the unknown namespace '{spec.namespace}'",
                    listed,
                    suggestion(spec.namespace, known, "declare it under `namespaces`"),
                )


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


def environment_variables_have_names(check: Check) -> None:
    """Names of environment variables are those that Kubernetes takes.

    Letters, digits and `_ . -`, no digit first.
    """
    for name, application in check.environment.applications.items():
        for variable in application.environment:
            better = re.sub(r"[^-._a-zA-Z0-9]", "_", variable).upper().lstrip("0123456789")
            if not re.fullmatch(r"[-._a-zA-Z][-._a-zA-Z0-9]*", variable):
                check.problem(
                    ("applications", name, "environment", variable),
                    f"the name '{variable}'",
                    "a variable's name has letters, digits and _ . -, and begins with no digit",
                    f"write for example {better or 'NAME'}",
                )


def probes_end_before_the_next_begins(check: Check) -> None:
    """A probe ends before the next begins.

    Otherwise a slow gateway is counted by how probes happen to overlap.
    """
    balancing = check.environment.global_load_balancer
    if balancing is None or not check.intact("globalLoadBalancer"):
        return
    probe = balancing.health_check
    if probe.timeout >= probe.interval:
        check.problem(
            ("globalLoadBalancer", "healthCheck"),
            f"timeout {probe.timeout} s, interval {probe.interval} s",
            "`timeout` is less than `interval`",
            f"write timeout: {probe.interval - 1}, or interval: {probe.timeout + 1}",
        )


RULES = (
    namespaces_are_not_the_systems,
    injected_namespaces_admit_sidecars,
    application_names_begin_with_a_letter,
    namespaces_exist,
    paths_lead_to_applications,
    hosts_are_under_the_domain,
    hosts_are_unique,
    paths_are_unique,
    environment_variables_have_names,
    probes_end_before_the_next_begins,
)
