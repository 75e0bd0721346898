"""Does each declared machine answer, run the services that it is for, and have the right time?"""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Mapping, Sequence
from functools import partial

from live.doctor import foundations, keys
from live.doctor.model import Check, Evidence, Finding, Watch
from live.doctor.platform import Platform
from live.doctor.shell import ask, unheard
from live.prober import probing
from playbooks.preflight.checks import SKEW
from playbooks.provider.look import outside
from playbooks.work.clusters import ADDRESS_SERVICE
from playbooks.work.machines import CONTAINER_RUNTIME_SERVICE, KUBELET_SERVICE, ROUTING_SERVICE
from playbooks.work.names import HEALTH_SERVICE, NAME_SERVICE
from playbooks.work.network import TUNNEL_SERVICE
from stacks.model import Environment, Host

LEAST_ROOM = 100
"""MiB: with less left on a disk neither packages nor images are written, nor what a play keeps there."""
_DISKS = ("/", "/var", "/var/lib/containerd", "/var/lib/etcd", "/var/lib/kubelet")
"""Where the platform writes; each may be a disk of its own."""
_ASKED = ("Id", "LoadState", "ActiveState", "SubState", "Result", "StateChangeTimestamp")


def checks(platform: Platform) -> list[Check]:
    """Two for each declared machine, edge hosts among them: itself, and what it runs."""
    found = []
    for region in platform.regions:
        spec = platform.stack.environment.regions[region]
        for name, host in sorted(spec.hosts.items()):
            own = ("cluster", "nodes", name) if name in spec.nodes else ("edges", name)
            key = ("regions", region, *own)
            run, title = partial(check_host, platform, name, host), f"{name} answers, and has the right time"
            found.append(Check(keys.host(name), "machines", title, run, region=region, declared=key))
            credentials = foundations.credentials(platform, region) if name in spec.nodes else ()
            below = (keys.host(name), *credentials)
            run, title = partial(check_services, platform, name, host), f"{name} runs its services"
            found.append(
                Check(
                    keys.services(name), "machines", title, run, rests_on=below, region=region, declared=key
                )
            )
    return found


def services_of(environment: Environment, name: str) -> tuple[str, ...]:
    """The units of systemd that a declared machine is to run, those first that others rest on."""
    if name in {edge for _, edge, _ in probing(environment)}:
        return (NAME_SERVICE, HEALTH_SERVICE)
    region = next((spec for spec in environment.regions.values() if name in spec.nodes), None)
    if region is None:
        return ()
    cluster = region.cluster
    shared = cluster.kind == "bareMetal" and cluster.api_server_address and name in cluster.control_planes
    tunnels = (TUNNEL_SERVICE,) if environment.tunnel_peers(name) else ()
    address = (ADDRESS_SERVICE,) if shared else ()
    return (CONTAINER_RUNTIME_SERVICE, KUBELET_SERVICE, *tunnels, ROUTING_SERVICE, *address)


def check_host(platform: Platform, name: str, host: Host, watch: Watch) -> Finding:
    """The machine answers by ssh, certificates that are made now are valid by its clock, and its disks have
    room."""
    evidence = Evidence(f"an answer, a clock that is right within {SKEW[1]:.0f} s, {LEAST_ROOM} MiB on disks")
    watch.at(f"ssh to {name}")
    begun = time.time()
    done = ask(platform, name, host, f"date +'now %s'; df -P -m {' '.join(_DISKS)} 2>/dev/null")
    moment = re.match(r"now (\d+)$", done.stdout.partition("\n")[0])
    if not moment:
        raise unheard(platform, name, "say what time it is", done)
    # It says whole seconds.
    skew = outside(float(moment[1]), begun - 1, time.time())
    if abs(skew) > SKEW[1]:
        evidence.problem(
            f"the clock of {name} is {abs(skew):.0f} s {'ahead of' if skew > 0 else 'behind'} this "
            "machine's: certificates, tokens and logs go by it",
            "Set it right, and let NTP keep it so (systemd-timesyncd, chrony).",
        )
    for mount, left in room(done.stdout).items():
        if left < LEAST_ROOM:
            evidence.problem(
                f"the disk at {mount} of {name} is full: {left} MiB are left",
                f"Make room there: `du -xh --max-depth=3 {mount} | sort -h | tail` says what takes it.",
            )
    return evidence.finding(f"it answers; its clock is {abs(skew):.0f} s off")


def room(said: str) -> dict[str, int]:
    """MiB that are left on each file system, by where it is mounted, as `df -P -m` says."""
    rows = re.findall(r"^\S+ +\d+ +\d+ +(-?\d+) +\S+ +(/.*)$", said, re.MULTILINE)
    return {mount: int(left) for left, mount in rows}


def check_services(platform: Platform, name: str, host: Host, watch: Watch) -> Finding:
    """What the machine is for is at work, as systemd says."""
    services = services_of(platform.stack.environment, name)
    evidence = Evidence(f"{', '.join(services) or 'no service'} at work")
    watch.at(f"the services of {name}")
    done = ask(platform, name, host, question(services))
    units = {unit["Id"]: unit for unit in read(done.stdout)}
    if services and not units:
        raise unheard(platform, name, "say what it runs", done)
    for service in services:
        _judge(name, service, units.get(service, {}), evidence)
    running = sum(unit.get("ActiveState") == "active" for unit in units.values())
    return evidence.finding(f"{running} of {len(services)} services run")


def question(services: Sequence[str]) -> str:
    """What a machine is asked, as a shell's script: what systemd says of these units."""
    return f"systemctl show --property={','.join(_ASKED)} {' '.join(services)}" if services else ":"


def read(said: str) -> Iterator[Mapping[str, str]]:
    """What systemd says of each unit."""
    for block in said.split("\n\n"):
        unit = dict(line.split("=", 1) for line in block.splitlines() if "=" in line)
        if "Id" in unit:
            yield unit


def _judge(name: str, service: str, unit: Mapping[str, str], evidence: Evidence) -> None:
    short = service.removesuffix(".service")
    if unit.get("ActiveState") == "active":
        evidence.note(f"{short} runs since {unit.get('StateChangeTimestamp') or 'some time'}")
        return
    if unit.get("LoadState") == "not-found" or not unit:
        evidence.problem(f"{name} has no service {short}", "Run `pulumi up`, which sets it up.")
        return
    result = unit.get("Result", "success")
    state = ", ".join(
        filter(
            None,
            (
                f"{unit.get('ActiveState')} ({unit.get('SubState')})",
                "" if result == "success" else f"result {result}",
                f"since {unit['StateChangeTimestamp']}" if unit.get("StateChangeTimestamp") else "",
            ),
        )
    )
    evidence.problem(
        f"{short} does not run on {name}: {state}",
        f"Start it there: `systemctl start {short}`; what ended it says `journalctl -u {short}`.",
    )
