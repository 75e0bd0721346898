"""Entry point of `python -m lab`."""

from __future__ import annotations

from lab.cli import main

main(prog_name="python -m lab")
