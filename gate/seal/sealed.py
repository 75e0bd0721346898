"""A sealed plan as a file: one JSON document in which every byte counts.

Its parts (what it is bound to, what it approves, what it changes, the engine's plan) have a digest each, and
those have one together, so that what was touched can be named. A digest is no signature: whoever may write
the file may seal anew. Who has reviewed a plan knows its SHA-256 from the report, and `up` can be told it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from gate.seal.bound import Bound
from report.errors import StaleError
from report.model import Op, Risk, Waiver
from stacks import digests
from stacks.whole_file import PRIVATE, write_whole

FORMAT = "crossmesh-sealed-plan"
VERSION = 2
_AGAIN = "Run the gate again with --seal, and review what it says."


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
    approvals: tuple[str, ...] = ()
    """Patterns that were given with `--approve`."""
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


def is_plan(path: Path) -> bool:
    """Whether a file is a sealed plan, of whatever version, or one that was cut off; or has nothing in it.

    Raises `OSError` if it cannot be read.
    """
    content = path.read_bytes()
    return not content or f'"format":"{FORMAT}"'.encode() in content


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
