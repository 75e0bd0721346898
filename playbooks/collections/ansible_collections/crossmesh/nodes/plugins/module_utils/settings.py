"""Files that programs of the control plane read, each named after its content.

So another content is another argument: who reads it starts anew, and what was before is there until that
is proven.
"""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path

from ansible_collections.crossmesh.nodes.plugins.module_utils.host import write

DIRECTORY = Path("/etc/kubernetes/crossmesh")
_NAMED = 12
"""Hexadecimal digits of a digest in a file's name: 48 bits."""


def named(settings: list[dict[str, str]], config: str) -> tuple[dict[Path, str], str]:
    """Content of each setting by the path that it has on the host, and the configuration with these paths."""
    contents = {}
    for setting in settings:
        plain = Path(setting["path"])
        digest = hashlib.sha256(setting["content"].encode()).hexdigest()[:_NAMED]
        path = plain.with_name(f"{plain.stem}-{digest}{plain.suffix}")
        contents[path] = setting["content"]
        config = config.replace(str(plain), str(path))
    return contents, config


def missing(contents: dict[Path, str]) -> list[Path]:
    """Those of the settings that are not there as they are to be."""
    return [
        path
        for path, content in contents.items()
        if not path.is_file() or path.read_text() != content or path.stat().st_mode & 0o7777 != 0o600
    ]


def lay(contents: dict[Path, str]) -> None:
    """Write settings, root's alone."""
    for path in missing(contents):
        write(path, contents[path], 0o600)
        path.parent.chmod(0o700)


def make(directories: list[str]) -> None:
    """Make directories, root's alone."""
    for directory in map(Path, directories):
        directory.mkdir(parents=True, exist_ok=True)
        directory.chmod(0o700)


def clear(contents: dict[Path, str]) -> None:
    """Remove what is none of the settings."""
    for path in set(DIRECTORY.glob("*")) - set(contents):
        path.unlink()


def remove() -> None:
    """Remove all settings."""
    shutil.rmtree(DIRECTORY, ignore_errors=True)
