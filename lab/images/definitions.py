"""What is in each image, and which images are in which bundle.

Names, entry points and accounts are those of the official images, so that manifests written for them work
unchanged with these.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

import releases
import toolchain
from lab.errors import LabError
from lab.images.archive import DEFAULT_PATH, Config, Image, Layer
from lab.images.base import BaseLayer, account_entries, architecture
from lab.images.compiled import compiled
from lab.images.layer import Entry, FileLayer, data, directory, program
from releases import Release

# Of this project's own images.
_OWN_TAG = "1.0.0"

_ISTIO_USER = 1337
_PROXY = f"{_ISTIO_USER}:{_ISTIO_USER}"
_NONROOT = "65532:65532"
_ACCOUNTS = {"root": 0, "nobody": 65534, "nonroot": 65532}


class Sources:
    """Where the images' contents come from. The toolchain's own errors pass through."""

    program = staticmethod(toolchain.program)
    data = staticmethod(toolchain.data)
    version = staticmethod(toolchain.version)
    compiled = staticmethod(compiled)

    @staticmethod
    def base() -> Layer:
        """The Debian base layer of this machine's architecture."""
        return BaseLayer(architecture())


def kubernetes_node(sources: Sources, kubernetes: Release) -> tuple[Image, ...]:
    """What every node runs. CoreDNS is among it, because its pods may be scheduled to any node."""
    pause = FileLayer((program("pause", sources.compiled("pause")),))
    coredns = Config("coredns", kubernetes.brings["coredns"], ("/coredns",), ports=("53/tcp", "53/udp"))
    return (
        Image(
            kubernetes.images["pause"],
            (pause,),
            Config("pause", kubernetes.tag("pause"), ("/pause",), user="65535:65535"),
        ),
        Image(
            kubernetes.images["kube-proxy"],
            (sources.base(), FileLayer(_programs(sources, kubernetes.version, "kube-proxy"))),
            Config("kube-proxy", kubernetes.version, command=("/usr/local/bin/kube-proxy",)),
        ),
        Image(
            kubernetes.images["coredns"],
            (_static(program("coredns", sources.program("coredns", kubernetes.brings["coredns"]))),),
            coredns,
        ),
    )


def kubernetes_control_plane(sources: Sources, kubernetes: Release) -> tuple[Image, ...]:
    """What control-plane nodes run besides."""
    servers = tuple(
        Image(
            kubernetes.images[name],
            (_static(*_programs(sources, kubernetes.version, name)),),
            Config(name, kubernetes.version, command=(f"/usr/local/bin/{name}",)),
        )
        for name in ("kube-apiserver", "kube-controller-manager", "kube-scheduler")
    )
    tools = _static(*_programs(sources, kubernetes.brings["etcd"], "etcd", "etcdctl", "etcdutl"))
    ports = ("2379/tcp", "2380/tcp")
    etcd = Config("etcd", kubernetes.brings["etcd"], ("/usr/local/bin/etcd",), ports=ports)
    return (*servers, Image(kubernetes.images["etcd"], (tools,), etcd))


def istio(sources: Sources, istio: Release) -> tuple[Image, ...]:
    """The mesh's control plane, and its proxy on a stock Envoy.

    Stock Envoy lacks Istio's own filters; the platform is told so where it uses this image.
    """
    bootstrap = sources.data("istio-bootstrap", istio.version)
    agent = FileLayer(
        (
            *_programs(sources, istio.version, "pilot-agent"),
            data(
                "var/lib/istio/envoy/envoy_bootstrap_tmpl.json",
                bootstrap,
            ),
            directory("etc/istio/proxy", uid=_ISTIO_USER, gid=_ISTIO_USER),
            directory("var/lib/istio/data", uid=_ISTIO_USER, gid=_ISTIO_USER),
        )
    )
    # A layer of its own: it stays the same when only Istio's version changes, so a canary loads it once.
    proxy = FileLayer((program("usr/local/bin/envoy", sources.program("envoy")),))
    sha = f"ISTIO_META_ISTIO_PROXY_SHA=envoy:{sources.version('envoy')}"
    return (
        Image(
            istio.images["pilot"],
            (sources.base(), FileLayer(_programs(sources, istio.version, "pilot-discovery"))),
            Config("pilot", istio.version, ("/usr/local/bin/pilot-discovery",), user=_PROXY),
        ),
        Image(
            istio.images["proxyv2"],
            (sources.base(), proxy, agent),
            Config(
                "proxyv2",
                istio.version,
                ("/usr/local/bin/pilot-agent",),
                user=_PROXY,
                environment=(DEFAULT_PATH, sha),
            ),
        ),
    )


