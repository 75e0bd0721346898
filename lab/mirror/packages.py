"""Debian packages of programs from the toolchain, laid out as their makers' own of the same names."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import toolchain
from lab import cache
from lab.commands import run
from releases import Release, release

_UNITS = Path(__file__).with_name("units")


@dataclass(frozen=True, slots=True)
class OwnPackage:
    """One package: its programs go to /usr/bin; ``files``: from `units/`, by their place in the package."""

    name: str
    summary: str
    depends: tuple[str, ...] = ()
    files: dict[str, str] = field(default_factory=dict)
    directories: tuple[str, ...] = ()
    of: str = "kubernetes"
    """The catalogue's program whose releases it is of."""
    programs: tuple[str, ...] = ()
    """The toolchain's programs in it; without any, that of its own name."""
    instead_of: tuple[str, ...] = ()
    """Packages whose place it takes: it provides, replaces and excludes them."""
    homepage: str = "https://kubernetes.io"

    @property
    def held(self) -> tuple[str, ...]:
        """The toolchain's programs in it."""
        return self.programs or (self.name,)


PACKAGES = (
    OwnPackage(
        "kubelet",
        "Node agent for Kubernetes clusters",
        ("conntrack", "ebtables", "ethtool", "iproute2", "iptables", "mount", "socat", "util-linux"),
        {"usr/lib/systemd/system/kubelet.service": "kubelet.service"},
        ("etc/kubernetes/manifests",),
    ),
    OwnPackage(
        "kubeadm",
        "Command-line utility for administering a Kubernetes cluster",
        files={"usr/lib/systemd/system/kubelet.service.d/10-kubeadm.conf": "10-kubeadm.conf"},
    ),
    OwnPackage("kubectl", "Command-line utility for interacting with a Kubernetes cluster"),
    # Its makers' has a runc of its own, which is not built without a compiler of C: here it is Debian's.
    OwnPackage(
        "containerd.io",
        "Open and reliable container runtime",
        ("iptables", "runc"),
        # Where Debian's has it: dpkg knows a file that changes hands by its path.
        {"lib/systemd/system/containerd.service": "containerd.service"},
        of="containerd",
        programs=("containerd", "containerd-shim-runc-v2", "ctr"),
        instead_of=("containerd",),
        homepage="https://containerd.io",
    ),
)


def of_releases(versions: Mapping[str, Iterable[str]]) -> Iterator[Release]:
    """The releases of which there are packages. versions: of the catalogue's programs, by these."""
    for program in sorted({package.of for package in PACKAGES}):
        yield from (release(program, version) for version in versions.get(program, ()))


def inputs(versions: Mapping[str, Iterable[str]]) -> str:
    """All that the packages of some releases are made from, as text for a cache key.

    versions: of the catalogue's programs, by these. Raises ToolchainError.
    """
    parts = [repr(PACKAGES)]
    parts += [(_UNITS / name).read_text() for package in PACKAGES for name in package.files.values()]
    for found in of_releases(versions):
        programs = [name for package in _packages(found) for name in package.held]
        marks = [cache.mark(toolchain.program(name, found.version)) for name in programs]
        parts += [found.packages, *marks]
    return "\n".join(parts)


def build(out: Path, architecture: str, found: Release) -> None:
    """Write one `.deb` per package of a release into ``out``."""
    for package in _packages(found):
        root = out / f".{package.name}"
        shutil.rmtree(root, ignore_errors=True)
        (root / "DEBIAN").mkdir(parents=True)
        (root / "usr/bin").mkdir(parents=True)
        # As its makers count: 1.35.3-1.1.
        (root / "DEBIAN/control").write_text(_control(package, found.packages, architecture))
        for name in package.held:
            shutil.copyfile(toolchain.program(name, found.version), root / "usr/bin" / name)
            (root / "usr/bin" / name).chmod(0o755)
        for directory in package.directories:
            (root / directory).mkdir(parents=True)
        for place, name in package.files.items():
            (root / place).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(_UNITS / name, root / place)
            (root / place).chmod(0o644)
        # Uncompressed: it travels within this computer, and every machine would pay for unpacking it.
        run(["dpkg-deb", "--build", "--root-owner-group", "-Znone", str(root),
             str(out / f"{package.name}_{found.packages}_{architecture}.deb")])  # fmt: skip
        shutil.rmtree(root)


def _packages(found: Release) -> list[OwnPackage]:
    return [package for package in PACKAGES if package.of == found.program]


def _control(package: OwnPackage, version: str, architecture: str) -> str:
    lines = [
        f"Package: {package.name}", f"Version: {version}", f"Architecture: {architecture}",
        "Maintainer: Lab mirror <root@localhost>", "Section: admin", "Priority: optional",
        f"Homepage: {package.homepage}", f"Description: {package.summary}",
    ]  # fmt: skip
    if package.depends:
        lines.insert(3, f"Depends: {', '.join(package.depends)}")
    if package.instead_of:
        names = ", ".join(package.instead_of)
        lines[3:3] = [f"{how}: {names}" for how in ("Provides", "Conflicts", "Replaces")]
    return "\n".join(lines) + "\n"
