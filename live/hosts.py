"""Declared hosts, looked at by themselves: before there is a platform, and whatever has become of it."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

from access import engine, programs, ssh
from access.ssh import Connection
from gate.effects.sources import Sources
from live.doctor.keys import Key
from live.doctor.model import Check, CheckResult
from playbooks.inventory import host_plans
from playbooks.preflight import checks
from playbooks.preflight.expected import Expected, program
from playbooks.provider import files
from playbooks.provider.look import LOGIN_SECONDS, examine, facts_in
from playbooks.work.machines import PREPARE
from report.errors import ConfigurationError, OperationsError
from report.examination import Examination, Producer, Verdict
from report.exit_codes import ExitCode
from report.formats.text import many
from report.model import Against, ChangeSet, Finding, Rule, Severity, Status
from stacks.load import Stack

PARALLEL = 16
"""Hosts that are looked at side by side."""
REACHED = Rule("preflight/reached", "The host can be reached, and looked at")


@dataclass(frozen=True)
class Way:
    """One declared host: how it is reached, and what it shall become."""

    host: str
    region: str
    declared: tuple[str, ...]
    """Path of its key below the environment."""
    connection: Connection
    wanted: Expected


def ways(
    stack: Stack, only: Sequence[str] = (), secret: Callable[[str, str], str] = engine.secret
) -> list[Way]:
    """The declared hosts, sorted by name; of those, `only` these.

    secret: gives the text of a stack's secret, by both names. Raises `ConfigurationError` for names of none.
    """
    plans = host_plans(stack.environment, stack.ledger)
    if unknown := sorted(set(only) - set(plans)):
        raise ConfigurationError(
            f"stack {stack.name!r} has no host {', '.join(unknown)}; it has {', '.join(plans) or 'none'}."
        )
    logins = {name: stack.environment.ssh_of(name) for name in plans if not only or name in only}
    named = {ssh.become_password for ssh in logins.values() if ssh and ssh.become_password}
    passwords = {name: secret(stack.name, name) for name in sorted(named)}
    found = []
    for name, login in logins.items():
        assert login is not None, "where hosts are declared, a rule wants `ssh`"
        plan = plans[name]
        password = passwords.get(login.become_password or "")
        variables = {**plan.variables[PREPARE], **files.texts(plan.files.get(PREPARE, {}))}
        connection = Connection.declared(login, plan.ssh_address, password)
        wanted = Expected.of(plan.preflight, variables)
        found.append(Way(name, plan.region, plan.declared, connection, wanted))
    return found


# -- What stands against them


def preflight(found: Sequence[Way], tell: Callable[[str], None] = lambda words: None) -> list[CheckResult]:
    """Every check of every host, side by side; of one that cannot be looked at, why. Changes nothing."""
    return asyncio.run(_all(found, tell))


async def _all(found: Sequence[Way], tell: Callable[[str], None]) -> list[CheckResult]:
    slots = asyncio.Semaphore(PARALLEL)
    waiting = {way.host for way in found}

    async def one(way: Way) -> list[CheckResult]:
        async with slots:
            try:
                findings = await examine(way.host, way.connection, way.wanted)
            except OperationsError as error:
                words = error.message.removeprefix(f"{way.host}: ")
                findings = [
                    Finding(
                        REACHED.id,
                        Status.NOT_MEASURABLE,
                        f"{way.host}: {words}",
                        fix=error.fix,
                        measured=way.host,
                    )
                ]
        waiting.discard(way.host)
        tell(f"waiting for {', '.join(sorted(waiting))}" if waiting else "all hosts were looked at")
        return [_result(way, finding) for finding in findings]

    tell(f"looking at {many(len(found), 'host')}")
    return [result for results in await asyncio.gather(*map(one, found)) for result in results]


def _result(way: Way, finding: Finding) -> CheckResult:
    titles = {check.rule.id: check.title for check in checks.CHECKS}
    name = Key(f"{checks.name_of(finding)}/{way.host}")
    title = titles.get(finding.rule, REACHED.title)
    check = Check(name, way.host, title, lambda _: finding, region=way.region, declared=way.declared)
    return CheckResult(check, check.placed(finding))


def condensed(results: Sequence[CheckResult]) -> list[CheckResult]:
    """What is not as it should be; one row for each host of which there is nothing to say."""
    told = [result for result in results if not result.passed]
    bad = {result.check.link for result in told}
    fine = {result.check.link: result for result in results if result.check.link not in bad}
    rows = [
        replace(result, check=replace(result.check, id=Key(f"all/{host}"), title="nothing stands against it"))
        for host, result in fine.items()
    ]
    return sorted((*told, *rows), key=lambda result: result.check.link)


def examination(
    stack: str, results: Sequence[CheckResult], producer: Producer, sources: Sources
) -> Examination:
    """What was found, for every format that reports have."""
    findings = tuple(result.finding for result in results)
    refused = sorted({finding.measured for finding in checks.refusals(findings)})
    unseen = [finding.measured for finding in findings if finding.status is Status.NOT_MEASURABLE]
    warned = sum(finding.severity is Severity.WARNING for finding in findings)
    if refused:
        words = f"{many(len(refused), 'host')} would be refused: {', '.join(refused)}."
        verdict = Verdict(ExitCode.POLICY, words)
    elif unseen:
        words = f"{many(len(unseen), 'host')} could not be looked at: {', '.join(unseen)}."
        verdict = Verdict(ExitCode.NOT_MEASURABLE, words)
    else:
        also = f", with {many(warned, 'warning')}" if warned else ""
        verdict = Verdict(ExitCode.CLEAN, f"Nothing stands against the hosts{also}.")
    return Examination(
        stack=stack,
        verb="preflight",
        verdict=verdict,
        changes=ChangeSet(Against.LIVE, (), ()),
        layers=(),
        rules=(REACHED, *(check.rule for check in checks.CHECKS)),
        findings=tuple(map(sources.told, findings)),
        producer=producer,
    )


# -- What answers, and as what

_HOST_KEY = re.compile(r"Server host (?:key|certificate): (\S+) (SHA256:[^\s,]+)")
_AUTHORITY = re.compile(r"Server host certificate: .*? CA \S+ (SHA256:\S+)")
_MATCHES = re.compile(r"is known and matches the \S+ host (key|certificate)")
_ACCEPTED = re.compile(r"Server accepts key: .*? (\S+) SHA256:\S+ ?(\S*)")


@dataclass(frozen=True)
class Seen:
    """What answered for a host."""

    host: str
    region: str
    way: str
    """User, address and port, and the jump host."""
    key: str
    """The key that opened it: its type, and whether the agent has it; empty where none did."""
    host_key: str
    """Type and fingerprint of the host's key, and how it is known."""
    distribution: str
    problem: str = ""
    fix: str = ""


