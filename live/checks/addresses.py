"""Do the ranges of the platform overlap nowhere, and are they those of the ledger?"""

from __future__ import annotations

from functools import partial
from ipaddress import IPv4Network
from itertools import combinations

from live.doctor import keys
from live.doctor.model import Check, Evidence, Finding, Watch
from live.doctor.platform import Platform


def checks(platform: Platform) -> list[Check]:
    """The checks of this column."""
    run, title = partial(check_slices, platform), "ranges overlap nowhere"
    return [Check(keys.SLICES, "addresses", title, run, declared=("addresses",))]


def check_slices(platform: Platform, watch: Watch) -> Finding:
    """No two ranges of the platform overlap, and what runs is what the ledger says."""
    watch.at("the stack's outputs")
    evidence = Evidence("cluster, node, service and machine ranges overlap nowhere and are the ledger's")
    ranges: list[tuple[str, IPv4Network]] = []
    count = 0
    for region, output in sorted(platform.outputs.regions.items()):
        ranges.append((f"pods of {region}", output.pod_cidr))
        ranges.append((f"services of {region}", output.service_cidr))
        machines = platform.stack.environment.regions.get(region)
        if machines is not None:
            ranges += [(f"machines of {region}", network) for network in machines.machine_networks]
        slices = [
            (f"node {name}", node.pod_cidr) for name, node in sorted(output.nodes.items()) if node.pod_cidr
        ]
        count += len(slices)
        for name, slice_ in slices:
            if not slice_.subnet_of(output.pod_cidr):
                evidence.problem(
                    f"{name} has {slice_}, outside {output.pod_cidr} of {region}", "Run `pulumi up`."
                )
            else:
                evidence.note(f"{name}: {slice_}")
        _overlaps(slices, evidence)
        _ledger(platform, region, evidence)
    _overlaps(ranges, evidence)
    return evidence.finding(
        f"{len(ranges)} ranges and {count} node slices, {len(evidence.problems)} problems"
    )


def _overlaps(ranges: list[tuple[str, IPv4Network]], evidence: Evidence) -> None:
    for (one, first), (other, second) in combinations(ranges, 2):
        if first.overlaps(second):
            evidence.problem(
                f"{one} ({first}) overlaps {other} ({second})",
                "Give one of them a free range in the stack file.",
            )


def _ledger(platform: Platform, region: str, evidence: Evidence) -> None:
    output, ledger = platform.outputs.regions[region], platform.stack.ledger
    entry = ledger.clusters.get(region)
    if entry is None:
        return
    if (entry.pods, entry.services) != (output.pod_cidr, output.service_cidr):
        evidence.problem(
            f"{region} runs on {output.pod_cidr} and {output.service_cidr}, "
            f"the ledger says {entry.pods} and {entry.services}",
            "Put the ledger's line back: ranges of a running cluster cannot move.",
        )
    for name, slice_ in sorted(ledger.nodes.get(region, {}).items()):
        node = output.nodes.get(name)
        if node is not None and node.pod_cidr != slice_:
            evidence.problem(
                f"node {name} has {node.pod_cidr}, the ledger says {slice_}", "Put the line back."
            )