def metallb(sources: Sources, metallb: Release) -> tuple[Image, ...]:
    """The load balancer's controller and speaker."""
    return tuple(
        Image(
            metallb.images[name],
            (_static(program(name, sources.program(f"metallb-{name}", metallb.version))),),
            Config(name, metallb.version, (f"/{name}",)),
        )
        for name in ("controller", "speaker")
    )


def solution(sources: Sources) -> tuple[Image, ...]:
    """The reference solution's service."""
    name = "asset-service"
    service = _static(program(name, sources.compiled(name)))
    config = Config(name, _OWN_TAG, (f"/{name}",), user=_NONROOT, ports=("8080/tcp",))
    return (Image(f"docker.io/crossmesh/{name}:{_OWN_TAG}", (service,), config),)


def tools(sources: Sources) -> tuple[Image, ...]:
    """A pod to look from: curl, ip, nslookup and the rest of busybox. It waits until it is told to end."""
    # A plain `sleep` as process 1 ignores SIGTERM, and its pod would take its whole grace period to go.
    wait = 'trap "exit 0" TERM INT; while :; do sleep 3600 & wait $!; done'
    config = Config("tools", _OWN_TAG, command=("/bin/sh", "-c", wait), user=_NONROOT)
    return (Image(f"docker.io/crossmesh/tools:{_OWN_TAG}", (sources.base(),), config),)


OF_RELEASES: dict[str, tuple[str, Callable[[Sources, Release], tuple[Image, ...]]]] = {
    "kubernetes-node": ("kubernetes", kubernetes_node),
    "kubernetes-control-plane": ("kubernetes", kubernetes_control_plane),
    "istio": ("istio", istio),
    "metallb": ("metallb", metallb),
}
"""Bundles of which each release of a program has one: that program, and what is in them."""

OWN: dict[str, Callable[[Sources], tuple[Image, ...]]] = {"solution": solution, "tools": tools}
"""Bundles of this project's own images."""


def names(versions: Mapping[str, Iterable[str]]) -> tuple[str, ...]:
    """The bundles of some releases, which are versions by program, and the project's own."""
    found = [
        f"{kind}-{version}"
        for kind, (program, _) in OF_RELEASES.items()
        for version in versions.get(program, ())
    ]
    return (*found, *OWN)


def images(bundle: str, sources: Sources) -> tuple[Image, ...]:
    """The images of a bundle. Raises LabError for one that there is not."""
    if bundle in OWN:
        return OWN[bundle](sources)
    kind, _, version = bundle.rpartition("-")
    if kind not in OF_RELEASES or version not in releases.built(OF_RELEASES[kind][0]):
        known = names({program: releases.built(program) for program, _ in OF_RELEASES.values()})
        raise LabError(f"there is no bundle {bundle!r}. The bundles are: {', '.join(known)}")
    program, made = OF_RELEASES[kind]
    return made(sources, releases.release(program, version))


def _programs(sources: Sources, version: str, *names: str) -> tuple[Entry, ...]:
    """Programs of one version where the official images have them."""
    return tuple(program(f"usr/local/bin/{name}", sources.program(name, version)) for name in names)


def _static(*programs: Entry) -> FileLayer:
    """A layer for static programs on nothing else: they, the accounts, and ``/tmp``."""
    return FileLayer((*account_entries(_ACCOUNTS), *programs))
