"""`crossmesh:hosts:HostPhase`."""

from __future__ import annotations

import asyncio
import contextlib
import hmac
import os
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from functools import cache, partial
from typing import Any, TypeVar

from access import ssh
from access.cluster import Cluster
from access.errors import AccessError, Unanswered
from access.ssh import Connection
from playbooks.digest import roles_digest
from playbooks.phase import LEAVE_HOSTS, LOST_HOSTS, RECORDED, Needs, Undo, machine_of
from playbooks.preflight import told
from playbooks.preflight.expected import Expected
from playbooks.provider import files, runs, sdk
from playbooks.provider.look import examine
from playbooks.provider.membership import Leaving
from playbooks.provider.resources.base import Changes, Checked, Operation, Resource, Unfinished
from playbooks.provider.resources.out_of_service import held, leaving_of
from playbooks.provider.run.request import RunRequest
from playbooks.provider.runs import Event
from playbooks.provider.values import UNKNOWN, Properties, has_unknown
from playbooks.work import PHASES, earlier
from report.errors import OperationsError
from stacks import digests

RUN_TIMEOUT = 1800.0
"""Seconds for a playbook when the program allows no other time."""
ANSWER_SECONDS, POLL_SECONDS = 60.0, 2.0
"""For so long a node that leaves waits for its cluster to answer, and from one question to the next."""
CONFIRMED = "base_sshd"
"""The role variable by which a host is changed so that a new login has to confirm it."""
CONFIRM_SECONDS = 30.0
"""For that login: well below the two minutes after which the host takes it back."""
_CONFIRM = (
    "rm -f /var/lib/crossmesh/sshd-unconfirmed; systemctl stop crossmesh-sshd-back.timer 2>/dev/null || :"
)
T = TypeVar("T")
_SHOWN_CHANGES = 30
DRIFTED = ""
"""The digest of a host that is no more as it was applied: it differs from every declaration."""
_KEPT = ("host", "phase", "variables", *RECORDED, "digest", "roles_digest", "file_sums", "secret_sums")
# Who has none of it was never finished: nothing runs there that could be interrupted.
_MADE = "roles_digest"
# The same few roles for every host.
_roles_digest = cache(roles_digest)


