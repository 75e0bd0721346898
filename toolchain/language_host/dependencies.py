"""What is installed for the Python that runs a program."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

from pulumi.runtime.proto import plugin_pb2


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


def _site_packages(python: str) -> list[str]:
    if python == sys.executable:
        return [path for path in sys.path if path.endswith("-packages")]
    return [str(path) for path in _ask(python, "import json, sys; print(json.dumps(sys.path))")]


def plugins(python: str) -> list[Any]:
    """The plugins that the SDK packages of a Python name in their pulumi-plugin.json, sorted by name."""
    packages = {}
    for directory in _site_packages(python):
        for file in Path(directory).glob("*/pulumi-plugin.json"):
            entry = json.loads(file.read_text())
            if entry.get("resource"):
                name = entry.get("name") or file.parent.name.removeprefix("pulumi_")
                packages[name] = plugin_pb2.PackageDependency(
                    name=name, kind="resource", version=entry.get("version"), server=entry.get("server")
                )
    return [packages[name] for name in sorted(packages)]


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
