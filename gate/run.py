"""One gate over one stack, from its file to the verdict."""

from __future__ import annotations

import tempfile
import threading
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from importlib import import_module
from pathlib import Path

from access import engine, git, pending, refusals
from access.locks import require_unlocked
from gate import simulate
from gate.changes import change_set
from gate.model import GateOptions, GateResult, Prepared
from gate.preview import preview, teller
from gate.workspace import Workspace, attached, begin, detached, rebased
from report.errors import AuthenticationError, StackNotFoundError
from report.model import Against, Notice
from report.progress import Say
from stacks.certificates import read_certificates
from stacks.errors import StackFileError, render_path
from stacks.load import Stack, load_stack, stack_path

_PLAN = ".plan.json"
_Answer = tuple[bool, tuple[Notice, ...]]
"""Of the backend: whether it knows a stack, and what is to be said of that."""


def gate(root: Path, stack: str, options: GateOptions, say: Say) -> GateResult:
    """Examine one stack. What is wrong with the change is in the result; what is wrong with the gate raises.

    Raises `report.errors.OperationsError` and its kin, each with its exit code.
    """
    try:
        head = load_stack(stack_path(stack, root))
        # A copy of the project has no file that git ignores, as keys are.
        read_certificates(head)
    except StackFileError as error:
        from gate.judge import invalid

        return GateResult(invalid(root, stack, error, options.produced_by))
    with tempfile.TemporaryDirectory(prefix="crossmesh-gate-") as name, ThreadPoolExecutor(1) as pool:
        directory = Path(name)
        say("a copy of the project is made")
        begin(root, directory / "head")
        asked = None if options.hermetic else pool.submit(_ask_backend, stack)
        if asked is not None and options.base is None:
            # Nearly every gate is of a stack that the backend knows: the preview begins while it is asked.
            prepared = Prepared(attached(root, directory / "head", stack), Against.STATE)
            try:
                return examine(root, head, prepared, options, say, asked)
            except (AuthenticationError, StackNotFoundError):
                known, _ = asked.result()
                if known:
                    raise
        answer = (False, ()) if asked is None else asked.result()
        return examine(root, head, _prepare(root, directory, stack, options, say, answer), options, say)


def examine(
    root: Path,
    head: Stack,
    prepared: Prepared,
    options: GateOptions,
    say: Say,
    asked: Future[_Answer] | None = None,
) -> GateResult:
    """Preview what was prepared and judge it.

    head: the stack as `root` declares it. asked: what the backend is being asked meanwhile; if it refuses the
    stack, the preview is not waited for.
    """
    plan_file = prepared.workspace.directory / _PLAN if options.plan else None
    say("the engine previews")
    threading.Thread(target=_load, daemon=True).start()
    seen = preview(
        prepared.workspace,
        packs=options.packs,
        plan=plan_file,
        hosts=not options.hermetic,
        timeout=options.timeout,
        on_event=teller(say, "resources previewed: {}".format),
        asked=asked,
    )
    if asked is not None:
        say("the backend is asked about the stack")
        _, notices = asked.result()
        prepared = replace(prepared, notices=notices)
    say("rules are applied")
    from gate.judge import judge

    found = judge(root, head, prepared, seen, options)
    plan = plan_file.read_bytes() if plan_file and plan_file.exists() else None
    return GateResult(found, plan)


def _load() -> None:
    """Load what stands on much and is needed once the engine has ended: while it works there is time."""
    for name in ("gate.judge", "report.formats.writing"):
        import_module(name)


def _prepare(
    root: Path, directory: Path, stack: str, options: GateOptions, say: Say, answer: _Answer
) -> Prepared:
    base_is_there, before, notices = _at_base(root, directory / "declared", stack, options)
    known, words = answer
    notices = (*notices, *words)
    if known:
        workspace = attached(root, directory / "head", stack)
        of_base = None
        # What is sealed is applied, whoever asked for it first: there all of it wants approval.
        if options.base is not None and base_is_there and not options.plan:
            say(f"the engine previews {options.base}")
            base = attached(root, directory / "base", stack, ref=options.base)
            of_base = change_set(preview(base, hosts=False, timeout=options.timeout).events, Against.STATE)
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


def _ask_backend(stack: str) -> _Answer:
    """Whether the backend knows the stack, and what is to be said of it, or of there being no backend."""
    with ThreadPoolExecutor(2) as pool:
        state, locks = pool.submit(engine.stack_state, stack), pool.submit(_locks, stack)
        try:
            exported = state.result()
        except StackNotFoundError:
            return False, ()
        except AuthenticationError as error:
            if not refusals.no_backend(error.message):
                raise
            fix = "(`pulumi login`, PULUMI_BACKEND_URL)"
            words = f"the engine is logged in nowhere: no state was looked at {fix}"
            return False, (Notice("warning", words),)
        return True, (*locks.result(), *_interrupted(stack, pending.operations(exported)))


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


def _interrupted(stack: str, operations: Iterable[pending.Pending]) -> Iterator[Notice]:
    """A word for each operation that a killed run left in the state: a preview says nothing of them."""
    fix = f"`crossmesh lock clear --stack {stack}` has the next `up` go on with it, which this preview lacks."
    for operation in operations:
        yield Notice("warning", f"{operation}: {fix}", operation.urn)


def _stand_ins(workspace: Workspace) -> tuple[Notice, ...]:
    names = ", ".join(workspace.placeholders)
    return (Notice("info", f"stand-ins were used for the secrets {names}"),) if names else ()
