"""Where the project's files are, and what they say of it."""

from __future__ import annotations

import re
import tomllib
from functools import cache
from importlib import metadata
from pathlib import Path

import yaml

from report.errors import ConfigurationError

PROJECT_FILE = "Pulumi.yaml"
STACK_NAME = re.compile(r"^[A-Za-z0-9_.-]{1,100}$")


def project_root() -> Path:
    """Directory that holds `PROJECT_FILE`."""
    return Path(__file__).resolve().parent.parent


def project_name() -> str:
    """Name of the Pulumi project, as `Pulumi.yaml` has it."""
    return str(yaml.safe_load((project_root() / PROJECT_FILE).read_text())["name"])


def stack_names() -> list[str]:
    """Names of the stacks that have a file, sorted."""
    files = (project_root() / "stacks").glob("Pulumi.*.yaml")
    return sorted(path.name[len("Pulumi.") : -len(".yaml")] for path in files)


def stack_file(stack: str) -> Path:
    """Path of the stack's file. Raises `ConfigurationError` if the name is none, or no such file exists."""
    if not STACK_NAME.match(stack):
        raise ConfigurationError(f"stack {stack!r}: not a stack name (letters, digits, '-', '_', '.')")
    path = project_root() / "stacks" / f"Pulumi.{stack}.yaml"
    if not path.is_file():
        names = ", ".join(stack_names()) or "none"
        raise ConfigurationError(f"stack {stack!r}: {path} does not exist. Stacks with a file: {names}.")
    return path


@cache
def version() -> str:
    """The version: of this checkout, or of the package where it was installed as one."""
    try:
        with (project_root() / "pyproject.toml").open("rb") as stream:
            return str(tomllib.load(stream)["project"]["version"])
    except FileNotFoundError:
        return metadata.version("crossmesh")