def answers(found: Sequence[Way]) -> list[Seen]:
    """What answers for each host, in their order. Changes nothing, and raises nothing for what hosts do."""
    with ThreadPoolExecutor(PARALLEL) as pool:
        return list(pool.map(_answer, found))


def _answer(way: Way) -> Seen:
    connection, release, said, problem, fix = way.connection, "", "", "", ""
    argv = ["ssh", "-v", *ssh.options(connection), "-T", connection.address, ssh.python(connection)]
    try:
        ssh.check_files(way.host, connection)
        text = ssh.script(connection, program({})).decode()
        done = programs.run(argv, what=f"ssh to {connection.address}", timeout=2 * LOGIN_SECONDS, stdin=text)
        said = done.stderr
        if done.returncode:
            plain = "\n".join(line for line in said.splitlines() if not line.startswith("debug1: "))
            raise ssh.failure(way.host, connection, done.returncode, plain)
        release = facts_in(way.host, connection, done.stdout.encode())["release"]["name"]
    except OperationsError as error:
        problem, fix = error.message.removeprefix(f"{way.host}: "), error.fix
    jump = f" through {connection.jump.user}@{connection.jump.address}" if connection.jump else ""
    key, host_key = introduced(said)
    return Seen(
        way.host,
        way.region,
        f"{connection.user}@{connection.address}:{connection.port}{jump}",
        key,
        host_key,
        release,
        problem,
        fix,
    )


def introduced(said: str) -> tuple[str, str]:
    """What `ssh -v` tells of the key that opened a host, and of the host's own."""
    shown, matches = _HOST_KEY.search(said), _MATCHES.search(said)
    host_key = f"{shown[1].partition('-cert-')[0]} {shown[2]}" if shown else ""
    if shown and matches and matches[1] == "certificate":
        authority = _AUTHORITY.search(said)
        host_key += f", certified by {authority[1] if authority else 'a known authority'}"
    elif shown:
        changed = "HOST IDENTIFICATION HAS CHANGED" in said
        host_key += ", known" if matches else ", not the known one" if changed else ", not known"
    accepted = _ACCEPTED.search(said)
    key = f"{accepted[1]}{' of the agent' if accepted[2] == 'agent' else ''}" if accepted else ""
    return key, host_key
