"""DNS: what each name is answered with, and by whom, while all regions are healthy."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from gate.effects.belonging import HOST_PHASE, host_of
from gate.effects.layers.table import LATER, known, listed, rows
from report.model import ChangeSet, Layer, Resource

_WHY = "a gateway has its address when its cluster gives it one"


def dns(changes: ChangeSet) -> Layer:
    """One row per name and type, as the name servers' variables have it. Servers that would answer
    differently have rows of their own.
    """
    before, after = _records(changes.before), _records(changes.after)
    unknown = sorted(name for name, text in after.items() if LATER in text)
    missing = [f"answers of {name}: {_WHY}" for name in unknown if before.get(name) != after[name]]
    return Layer("dns", "DNS answers", rows(before, after), tuple(missing))


def _records(resources: Iterable[Resource]) -> dict[str, str]:
    servers = {}
    for resource in resources:
        variables = resource.inputs.get("variables")
        if resource.type == HOST_PHASE and isinstance(variables, Mapping) and "gdnsd_zone" in variables:
            servers[host_of(resource)] = _answers(variables)
    found: dict[str, str] = {}
    for name in sorted({name for answers in servers.values() for name in answers}):
        texts: dict[str, list[str]] = {}
        for server, answers in sorted(servers.items()):
            if name in answers:
                texts.setdefault(answers[name], []).append(server)
        if len(texts) == 1:
            (found[name],) = texts
            continue
        for text, by in texts.items():
            found[f"{name} (asked of {listed(by)})"] = text
    return found


def _answers(variables: Mapping[str, Any]) -> dict[str, str]:
    zone, ttl = known(variables.get("gdnsd_zone")), known(variables.get("gdnsd_ttl"))
    servers = variables.get("gdnsd_name_servers")
    found = {}
    if isinstance(servers, Mapping):
        found[f"{zone} NS"] = listed(f"{name}.{zone} ({known(at)})" for name, at in servers.items())
    gateways = variables.get("gdnsd_gateways")
    answer = LATER
    if isinstance(gateways, Mapping):
        answer = listed(f"{region} {known(address)}" for region, address in gateways.items())
    hosts = variables.get("gdnsd_hosts")
    for host in hosts if isinstance(hosts, list) else ():
        found[f"{known(host)} A"] = f"{answer}; TTL {ttl} s"
    check = variables.get("gdnsd_health_check")
    if isinstance(check, Mapping):
        settings = [f"{key} {known(value)}" for key, value in sorted(check.items())]
        found[f"{zone} health check"] = ", ".join(settings)
    return found