class HostPhase(Resource):
    """One phase of one host. It differs by its digest alone."""

    schema = sdk.HostPhase.schema()

    async def check(self, operation: Operation, old: Properties, new: Properties) -> Checked:
        failures = [
            (f"connection.{key}", "is missing")
            for key in ("address", "user", "knownHostsFile")
            if isinstance(new.get("connection"), Mapping) and not new["connection"].get(key)
        ]
        if failures or new.get("phase") not in PHASES:
            return Checked(failures=failures)
        roles = _roles_digest(PHASES[new["phase"]])
        sums = files.sums(new.get("file_variables") or {}, old.get("file_sums") or {})
        salt = old.get("salt") or digests.of_bytes(b"salt" + (operation.seed or operation.urn.encode()))
        _saw(operation, new, changes=None if old else True)
        if PHASES[new["phase"]].carries_cluster:
            operation.context.clusters.add(new.get("region") or "")
        hidden = secret_sums(new.get("secret_variables") or {}, salt)
        computed = {"roles_digest": roles, "file_sums": sums, "secret_sums": hidden, "salt": salt}
        return Checked(inputs={"digest": digest({**new, **computed}, roles, salt), **computed})

    async def diff(self, operation: Operation, old: Properties, new: Properties) -> Changes:
        replaces = [name for name in ("host", "phase") if old.get(name) != new[name]]
        runs_playbook = bool(replaces) or _to_be_run(old, new)
        _saw(operation, new, changes=runs_playbook)
        interrupts = runs_playbook and _interrupts(old, new)
        rollout = operation.context.rollout
        (rollout.expect if interrupts else rollout.settle)(new["host"], new["phase"])
        if interrupts and not operation.context.preview and _is_staged(old, new):
            operation.context.staging.expect(new["host"], partial(self._stage, operation, new))
        updates = [name for name in RECORDED if old.get(name) != new.get(name)]
        if runs_playbook:
            updates += ["digest", *_reasons(old, new)]
        return Changes(updates=updates, replaces=replaces)

    async def create(self, operation: Operation, inputs: Properties) -> Properties:
        await self._bring_about(operation, inputs, is_made=False)
        return {name: inputs.get(name) for name in _KEPT}

    async def update(self, operation: Operation, old: Properties, new: Properties) -> Properties:
        if _to_be_run(old, new):
            is_made = old.get(_MADE) is not None
            await self._bring_about(operation, new, is_made=is_made, rolled=_interrupts(old, new))
        return {name: new.get(name) for name in _KEPT}

    async def read(self, operation: Operation, inputs: Properties, state: Properties) -> Properties | None:
        """What was applied; with no digest once the host has drifted, so that the next `up` runs the phase.

        A host that cannot be looked at stays as it was applied, and is warned of.
        """
        # Who has none was not finished, and the next `up` runs the phase.
        if not state.get("digest") or os.environ.get(LEAVE_HOSTS):
            return state
        # So it does after a change of roles, and what they would do is no drift.
        if state.get("roles_digest") != _roles_digest(PHASES[state["phase"]]):
            return state
        name = f"{state['host']} {state['phase']}"
        try:
            outcome = await self._check_mode(operation, inputs)
            if outcome.status == "failed":
                raise OperationsError(outcome.message)
        except OperationsError as exc:
            await operation.warning(f"{name}: taken as it was applied, since it cannot be looked at: {exc}")
            return state
        if not outcome.changed:
            return state
        await operation.info(_would_change(name, outcome))
        return {**state, "digest": DRIFTED}

    async def delete(self, operation: Operation, inputs: Properties, state: Properties) -> None:
        if not state.get("reset_on_delete"):
            return
        if state["host"] in lost_hosts():
            await self._give_up(operation, inputs, state)
            return
        phase = PHASES[state["phase"]]
        undo = phase.undo
        kubeconfig = inputs.get("kubeconfig") if undo.needs is Needs.CLUSTER_ACCESS else None
        # With the last control plane of a cluster there is nobody left to ask.
        ends = phase.carries_cluster and state.get("region") not in operation.context.clusters
        if kubeconfig is None or ends:
            await self._reset(operation, state, undo)
            return
        region, seconds = state.get("region") or "", (operation.timeout or RUN_TIMEOUT) / 2
        if region in operation.context.clusters:
            await _hold(operation, state)
        # The engine takes out at once what does not rest on each other; etcd lets go of one member at a time.
        alone = operation.context.leaving[region] if phase.carries_cluster else contextlib.nullcontext()
        async with alone:
            with Cluster(region, kubeconfig) as cluster:
                leaving = leaving_of(operation, cluster, state["host"])
                is_asked = await self._leave(operation, state, leaving, undo, seconds)
                await self._reset(replace(operation, timeout=seconds), state, undo)
                # A kubelet that was restarted before its reset has made the object again.
                if is_asked:
                    await _answered(operation, state, leaving.remove)

    async def _give_up(self, operation: Operation, inputs: Properties, state: Properties) -> None:
        """Have a host go whose machine is lost. Raises OperationsError for one that answers, or is a node."""
        host, kubeconfig = state["host"], inputs.get("kubeconfig")
        if await operation.context.fleet.probe(_connection(state)):
            msg = f"{host}: it is named in {LOST_HOSTS}, and its sshd answers"
            raise OperationsError(msg, fix=f"take it out of {LOST_HOSTS}: it is reset then")
        if (
            PHASES[state["phase"]].membership
            and kubeconfig
            and state.get("region") in operation.context.clusters
        ):
            with Cluster(state.get("region") or "", kubeconfig) as cluster:
                if await leaving_of(operation, cluster, host).is_member():
                    msg = f"{host}: it is named in {LOST_HOSTS}, and is a node of its cluster still"
                    fix = f"clear its place first: crossmesh runbook run clear-lost-node node={host}"
                    raise OperationsError(msg, fix=fix)
        await operation.warning(f"{host} {state['phase']}: its machine is lost, and nothing was reset there")

    async def _leave(
        self, operation: Operation, state: Properties, leaving: Leaving, undo: Undo, seconds: float
    ) -> bool:
        """Take the node out of its cluster. Returns whether the cluster was there to be asked."""
        host = state["host"]
        try:
            is_member = await _answered(operation, state, leaving.is_member)
            if is_member:
                await _answered(operation, state, leaving.cordon)
                if ending := await _answered(operation, state, partial(leaving.drain, seconds)):
                    text = f"{host}: no other node takes pods; {len(ending)} end with it: {', '.join(ending)}"
                    await operation.warning(text)
            if undo.leaves_etcd:
                await self._withdraw(replace(operation, timeout=seconds), state, undo)
            if is_member:
                await _answered(operation, state, leaving.remove)
                await operation.info(f"{host}: drained, and no node any more")
        except Unanswered as exc:
            if state.get("region") not in operation.context.clusters:
                await operation.warning(f"{host}: reset without its cluster: {exc}")
                return False
            msg = f"{host}: it cannot leave its cluster, and was not reset: {exc.message}"
            fix = (
                "bring the API server back and run again; or, when the cluster is given up, take its region "
                "out of the declaration, or destroy the stack"
            )
            raise OperationsError(msg, fix=fix) from exc
        return True

    async def _withdraw(self, operation: Operation, state: Properties, undo: Undo) -> None:
        """Take the host's member out of etcd. Raises OperationsError: the host is a member of its cluster."""
        connection, timeout, host = _connection(state), operation.timeout or RUN_TIMEOUT, state["host"]
        try:
            request = runs.request_for(state, connection, timeout, undo=undo, withdraws=True)
            await _run(operation, state, request)
        except OperationsError as exc:
            msg = f"{exc.message}; {host} was not taken out of etcd, and stays a node, cordoned"
            fix = (
                f"mend that and run again; to keep it, declare it again and `kubectl uncordon {host}`. When "
                f"its machine is lost: crossmesh runbook run clear-lost-node node={host}"
            )
            raise OperationsError(msg, fix=fix) from exc

    async def _reset(self, operation: Operation, state: Properties, undo: Undo) -> None:
        connection, timeout = _connection(state), operation.timeout or RUN_TIMEOUT
        try:
            await _run(operation, state, runs.request_for(state, connection, timeout, undo=undo))
        except OperationsError as exc:
            msg = f"{exc.message}; the reset of {state['host']} {state['phase']} was not finished"
            fix = (
                "mend the host and run again; or, when its machine is lost, crossmesh runbook run "
                f"clear-lost-node node={state['host']}, and run again with {LOST_HOSTS}={state['host']}"
            )
            raise OperationsError(msg, fix=fix) from exc

    async def _bring_about(
        self, operation: Operation, inputs: Properties, *, is_made: bool, rolled: bool = False
    ) -> None:
        """Run the phase's playbook, or at preview find out what it would change.

        is_made: whether the phase was ever finished on the host. rolled: whether it waits for its turn.
        """
        if operation.preview:
            await self._preview(operation, inputs)
            return
        host, phase = inputs["host"], inputs["phase"]
        await operation.context.fleet.open(host, operation.status)
        if operation.context.holds.is_node(host):
            await _hold(operation, inputs)
        connection, timeout = _connection(inputs), operation.timeout or RUN_TIMEOUT
        request = runs.request_for(inputs, connection, timeout, is_made=is_made)
        begun = asyncio.Event()
        rollout, say = operation.context.rollout, operation.status
        if not rolled:
            rollout.settle(host, phase)
            await operation.context.fleet.give_way(host, phase, say)
        if rolled:
            await operation.context.staging.open(host, say)
        turn = rollout.turn(host, phase, say) if rolled else contextlib.nullcontext()
        away = held(operation, inputs, timeout / 2) if rolled else contextlib.nullcontext()
        try:
            async with turn, away:
                outcome = await _run(operation, inputs, request, begun)
                if CONFIRMED in inputs["variables"]:
                    await asyncio.to_thread(confirm, host, connection)
        except OperationsError as exc:
            if not begun.is_set():
                raise
            # The host is somewhere between what it was and what it shall be: without a digest it differs
            # from every declaration, also from the old one.
            unknown = ("digest",) if is_made else ("digest", _MADE)
            left = {name: inputs.get(name) for name in _KEPT if name not in unknown}
            raise Unfinished(exc, left) from exc
        finally:
            operation.context.fleet.has_begun(host)
        changed = f"{len(outcome.changed)} of {outcome.tasks} tasks changed it"
        await operation.info(f"{host} {phase}: {changed} ({outcome.seconds:.0f} s)")

    async def _stage(self, operation: Operation, inputs: Properties) -> None:
        """Give the host what it can be given ahead of its turn."""
        phase = PHASES[inputs["phase"]]
        timeout = operation.timeout or RUN_TIMEOUT
        request = runs.request_for(inputs, _connection(inputs), timeout, ahead=phase.ahead)
        await _run(operation, inputs, request)

    async def _preview(self, operation: Operation, inputs: Properties) -> None:
        """Tell what the playbook would change, or why that cannot be told."""
        host, phase = inputs["host"], inputs["phase"]
        try:
            if os.environ.get(LEAVE_HOSTS):
                raise OperationsError("hosts are left alone (--hermetic)")
            await self._preflight(operation, inputs)
            outcome = await self._check_mode(operation, inputs)
            if outcome.status == "failed" and not outcome.tasks:
                raise OperationsError(outcome.message)
        except OperationsError as exc:
            await operation.warning(f"{host} {phase}: not measurable: {exc}")
            return
        await operation.info(_would_change(f"{host} {phase}", outcome))
        if outcome.status == "failed":
            further = f"not measurable from here on, before the changes above are made: {outcome.message}"
            await operation.warning(f"{host} {phase}: {further}")

    async def _preflight(self, operation: Operation, inputs: Properties) -> None:
        """Tell what stands against the host. Raises OperationsError where it accepts connections, and cannot
        be looked at."""
        host, connection = inputs["host"], _connection(inputs)
        if not inputs.get("preflight") or not await operation.context.fleet.probe(connection):
            return
        if wanted := _wanted(inputs):
            findings = await examine(host, connection, wanted)
            say = operation.warning if any(finding.message for finding in findings) else operation.info
            await say(told.words(host, inputs["phase"], findings))

    async def _check_mode(self, operation: Operation, inputs: Properties) -> runs.Outcome:
        """Run the playbook in check mode. Raises OperationsError where that cannot be."""
        host, fleet = inputs["host"], operation.context.fleet
        if first := fleet.changes(host, earlier(PHASES[inputs["phase"]])):
            raise OperationsError(f"its phase {first} changes first")
        if has_unknown(inputs["variables"]) or has_unknown(inputs.get("secret_variables")):
            raise OperationsError("inputs not known before up")
        connection = _connection(inputs)
        if not await fleet.probe(connection):
            what, (address, port) = "jump host" if connection.jump else "host", connection.first_hop
            raise OperationsError(f"{what} unreachable ({address} port {port})")
        request = runs.look_for(inputs, connection)
        return await operation.context.runs.run(request, _follower(operation, request))


