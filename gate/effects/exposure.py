"""Exposure: what is reached from outside of the clusters, over what, and what answers it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import product

from components.values.exposure import Backend, Exposure, external_addresses, from_outside
from gate.effects.column import Column, Drawing, Effect, Judged
from gate.effects.doors import Doors, part_of
from gate.effects.scene import Scene, Side, below, metadata, name_of
from gate.effects.table import Table, listed, shown
from report.model import Change, Resource, Risk
from report.urns import kind


def _answered_no_more(change: Change, scene: Scene) -> Judged | None:
    """Whether hosts go with the last route to them, or with the gateway that it hangs on."""
    lost = scene.before.routes.lost(change.urn, scene.after.routes)
    return (Risk.DESTRUCTIVE, f"{', '.join(lost)} is answered no more") if lost else None


def _rows(scene: Scene) -> Table:
    """One row per URL prefix that a route opens, and per Service that has an outside port."""
    unreadable = sorted(
        f"what {kind(resource)} {resource.name} exposes: not to be read before up"
        for resource in scene.after.routes.unreadable
    )
    return Table(_table(scene, scene.before), _table(scene, scene.after), tuple(unreadable))


def _table(scene: Scene, side: Side) -> dict[str, str]:
    """Where all regions agree a row says it once for all of them."""
    regions: dict[str, dict[str, set[str]]] = {}
    for resource, key, target in (*_routes(side), *_redirects(side), *_ports(side)):
        regions.setdefault(key, {}).setdefault(target, set()).add(resource.region or "all")
    return {
        key: "; ".join(f"{target} in {listed(names)}" for target, names in sorted(targets.items()))
        for key, targets in regions.items()
    }


def _routes(side: Side) -> Iterator[tuple[Resource, str, str]]:
    for resource, exposure, _, host in side.routes.answered():
        yield resource, _key(exposure, shown(host)), _leads(exposure)


def _redirects(side: Side) -> Iterator[tuple[Resource, str, str]]:
    """Hosts of which Istio's gateways send clients of plain HTTP to HTTPS."""
    for gateway in side.of("Gateway"):
        servers = below(gateway.inputs, "spec").get("servers")
        for server in servers if isinstance(servers, list) else ():
            if isinstance(server, Mapping) and below(server, "tls").get("httpsRedirect"):
                for host in server.get("hosts") or ():
                    yield gateway, f"http://{shown(host)}/", "a redirect to https"


def _leads(exposure: Exposure) -> str:
    return exposure.redirect or listed(map(_target, exposure.backends)) or "nothing"


def _key(exposure: Exposure, host: str) -> str:
    if exposure.kind == "Ingress":
        return f"{'https' if exposure.secured else 'http'}://{host}{exposure.path or '/'}"
    asked = f" ({exposure.asked})" if exposure.asked else ""
    return f"{exposure.kind} {host}{exposure.path}{asked}"


def _target(backend: Backend) -> str:
    name = "/".join(map(shown, backend.service)) if backend.service else shown(backend.host)
    return f"{name}:{shown(backend.port)}" if backend.port else name


def _ports(side: Side) -> Iterator[tuple[Resource, str, str]]:
    for service in side.of("Service"):
        spec, named = below(service.inputs, "spec"), metadata(service)
        if way := from_outside(spec):
            numbers = [
                f"{port.get('port')}/{port.get('protocol') or 'TCP'}" for port in spec.get("ports") or ()
            ]
            key = f"{way} {shown(named.get('namespace'))}/{shown(named.get('name'))}"
            at = f" of {listed(map(shown, external_addresses(spec)))}" if external_addresses(spec) else ""
            yield service, key, f"ports {listed(numbers)}{at}"


def _draw(scene: Scene, drawing: Drawing) -> None:
    """The ways into each cluster, and a link from each to every service that a route leads to from it."""
    leading: dict[tuple[str, str], dict[str, Resource]] = {}
    for side in scene.sides:
        doors = Doors(side)
        for door in doors:
            drawing.add(part_of(door), "gateway", name_of(door)[1], f"cluster:{door.region}", [door])
        for route, exposure, gateway, _ in side.routes.answered():
            services = {backend.service for backend in exposure.backends if backend.service}
            for door, service in product(doors.to(route, gateway), services):
                target = f"service:{route.region}/{'/'.join(service)}"
                leading.setdefault((part_of(door), target), {})[route.urn] = route
    for (source, target), routes in sorted(leading.items()):
        drawing.link(source, target, "route", routes.values())


_WAY = Effect(traffic="where requests go changes", judge=_answered_no_more)

COLUMN = Column(
    name="exposure",
    kinds={
        "GRPCRoute": _WAY,
        "Gateway": Effect(traffic="what the gateway listens to changes", judge=_answered_no_more),
        "GatewayClass": Effect(traffic="who runs gateways changes"),
        "HTTPRoute": _WAY,
        "Ingress": _WAY,
        "IngressClass": Effect(traffic="who runs ingresses changes", judge=_answered_no_more),
        "ReferenceGrant": Effect(needed="where routes of other namespaces may lead changes"),
        "TCPRoute": _WAY,
        "TLSRoute": _WAY,
        "UDPRoute": _WAY,
        "VirtualService": _WAY,
    },
    rows={"exposure": _rows},
    draw=_draw,
)
