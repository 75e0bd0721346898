"""`python -m toolchain.lock`: resolve requirements*.in into requirements.lock, all pinned by SHA-256."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
# The resolver runs in an environment of its own: it is no dependency of the project.
RESOLVER = "uv==0.13.9"


def main() -> int:
    """Resolve; returns the resolver's exit code."""
    with tempfile.TemporaryDirectory() as work:
        subprocess.run([sys.executable, "-m", "venv", work], check=True)
        pip = [f"{work}/bin/python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        subprocess.run([*pip, RESOLVER], check=True)
        command = [f"{work}/bin/uv", "pip", "compile", "--quiet", "--generate-hashes", "--no-emit-index-url"]
        command += ["--no-annotate", "--python-version", "3.11", "--python-platform", "x86_64-manylinux_2_31"]
        command += ["--custom-compile-command", "make lock", "--output-file", "requirements.lock"]
        declared = ["requirements.in", "requirements-dev.in"]
        return subprocess.run([*command, *declared], cwd=ROOT, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