def confirm(host: str, connection: Connection) -> None:
    """Log in anew, by which settings of sshd stay. Raises OperationsError: the host takes them back then."""
    try:
        done = ssh.run(host, connection, ["sh", "-c", _CONFIRM], timeout=CONFIRM_SECONDS)
    except AccessError as exc:
        raise OperationsError(
            f"{host}: nobody logs in by its sshd as it is declared: {exc.message}",
            fix="wait two minutes, in which the host takes its settings back; then see that `ssh.user` and "
            "its key are those that the host knows, or take `ssh.hardened` out of the declaration",
        ) from None
    if done.returncode:
        raise OperationsError(f"{host}: settings of sshd are not confirmed: {done.stderr.strip()}")


def lost_hosts() -> set[str]:
    """The hosts whose machines are lost, as the operator says."""
    return {name.strip() for name in os.environ.get(LOST_HOSTS, "").split(",")} - {""}


async def _answered(operation: Operation, state: Properties, step: Callable[[], Awaitable[T]]) -> T:
    """Take a step in a cluster, and again while that does not answer: its address may just pass on to another
    control plane. Raises the last Unanswered, at once where the cluster goes too.
    """
    silent_since: float | None = None
    while True:
        began = time.monotonic()
        try:
            return await step()
        except Unanswered as exc:
            now = time.monotonic()
            # Who was at it for long was answered in between.
            if silent_since is None or now - began > ANSWER_SECONDS:
                silent_since = now
            goes = state.get("region") not in operation.context.clusters
            if goes or now - silent_since > ANSWER_SECONDS:
                raise
            await operation.status(f"{state['host']}: {exc.message}")
        await asyncio.sleep(POLL_SECONDS)


