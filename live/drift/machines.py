"""Hosts: what a run of their phases' playbooks would change, by check mode with what was applied last.

A phase is checked with the variables and secrets of the state, so a declaration that is not applied yet plays
no part. Where roles have changed since, what they would do is no drift, and nothing can be said.
"""

from __future__ import annotations

import asyncio
import contextlib
import subprocess
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from access.errors import AccessError, CredentialsRefused, IdentityMismatch
from access.ssh import Connection
from live.drift.compare import below
from live.drift.inquiry import Inquiry
from live.drift.model import Comparison, Drifted, Record, few
from live.state import Applied, opened
from playbooks.digest import roles_digest
from playbooks.provider import runs
from playbooks.provider.fleet import Fleet, Reach
from playbooks.provider.look import reach_host
from playbooks.provider.run.request import RunRequest
from playbooks.tokens import HOST_PHASE
from playbooks.work import PHASES
from report.errors import CancelledError, OperationsError
from report.formats.text import many
from report.model import Op, PropertyChange, Rule

REACH_SECONDS = 10.0
"""For a login to a host that accepts connections."""

KEY_SECONDS = 5.0
"""For ssh to read its own private key."""

COMPARISON = Comparison(
    "hosts",
    "Hosts: as applied, and in check mode",
    Rule(
        "drift/hosts",
        "A run of the playbooks would change nothing on the hosts",
        "Check mode says what would change, and `pulumi up --refresh` brings it about.",
    ),
    recognises=True,
)

_AS_APPLIED = "as applied"
_OTHER_MEMBER = "cannot be changed on a host that is a member"
"""What the module kubeadm says of a host that was made a member in another way than was applied."""

Run = Callable[[RunRequest, Callable[[runs.Event], Awaitable[None]]], Awaitable[runs.Outcome]]


@dataclass(frozen=True)
class Ways:
    """How hosts are reached and playbooks are run; tests have their own."""

    reach: Reach
    run: Run
    cancel: Callable[[], Awaitable[None]]


def ways() -> Ways:
    """As the provider does it."""
    workers = runs.Runs()
    return Ways(reach_host, workers.run, workers.cancel)


def look(inquiry: Inquiry, record: Record) -> None:
    """Check all phases of all hosts of the state, hosts side by side."""
    hosts: dict[str, list[Applied]] = {}
    for phase in inquiry.state.of_type(HOST_PHASE):
        hosts.setdefault(str(phase.inputs.get("host")), []).append(phase)
    if hosts:
        asyncio.run(_Checks(ways(), inquiry, record).all(hosts))


