"""A lab: machines, a network between regions and a package mirror on this computer.

    >>> lab.start("lab").machines["eu-cp-1"]
    '10.101.1.11'
    >>> lab.stop("lab")

It is to its users what a hosting company would be, and knows nothing of what is installed on the machines.
"""

from __future__ import annotations

from lab.errors import LabError
from lab.lifecycle import addresses, start, stop

__all__ = ["LabError", "addresses", "start", "stop"]
