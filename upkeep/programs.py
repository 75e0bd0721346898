"""The programs of the catalogue as Go modules."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from releases import Release


@dataclass(frozen=True)
class Program:
    """One program of the catalogue."""

    name: str
    """Its name there: `kubernetes`."""
    module: str
    """The Go module of its source."""
    tag: str
    """How a release of it is asked for, with `{version}`."""
    told_by: str
    """The module whose versions are those of its releases."""

    brings: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """The modules of what it brings, by the names that `brings` of its releases has."""

    def query(self, version: str) -> str:
        """What Go is asked for: `k8s.io/kubernetes@v1.34.9`."""
        return f"{self.module}@{self.tag.format(version=version)}"

    def brought(self, release: Release) -> Iterator[str]:
        """The same for the modules of what a release of it brings."""
        for name, modules in self.brings.items():
            yield from (f"{module}@v{release.brings[name]}" for module in modules)


PROGRAMS = {
    program.name: program
    for program in (
        # Tags of Istio have no `v`, so that Go knows commits of it and no versions. Its API is a module of
        # its own, which gets the same version with each release.
        Program("istio", "istio.io/istio", "{version}", told_by="istio.io/api"),
        Program(
            "kubernetes",
            "k8s.io/kubernetes",
            "v{version}",
            told_by="k8s.io/kubernetes",
            brings={
                "coredns": ("github.com/coredns/coredns",),
                "etcd": tuple(f"go.etcd.io/etcd/{part}/v3" for part in ("etcdctl", "etcdutl", "server")),
            },
        ),
        Program(
            "containerd",
            "github.com/containerd/containerd/v2",
            "v{version}",
            told_by="github.com/containerd/containerd/v2",
        ),
        Program("metallb", "go.universe.tf/metallb", "v{version}", told_by="go.universe.tf/metallb"),
    )
}
