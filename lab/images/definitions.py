"""What is in each image, and which images are in which bundle.

Names, entry points and accounts are those of the official images, so that manifests written for them work
unchanged with these.
"""

from __future__ import annotations

from collections.abc import Callable

import toolchain
from lab.images.archive import DEFAULT_PATH, Config, Image, Layer
from lab.images.base import BaseLayer, account_entries, architecture
from lab.images.compiled import compiled
from lab.images.layer import Entry, FileLayer, data, directory, program
from releases import Release, release

# This project's own images.
_ASSET_SERVICE_TAG = "1.0.0"
_TOOLS_TAG = "1.0.0"

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


def kubernetes_node(sources: Sources) -> tuple[Image, ...]:
    """What every node runs. CoreDNS is among it, because its pods may be scheduled to any node."""
    kubernetes = _release(sources, "kubernetes")
    return (
        Image(
            kubernetes.images["pause"],
            (FileLayer((program("pause", sources.compiled("pause")),)),),
            Config("pause", kubernetes.tag("pause"), ("/pause",), user="65535:65535"),
        ),
        Image(
            kubernetes.images["kube-proxy"],
            (
                sources.base(),
                FileLayer((program("usr/local/bin/kube-proxy", sources.program("kube-proxy")),)),
            ),
            Config("kube-proxy", kubernetes.version, command=("/usr/local/bin/kube-proxy",)),
        ),
        Image(
            kubernetes.images["coredns"],
            (_static(program("coredns", sources.program("coredns"))),),
            Config("coredns", kubernetes.brings["coredns"], ("/coredns",), ports=("53/tcp", "53/udp")),
        ),
    )


def kubernetes_control_plane(sources: Sources) -> tuple[Image, ...]:
    """What control-plane nodes run besides."""
    kubernetes = _release(sources, "kubernetes")
    servers = tuple(
        Image(
            kubernetes.images[name],
            (_static(program(f"usr/local/bin/{name}", sources.program(name))),),
            Config(name, kubernetes.version, command=(f"/usr/local/bin/{name}",)),
        )
        for name in ("kube-apiserver", "kube-controller-manager", "kube-scheduler")
    )
    tools = (
        program(f"usr/local/bin/{name}", sources.program(name)) for name in ("etcd", "etcdctl", "etcdutl")
    )
    etcd = Image(
        kubernetes.images["etcd"],
        (_static(*tools),),
        Config("etcd", kubernetes.brings["etcd"], ("/usr/local/bin/etcd",), ports=("2379/tcp", "2380/tcp")),
    )
    return (*servers, etcd)


def istio(sources: Sources) -> tuple[Image, ...]:
    """The mesh's control plane, and its proxy on a stock Envoy.

    Stock Envoy lacks Istio's own filters; the platform is told so where it uses this image.
    """
    istio = _release(sources, "istio")
    envoy = sources.version("envoy")
    pilot = FileLayer((program("usr/local/bin/pilot-discovery", sources.program("pilot-discovery")),))
    agent = FileLayer(
        (
            program("usr/local/bin/pilot-agent", sources.program("pilot-agent")),
            data("var/lib/istio/envoy/envoy_bootstrap_tmpl.json", sources.data("istio-bootstrap")),
            _owned("etc/istio/proxy"),
            _owned("var/lib/istio/data"),
        )
    )
    # A layer of its own: it stays the same when only Istio's version changes, so a canary loads it once.
    proxy = FileLayer((program("usr/local/bin/envoy", sources.program("envoy")),))
    return (
        Image(
            istio.images["pilot"],
            (sources.base(), pilot),
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
                environment=(DEFAULT_PATH, f"ISTIO_META_ISTIO_PROXY_SHA=envoy:{envoy}"),
            ),
        ),
    )


def metallb(sources: Sources) -> tuple[Image, ...]:
    """The load balancer's controller and speaker."""
    metallb = _release(sources, "metallb")
    return tuple(
        Image(
            metallb.images[name],
            (_static(program(name, sources.program(f"metallb-{name}"))),),
            Config(name, metallb.version, (f"/{name}",)),
        )
        for name in ("controller", "speaker")
    )


def solution(sources: Sources) -> tuple[Image, ...]:
    """The reference solution's service."""
    return (
        Image(
            f"docker.io/crossmesh/asset-service:{_ASSET_SERVICE_TAG}",
            (_static(program("asset-service", sources.compiled("asset-service"))),),
            Config(
                "asset-service", _ASSET_SERVICE_TAG, ("/asset-service",), user=_NONROOT, ports=("8080/tcp",)
            ),
        ),
    )


def tools(sources: Sources) -> tuple[Image, ...]:
    """A pod to look from: curl, ip, nslookup and the rest of busybox. It waits until it is told to end."""
    # A plain `sleep` as process 1 ignores SIGTERM, and its pod would take its whole grace period to go.
    wait = 'trap "exit 0" TERM INT; while :; do sleep 3600 & wait $!; done'
    return (
        Image(
            f"docker.io/crossmesh/tools:{_TOOLS_TAG}",
            (sources.base(),),
            Config("tools", _TOOLS_TAG, command=("/bin/sh", "-c", wait), user=_NONROOT),
        ),
    )


DEFINITIONS: dict[str, Callable[[Sources], tuple[Image, ...]]] = {
    "kubernetes-node": kubernetes_node,
    "kubernetes-control-plane": kubernetes_control_plane,
    "istio": istio,
    "metallb": metallb,
    "solution": solution,
    "tools": tools,
}


def _release(sources: Sources, name: str) -> Release:
    """The release of a program that the toolchain has."""
    return release(name, sources.version(name))


def _static(*programs: Entry) -> FileLayer:
    """A layer for static programs on nothing else: they, the accounts, and ``/tmp``."""
    return FileLayer((*account_entries(_ACCOUNTS), *programs))


def _owned(path: str) -> Entry:
    return directory(path, uid=_ISTIO_USER, gid=_ISTIO_USER)
