"""A lab: machines, a network between regions and a package mirror on this computer.

    >>> lab.start("lab").machines["eu-cp-1"]
    '10.101.1.11'
    >>> lab.stop("lab")

It is to its users what a hosting company would be, and knows nothing of what is installed on the machines.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from lab.errors import LabError

if TYPE_CHECKING:
    from lab.addressing import LabAddresses

__all__ = ["LabError", "addresses", "start", "stop"]


def addresses(name: str = "lab") -> LabAddresses:
    """All addresses of a lab, whether it runs or not. Raises LabError for an impossible name."""
    from lab import lifecycle

    return lifecycle.addresses(name)


def start(name: str = "lab", spec_file: Path | None = None, with_mirror: bool = True) -> LabAddresses:
    """Bring a lab up, or what of it does not run; returns when every machine answers by ssh.

    ``spec_file`` describes it, in the form of `lab/reference.yaml` (default: as last time, else that file).
    Needs root. Raises LabError.
    """
    from lab import lifecycle

    return lifecycle.start(name, spec_file, with_mirror)


def stop(name: str = "lab") -> None:
    """End a lab and remove all of it, from whatever state it is in. Needs root. Raises LabError."""
    from lab import lifecycle

    lifecycle.stop(name)
