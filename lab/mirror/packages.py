"""Debian packages of programs from the toolchain, laid out as upstream's own packages of the same names."""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

import toolchain
from lab import cache
from lab.commands import run
from releases import release

_UNITS = Path(__file__).with_name("units")


@dataclass(frozen=True, slots=True)
class OwnPackage:
    """One package: its program goes to /usr/bin; ``files``: from `units/`, by their place in the package."""

    name: str
    summary: str
    depends: tuple[str, ...] = ()
    files: dict[str, str] = field(default_factory=dict)
    directories: tuple[str, ...] = ()


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
)


def inputs(versions: Iterable[str]) -> str:
    """All that the packages of some versions of Kubernetes are made from, as text for a cache key.

    Raises ToolchainError.
    """
    parts = [repr(PACKAGES)]
    parts += [(_UNITS / name).read_text() for package in PACKAGES for name in package.files.values()]
    for version in versions:
        marks = [cache.mark(toolchain.program(package.name, version)) for package in PACKAGES]
        parts += [release("kubernetes", version).packages, *marks]
    return "\n".join(parts)


def build(out: Path, architecture: str, kubernetes: str) -> None:
    """Write one `.deb` per package of a version of Kubernetes into ``out``."""
    # As upstream counts: 1.35.3-1.1.
    version = release("kubernetes", kubernetes).packages
    for package in PACKAGES:
        root = out / f".{package.name}"
        shutil.rmtree(root, ignore_errors=True)
        (root / "DEBIAN").mkdir(parents=True)
        (root / "usr/bin").mkdir(parents=True)
        (root / "DEBIAN/control").write_text(_control(package, version, architecture))
        shutil.copyfile(toolchain.program(package.name, kubernetes), root / "usr/bin" / package.name)
        (root / "usr/bin" / package.name).chmod(0o755)
        for directory in package.directories:
            (root / directory).mkdir(parents=True)
        for place, name in package.files.items():
            (root / place).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(_UNITS / name, root / place)
            (root / place).chmod(0o644)
        # Uncompressed: it travels within this computer, and every machine would pay for unpacking it.
        run(["dpkg-deb", "--build", "--root-owner-group", "-Znone", str(root),
             str(out / f"{package.name}_{version}_{architecture}.deb")])  # fmt: skip
        shutil.rmtree(root)


def _control(package: OwnPackage, version: str, architecture: str) -> str:
    lines = [
        f"Package: {package.name}", f"Version: {version}", f"Architecture: {architecture}",
        "Maintainer: Lab mirror <root@localhost>", "Section: admin", "Priority: optional",
        "Homepage: https://kubernetes.io", f"Description: {package.summary}",
    ]  # fmt: skip
    if package.depends:
        lines.insert(3, f"Depends: {', '.join(package.depends)}")
    return "\n".join(lines) + "\n"