def _would_change(name: str, outcome: runs.Outcome) -> str:
    """What check mode found, for people."""
    shown = [f"  {task}" for task in outcome.changed[:_SHOWN_CHANGES]]
    if len(outcome.changed) > _SHOWN_CHANGES:
        shown.append(f"  and {len(outcome.changed) - _SHOWN_CHANGES} more")
    text = f"{name}: {len(outcome.changed)} of {outcome.tasks} tasks would change it"
    return "\n".join([text, *shown])


def _connection(inputs: Properties) -> Connection:
    return Connection.of(inputs["connection"], inputs.get("become_password"))


def _interrupts(old: Properties, new: Properties) -> bool:
    """Whether to run the phase may interrupt what runs on the host: once it was finished there."""
    return PHASES[new["phase"]].rolled and old.get(_MADE) is not None


def _is_staged(old: Properties, new: Properties) -> bool:
    """Whether the host is given something ahead of its turn."""
    ahead = PHASES[new["phase"]].ahead
    before, after = old.get("variables") or {}, new["variables"]
    return ahead is not None and any(before.get(name) != after.get(name) for name in ahead.variables)


def _to_be_run(old: Properties, new: Properties) -> bool:
    """Whether the host differs from what it shall be, or may: an unfinished change has left no digest, and at
    another address there may be another machine.
    """
    if machine_of(old["connection"]) != machine_of(new["connection"]):
        return True
    return new["digest"] is UNKNOWN or old.get("digest") != new["digest"]


