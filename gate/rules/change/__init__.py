"""Rules about the change itself: what there was, against what there will be. One rule per module."""

from __future__ import annotations

from gate.rules.change import (
    address_room,
    api_versions,
    capacity,
    certificate_authorities,
    definition_bounds,
    encryption_keys,
    given_certificates,
    host_authorities,
    members_kept,
    mtls_kept,
    name_servers,
    order,
    protected,
    route_targets,
    shared_connections,
    slices_kept,
    stateful,
    strict_addresses,
    support,
    trust,
    upgrade,
    versions,
)
from gate.rules.subject import Check

CHECKS: tuple[Check, ...] = (
    address_room.CHECK,
    api_versions.CHECK,
    members_kept.CHECK,
    mtls_kept.CHECK,
    name_servers.CHECK,
    capacity.CHECK,
    certificate_authorities.CHECK,
    definition_bounds.CHECK,
    encryption_keys.CHECK,
    given_certificates.CHECK,
    host_authorities.CHECK,
    order.CHECK,
    protected.CHECK,
    route_targets.CHECK,
    shared_connections.CHECK,
    slices_kept.CHECK,
    stateful.CHECK,
    strict_addresses.CHECK,
    support.CHECK,
    trust.CHECK,
    upgrade.CHECK,
    versions.CHECK,
)
