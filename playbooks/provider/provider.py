"""The provider as the engine calls it: takes each call to the resource that it is about."""

from __future__ import annotations

import functools
import json
import traceback
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

import grpc  # type: ignore[import-untyped]
from google.protobuf.empty_pb2 import Empty  # type: ignore[import-untyped]
from google.protobuf.struct_pb2 import Struct  # type: ignore[import-untyped]
from pulumi.provider.experimental.property_value import PropertyValue
from pulumi.runtime.proto import plugin_pb2, provider_pb2, provider_pb2_grpc, status_pb2

from access.paths import version
from playbooks.provider.engine import Engine
from playbooks.provider.fleet import Fleet
from playbooks.provider.resources.admission import Admission
from playbooks.provider.resources.base import Changes, Context, Operation, Resource, Unfinished
from playbooks.provider.resources.certificates import Certificate, CertificateAuthority
from playbooks.provider.resources.cluster_identity import ClusterIdentity
from playbooks.provider.resources.definition import CustomResourceDefinition
from playbooks.provider.resources.encryption_key import EncryptionKey
from playbooks.provider.resources.given_certificate import GivenCertificate
from playbooks.provider.resources.host_phase import HostPhase
from playbooks.provider.resources.node_taints import NodeTaints
from playbooks.provider.resources.service_account_token import ServiceAccountToken
from playbooks.provider.resources.signing_key import SigningKey
from playbooks.provider.resources.tunnel_key import TunnelKey
from playbooks.provider.rollout import Rollout
from playbooks.provider.runs import Runs
from playbooks.provider.sdk import RUN
from playbooks.provider.values import from_properties, to_properties, to_python
from playbooks.rolling import Wave
from playbooks.work import PHASES
from report.errors import OperationsError

NAME = "crossmesh"

RESOURCES: dict[str, Resource] = {
    kind.schema.token: kind()
    for kind in (
        CertificateAuthority,
        Certificate,
        GivenCertificate,
        HostPhase,
        ClusterIdentity,
        ServiceAccountToken,
        CustomResourceDefinition,
        NodeTaints,
        Admission,
        TunnelKey,
        SigningKey,
        EncryptionKey,
    )
}

_Call = Callable[["Crossmesh", Any, Any], Awaitable[Any]]


def _explained(call: _Call) -> _Call:
    """Give the errors of a call to the engine: those for people as plain words, others with a traceback."""

    @functools.wraps(call)
    async def wrapper(self: Crossmesh, request: Any, context: Any) -> Any:
        try:
            return await call(self, request, context)
        except Unfinished as exc:
            await context.abort(grpc.StatusCode.UNKNOWN, str(exc), _details(request.urn, exc))
        except OperationsError as exc:
            await context.abort(grpc.StatusCode.UNKNOWN, str(exc))
        except Exception:
            words = f"the provider broke in {call.__name__}:\n{traceback.format_exc()}"
            await context.abort(grpc.StatusCode.INTERNAL, words)

    return wrapper


