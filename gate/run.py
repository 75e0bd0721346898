"""One gate over one stack, from its file to the verdict."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from pathlib import Path

from access import engine, git, pending, refusals
from access.locks import require_unlocked
from access.producer import producer
from gate import approval, engine_failure, rules, simulate
from gate.changes import change_set, settled
from gate.effects import engine as effects
from gate.effects import sources
from gate.preview import Preview, preview, teller
from gate.rules import user_packs
from gate.rules.subject import of_problem, passed
from gate.workspace import Workspace, attached, detached, rebased
from report.errors import PulumiError
from report.examination import Examination, Producer, Verdict
from report.exit_codes import ExitCode
from report.formats.text import many
from report.model import Against, ChangeSet, Finding, Notice, Rule
from report.progress import Say
from report.verdict import verdict
from stacks.errors import StackFileError, render_path
from stacks.load import Stack, load_stack, stack_path

WAIVERS = "policies/waivers.yaml"
_PLAN = ".plan.json"

DECLARATION_RULE = Rule(
    "declaration/valid",
    "The stack file is a valid declaration",
    "docs/reference/stack-file.md describes every key.",
)


@dataclass(frozen=True)
class GateOptions:
    """What a gate is asked for, the same for all its stacks."""

    today: date
    """Waivers end by it."""
    base: str | None = None
    """A commit. Without a state it is what is compared with; with one it tells what is pending anyway."""
    packs: tuple[Path, ...] = ()
    """Directories of the user's policy packs."""
    approve: tuple[str, ...] = ()
    """Patterns of destructive changes that are meant."""
    strict: bool = False
    """Whether what is not measurable stops the change."""
    expect_no_changes: bool = False
    hermetic: bool = False
    """Whether the state's backend is left alone."""
    plan: bool = False
    """Whether the engine's plan is wanted, for a seal."""
    timeout: float = 1800
    """Seconds for each run of the engine."""


@dataclass(frozen=True)
class GateResult:
    """What came out for one stack: the answer, and the engine's plan if it was asked for."""

    examination: Examination
    plan: bytes | None = None


def gate(root: Path, stack: str, options: GateOptions, say: Say) -> GateResult:
    """Examine one stack. What is wrong with the change is in the result; what is wrong with the gate raises.

    Raises `report.errors.OperationsError` and its kin, each with its exit code.
    """
    try:
        head = load_stack(stack_path(stack, root))
    except StackFileError as error:
        return GateResult(_invalid(root, stack, error, producer(root, options.base)))
    with tempfile.TemporaryDirectory(prefix="crossmesh-gate-") as name:
        prepared = _prepare(root, Path(name), stack, options, say)
        return examine(root, head, prepared, options, say)


@dataclass(frozen=True)
class Prepared:
    """Where a stack is previewed, and what it is compared with."""

    workspace: Workspace
    against: Against
    notices: tuple[Notice, ...] = ()
    before: Stack | None = None
    """The declaration at the base."""
    pending: ChangeSet | None = None
    """What the base itself would change of the state."""
    issuers: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Of resources that were worked out, the certificates and authorities that they rest on."""


def examine(root: Path, head: Stack, prepared: Prepared, options: GateOptions, say: Say) -> GateResult:
    """Preview what was prepared and judge it. `head` is the stack as `root` declares it."""
    plan_file = prepared.workspace.directory / _PLAN if options.plan else None
    say("the engine previews")
    workspace, packs = prepared.workspace, options.packs
    tell = teller(say, "{} resources previewed".format)
    seen = preview(workspace, packs=packs, plan=plan_file, timeout=options.timeout, on_event=tell)
    say("rules are applied")
    found = _judge(root, head, prepared, seen, options)
    plan = plan_file.read_bytes() if plan_file and plan_file.exists() else None
    return GateResult(found, plan)


def _prepare(root: Path, directory: Path, stack: str, options: GateOptions, say: Say) -> Prepared:
    base_is_there, before, notices = _at_base(root, directory / "declared", stack, options)
    say("a copy of the project is made")
    known, words = (False, ()) if options.hermetic else _ask_backend(stack)
    notices = (*notices, *words)
    if known:
        notices = (*notices, *_locks(stack), *_interrupted(stack))
        workspace = attached(root, directory / "head", stack)
        of_base = None
        # What is sealed is applied, whoever asked for it first: there all of it wants approval.
        if options.base is not None and base_is_there and not options.plan:
            say(f"the engine previews {options.base}")
            base = attached(root, directory / "base", stack, ref=options.base)
            of_base = change_set(preview(base, timeout=options.timeout).events, Against.STATE)
        return Prepared(workspace, Against.STATE, notices, before, of_base)
    if options.base is not None and base_is_there:
        say(f"the environment of {options.base} is worked out")
        base = detached(root, directory / "base", directory / "backend", stack, ref=options.base)
        issuers = simulate.apply(base, timeout=options.timeout)
        workspace = rebased(base, root, directory / "head")
        seen = (*notices, *_stand_ins(workspace))
        return Prepared(workspace, Against.BASE, seen, before, issuers=issuers)
    workspace = detached(root, directory / "head", directory / "backend", stack)
    return Prepared(workspace, Against.NOTHING, (*notices, *_stand_ins(workspace)), before)


def _ask_backend(stack: str) -> tuple[bool, tuple[Notice, ...]]:
    """Whether the backend knows the stack, and a word where there is no backend to ask."""
    try:
        return engine.stack_exists(stack), ()
    except PulumiError as error:
        if refusals.no_backend(error.message):
            fix = "(`pulumi login`, PULUMI_BACKEND_URL)"
            words = f"the engine is logged in nowhere: no state was looked at {fix}"
            return False, (Notice("warning", words),)
        refusals.raise_known(error.message, stack)
        raise


def _at_base(
    root: Path, directory: Path, stack: str, options: GateOptions
) -> tuple[bool, Stack | None, tuple[Notice, ...]]:
    """Whether the base has the stack; its declaration there, if it can be read; what is to be said of it."""
    if options.base is None:
        return False, None, ()
    path = stack_path(stack, directory)
    name = path.relative_to(directory).as_posix()
    text = git.text(root, options.base, name)
    if text is None:
        return False, None, (Notice("info", f"{options.base} has no {name}: the stack is new"),)
    path.parent.mkdir(parents=True)
    path.write_text(text)
    try:
        return True, load_stack(path), ()
    except StackFileError as error:
        # Its own program may well take it: what is declared is read by another model since.
        first = f"{render_path(error.problems[0].path)}: {error.problems[0].rule}"
        words = (
            f"{name} of {options.base} is no valid declaration here ({first}); it is previewed by its own "
            "program, and what rests on the declaration alone is not compared"
        )
        return True, None, (Notice("warning", words),)


def _locks(stack: str) -> tuple[Notice, ...]:
    """Refuse a stack that another run is changing; a dead run's lock is only worth a word."""
    why = "What a preview says now would not hold. Wait for that run's end, then run the gate again."
    held = require_unlocked(stack, why)
    fix = f"`crossmesh lock clear --stack {stack}` removes it."
    return tuple(Notice("warning", f"a lock was left behind: {lock.describe()} {fix}") for lock in held)


