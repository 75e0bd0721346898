"""Programs that are on PATH already."""

from __future__ import annotations

import os
import re
import struct
import subprocess
from pathlib import Path

from toolchain.manifest import Program
from toolchain.progress import say
from toolchain.store import store_dir

# A version as programs print it; what follows must not continue it (1.34.3 is not 1.34.30).
_VERSION = re.compile(r"(?<![\d.])v?(\d+\.\d+\.\d+(?:-[0-9A-Za-z.-]+)?)(?![\d.])")


def parse_version(output: str) -> str | None:
    """The first version that a program's output names, without a leading `v`; None if there is none."""
    match = _VERSION.search(output)
    return match.group(1) if match else None


def is_static(path: Path) -> bool:
    """Whether an ELF file needs no dynamic loader (no PT_INTERP segment)."""
    with path.open("rb") as stream:
        header = stream.read(64)
        if len(header) < 64 or header[:4] != b"\x7fELF" or header[4] != 2 or header[5] != 1:
            return False
        offset, size, count = (
            struct.unpack_from("<Q", header, 32)[0],
            struct.unpack_from("<H", header, 54)[0],
            struct.unpack_from("<H", header, 56)[0],
        )
        stream.seek(offset)
        table = stream.read(size * count)
    pt_interp = 3
    return all(struct.unpack_from("<I", table, index * size)[0] != pt_interp for index in range(count))


def candidates(name: str, search: str | None = None) -> list[Path]:
    """All executables of that name on PATH (or `search`) that the toolchain did not put there itself."""
    own = store_dir().resolve()
    found: list[Path] = []
    for directory in (search if search is not None else os.environ.get("PATH", "")).split(os.pathsep):
        path = Path(directory or ".") / name
        if path.is_file() and os.access(path, os.X_OK):
            real = path.resolve()
            if not real.is_relative_to(own) and real not in found:
                found.append(real)
    return found


def find(program: Program, search: str | None = None) -> Path | None:
    """The program on PATH, if it is there in exactly the pinned version (and static, where it must be)."""
    if not program.probe:
        return None
    for path in candidates(program.name, search):
        try:
            result = subprocess.run(
                [str(path), *program.probe],
                capture_output=True,
                text=True,
                timeout=15,
                stdin=subprocess.DEVNULL,
                check=False,
                env={**os.environ, "PULUMI_SKIP_UPDATE_CHECK": "true"},
            )
        except (OSError, subprocess.TimeoutExpired):
            continue
        version = parse_version(result.stdout) or parse_version(result.stderr)
        if version != program.version:
            continue
        if program.static and not is_static(path):
            say(f"{program.name} {version} at {path} is not used: images need a statically linked one")
            continue
        return path
    return None
