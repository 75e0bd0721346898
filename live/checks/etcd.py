"""Has etcd a healthy member on each control-plane node, and does one of these hold the address of the API?"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from live.doctor import foundations, keys
from live.doctor.model import Check, Evidence, Finding, NotMeasurable, Watch
from live.doctor.platform import Platform
from live.doctor.shell import ask, unheard
from playbooks.work.clusters import ADDRESS_SERVICE, ETCD_LIBRARY

_GUIDE = "docs/guides/control-planes.md"
_END = "END-OF-PROGRAM"
_TOLD = """
try:
    there = [{**vars(member), "well": is_well(member.address)} for member in members(["127.0.0.1"])]
    told = {"members": there}
except (EtcdError, OSError) as error:
    told = {"why": str(error)}
print(json.dumps(told))
"""
"""What follows the library by which plays ask etcd, on a machine of the control plane."""


def checks(platform: Platform) -> list[Check]:
    """One for each cluster whose API has an address of its own: there, control planes may be several."""
    found = []
    for region in platform.regions:
        cluster = platform.stack.environment.regions[region].cluster
        if cluster.kind != "bareMetal" or cluster.api_server_address is None:
            continue
        names = foundations.control_planes(platform, region)
        found.append(
            Check(
                keys.etcd(region),
                "clusters",
                f"etcd of {region} has all its members, and its API one address",
                partial(check_etcd, platform, region, str(cluster.api_server_address)),
                rests_on=tuple(map(keys.control_plane, names)),
                region=region,
                declared=("regions", region, "cluster", "nodes"),
            )
        )
    return found


@dataclass(frozen=True)
class Seen:
    """What the machines of a control plane say."""

    members: Sequence[dict[str, Any]]
    """By the first that knows; none where none does."""
    why: str
    """Why the last one that was asked does not know."""
    holders: tuple[str, ...]
    """Machines that have the address of the API."""
    silent: tuple[str, ...]
    """Machines that were not reached."""


def check_etcd(platform: Platform, region: str, address: str, watch: Watch) -> Finding:
    """Members are those that are declared, and healthy; exactly one machine has the address."""
    names = foundations.control_planes(platform, region)
    evidence = Evidence(f"healthy members on {', '.join(names)}, one of which holds {address}")
    seen = _look(platform, region, names, address, watch)
    if seen.members:
        _judge_members(seen, names, evidence)
    else:
        evidence.problem(
            f"etcd of {region} serves nobody: {seen.why}",
            "More than half of its members have to be there: start the machines of the control plane. Where "
            "they are lost for good, etcd is made anew from what is left.",
            runbook=_way_back(region, names, seen),
        )
    _judge_holders(seen, address, evidence)
    well = sum(member["well"] for member in seen.members)
    return evidence.finding(f"{well} of {len(names)} members healthy, {address} on {_listed(seen.holders)}")


def question(address: str) -> str:
    """What a machine is asked, as a shell's script."""
    library = ETCD_LIBRARY.read_text()
    return "\n".join(
        [
            f"ip -4 -oneline address show to {address}/32 | grep -q . && echo holds",
            f"python3 -I - <<'{_END}'\n{library}{_TOLD}{_END}",
        ]
    )


def _look(platform: Platform, region: str, names: Sequence[str], address: str, watch: Watch) -> Seen:
    nodes = platform.stack.environment.regions[region].nodes
    members: Sequence[dict[str, Any]] = ()
    why, holders, silent, script = "", [], [], question(address)
    lost: NotMeasurable | None = None
    for name in names:
        watch.at(f"etcd on {name}")
        try:
            done = ask(platform, name, nodes[name], script)
            told = _told(done.stdout)
            if told is None:
                raise unheard(platform, name, "say who the members of etcd are", done)
        except NotMeasurable as error:
            lost = lost or error
            silent.append(name)
            continue
        members = members or told.get("members") or ()
        why = told.get("why", why)
        if "holds" in done.stdout.splitlines():
            holders.append(name)
    if lost is not None and len(silent) == len(names):
        raise lost
    return Seen(members, why, tuple(holders), tuple(silent))


def renewal(name: str) -> str:
    """The runbook for one of several members whose machine runs."""
    return f"renew-etcd-member node={name}"


def _way_back(region: str, names: Sequence[str], seen: Seen) -> str:
    """The runbook for a store that does not come back by itself."""
    if len(names) == 1:
        return f"restore-etcd region={region} backup=PATH"
    without = f" without={','.join(seen.silent)}" if seen.silent else ""
    return f"rebuild-etcd region={region}{without}"


def _told(said: str) -> dict[str, Any] | None:
    for line in said.splitlines():
        if line.startswith("{"):
            answer: dict[str, Any] = json.loads(line)
            return answer
    return None


def _judge_members(seen: Seen, names: Sequence[str], evidence: Evidence) -> None:
    members = seen.members
    voters = [member for member in members if not member["learner"]]
    ill = sorted(member["name"] or member["address"] for member in members if not member["well"])
    spare = sum(member["well"] for member in voters) - (len(voters) // 2 + 1)
    if ill:
        left = f"it survives the loss of {spare} more" if spare > 0 else "the next one that is lost ends it"
        lives = next((name for name in ill if name in names and name not in seen.silent), "")
        evidence.problem(
            f"etcd goes on without {_listed(ill)}, which does not serve; {left}",
            "Start the machine, or mend what keeps etcd from running there. Where a machine runs and its "
            f"data are broken, it joins anew: `crossmesh runbook run {renewal(lives or ill[0])}`. One that "
            f"is gone for good is taken out: `crossmesh runbook run clear-lost-node node={ill[0]}`.",
            runbook=renewal(lives) if lives else "",
        )
    for name in sorted(set(names) - {member["name"] for member in members}):
        evidence.problem(f"{name} has no member of etcd", "Run `pulumi up`: it joins.")
    for name in sorted({member["name"] for member in members} - set(names) - {""}):
        evidence.problem(
            f"etcd counts {name} among its members, and nobody declares it",
            f"Take the member out ({_GUIDE}): it counts for the majority, and never agrees.",
        )
    for member in members:
        if member["well"]:
            evidence.note(f"{member['name'] or 'a member'} at {member['address']} serves")


def _judge_holders(seen: Seen, address: str, evidence: Evidence) -> None:
    unit = f"`journalctl -u {ADDRESS_SERVICE}` on each control plane says why"
    if len(seen.holders) > 1:
        evidence.problem(
            f"{_listed(seen.holders)} each have {address}: they do not hear each other",
            f"Let VRRP pass between them: IP protocol 112, to 224.0.0.18. {unit}.",
        )
    elif not seen.holders and not seen.silent:
        evidence.problem(f"no control plane has {address}, the address of the API", f"{unit}.")
    elif seen.holders:
        evidence.note(f"{seen.holders[0]} has {address}")


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names) or "nobody that was reached"
