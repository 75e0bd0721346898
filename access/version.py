"""The version of this project. `pyproject.toml` has it, and nothing else."""

from __future__ import annotations

import tomllib
from functools import cache
from importlib import metadata

from access.paths import project_root


@cache
def version() -> str:
    """The version: of this checkout, or of the package where it was installed as one."""
    try:
        with (project_root() / "pyproject.toml").open("rb") as stream:
            return str(tomllib.load(stream)["project"]["version"])
    except FileNotFoundError:
        return metadata.version("crossmesh")
