"""Apply a sealed plan: verify it, look once more, and let the engine do what was sealed and nothing else."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import date
from pathlib import Path

from access.locks import Owner, locks_of
from access.refusals import known
from gate.preview import teller
from gate.seal import sealed
from gate.seal.amend import amended
from gate.seal.apply import Apply, ApplyResult, Stop
from gate.seal.binding import bind
from gate.seal.rehearse import rehearse
from gate.seal.sealed import SealedPlan
from gate.seal.steps import Step, Track
from gate.workspace import in_place
from report.errors import DeadlineError, LockedError, OperationsError, StaleError
from report.examination import Examination, Producer, Verdict
from report.exit_codes import ExitCode
from report.formats.text import many
from report.model import Finding, Rule, Status
from report.progress import Say
from stacks import digests

RULE = Rule(
    "engine/sealed-plan",
    "What is applied is what was sealed",
    "A sealed plan holds for one commit, one declaration, one set of tools and one state. When one of them "
    "has changed, run the gate again, review what it says, and seal again.",
)
_LAST_LINES = 20


def open_plan(path: Path, expected: str = "") -> tuple[SealedPlan, str]:
    """Read a sealed plan; return it with the file's SHA-256.

    expected: the SHA-256 that the file must have, as the gate's report names it; empty for any. Raises
    `StaleError` for a file that is not as it was sealed, `OperationsError` for one that cannot be read.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise OperationsError(f"{path} cannot be read: {error.strerror}.") from error
    digest = digests.of_bytes(content)
    if expected and expected.lower() != digest:
        raise StaleError(f"{path} has the SHA-256 {digest}, expected is {expected}: it is another plan.")
    try:
        return sealed.decode(content), digest
    except StaleError as error:
        raise StaleError(f"{path}: {error.message}") from error


def verify(root: Path, stack: str, plan: SealedPlan, today: date) -> None:
    """Compare what there is with what was sealed.

    Raises `StaleError` that names all differences at once, `LockedError` while another run holds the stack,
    `StackNotFoundError` if the backend does not know it.
    """
    if plan.stack != stack:
        raise StaleError(f"the plan was sealed for stack {plan.stack!r}, not for {stack!r}.")
    ended = [
        f"waivers: {waiver.rule} for {waiver.resource}, by {waiver.owner}, ended on {waiver.expires}"
        for waiver in plan.waivers
        if waiver.expires < today
    ]
    _require_unlocked(stack)
    _require_bound(root, plan, ended)


def up(
    root: Path,
    plan: SealedPlan,
    *,
    timeout: float,
    say: Say,
    on_step: Callable[[Step], None],
    applying: Callable[[Apply | None], None],
    produced_by: Producer,
    digest: str,
) -> Examination:
    """Apply a plan that was verified. How it ended is in the result; what is found before that raises.

    timeout: seconds for the whole. say: told what it does now. on_step: told of each change that is done.
    applying: told of the run of the engine that can be stopped, and None once it has ended. digest: SHA-256
    of the plan's file.
    """
    deadline = time.monotonic() + timeout
    track = Track(plan.plan)
    total = len(track.left)

    def where(seen: int) -> str:
        planning = not track.applied and not track.unfinished
        return f"{seen} resources looked at" if planning else f"{len(track.applied)} of {total} steps done"

    def permit() -> None:
        say("the engine holds the stack; the seal is compared once more")
        _require_bound(root, plan)

    tell = teller(say, where)
    with in_place(root, plan.stack) as place:
        say("the engine previews what was sealed")
        left = _left(deadline, plan.stack)
        changes = rehearse(place, plan.changes, timeout=left, on_event=tell)
        for_engine = amended(plan.plan)
        place.plan_file.write_bytes(digests.canonical(for_engine.plan))
        track.expected = {
            change.urn: change.new.inputs
            for change in changes.changes
            if change.urn in for_engine.opened and change.new is not None
        }
        apply = Apply(place, track, timeout=_left(deadline, plan.stack))
        applying(apply)
        try:
            say("the engine begins")
            ended = apply.run(permit, on_step, tell)
        finally:
            applying(None)
    verdict = _verdict(plan.stack, track, ended)
    clean = verdict.code is ExitCode.CLEAN
    words = verdict.words if clean else "\n".join([verdict.words, *account(track)])
    if not clean:
        # Of the changes that were meant, those that came about, be it in part.
        begun = {step.urn for step in (*track.applied, *track.failed, *track.unfinished)}
        changes = replace(changes, changes=tuple(each for each in changes.changes if each.urn in begun))
    finding = Finding(RULE.id, Status.PASS if clean else Status.FAIL, words)
    return Examination(
        stack=plan.stack,
        verb="up",
        verdict=replace(verdict, words=verdict.words.splitlines()[0]),
        changes=changes,
        layers=(),
        rules=(RULE,),
        findings=(finding,),
        producer=produced_by,
        sealed=digest,
    )