def _interrupted(stack: str) -> Iterator[Notice]:
    """A word for each operation that a killed run left in the state: a preview says nothing of them."""
    fix = f"`crossmesh lock clear --stack {stack}` has the next `up` go on with it, which this preview lacks."
    for operation in pending.read(stack):
        yield Notice("warning", f"{operation}: {fix}", operation.urn)


def _stand_ins(workspace: Workspace) -> tuple[Notice, ...]:
    names = ", ".join(workspace.placeholders)
    return (Notice("info", f"stand-ins were used for the secrets {names}"),) if names else ()


def _judge(root: Path, head: Stack, prepared: Prepared, seen: Preview, options: GateOptions) -> Examination:
    changes = change_set(seen.events, prepared.against)
    changes = replace(changes, notices=(*prepared.notices, *changes.notices))
    if prepared.against is Against.BASE:
        changes = settled(changes, prepared.issuers)
    read = sources.open_sources(head.path, root)
    changes = approval.approve(sources.locate(effects.assess(changes), read), options.approve)
    if seen.succeeded:
        changes = approval.tell_of_unused(changes, options.approve)
    changes = approval.mark_pending(changes, prepared.pending)
    applied: tuple[Rule, ...] = (*engine_failure.RULES, DECLARATION_RULE)
    if not seen.succeeded and not user_packs.failed_by_packs(seen.events):
        directory = prepared.workspace.directory
        found = engine_failure.findings(changes.notices, seen.events, seen.words, directory)
        met: tuple[Rule, ...] = (DECLARATION_RULE,)
    else:
        met = applied
        fixed, found = rules.examine(
            changes=changes,
            stack=head,
            before=prepared.before,
            events=seen.events,
            today=options.today,
            waivers=root / WAIVERS,
        )
        applied += fixed
    placed = sources.place((*found, *map(passed, met)), changes, read)
    shown = effects.layers(changes, head, prepared.before)
    return Examination(
        stack=head.name,
        verb="gate",
        verdict=verdict(changes, shown, placed, options.strict, options.expect_no_changes),
        changes=changes,
        layers=shown,
        rules=tuple(sorted(applied, key=lambda rule: rule.id)),
        findings=tuple(sorted(placed, key=Finding.order)),
        producer=producer(root, options.base),
        topology=effects.topology(changes),
    )


def _invalid(root: Path, stack: str, error: StackFileError, producer: Producer) -> Examination:
    """The answer for a stack file that is no valid declaration: every problem with its line."""
    file = error.file.relative_to(root).as_posix() if error.file.is_relative_to(root) else error.file.name
    found = tuple(
        of_problem(DECLARATION_RULE, problem, file, render_path(problem.path)) for problem in error.problems
    )
    return Examination(
        stack=stack,
        verb="gate",
        verdict=Verdict(ExitCode.USAGE, f"{file} is no valid declaration: {many(len(found), 'problem')}."),
        changes=ChangeSet(Against.NOTHING, (), ()),
        layers=(),
        rules=(DECLARATION_RULE,),
        findings=found,
        producer=producer,
    )
