"""The mirror's apt repository: the offered packages, what they need, and the site's own packages."""

from __future__ import annotations

import gzip
import hashlib
from datetime import UTC, datetime
from pathlib import Path

from lab import cache, debian, progress, rootfs
from lab.commands import remove_tree, run
from lab.mirror import packages, signing
from lab.spec import LabSpec
from toolchain.store import file_digest

# Raise it when this module makes another repository from the same inputs.
_RECIPE = 2


def key(spec: LabSpec) -> str:
    """Digest of all that the repository is made from, but for the versions that Debian serves that day."""
    parts = [str(_RECIPE), rootfs.key(spec), *sorted(spec.mirror_packages)]
    parts += [packages.inputs(spec.releases), signing.fingerprint()]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]


def ensure(spec: LabSpec) -> Path:
    """The cached repository of the suite of ``spec``, made first where it is missing.

    Those of several suites may lie in one tree. Raises LabError, ToolchainError.
    """
    return cache.entry(f"apt-{spec.suite}", key(spec), lambda scratch: _make(spec, scratch))


def _make(spec: LabSpec, scratch: Path) -> None:
    pool = scratch / "pool" / spec.suite
    pool.mkdir(parents=True)
    architecture = run(["dpkg", "--print-architecture"]).strip()
    with progress.step(f"making the mirror's apt repository of {spec.suite} (once)", after=0):
        _download(spec, rootfs.ensure(spec), pool)
        for release in packages.of_releases(spec.releases):
            packages.build(pool, architecture, release)
        _index(spec, scratch, architecture)


def _download(spec: LabSpec, base: Path, pool: Path) -> None:
    """Fetch the packages with all dependencies that the base system lacks; apt verifies the signatures."""
    work = pool / ".apt"
    for name in ("sources", "state/lists/partial", "cache/archives/partial"):
        (work / name).mkdir(parents=True)
    (work / "sources/lab.sources").write_text(debian.sources(spec.suite))
    settings = {
        "Dir::Etc::SourceList": "/dev/null",
        "Dir::Etc::SourceParts": work / "sources",
        "Dir::State": work / "state",
        "Dir::State::Lists": work / "state/lists",
        "Dir::State::Status": base / "var/lib/dpkg/status",
        "Dir::Cache": work / "cache",
        "Dir::Cache::Archives": work / "cache/archives",
        "APT::Sandbox::User": "root",
        "Acquire::Languages": "none",
        "APT::Keep-Downloaded-Packages": "true",
    }
    options = [word for name, value in settings.items() for word in ("-o", f"{name}={value}")]
    apt = ["apt-get", "--yes", *options]
    run([*apt, "update"], tied=True, fix="can this computer's own `apt-get update` reach its sources?")
    wanted = sorted({*spec.mirror_packages, *(name for own in packages.PACKAGES for name in own.depends)})
    run([*apt, "install", "--download-only", "--no-install-recommends", *wanted], tied=True)
    for deb in sorted((work / "cache/archives").glob("*.deb")):
        # apt writes an epoch's colon as %3a; the plain name needs no escaping in a URL.
        deb.rename(pool / deb.name.replace("%3a", "-"))
    remove_tree(work)


def _index(spec: LabSpec, repository: Path, architecture: str) -> None:
    dist = repository / "dists" / spec.suite
    index = dist / "main" / f"binary-{architecture}"
    index.mkdir(parents=True)
    stanzas = [_stanza(repository, deb) for deb in sorted((repository / "pool" / spec.suite).glob("*.deb"))]
    content = "\n".join(stanzas).encode()
    (index / "Packages").write_bytes(content)
    (index / "Packages.gz").write_bytes(gzip.compress(content, mtime=0))
    listed = sorted(index.iterdir())
    lines = [
        "Origin: Lab", "Label: Lab mirror", f"Suite: {spec.suite}", f"Codename: {spec.suite}",
        f"Date: {datetime.now(UTC):%a, %d %b %Y %H:%M:%S} UTC", f"Architectures: {architecture}",
        "Components: main", "SHA256:",
        *(f" {file_digest(path)} {path.stat().st_size} {path.relative_to(dist)}"
          for path in listed),
    ]  # fmt: skip
    release = dist / "Release"
    release.write_text("\n".join(lines) + "\n")
    signing.sign(release, dist / "Release.gpg", dist / "InRelease")


def _stanza(repository: Path, deb: Path) -> str:
    control = run(["dpkg-deb", "--field", str(deb)]).rstrip("\n")
    size, digest = deb.stat().st_size, file_digest(deb)
    about = f"Filename: {deb.relative_to(repository)}\nSize: {size}\nSHA256: {digest}\n"
    return f"{control}\n{about}"