def account(track: Track) -> list[str]:
    """How far a run came: what was applied, in order, and what was not."""
    if not (track.applied or track.failed or track.unfinished):
        return ["Nothing was applied."]
    lines = []
    for title, steps in (
        ("Applied, in this order", track.applied),
        ("Failed or broken off, so that it may be there in part", track.failed),
        ("Begun, and not known to have ended", track.unfinished),
        ("Not begun", track.left),
    ):
        if steps:
            lines += [f"{title} ({len(steps)}):", *(f"  {step}" for step in steps)]
    return lines


def _require_bound(root: Path, plan: SealedPlan, further: Sequence[str] = ()) -> None:
    now = bind(root, plan.stack, [root / pack for pack in plan.packs])
    if found := [*plan.bound.differences(now), *further]:
        lines = [f"the sealed plan is not for what is there now of stack {plan.stack!r}:", *found]
        fix = "Run the gate again, review what it says, and seal again."
        raise StaleError("\n  ".join(lines) + f"\n{fix}")


def _require_unlocked(stack: str) -> None:
    # Other backends refuse a second run by themselves.
    for lock in locks_of(stack):
        fix = "Wait for that run's end. If it changes the stack, the plan is stale then."
        if lock.owner is Owner.DEAD:
            fix = f"`crossmesh lock clear --stack {stack}` removes it."
        raise LockedError(f"stack {stack!r} is held: {lock.describe()}. {fix}")


def _left(deadline: float, stack: str) -> float:
    left = deadline - time.monotonic()
    if left <= 0:
        raise DeadlineError(f"stack {stack!r}: the time that was allowed ran out. Nothing was applied.")
    return left


def _verdict(stack: str, track: Track, ended: ApplyResult) -> Verdict:
    if ended.refusal is not None:
        return Verdict(ExitCode(ended.refusal.exit_code), ended.refusal.format_message())
    if ended.stop is Stop.INTERRUPTED:
        return Verdict(ExitCode.CANCELLED, f"stack {stack!r}: interrupted.")
    if ended.stop is Stop.DEADLINE:
        return Verdict(ExitCode.TIMEOUT, f"stack {stack!r}: the time that was allowed ran out.")
    if track.deviation:
        return Verdict(ExitCode.STALE, f"stack {stack!r} deviates from what was sealed: {track.deviation}")
    if ended.succeeded:
        return Verdict(ExitCode.CLEAN, f"Applied as sealed: {many(len(track.applied), 'step')}.")
    said = "\n".join(dict.fromkeys(track.errors)) or "\n".join(track.output[-_LAST_LINES:])
    if not said and not track.failed:
        if track.missed:
            return Verdict(ExitCode.STALE, f"stack {stack!r} deviates from what was sealed: {track.missed}")
        refused = known(ended.words, f"stack {stack!r}: {ended.words}")
        if refused is not None:
            return Verdict(ExitCode(refused.exit_code), refused.message)
    why = said or ended.words or "it gave no reason"
    return Verdict(ExitCode.PREVIEW_FAILED, f"stack {stack!r}: the engine could not apply the plan: {why}")
