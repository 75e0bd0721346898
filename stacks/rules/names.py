"""Rules over DNS: who answers, and by which health."""

from __future__ import annotations

from stacks.rules.check import Check


def load_balancing_has_edges(check: Check) -> None:
    """Global load balancing has an edge host somewhere: nobody would answer the names."""
    regions = check.environment.regions
    intact = all(check.intact("regions", region, "edges") for region in regions)
    edges = any(spec.edges for spec in regions.values())
    if check.environment.global_load_balancer is not None and intact and not edges:
        check.problem(
            ("globalLoadBalancer",),
            "no edge host in any region",
            "the names are answered by edge hosts, two or more in different regions where it matters",
            "add `edges` to the regions, or remove `globalLoadBalancer`",
        )


def domains_are_apart(check: Check) -> None:
    """No domain is another one, or below it: with both of them the name servers do not start."""
    environment = check.environment
    for index, domain in enumerate(environment.domains):
        for other in environment.zones[: index + 1]:
            if f".{domain}".endswith(f".{other}") or f".{other}".endswith(f".{domain}"):
                check.problem(
                    ("domains", index),
                    f"{domain}, beside {other}",
                    "no domain is another one, or below it",
                    "name the shorter one alone: names below it are of it",
                )


def edges_have_something_to_answer(check: Check) -> None:
    """Edge hosts are there for global load balancing: without it they would be machines without a task."""
    if check.environment.global_load_balancer is not None or not check.intact("globalLoadBalancer"):
        return
    for region, spec in check.environment.regions.items():
        if spec.edges:
            check.problem(
                ("regions", region, "edges"),
                f"edge hosts ({', '.join(spec.edges)}), and no `globalLoadBalancer`",
                "edge hosts answer the names of the global load balancer",
                "add `globalLoadBalancer: {}`, or remove the edge hosts",
            )


def probes_end_before_the_next_begins(check: Check) -> None:
    """A probe ends before the next begins: a slow gateway is counted by how they overlap otherwise."""
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


def regions_are_held_beside_others(check: Check) -> None:
    """What holds regions out does something: there is another region, and one way of coming back."""
    balancing = check.environment.global_load_balancer
    if balancing is None or not check.intact("globalLoadBalancer", "healthCheck"):
        return
    health, at = balancing.health_check, ("globalLoadBalancer", "healthCheck")
    if health.holds and check.intact("regions") and len(check.environment.regions) == 1:
        key, value = ("holdDown", health.hold_down) if health.hold_down else ("return", health.comeback)
        words = "a region is held out while another one is answered, and there is none"
        check.problem((*at, key), f"{key}: {value}, with one region", words, "take it out")
    if health.comeback == "byHand" and health.hold_down:
        words = "a region comes back after a time, or by hand"
        check.problem((*at, "holdDown"), f"{health.hold_down} s, and `return: byHand`", words, "take one out")
    if health.returned and health.comeback != "byHand":
        words = "regions that come back by themselves are returned by nobody"
        check.problem((*at, "returned"), "`returned`, without `return: byHand`", words, "take it out")
    for region in health.returned:
        check.refers((*at, "returned", region), region, "region", "regions", "take it out")


RULES = (
    domains_are_apart,
    load_balancing_has_edges,
    edges_have_something_to_answer,
    probes_end_before_the_next_begins,
    regions_are_held_beside_others,
)
