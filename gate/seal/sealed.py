"""A sealed plan as a file: one JSON document in which every byte counts.

Its parts (what it is bound to, what it changes, the engine's plan) have a digest each, and
those have one together, so that what was touched can be named. A digest is no signature: whoever may write
the file may seal anew. Who has reviewed a plan knows its SHA-256 from the report, and `up` can be told it.

A gate's result is sealed only if nothing stands against the change, and only for what it was found with.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from operator import attrgetter
from pathlib import Path
from typing import Any

import click
from pydantic import TypeAdapter, ValidationError

from gate.model import GateOptions, GateResult
from gate.seal.binding import bind
from gate.seal.bound import Bound
from report.errors import ConfigurationError, OperationsError, StaleError
from report.examination import Examination, Verdict
from report.exit_codes import ExitCode
from report.model import Against, Change, Op, Risk, Waiver
from stacks import digests
from stacks.whole_file import PRIVATE, write_whole

FORMAT = "crossmesh-sealed-plan"
VERSION = 3
_AGAIN = "Run the gate again with --seal, and review what it says."
_OWN = "crossmesh:"
_FROM_SEED = frozenset({"digest", "salt"})
_SEEDED = frozenset({Op.CREATE, Op.REPLACE})


@dataclass(frozen=True)
class SealedChange:
    """One change that the plan allows. `inputs` is the digest of the resource's inputs, secrets masked."""

    urn: str
    op: Op
    inputs: str
    risk: Risk = Risk.ORDINARY
    approved: bool = False


@dataclass(frozen=True)
class SealedPlan:
    """What was reviewed, and what it was reviewed for."""

    stack: str
    bound: Bound
    changes: tuple[SealedChange, ...]
    """In order of URN."""
    plan: Mapping[str, Any]
    """The engine's own, as JSON; secrets in it are encrypted with the stack's provider."""
    waivers: tuple[Waiver, ...] = ()
    """Those without which the gate would have refused the change."""
    packs: tuple[str, ...] = ()
    """Directories of the user's policy packs, relative to the project's root where they are below it."""


_PARTS = TypeAdapter(SealedPlan)


def write(path: Path, sealed: SealedPlan) -> str:
    """Put a sealed plan at `path`, whole or not at all, for its owner only; return the file's SHA-256.

    Raises `OSError` if it cannot be written; what was at `path` is then still there.
    """
    content = encode(sealed)
    write_whole(path, content, mode=PRIVATE)
    return digests.of_bytes(content)


def encode(sealed: SealedPlan) -> bytes:
    """The file's content: the same for the same plan."""
    # The engine's plan is large, and all JSON already.
    parts = _PARTS.dump_python(replace(sealed, plan={}), mode="json") | {"plan": sealed.plan}
    each = {name: digests.of_value(part) for name, part in parts.items()}
    whole = digests.of_value(each)
    return digests.canonical(
        {"format": FORMAT, "version": VERSION, "digest": whole, "digests": each, "parts": parts}
    )


def decode(content: bytes) -> SealedPlan:
    """Read a file's content.

    Raises `StaleError` that says which part is not as it was sealed, or why this is no sealed plan.
    """
    document = _document(content)
    parts, each = document["parts"], document["digests"]
    now = {name: digests.of_value(part) for name, part in parts.items()}
    if touched := ", ".join(sorted(name for name in {*now, *each} if now.get(name) != each.get(name))):
        raise StaleError(f"the sealed plan was touched: not as it was sealed is its part {touched}. {_AGAIN}")
    if digests.of_value(each) != document.get("digest"):
        raise StaleError(f"the sealed plan was touched: not as it was sealed are its digests. {_AGAIN}")
    try:
        sealed = _PARTS.validate_python(parts)
    except ValidationError as error:
        # No more of its words: they quote what they found.
        where = ".".join(map(str, error.errors(include_input=False)[0]["loc"]))
        raise StaleError(f"the sealed plan is not of the form of its version, at {where}. {_AGAIN}") from None
    # What was added, or written in another way, changes no digest of a part that is known.
    if encode(sealed) != content:
        raise StaleError(f"the sealed plan was touched: bytes outside of its parts differ. {_AGAIN}")
    return sealed


def _document(content: bytes) -> dict[str, Any]:
    try:
        document = json.loads(content, parse_constant=_no_number)
    except (ValueError, RecursionError) as error:
        # The JSON reader's words would quote what it found.
        where = f" at byte {error.pos}" if isinstance(error, json.JSONDecodeError) else ""
        raise StaleError(
            f"the sealed plan cannot be read{where} of {len(content)}: it was cut off or touched, or it is "
            f"none. {_AGAIN}"
        ) from None
    if not isinstance(document, dict) or document.get("format") != FORMAT:
        raise StaleError(f"this is no sealed plan: it does not say that its format is {FORMAT}. {_AGAIN}")
    if document.get("version") != VERSION:
        raise StaleError(
            f"the sealed plan has version {document.get('version')!r} of the format; what is read here is "
            f"version {VERSION}. {_AGAIN}"
        )
    if not isinstance(document.get("parts"), dict) or not isinstance(document.get("digests"), dict):
        raise StaleError(f"the sealed plan was touched: it has no parts or no digests. {_AGAIN}")
    return document


def _no_number(name: str) -> None:
    raise ValueError(f"{name} is no number of JSON")


def make_room(path: Path) -> None:
    """Remove an older plan at `path` before a gate begins: however that ends, it is not for this change.

    Raises `ConfigurationError` if something else is there, or no file can be written there.
    """
    try:
        if path.exists():
            content = path.read_bytes()
            # Of whatever version; and one that was cut off is one.
            if content and f'"format":"{FORMAT}"'.encode() not in content:
                words = "there is a file that is no sealed plan. Name another."
                raise ConfigurationError(f"--seal {path}: {words}")
            path.unlink()
            _say(f"{path}, an older plan, was removed")
        elif not path.parent.is_dir():
            raise ConfigurationError(f"--seal {path}: there is no directory {path.parent}. Make it first.")
    except OSError as error:
        raise ConfigurationError(f"--seal {path}: {error.strerror}. Name another file.") from None


def seal(root: Path, path: Path, result: GateResult, options: GateOptions, before: Bound) -> GateResult:
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
        digest = write(path, plan)
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
