"""Does every tunnel of a node carry packets, the largest ones too?"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from ipaddress import IPv4Address, IPv4Network

from live.doctor import foundations, keys
from live.doctor.model import Check, Evidence, Finding, Watch
from live.doctor.platform import Platform
from live.doctor.shell import ask
from playbooks.work.network import INTERFACE
from stacks.model import Node

GUIDE = "docs/guides/routing.md"
HEADERS = 28
"""Bytes of IPv4 and ICMP before what ping sends."""
_STALE = 180
"""Seconds after which a session is not used any more: WireGuard's REJECT_AFTER_TIME."""


def checks(platform: Platform) -> list[Check]:
    """One for each node that has tunnels."""
    environment = platform.stack.environment
    found = []
    for region in platform.regions:
        for name, node in sorted(environment.regions[region].nodes.items()):
            if environment.tunnel_peers(name):
                title = f"{name} reaches the other ends of its tunnels"
                run = partial(check_tunnels, platform, name, node)
                key = ("regions", region, "cluster", "nodes", name)
                below = (keys.SLICES, *foundations.machines(platform, name))
                found.append(
                    Check(
                        keys.tunnels(name), "network", title, run, rests_on=below, region=region, declared=key
                    )
                )
    return found


def check_tunnels(platform: Platform, name: str, node: Node, watch: Watch) -> Finding:
    """The largest packet that a tunnel takes reaches every other end, and what WireGuard says of each."""
    environment = platform.stack.environment
    tunnels = environment.tunnels
    assert tunnels is not None, "a node with tunnels"
    slices = {
        peer: slice_
        for peer, (region, _) in environment.tunnel_peers(name).items()
        if (output := platform.outputs.regions[region].nodes.get(peer)) and (slice_ := output.pod_cidr)
    }
    evidence = Evidence(f"packets of {tunnels.mtu} bytes reach {len(slices)} other nodes")
    watch.at(f"the tunnels of {name}")
    done = ask(platform, name, node, question([slice_[0] for slice_ in slices.values()], tunnels.mtu))
    ends = read(done.stdout)
    if not ends.sessions:
        evidence.problem(
            f"{name} has no tunnels: {done.stderr.strip()[:300] or 'its interface is not there'}",
            f"Read `journalctl -u wg-quick@{INTERFACE}` on {name}, and run `pulumi up`.",
        )
    else:
        for peer, slice_ in sorted(slices.items()):
            judge(name, peer, slice_, ends, tunnels.port, evidence)
    whole = sum(ends.reached.get(slice_[0]) == "whole" for slice_ in slices.values())
    return evidence.finding(f"{whole} of {len(slices)} other ends reached by packets of {tunnels.mtu} bytes")


def question(addresses: Iterable[IPv4Address], mtu: int) -> str:
    """What a node is asked, as a shell's script: who answers, all at the same time, and WireGuard's view."""
    ping = "ping -n -q -c 2 -i 0.3 -W 2"
    asked = (
        f"{{ {ping} -M do -s {mtu - HEADERS} {to} >/dev/null 2>&1 && echo whole {to} || "
        f"{{ {ping} {to} >/dev/null 2>&1 && echo small {to} || echo none {to}; }}; }} &"
        for to in addresses
    )
    view = f"date +'now %s'; wg show {INTERFACE} allowed-ips; wg show {INTERFACE} latest-handshakes"
    return "\n".join([*asked, "wait", view])


@dataclass(frozen=True)
class Ends:
    """The other ends of a node's tunnels."""

    reached: Mapping[IPv4Address, str]
    """By address: `whole` (packets of any size), `small` (small ones alone) or `none`."""
    sessions: Mapping[IPv4Network, int | None]
    """By slice: seconds since the last handshake; None where there was none."""


def read(said: str) -> Ends:
    """What a node says to `question`."""
    reached = {IPv4Address(to): how for how, to in re.findall(r"^(whole|small|none) (\S+)$", said, re.M)}
    now = int((re.search(r"^now (\d+)$", said, re.M) or ["", "0"])[1])
    ages = {key: now - int(at) if int(at) else None for key, at in re.findall(r"^(\S+=)\t(\d+)$", said, re.M)}
    networks = re.findall(r"^(\S+=)\t(\d+\.\S+)", said, re.M)
    return Ends(reached, {IPv4Network(slice_): ages.get(key) for key, slice_ in networks})


def judge(name: str, peer: str, slice_: IPv4Network, ends: Ends, port: int, evidence: Evidence) -> None:
    """What a tunnel to one peer is like."""
    age, how = ends.sessions.get(slice_), ends.reached.get(slice_[0], "none")
    if slice_ not in ends.sessions:
        evidence.problem(f"{name} has no tunnel to {peer}", "Run `pulumi up`.")
    elif how == "whole":
        evidence.note(f"{peer} ({slice_[0]}): reached; last handshake {age} s ago")
    elif how == "small":
        evidence.problem(
            f"small packets reach {peer} through its tunnel, the largest do not: the way between the "
            "machines carries less than is declared",
            f"Lower `tunnels.mtu` (1412 over PPPoE), run `pulumi up`, and start pods anew: {GUIDE}.",
        )
    elif age is None or age > _STALE:
        last = "there never was a handshake" if age is None else f"the last handshake was {age} s ago"
        evidence.problem(
            f"{name} and {peer} have no session: {last}",
            f"See that UDP {port} reaches both machines or, of one behind a NAT, what its `tunnel` names, "
            f"and `wg show {INTERFACE}` on both: {GUIDE}.",
        )
    else:
        evidence.problem(
            f"{peer} does not answer through its tunnel, though its last handshake was {age} s ago",
            f"Look at the packet filter of {peer}: it takes nothing from the interface {INTERFACE}.",
        )
