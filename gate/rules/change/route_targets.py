"""Every route leads to a service, and to a port of it, that there will be.

`istioctl analyze` knows of that rule (IST0101), and leaves it out without a cluster.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from components.values import exposure
from components.values.exposure import Backend, Name, UnreadableError, name_of
from gate.rules.schema.objects import Object, objects
from gate.rules.subject import Check, Subject, failed, part
from report.model import SECRET, UNKNOWN, Finding, Op, Rule, Severity

RULE = Rule(
    "change/route-targets",
    "Every route leads to a service that there is",
    "A gateway answers with 503 what it is to send to a service, or to a port, that does not exist. Looked "
    "at are Ingress, VirtualService and the routes of the Gateway API, for the services and service entries "
    "of the same change. A `service` of a route is somebody else's: you are warned in the change that leads "
    "to it, and the doctor looks for it. For any other that is declared elsewhere, give a waiver.",
)

_PORT = ("port", "name")
"""By which a service's port may be asked for."""


class _Services:
    """What there is to lead to. The mesh knows services of all clusters, an Ingress those of its own."""

    def __init__(self, found: Sequence[Object]) -> None:
        self._ports: dict[Name, dict[str, set[str]]] = {}
        self._hosts: set[str] = set()
        for entry in found:
            spec = part(entry.resource, "spec")
            if entry.kind == "Service" and not entry.group:
                # As text: what is of the wrong type is the schemas' to tell.
                ports = {str(port[key]) for port in spec.get("ports") or () for key in _PORT if port.get(key)}
                # Without any, it is another name for a host outside, or it cannot be seen.
                self._ports.setdefault(name_of(entry.content), {})[entry.cluster] = ports or {UNKNOWN}
            elif entry.kind == "ServiceEntry" and entry.group == exposure.ISTIO:
                self._hosts |= set(spec.get("hosts") or ())

    def missing(self, target: Backend, cluster: str | None) -> str:
        """What is not there of a target, in words; empty if all is. `cluster`: the only one that counts."""
        if target.host and self._is_entry(target.host):
            return ""
        if target.service is None:
            return f"there is no service entry of {target.host}"
        ports = self._ports.get(target.service, {})
        there = [found for name, found in ports.items() if cluster in (None, name)]
        if not there:
            return f"there is no service {'/'.join(target.service)}"
        if not target.port or any(target.port in found or UNKNOWN in found for found in there):
            return ""
        has = ", ".join(sorted({port for found in there for port in found}))
        return f"service {'/'.join(target.service)} has no port {target.port} (it has {has})"

    def _is_entry(self, host: str) -> bool:
        return host in self._hosts or any(
            entry.startswith("*.") and host.endswith(entry[1:]) for entry in self._hosts
        )


def _find(subject: Subject) -> Iterator[Finding]:
    found = objects(subject.after)
    changed = {change.urn for change in subject.changes.changes if change.op is not Op.SAME}
    services = _Services(found)
    for entry in found:
        in_mesh = entry.group == exposure.ISTIO
        elsewhere = _of_others(entry)
        missing: dict[str, bool] = {}
        for backend in _backends(entry):
            words = services.missing(backend, None if in_mesh else entry.cluster)
            missing.setdefault(words, backend.service in elsewhere)
        for words, is_of_others in missing.items():
            if words and not is_of_others:
                yield failed(RULE, words, entry.resource.urn, fix="name a service that is declared")
            elif words and entry.resource.urn in changed:
                yield failed(
                    RULE,
                    f"{words} in this change: others are to bring it",
                    entry.resource.urn,
                    fix="see that it is there before `up` (`kubectl get service`); 500 is answered else",
                    severity=Severity.WARNING,
                )


def _of_others(entry: Object) -> set[Name]:
    """The services that a route says others manage."""
    said = part(entry.resource, "metadata").get("annotations")
    names = said.get(exposure.ELSEWHERE) if isinstance(said, Mapping) else None
    return {(name_of(entry.content)[0], name) for name in str(names or "").split(",") if name}


def _backends(entry: Object) -> Iterator[Backend]:
    """Where a route leads, as far as that is known."""
    try:
        for way in exposure.exposures(entry.group, entry.kind, entry.content):
            for backend in (*way.backends, *way.mirrors):
                if not {*(backend.service or ()), backend.port, backend.host} & {UNKNOWN, SECRET}:
                    yield backend
    except UnreadableError:
        # What it has instead is the schemas' to tell.
        return


CHECK = Check("exposure", RULE, _find)