@dataclass(frozen=True)
class _Checks:
    ways: Ways
    inquiry: Inquiry
    record: Record

    async def all(self, hosts: Mapping[str, list[Applied]]) -> None:
        fleet = Fleet(self.ways.reach)
        guard = asyncio.create_task(self._guard())
        try:
            await asyncio.gather(*(self._host(fleet, host, hosts[host]) for host in sorted(hosts)))
        finally:
            guard.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await guard

    async def _guard(self) -> None:
        """End what runs when the time is over, or nobody wants it any more."""
        while not self.inquiry.watch.over:
            await asyncio.sleep(0.1)
        await self.ways.cancel()

    async def _host(self, fleet: Fleet, host: str, phases: list[Applied]) -> None:
        connection = self._connection(host, opened(phases[0].inputs))
        urn = phases[0].urn
        where = f"{connection.address} port {connection.port}"
        self.inquiry.watch.at(f"{host}: login")
        if not await fleet.probe(connection):
            address, port = connection.first_hop
            what = "the jump host" if connection.jump else "the machine"
            why, fix = (
                f"nothing answers at {address} port {port}",
                f"See that {what} runs, and the network up to it.",
            )
            self.record.not_measurable(host, why, urn=urn, fix=fix)
            return
        try:
            async with asyncio.timeout(REACH_SECONDS):
                await self.ways.reach(host, connection, None)
        except TimeoutError:
            why = f"a login at {where} does not end within {REACH_SECONDS:.0f} s"
            self.record.not_measurable(host, why, urn=urn, fix="Look at the host's load, disk and sshd.")
        except IdentityMismatch as error:
            self.record.stranger(host, error.message, urn=urn, fix=error.fix)
        except CredentialsRefused as error:
            await self._refused(host, urn, connection, error)
        except OperationsError as error:
            # Nothing of who it is was seen.
            self._not_measurable(host, urn, error)
        except OSError as error:
            why, fix = f"ssh cannot be run on this machine: {error}", "Install it (openssh-client)."
            self.record.not_measurable(host, why, urn=urn, fix=fix)
        else:
            self.record.recognised.add(host)
            await asyncio.gather(*(self._phase(host, connection, phase) for phase in phases))

    async def _refused(self, host: str, urn: str, connection: Connection, error: AccessError) -> None:
        """A host that refuses the key is a stranger, unless it was offered none."""
        key = connection.private_key_file
        if broken := await _unusable(key):
            which = f"the private key {key}" if key else "a key of the agent"
            why = f"ssh cannot use {which} on this machine: {broken}"
            fix = "Mend the file, or correct `ssh` in the stack file."
            self.record.not_measurable(host, why, urn=urn, fix=fix)
        else:
            self.record.stranger(host, error.message, urn=urn, fix=error.fix, refused=True)

    async def _phase(self, host: str, connection: Connection, applied: Applied) -> None:
        inputs = opened(applied.inputs)
        phase = PHASES[inputs["phase"]]
        name = f"{host} {phase}"

        async def follow(event: runs.Event) -> None:
            if words := event.get("task") or event.get("text"):
                self.inquiry.watch.at(f"{name}: {str(words).splitlines()[0]}")

        try:
            request = runs.look_for(inputs, connection)
            outcome = await self.ways.run(request, follow)
        except CancelledError:
            self.record.late = True
            why, fix = (
                "not done in the time that was allowed",
                "Allow more (--timeout), or fewer layers (--layer).",
            )
            self.record.not_measurable(name, why, urn=applied.urn, fix=fix)
            return
        except OperationsError as error:
            self._not_measurable(name, applied.urn, error)
            return
        if outcome.status == "failed" and _OTHER_MEMBER in outcome.message:
            self._another_member(name, applied, outcome)
        elif outcome.status == "failed":
            self._not_measurable(name, applied.urn, outcome.message)
        elif not outcome.changed:
            self.record.row(name, _AS_APPLIED, _AS_APPLIED)
        if outcome.changed:
            self._changed(name, applied, inputs.get("roles_digest") == roles_digest(phase), outcome)

    def _changed(self, name: str, applied: Applied, same_roles: bool, outcome: runs.Outcome) -> None:
        count = f"{len(outcome.changed)} of {many(outcome.tasks, 'task')} would change it"
        if not same_roles:
            why = f"{count}, but its roles have changed since `up`: whether that is drift cannot be told"
            fix = "See with `crossmesh gate` what the roles change, run `pulumi up`, and look again."
            self.record.not_measurable(name, why, urn=applied.urn, fix=fix)
            return
        tasks = list(dict.fromkeys(outcome.changed))
        properties = tuple(PropertyChange(below("tasks", task), "done", "to be done again") for task in tasks)
        self.record.row(name, _AS_APPLIED, count)
        self.record.drift(
            Drifted(applied.urn, Op.UPDATE, properties),
            f"{name}: {count}: {few(tasks)}",
            "`pulumi up --refresh` looks at the hosts, and runs what has drifted again. To see line by line "
            "what differs, run its play by hand with `--check --diff` (docs/guides/playbooks.md).",
        )

    def _another_member(self, name: str, applied: Applied, outcome: runs.Outcome) -> None:
        words, fix = _parted(outcome.message)
        self.record.row(name, _AS_APPLIED, "a member of another cluster, or as another node")
        change = PropertyChange("membership", "as applied", "another one")
        drifted = Drifted(applied.urn, Op.UPDATE, (change,))
        self.record.drift(drifted, f"{name}: {words}", fix or "Find out who changed the host.")

    def _not_measurable(self, what: str, urn: str, error: object) -> None:
        words, fix = _parted(str(error))
        self.record.not_measurable(what, words.removeprefix(f"{what}: "), urn=urn, fix=fix)

    def _connection(self, host: str, applied: Mapping[str, Any]) -> Connection:
        password = applied.get("become_password")
        recorded = Connection.of(applied["connection"], password)
        # The state has the paths of the machine that applied it.
        ssh = self.inquiry.stack.environment.ssh_of(host)
        return Connection.declared(ssh, recorded.address, password) if ssh else recorded


async def _unusable(private_key_file: str) -> str:
    """Why ssh has no use for a key on this machine; empty when it has, or when that cannot be told.

    ssh passes over such a key and offers none, which the host answers as it answers a key that it knows not.
    """
    by_agent = not private_key_file or private_key_file.endswith(".pub")
    command = ["ssh-add", "-L"] if by_agent else ["ssh-keygen", "-y", "-P", "", "-f", private_key_file]
    try:
        named = Path(private_key_file).read_text().split()[1] if private_key_file and by_agent else ""
        done = await asyncio.to_thread(
            subprocess.run,
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=KEY_SECONDS,
        )
    except (OSError, IndexError, subprocess.TimeoutExpired):
        return ""
    if by_agent and done.returncode:
        return (done.stderr or done.stdout).strip() or "there is no agent"
    if by_agent:
        return "" if named in done.stdout else "the agent does not have it"
    words = done.stderr.strip()
    return words.rpartition(": ")[2] or "it cannot be read" if done.returncode else ""


def _parted(text: str) -> tuple[str, str]:
    """What the provider says happened, and what to do."""
    words, _, fix = text.partition("\n  fix: ")
    return words, fix