def secret_sums(secrets: Mapping[str, Any], salt: str) -> Any:
    """Salted digest of each secret variable; `UNKNOWN` while one of them is."""
    if has_unknown(secrets):
        return UNKNOWN
    return {
        name: hmac.new(salt.encode(), digests.canonical(value), "sha256").hexdigest()
        for name, value in secrets.items()
    }


def digest(inputs: Properties, roles: str, salt: str) -> Any:
    """Digest of what the host is brought to; `UNKNOWN` while a variable is. Secrets go in salted."""
    variables, sums = inputs["variables"], inputs.get("file_sums") or {}
    hidden = secret_sums(inputs.get("secret_variables") or {}, salt)
    if has_unknown(variables) or has_unknown(hidden) or has_unknown(sums):
        return UNKNOWN
    content = {"roles": roles, "variables": variables, "files": sums, "secrets": hidden}
    return digests.of_value({"phase": inputs["phase"], **content})


def _reasons(old: Properties, new: Properties) -> list[str]:
    """Return which variables differ, or that the roles do, for the display."""
    before, after = old.get("variables") or {}, new["variables"]
    if not isinstance(after, Mapping):
        return ["variables"]
    reasons = [f"variables.{name}" for name in _differing(before, after)]
    for sums in ("file_sums", "secret_sums"):
        if isinstance(new[sums], Mapping):
            reasons += [f"{sums}.{name}" for name in _differing(old.get(sums) or {}, new[sums])]
    return reasons + ([] if old.get("roles_digest") == new["roles_digest"] else ["roles_digest"])


def _differing(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    return sorted(name for name in {*before, *after} if before.get(name) != after.get(name))


def _saw(operation: Operation, inputs: Properties, *, changes: bool | None) -> None:
    # What is measured for a preview, its own check does.
    wanted = None if operation.context.preview or not changes else _wanted(inputs)
    host, phase, connection = inputs["host"], inputs["phase"], _connection(inputs)
    operation.context.fleet.saw(host, phase, connection, changes=changes, wanted=wanted)
    operation.context.holds.saw(inputs.get("region") or "", host, connection, changes=changes)


def _wanted(inputs: Properties) -> Expected | None:
    """What the host is looked at for; None for phases of hosts that were looked at before."""
    if not inputs.get("preflight") or has_unknown(inputs["variables"]):
        return None
    texts = files.texts(inputs.get("file_variables") or {})
    return Expected.of(inputs["preflight"], {**inputs["variables"], **texts})


async def _hold(operation: Operation, inputs: Properties) -> None:
    """Have this run hold the region of a node, so that no runbook works there. Raises OperationsError."""
    await operation.context.holds.open(inputs.get("region") or "", operation.status, operation.warning)


async def _run(
    operation: Operation, inputs: Properties, request: RunRequest, begun: asyncio.Event | None = None
) -> runs.Outcome:
    """Run it with its progress in the terminal. Raises OperationsError naming host, phase, task and message.

    inputs: the phase's, or its state. begun: set as soon as the host may be changed.
    """
    shown = operation.context.holds.shown(inputs.get("region") or "", request.host)
    request = replace(request, hold=shown)
    outcome = await operation.context.runs.run(request, _follower(operation, request, begun))
    if outcome.status == "failed":
        where = f"{request.host} ({request.connection.address}), phase {request.phase}"
        fix = "mend the cause and run again: the phase starts over and takes what is done as done"
        raise OperationsError(f"{where}: {outcome.message}", fix="" if "fix: " in outcome.message else fix)
    return outcome


def _follower(
    operation: Operation, request: RunRequest, begun: asyncio.Event | None = None
) -> Callable[[Event], Awaitable[None]]:
    """Return what shows a run's events: what runs now as a status, what changed the host to stay."""
    name = f"{request.host} {request.phase}"

    async def follow(event: Event) -> None:
        match event["kind"]:
            case "begun" if begun:
                begun.set()
            case "task":
                await operation.status(f"{name}: {event['task']}")
            case "status":
                await operation.status(f"{name}: {event['text']}")
            case "changed" if not request.check:
                await operation.info(f"{name}: changed: {event['task']} ({event['seconds']:.1f} s)")
            case "trouble" if not request.check:
                await operation.status(f"{name}: {event['text'].splitlines()[0]}")

    return follow
