"""Something that stands against what is about to be done."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Problem:
    """Something that stands against a run."""

    what: str
    """What is found, where."""
    fix: str = ""
    """How to mend it."""
    blocks: bool = True
    """Whether nothing may begin with it; otherwise it is told, and confirmed with the rest."""
    kind: str = ""
    """The word by which it can be accepted (`accept=KIND`); empty where it cannot."""
    about: str = ""
    """The one thing that it is about, such as `namespace/name` of a pod; empty where it is about several."""
