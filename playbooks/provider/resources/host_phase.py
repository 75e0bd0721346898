"""`crossmesh:hosts:HostPhase`."""

from __future__ import annotations

import asyncio
import contextlib
import hmac
import os
from collections.abc import Mapping
from functools import cache, partial
from typing import Any

from access import ssh
from access.errors import AccessError
from access.ssh import Connection
from playbooks.digest import roles_digest
from playbooks.phase import LEAVE_HOSTS, RECORDED, machine_of
from playbooks.preflight import told
from playbooks.preflight.expected import Expected
from playbooks.provider import files, runs, sdk
from playbooks.provider.look import examine
from playbooks.provider.resources import host_runs
from playbooks.provider.resources.base import Changes, Checked, Operation, Resource, Unfinished
from playbooks.provider.resources.host_departure import Departure
from playbooks.provider.resources.out_of_service import held
from playbooks.provider.values import UNKNOWN, Properties, has_unknown
from playbooks.work import PHASES, earlier
from report.errors import OperationsError
from stacks import digests

CONFIRMED = "base_sshd"
"""The role variable by which a host is changed so that a new login has to confirm it."""
CONFIRM_SECONDS = 30.0
"""For that login: well below the two minutes after which the host takes it back."""
_CONFIRM = (
    "rm -f /var/lib/crossmesh/sshd-unconfirmed; systemctl stop crossmesh-sshd-back.timer 2>/dev/null || :"
)
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
        if not runs_playbook and _is_looked_at_anew(old, new):
            operation.context.fleet.look(new["host"], new["phase"], _wanted(new))
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
        elif operation.preview and _is_looked_at_anew(old, new) and not os.environ.get(LEAVE_HOSTS):
            try:
                await self._preflight(operation, new)
            except OperationsError as exc:
                await operation.warning(f"{new['host']} {new['phase']}: not measurable: {exc}")
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
        if state.get("reset_on_delete"):
            await Departure(operation, inputs, state).take_place()

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
            await host_runs.hold(operation, inputs)
        if is_made and (kubeconfig := inputs.get("kubeconfig")):
            way = await operation.context.ways.into(inputs.get("region") or "", kubeconfig)
            inputs = {**inputs, "kubeconfig": way}
        connection, timeout = host_runs.connection_of(inputs), operation.timeout or host_runs.RUN_TIMEOUT
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
                outcome = await host_runs.run(operation, inputs, request, begun)
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
        timeout = operation.timeout or host_runs.RUN_TIMEOUT
        request = runs.request_for(inputs, host_runs.connection_of(inputs), timeout, ahead=phase.ahead)
        await host_runs.run(operation, inputs, request)

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
        host, connection = inputs["host"], host_runs.connection_of(inputs)
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
        connection = host_runs.connection_of(inputs)
        if not await fleet.probe(connection):
            what, (address, port) = "jump host" if connection.jump else "host", connection.first_hop
            raise OperationsError(f"{what} unreachable ({address} port {port})")
        request = runs.look_for(inputs, connection)
        return await operation.context.runs.run(request, host_runs.follower(operation, request))


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


def _would_change(name: str, outcome: runs.Outcome) -> str:
    """What check mode found, for people."""
    shown = [f"  {task}" for task in outcome.changed[:_SHOWN_CHANGES]]
    if len(outcome.changed) > _SHOWN_CHANGES:
        shown.append(f"  and {len(outcome.changed) - _SHOWN_CHANGES} more")
    text = f"{name}: {len(outcome.changed)} of {outcome.tasks} tasks would change it"
    return "\n".join([text, *shown])


def _interrupts(old: Properties, new: Properties) -> bool:
    """Whether to run the phase may interrupt what runs on the host: once it was finished there."""
    before, after = (each.get("variables") or {} for each in (old, new))
    changed = _differing(before, after) if isinstance(after, Mapping) else ()
    return old.get(_MADE) is not None and PHASES[new["phase"]].has_turns(changed)


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


def _is_looked_at_anew(old: Properties, new: Properties) -> bool:
    """Whether a later phase of the host needs what no play of this one brings: its owner does."""
    before, after = (each.get("preflight") or {} for each in (old, new))
    return bool(after.get("database")) and before.get("database") != after["database"]


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
    host, phase, connection = inputs["host"], inputs["phase"], host_runs.connection_of(inputs)
    operation.context.fleet.saw(host, phase, connection, changes=changes, wanted=wanted)
    holds, region = operation.context.holds, inputs.get("region") or ""
    holds.saw(region, host, connection, changes=changes)
    address = str(machine_of(inputs["connection"]))
    operation.context.ways.saw(region, host, inputs, address=address, carries=holds.carries(host))


def _wanted(inputs: Properties) -> Expected | None:
    """What the host is looked at for; None for phases of hosts that were looked at before."""
    if not inputs.get("preflight") or has_unknown(inputs["variables"]):
        return None
    texts = files.texts(inputs.get("file_variables") or {})
    return Expected.of(inputs["preflight"], {**inputs["variables"], **texts})
