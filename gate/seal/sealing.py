"""Seal what a gate found: only a change that nothing stands against, and only for what it was found with."""

from __future__ import annotations

import json
from dataclasses import replace
from operator import attrgetter
from pathlib import Path

import click

from gate.run import GateOptions, GateResult
from gate.seal import sealed
from gate.seal.binding import bind
from gate.seal.bound import Bound
from gate.seal.sealed import SealedChange, SealedPlan
from report.errors import ConfigurationError, OperationsError, StaleError
from report.examination import Examination, Verdict
from report.exit_codes import ExitCode
from report.model import Against, Change, Op
from stacks import digests

_OWN = "crossmesh:"
_FROM_SEED = frozenset({"digest", "salt"})
_SEEDED = frozenset({Op.CREATE, Op.REPLACE})


def make_room(path: Path) -> None:
    """Remove an older plan at `path` before a gate begins: however that ends, it is not for this change.

    Raises `ConfigurationError` if something else is there, or no file can be written there.
    """
    try:
        if path.exists():
            if not sealed.is_plan(path):
                words = "there is a file that is no sealed plan. Name another."
                raise ConfigurationError(f"--seal {path}: {words}")
            path.unlink()
            _say(f"{path}, an older plan, was removed")
        elif not path.parent.is_dir():
            raise ConfigurationError(f"--seal {path}: there is no directory {path.parent}. Make it first.")
    except OSError as error:
        raise ConfigurationError(f"--seal {path}: {error.strerror}. Name another file.") from None


def write(root: Path, path: Path, result: GateResult, options: GateOptions, before: Bound) -> GateResult:
    """Seal a gate's result at `path`; return it with the SHA-256 of what was written.

    before: what there was before the gate began. What the gate looked at is that only if it is still so.
    Nothing is written where the verdict is not `CLEAN`, or where the result cannot be sealed; the verdict
    then says why. Standard error is told in each case.
    """
    examination = result.examination
    if examination.verdict.code is not ExitCode.CLEAN:
        _say(f"not sealed: {examination.verdict.words}")
        return result
    try:
        plan = sealed_plan(root, result, options, before)
        digest = sealed.write(path, plan)
    except OperationsError as error:
        return _refused(result, ExitCode(error.exit_code), error.format_message())
    except OSError as error:
        return _refused(result, ExitCode.TOOL_ERROR, f"{path} cannot be written: {error.strerror}.")
    _say(f"sealed for stack {examination.stack}: {path}, SHA-256 {digest}")
    if plan.bound.dirty:
        _say(f"sealed with files that differ from the commit: {', '.join(plan.bound.dirty)}")
    return replace(result, examination=replace(examination, sealed=digest))


def sealed_plan(root: Path, result: GateResult, options: GateOptions, before: Bound) -> SealedPlan:
    """The plan of a clean result.

    Raises `ConfigurationError` for one that was not made against the stack's state, `StaleError` if something
    changed while the gate ran.
    """
    examination = result.examination
    _require_state(examination, options)
    if result.plan is None:
        raise OperationsError("the engine made no plan, although the preview succeeded.")
    now = bind(root, examination.stack, options.packs)
    if differences := before.differences(now):
        raise StaleError("\n  ".join(["it changed while the gate ran; run it again:", *differences]))
    changes = sorted(map(sealed_change, examination.changes.changes), key=lambda change: change.urn)
    waivers = {finding.waiver for finding in examination.findings if finding.waiver is not None}
    return SealedPlan(
        stack=examination.stack,
        bound=now,
        changes=tuple(changes),
        plan=json.loads(result.plan),
        approvals=tuple(options.approve),
        waivers=tuple(sorted(waivers, key=attrgetter("rule", "resource", "owner", "expires"))),
        packs=tuple(
            pack.relative_to(root).as_posix() if pack.is_relative_to(root) else str(pack)
            for pack in options.packs
        ),
    )


def sealed_change(change: Change) -> SealedChange:
    """What of a change is sealed."""
    inputs = dict(change.resource.inputs)
    if change.op in _SEEDED and change.resource.type.startswith(_OWN):
        # They come from a seed that is new at each preview. The engine's plan has the seed, and holds `up` to
        # what follows from it.
        inputs = {name: value for name, value in inputs.items() if name not in _FROM_SEED}
    return SealedChange(change.urn, change.op, digests.of_value(inputs), change.risk, change.approved)


def _require_state(examination: Examination, options: GateOptions) -> None:
    if examination.changes.against is Against.STATE:
        return
    if options.hermetic:
        why = "--hermetic leaves the state alone"
        fix = "leave --hermetic out, where the backend and the stack's secrets are at hand"
    else:
        why = "the backend does not know the stack"
        fix = f"make it: `crossmesh secrets init --stack {examination.stack}`"
    raise ConfigurationError(
        f"{why}, so that the change was previewed with stand-ins for secrets and not against the stack's own "
        f"state: such a plan holds for no real `up`. To seal, {fix}."
    )


def _refused(result: GateResult, code: ExitCode, why: str) -> GateResult:
    _say(f"not sealed: {why}")
    words = f"Nothing stands against the change, but it cannot be sealed: {why}"
    return replace(result, examination=replace(result.examination, verdict=Verdict(code, words)))


def _say(words: str) -> None:
    click.echo(words, err=True)