class Crossmesh(provider_pb2_grpc.ResourceProviderServicer):
    """The provider of one engine. What is not here, the engine is told not to be implemented."""

    def __init__(self, engine: Engine) -> None:
        runs = Runs()
        self._context = Context(engine, Fleet(), runs, Rollout(lambda: runs.cancelled))
        self._told = ""

    async def GetPluginInfo(self, request: Empty, context: Any) -> plugin_pb2.PluginInfo:
        return plugin_pb2.PluginInfo(version=version())

    async def CheckConfig(self, request: Any, context: Any) -> provider_pb2.CheckResponse:
        return provider_pb2.CheckResponse(inputs=request.news)

    async def DiffConfig(self, request: Any, context: Any) -> provider_pb2.DiffResponse:
        """Say that it never differs: it tells about one run and nothing of resources."""
        return provider_pb2.DiffResponse(changes=provider_pb2.DiffResponse.DIFF_NONE)

    async def Configure(self, request: Any, context: Any) -> provider_pb2.ConfigureResponse:
        # Outputs as inputs stay off: the SDK cannot read one that is not known yet.
        return provider_pb2.ConfigureResponse(acceptSecrets=True, supportsPreview=True, acceptResources=True)

    @_explained
    async def Check(self, request: provider_pb2.CheckRequest, context: Any) -> provider_pb2.CheckResponse:
        """Check a resource's inputs; all that is wrong with them at once."""
        resource, name = _resource(request.urn)
        inputs = PropertyValue.unmarshal_map(request.news)
        new, old = to_properties(inputs), _plain(request.olds)
        failures = resource.schema.problems(new)
        self._learn(inputs.pop(RUN, None))
        if not failures:
            operation = Operation(self._context, request.urn, seed=request.randomSeed)
            checked = await resource.check(operation, old, new)
            failures = list(checked.failures)
            inputs = {name: value for name, value in inputs.items() if name not in checked.inputs}
            inputs |= from_properties(checked.inputs, resource.schema.secrets)
        for secret in resource.schema.secrets & inputs.keys():
            inputs[secret] = inputs[secret].with_secret(True)
        return provider_pb2.CheckResponse(
            inputs=PropertyValue.marshal_map(inputs),
            failures=[
                provider_pb2.CheckFailure(property=key, reason=f"{name}: {key} {text}")
                for key, text in failures
            ],
        )

    @_explained
    async def Diff(self, request: provider_pb2.DiffRequest, context: Any) -> provider_pb2.DiffResponse:
        resource, _ = _resource(request.urn)
        old, new = _plain(request.olds), _plain(request.news)
        if (updates := resource.schema.declared_differences(old, new)) is not None:
            changes = Changes(updates=updates)
        else:
            changes = await resource.diff(Operation(self._context, request.urn), old, new)
        kinds = dict.fromkeys(changes.updates, provider_pb2.PropertyDiff.UPDATE)
        kinds |= dict.fromkeys(changes.replaces, provider_pb2.PropertyDiff.UPDATE_REPLACE)
        inputs = {field.name for field in resource.schema.inputs}
        answer = provider_pb2.DiffResponse
        return answer(
            changes=answer.DIFF_SOME if changes.any else answer.DIFF_NONE,
            replaces=list(changes.replaces),
            diffs=sorted({path.partition(".")[0] for path in kinds}),
            detailedDiff={
                path: provider_pb2.PropertyDiff(kind=kind, inputDiff=path.partition(".")[0] in inputs)
                for path, kind in kinds.items()
            },
            hasDetailedDiff=True,
        )

    @_explained
    async def Create(self, request: provider_pb2.CreateRequest, context: Any) -> provider_pb2.CreateResponse:
        """Make a resource; its name is its identity."""
        resource, name = _resource(request.urn)
        operation = Operation(self._context, request.urn, request.timeout, request.preview)
        state = await resource.create(operation, _plain(request.properties))
        return provider_pb2.CreateResponse(
            id="" if request.preview else name, properties=_outputs(resource, state)
        )

    @_explained
    async def Update(self, request: provider_pb2.UpdateRequest, context: Any) -> provider_pb2.UpdateResponse:
        resource, _ = _resource(request.urn)
        operation = Operation(self._context, request.urn, request.timeout, request.preview)
        state = await resource.update(operation, _plain(request.olds), _plain(request.news))
        return provider_pb2.UpdateResponse(properties=_outputs(resource, state))

    @_explained
    async def Delete(self, request: provider_pb2.DeleteRequest, context: Any) -> Empty:
        resource, _ = _resource(request.urn)
        operation = Operation(self._context, request.urn, request.timeout)
        await resource.delete(operation, _plain(request.old_inputs), _plain(request.properties))
        return Empty()

    @_explained
    async def Read(self, request: provider_pb2.ReadRequest, context: Any) -> provider_pb2.ReadResponse:
        """Look what is live, where a resource does; of others, the next `up` and drift do."""
        resource, name = _resource(request.urn)
        if not request.properties:
            msg = f"{name} cannot be taken over: the provider {NAME} reads nothing that it did not make"
            raise OperationsError(msg, fix="declare it, and run `up`: what is done already stays as it is")
        answer = provider_pb2.ReadResponse(
            id=request.id, properties=request.properties, inputs=request.inputs
        )
        state = _plain(request.properties)
        live = await resource.read(Operation(self._context, request.urn), _plain(request.inputs), state)
        if live is None:
            return provider_pb2.ReadResponse()
        if live != state:
            answer.properties.CopyFrom(_outputs(resource, live))
        return answer

    async def Cancel(self, request: Empty, context: Any) -> Empty:
        """End all runs and wait for their end; each operation then answers that it was cancelled."""
        await self._context.runs.cancel()
        return Empty()

    def _learn(self, run: PropertyValue | None) -> None:
        """Take what the program knows of this run; it comes with resources, so that no state holds it."""
        told = None if run is None else to_python(run)
        if not told or told == self._told:
            return
        self._told = told
        values = json.loads(told)
        hosts, waves = values["hosts"], values["waves"]
        self._context.preview = bool(values["preview"])
        first = {host: phases[0] for host, phases in hosts.items() if phases}
        self._context.holds.declare(hosts)
        self._context.fleet.declare(first, {host: _rank(phases) for host, phases in hosts.items()})
        self._context.rollout.declare(
            [Wave(tuple(names), at_once) for names, at_once in waves],
            {host: [phase for phase in phases if PHASES[phase].rolled] for host, phases in hosts.items()},
        )

    def hang_up(self) -> None:
        """Let go of all runs at once, which end by themselves, and of the regions that are held for them."""
        self._context.runs.hang_up()
        self._context.holds.hang_up()


def _rank(phases: Sequence[str]) -> int:
    """Whether others wait for a host: for a control plane nodes, for a node pods, for others nobody."""
    its = [PHASES[phase] for phase in phases]
    if any(phase.carries_cluster for phase in its):
        return 0
    return 1 if any(phase.membership for phase in its) else 2


def _resource(urn: str) -> tuple[Resource, str]:
    """Return the resource that a URN is of, and its name."""
    *_, types, name = urn.split("::", 3)
    # A resource inside a component carries its parents' types in front of its own.
    token = types.rpartition("$")[2]
    try:
        return RESOURCES[token], name
    except KeyError:
        msg = f"the provider {NAME} {version()} has no resource of the type {token}"
        raise OperationsError(msg, fix=f"use one of {', '.join(sorted(RESOURCES))}") from None


def _plain(values: Struct) -> dict[str, Any]:
    return to_properties(PropertyValue.unmarshal_map(values))


def _outputs(resource: Resource, state: Mapping[str, Any]) -> Struct:
    return PropertyValue.marshal_map(from_properties(state, resource.schema.secrets))


def _details(urn: str, error: Unfinished) -> tuple[tuple[str, bytes], ...]:
    """Return what makes the engine keep the resource in its state, as one to be finished."""
    resource, name = _resource(urn)
    status = status_pb2.Status(code=grpc.StatusCode.UNKNOWN.value[0], message=str(error))
    status.details.add().Pack(
        provider_pb2.ErrorResourceInitFailed(
            id=name, properties=_outputs(resource, error.state), reasons=[str(error)]
        )
    )
    return (("grpc-status-details-bin", status.SerializeToString()),)
