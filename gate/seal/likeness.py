"""Whether an object that the engine is about to write is the one that was sealed, whatever final form it has.

The Kubernetes provider leaves empty values out, writes quantities its own way, and moves what a Secret holds.
None of that is another object.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from report.masking import HOLDERS
from report.model import SECRET, UNKNOWN
from stacks.quantities import equal_quantities


def unlike(sealed: Mapping[str, Any], written: Mapping[str, Any]) -> tuple[str, ...]:
    """Paths of the properties in which the object differs from what was sealed, sorted; both are masked."""
    if sealed.get("kind") == "Secret":
        # All of it is masked in the one, and in another place in the other.
        sealed, written = _without(sealed), _without(written)
    return tuple(sorted(_unlike(sealed, written, "")))


def _unlike(sealed: Any, written: Any, path: str) -> Iterator[str]:
    if sealed in (written, UNKNOWN) or SECRET in (sealed, written) or not (sealed or written):
        return
    if isinstance(sealed, Mapping) and isinstance(written, Mapping):
        for key in sorted({*sealed, *written}):
            name = f'["{key}"]' if "." in key or "/" in key else f".{key}" if path else key
            yield from _unlike(sealed.get(key), written.get(key), f"{path}{name}")
    elif isinstance(sealed, list) and isinstance(written, list) and len(sealed) == len(written):
        for index, (one, other) in enumerate(zip(sealed, written, strict=True)):
            yield from _unlike(one, other, f"{path}[{index}]")
    elif not equal_quantities(path, sealed, written):
        yield path


def _without(secret: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in secret.items() if name not in HOLDERS}
