"""Does each name server see the gateways as they are?

A name server that takes every gateway for dead answers with all of them, which looks healthy from outside
until one of them is dead indeed. So it is asked what it sees.
"""

from __future__ import annotations

import json

from access import network
from access.hosts import HostAccessError, run_on
from live.checks.names import READY_PATH
from live.doctor.model import Evidence, Finding, NotMeasurable, Watch
from live.doctor.platform import GATEWAY_READINESS_PORT, Platform
from stacks.model import Host


def check_health_view(platform: Platform, name: str, edge: Host, watch: Watch) -> Finding:
    """The states that gdnsd on an edge host has of all gateways are those that are measured from here."""
    evidence = Evidence("every gateway seen as it is")
    ssh = platform.stack.environment.ssh
    if ssh is None:
        raise NotMeasurable("the stack file declares no ssh access", "Declare `ssh` in the stack file.")
    watch.at(f"gdnsd's states on {name}")
    try:
        done = run_on(ssh, str(edge.address), "gdnsdctl states")
    except HostAccessError as error:
        raise NotMeasurable(error.message, "Restore ssh access to the host.") from error
    try:
        states = {key.split("/")[0]: value["state"] for key, value in json.loads(done.stdout).items()}
    except (ValueError, KeyError, TypeError, AttributeError):
        words = " ".join((done.stderr or done.stdout).split())[:300]
        evidence.problem(f"gdnsd on {name} does not say its states: {words}", _fix(name))
        return evidence.finding("nothing")
    for region, address in platform.gateways.items():
        watch.at(f"the readiness of the gateway of {region}")
        ready = network.get_http(address, GATEWAY_READINESS_PORT, READY_PATH, seconds=2).status == 200
        seen = str(states.get(address, "unknown")).split("/")[0]
        if (seen == "UP") == ready:
            evidence.note(f"{region} ({address}): seen {seen}")
            continue
        really = "ready" if ready else "not ready"
        evidence.problem(f"it sees the gateway of {region} ({address}) {seen}, which is {really}", _fix(name))
    if evidence.problems and not any(state.startswith("UP") for state in states.values()):
        evidence.problem("with none up it answers with all of them, dead ones too")
    return evidence.finding(", ".join(f"{address} {state}" for address, state in sorted(states.items())))


def _fix(name: str) -> str:
    return f"Compare what its probe gets on {name} (`/etc/gdnsd/config`, `journalctl -u gdnsd`) with curl."
