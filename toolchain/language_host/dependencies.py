"""What is installed for the Python that runs a program."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Plugin:
    """The provider plugin that an SDK package names in its pulumi-plugin.json."""

    name: str
    version: str
    server: str


def interpreter(info: Any) -> str:
    """The Python for a program: of the `virtualenv` in its runtime options, or the host's own."""
    options = info.options.fields if info is not None and info.HasField("options") else {}
    virtualenv = options["virtualenv"].string_value if "virtualenv" in options else ""
    if virtualenv:
        candidate = Path(info.root_directory, os.path.expanduser(virtualenv), "bin", "python")
        if not candidate.exists():
            raise FileNotFoundError(
                f"Pulumi.yaml names the virtual environment {virtualenv}; it has no {candidate}"
            )
        return str(candidate)
    return sys.executable


@cache
def _ask(python: str, code: str) -> Any:
    result = subprocess.run([python, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    return json.loads(result.stdout)


def python_version(python: str) -> str:
    """The version of a Python, like 3.11.2."""
    return str(_ask(python, "import json, platform; print(json.dumps(platform.python_version()))"))


@cache
def sdk_version() -> str:
    """The version of the Pulumi SDK that the host itself runs on."""
    from importlib.metadata import version

    return version("pulumi")


def _site_packages(python: str) -> list[str]:
    if python == sys.executable:
        return [path for path in sys.path if path.endswith("-packages")]
    return [str(path) for path in _ask(python, "import json, sys; print(json.dumps(sys.path))")]


def plugins(python: str) -> list[Plugin]:
    """The plugins of all SDK packages of a Python, sorted by name."""
    found = {}
    for directory in _site_packages(python):
        for file in Path(directory).glob("*/pulumi-plugin.json"):
            entry = json.loads(file.read_text())
            if entry.get("resource"):
                name = entry.get("name") or file.parent.name.removeprefix("pulumi_")
                found[name] = Plugin(name, entry.get("version", ""), entry.get("server", ""))
    return [found[name] for name in sorted(found)]


_DISTRIBUTIONS = """
import json, re
from importlib.metadata import distributions
norm = lambda name: re.sub(r"[-_.]+", "-", name).lower()
have, needed = {}, set()
for dist in distributions():
    have[norm(dist.metadata["Name"])] = dist.version
    for requirement in dist.requires or ():
        if "extra ==" not in requirement:
            needed.add(norm(re.match(r"[A-Za-z0-9._-]+", requirement).group()))
print(json.dumps([sorted(have.items()), sorted(needed)]))
"""


def distributions(python: str, *, transitive: bool) -> list[tuple[str, str]]:
    """Name and version of a Python's packages; without `transitive` only those that no other requires."""
    have, needed = _ask(python, _DISTRIBUTIONS)
    return [(name, version) for name, version in have if transitive or name not in needed]
