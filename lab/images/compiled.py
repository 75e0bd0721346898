"""Programs that are compiled from this project's own Go sources: static, reproducible, kept by digest."""

from __future__ import annotations

import hashlib
from pathlib import Path

from lab import cache
from lab.commands import run
from lab.errors import LabError
from lab.progress import step
from toolchain.golang import find_go
from toolchain.manifest import manifest

_PROJECT = Path(__file__).resolve().parents[2]

# Name of the program → directory of its Go module, from the project's root.
SOURCES = {"pause": "lab/images/pause", "asset-service": "solution/asset-service"}
_FLAGS = ("-trimpath", "-buildvcs=false", "-ldflags=-s -w -buildid=")
# Nothing but this module, the standard library and this compiler takes part; nothing is downloaded.
_ENVIRONMENT = {
    "CGO_ENABLED": "0", "GOOS": "linux", "GOFLAGS": "", "GOWORK": "off", "GOPROXY": "off",
    "GOTOOLCHAIN": "local",
}  # fmt: skip


def compiled(name: str) -> Path:
    """The static program ``name`` of SOURCES, compiled when it changed. Raises LabError, ToolchainError."""
    go = find_go(manifest())
    sources = _PROJECT / SOURCES[name]
    version = run([go, "version"], directory=sources, env=_ENVIRONMENT).strip()
    key = cache.key_of(
        {"sources": source_digest(sources), "go": version, "flags": _FLAGS, "environment": _ENVIRONMENT}
    )

    def make(scratch: Path) -> None:
        scratch.mkdir()
        with step(f"compiling {name}"):
            run([go, "build", *_FLAGS, "-o", f"{scratch}/{name}", "."], directory=sources, env=_ENVIRONMENT)

    return cache.entry(f"program-{name}", key, make) / name


def source_digest(sources: Path) -> str:
    """SHA-256 of a Go module's files, tests left out. Raises LabError when the directory holds none."""
    if not (sources / "go.mod").is_file():
        raise LabError(f"{sources}: there is no go.mod, so nothing to compile. Is the working copy whole?")
    digest = hashlib.sha256()
    for path in sorted(sources.rglob("*")):
        if path.is_file() and (path.name in ("go.mod", "go.sum") or path.suffix == ".go"):
            if path.name.endswith("_test.go"):
                continue
            content = path.read_bytes()
            digest.update(f"{path.relative_to(sources)}\0{len(content)}\0".encode() + content)
    return digest.hexdigest()
