"""What the routes of one side of a change expose, each read once."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import ClassVar

from components.values.exposure import (
    GATEWAYS,
    ROUTES,
    Exposure,
    Gateway,
    Listener,
    Name,
    UnreadableError,
    answered,
    covers,
    exposures,
    listeners,
)
from report.model import Resource
from report.urns import kind


class Routes:
    """Routes with what they expose, and the gateways that they hang on, of all clusters."""

    KINDS: ClassVar = tuple(sorted({name for _, name in (*ROUTES, *GATEWAYS)}))
    """Kinds of the resources that are read."""

    def __init__(self, resources: Iterable[Resource], earlier: Routes | None = None) -> None:
        """earlier: those before the change; what gateways are no more there take no route."""
        self._gateways: dict[str, dict[Gateway, Sequence[Listener]]] = {}
        self.gateways: dict[tuple[str, Gateway], Resource] = {}
        """Those that are declared, by the provider of their cluster."""
        self.by_resource: list[tuple[Resource, tuple[Exposure, ...]]] = []
        self.unreadable: list[Resource] = []
        """What is not of the form that its kind has, or hides it."""
        for provider, gateways in (earlier._gateways if earlier else {}).items():
            self._gateways[provider] = dict.fromkeys(gateways, ())
        for resource in resources:
            try:
                self._read(resource)
            except UnreadableError:
                self.unreadable.append(resource)
        self.services: set[Name] = {
            backend.service
            for _, found in self.by_resource
            for exposure in found
            if exposure.outside
            for backend in exposure.backends
            if backend.service
        }
        """Namespace and name of every service that is led to from outside."""
        self._hosts: dict[str, set[str]] = {}
        """The hosts that each route, and each gateway, has a part in answering."""
        for resource, _, gateway, host in self.answered():
            for part in (resource, self.gateways.get((resource.provider, gateway))):
                if part is not None:
                    self._hosts.setdefault(part.urn, set()).add(host)

    def _read(self, resource: Resource) -> None:
        group, name = resource.type.split(":")[1].rpartition("/")[0], kind(resource)
        if (group, name) in GATEWAYS:
            gateway, takes = listeners(group, name, resource.inputs)
            self._gateways.setdefault(resource.provider, {})[gateway] = takes
            self.gateways[resource.provider, gateway] = resource
        elif (group, name) in ROUTES:
            self.by_resource.append((resource, tuple(exposures(group, name, resource.inputs))))

    def answered(self) -> Iterator[tuple[Resource, Exposure, Gateway, str]]:
        """Every host that is reached from outside: by which route and gateway."""
        for resource, found in self.by_resource:
            gateways = self._gateways.get(resource.provider, {})
            for exposure in found:
                for gateway, host in answered(exposure, gateways):
                    yield resource, exposure, gateway, host

    def lost(self, urn: str, after: Routes) -> list[str]:
        """The hosts of a route or gateway that nothing answers any more; sorted."""
        left = set().union(*after._hosts.values())
        return sorted(
            host for host in self._hosts.get(urn, ()) if not any(covers(form, host) for form in left)
        )
