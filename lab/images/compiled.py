"""Programs that are compiled from this project's own Go sources: static, reproducible, kept by digest."""

from __future__ import annotations

import hashlib
import os
import subprocess
from pathlib import Path

from lab.images import cache
from lab.images.errors import ImageError
from lab.progress import step

_PROJECT = Path(__file__).resolve().parents[2]

# Name of the program → directory of its Go module, from the project's root.
SOURCES = {
    "pause": "lab/images/pause",
    "asset-service": "solution/asset-service",
}
_FLAGS = ("-trimpath", "-buildvcs=false", "-ldflags=-s -w -buildid=")
# Nothing but this module, the standard library and this compiler takes part; nothing is downloaded.
_ENVIRONMENT = {
    "CGO_ENABLED": "0", "GOOS": "linux", "GOFLAGS": "", "GOWORK": "off", "GOPROXY": "off",
    "GOTOOLCHAIN": "local",
}  # fmt: skip


def go_command() -> Path:
    """The Go compiler that the toolchain uses, which gets one where there is none. Raises ToolchainError."""
    from toolchain.golang import find_go
    from toolchain.manifest import manifest

    return Path(find_go(manifest()))


def compiled(name: str, go: Path | None = None, sources: Path | None = None) -> Path:
    """The static program ``name`` (a key of SOURCES), compiled when its sources or the compiler changed.

    ``go`` defaults to ``go_command()``, ``sources`` to the program's directory in this project.
    Raises ImageError with the compiler's words when it does not compile, and the toolchain's error when
    there is no compiler to be had.
    """
    go = go or go_command()
    sources = sources or _PROJECT / SOURCES[name]
    version = _run([str(go), "version"], sources)
    key = cache.key_of(
        {"sources": source_digest(sources), "go": version, "flags": _FLAGS, "environment": _ENVIRONMENT}
    )
    program = cache.root() / "programs" / f"{name}-{key}"
    with cache.locked(f"program-{name}"):
        if not program.exists():
            with step(f"compiling {name}"), cache.replacing(program) as temporary:
                temporary.chmod(0o755)
                _run([str(go), "build", *_FLAGS, "-o", str(temporary), "."], sources)
            for old in program.parent.glob(f"{name}-*"):
                if old != program:
                    old.unlink()
    return program


def source_digest(sources: Path) -> str:
    """SHA-256 over the names and contents of a Go module's files, tests left out.

    Raises ImageError when the directory holds no Go module.
    """
    if not (sources / "go.mod").is_file():
        raise ImageError(f"{sources}: there is no go.mod, so nothing to compile. Is the working copy whole?")
    digest = hashlib.sha256()
    for path in sorted(sources.rglob("*")):
        if path.is_file() and (path.name in ("go.mod", "go.sum") or path.suffix == ".go"):
            if path.name.endswith("_test.go"):
                continue
            content = path.read_bytes()
            digest.update(f"{path.relative_to(sources)}\0{len(content)}\0".encode() + content)
    return digest.hexdigest()


def _run(command: list[str], directory: Path) -> str:
    try:
        run = subprocess.run(
            command, cwd=directory, env={**os.environ, **_ENVIRONMENT},
            capture_output=True, text=True, timeout=600, check=False,
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ImageError(f"{' '.join(command)} in {directory}: {error}") from error
    if run.returncode:
        raise ImageError(
            f"{' '.join(command)} in {directory} ended with {run.returncode}:\n{run.stderr.strip()}"
        )
    return run.stdout.strip()
