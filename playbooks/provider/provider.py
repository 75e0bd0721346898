"""The provider: takes the engine's calls to the resource that they are about."""

from __future__ import annotations

import json
from typing import Any

from pulumi.provider.experimental import provider as sdk
from pulumi.provider.experimental.property_value import PropertyValue

from playbooks.provider import schema
from playbooks.provider.engine import Engine
from playbooks.provider.errors import ProviderError
from playbooks.provider.fleet import Fleet
from playbooks.provider.resources.base import RUN, Changes, Context, Operation, Resource
from playbooks.provider.resources.certificate import Certificate
from playbooks.provider.resources.certificate_authority import CertificateAuthority
from playbooks.provider.resources.cluster_identity import ClusterIdentity
from playbooks.provider.resources.host_phase import HostPhase
from playbooks.provider.resources.service_account_token import ServiceAccountToken
from playbooks.provider.runs import Runs
from playbooks.provider.values import UNKNOWN, from_properties, to_properties, to_python

NAME = "crossmesh"
VERSION = "0.1.0"

RESOURCES: dict[str, Resource] = {
    resource.schema.token: resource
    for resource in (
        CertificateAuthority(),
        Certificate(),
        HostPhase(),
        ClusterIdentity(),
        ServiceAccountToken(),
    )
}


class Crossmesh(sdk.Provider):
    """The provider of one engine."""

    def __init__(self, engine: Engine) -> None:
        """engine: where messages go."""
        self._engine = engine
        self._runs = Runs()
        self._context = Context(engine, Fleet(), self._runs)

    async def get_schema(self, request: sdk.GetSchemaRequest) -> sdk.GetSchemaResponse:
        """Return the package's schema."""
        schemas = [resource.schema for resource in RESOURCES.values()]
        return sdk.GetSchemaResponse(schema=schema.package_schema(NAME, VERSION, schemas))

    async def configure(self, request: sdk.ConfigureRequest) -> sdk.ConfigureResponse:
        """Tell the engine what this provider understands."""
        # Outputs as inputs stay off: the SDK cannot read one that is not known yet.
        return sdk.ConfigureResponse(accept_secrets=True, supports_preview=True, accept_resources=True)

    async def check(self, request: sdk.CheckRequest) -> sdk.CheckResponse:
        """Check a resource's inputs; all that is wrong with them at once."""
        resource = _resource(request.type)
        new, old = to_properties(request.new_inputs), to_properties(request.old_inputs)
        failures = resource.schema.problems(new)
        inputs = dict(request.new_inputs)
        self._learn(inputs.pop(RUN, None))
        if not failures:
            checked = await resource.check(self._context, request.urn, old, new, request.random_seed)
            failures = list(checked.failures)
            inputs |= from_properties(checked.inputs, resource.schema.secrets)
        for name in resource.schema.secrets & inputs.keys():
            inputs[name] = inputs[name].with_secret(True)
        name = request.name
        return sdk.CheckResponse(
            inputs=inputs, failures=[sdk.CheckFailure(key, f"{name}: {key} {text}") for key, text in failures]
        )

    async def diff(self, request: sdk.DiffRequest) -> sdk.DiffResponse:
        """Tell what differs."""
        resource = _resource(request.type)
        old, new = to_properties(request.old_state), to_properties(request.new_inputs)
        if any(old.get(field.name) is UNKNOWN for field in resource.schema.outputs):
            # No `up` left this state: it was worked out for a comparison of declarations. What is live, or
            # comes to an end, cannot be told from it; what is not known counts as the same.
            pairs = {
                field.name: (old.get(field.name), new.get(field.name)) for field in resource.schema.inputs
            }
            known = {name: pair for name, pair in pairs.items() if UNKNOWN not in pair}
            changes = Changes(updates=[name for name, (before, after) in known.items() if before != after])
        else:
            changes = await resource.diff(self._context, request.urn, old, new)
        kind = sdk.PropertyDiffKind
        detail = {
            name: sdk.PropertyDiff(kind.UPDATE, input_diff=_is_input(resource, name))
            for name in changes.updates
        }
        detail |= {name: sdk.PropertyDiff(kind.UPDATE_REPLACE, input_diff=True) for name in changes.replaces}
        return sdk.DiffResponse(
            changes=changes.any,
            replaces=list(changes.replaces),
            diffs=sorted({name.partition(".")[0] for name in detail}),
            detailed_diff=detail,
        )

    async def create(self, request: sdk.CreateRequest) -> sdk.CreateResponse:
        """Make a resource."""
        resource = _resource(request.type)
        operation = Operation(request.urn, request.name, request.timeout, request.preview)
        state = await resource.create(self._context, operation, to_properties(request.properties))
        return sdk.CreateResponse(
            resource_id="" if request.preview else request.name, properties=_outputs(resource, state)
        )

    async def update(self, request: sdk.UpdateRequest) -> sdk.UpdateResponse:
        """Change a resource in place."""
        resource = _resource(request.type)
        operation = Operation(request.urn, request.name, request.timeout, request.preview)
        old, new = to_properties(request.olds), to_properties(request.news)
        state = await resource.update(self._context, operation, old, new)
        return sdk.UpdateResponse(properties=_outputs(resource, state))

    async def delete(self, request: sdk.DeleteRequest) -> None:
        """Remove a resource."""
        resource = _resource(request.type)
        operation = Operation(request.urn, request.name, request.timeout)
        await resource.delete(self._context, operation, to_properties(request.properties))

    async def cancel(self) -> None:
        """End all runs and wait for their end."""
        await self._runs.cancel()

    def _learn(self, run: PropertyValue | None) -> None:
        """Take what the program knows of this run; it comes with resources, so that no state ever holds
        it."""
        told = None if run is None else to_python(run)
        if told:
            values = json.loads(told)
            self._context.preview = bool(values["preview"])
            self._context.fleet.declare(values["first_phases"])

    def hang_up(self) -> None:
        """Let go of all runs at once; they end by themselves."""
        self._runs.hang_up()


def _resource(token: str) -> Resource:
    # A resource inside a component carries its parents' types in front of its own.
    try:
        return RESOURCES[token.rpartition("$")[2]]
    except KeyError:
        msg = f"the provider {NAME} {VERSION} has no resource of the type {token}"
        raise ProviderError(msg, fix=f"use one of {', '.join(sorted(RESOURCES))}") from None


def _is_input(resource: Resource, name: str) -> bool:
    return name.partition(".")[0] in {field.name for field in resource.schema.inputs}


def _outputs(resource: Resource, state: dict[str, Any]) -> dict[str, PropertyValue]:
    return from_properties(state, resource.schema.secrets)
