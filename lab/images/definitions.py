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


def kubernetes_node(sources: Sources) -> tuple[Image, ...]:
    """What every node runs. CoreDNS is among it, because its pods may be scheduled to any node."""
    kubernetes = _release(sources, "kubernetes")
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
            (sources.base(), FileLayer(_programs(sources, "kube-proxy"))),
            Config("kube-proxy", kubernetes.version, command=("/usr/local/bin/kube-proxy",)),
        ),
        Image(
            kubernetes.images["coredns"], (_static(program("coredns", sources.program("coredns"))),), coredns
        ),
    )


def kubernetes_control_plane(sources: Sources) -> tuple[Image, ...]:
    """What control-plane nodes run besides."""
    kubernetes = _release(sources, "kubernetes")
    servers = tuple(
        Image(
            kubernetes.images[name],
            (_static(*_programs(sources, name)),),
            Config(name, kubernetes.version, command=(f"/usr/local/bin/{name}",)),
        )
        for name in ("kube-apiserver", "kube-controller-manager", "kube-scheduler")
    )
    tools = _static(*_programs(sources, "etcd", "etcdctl", "etcdutl"))
    ports = ("2379/tcp", "2380/tcp")
    etcd = Config("etcd", kubernetes.brings["etcd"], ("/usr/local/bin/etcd",), ports=ports)
    return (*servers, Image(kubernetes.images["etcd"], (tools,), etcd))


def istio(sources: Sources) -> tuple[Image, ...]:
    """The mesh's control plane, and its proxy on a stock Envoy.

    Stock Envoy lacks Istio's own filters; the platform is told so where it uses this image.
    """
    istio = _release(sources, "istio")
    agent = FileLayer(
        (
            *_programs(sources, "pilot-agent"),
            data("var/lib/istio/envoy/envoy_bootstrap_tmpl.json", sources.data("istio-bootstrap")),
            directory("etc/istio/proxy", uid=_ISTIO_USER, gid=_ISTIO_USER),
            directory("var/lib/istio/data", uid=_ISTIO_USER, gid=_ISTIO_USER),
        )
    )
    # A layer of its own: it stays the same when only Istio's version changes, so a canary loads it once.
    proxy = FileLayer(_programs(sources, "envoy"))
    sha = f"ISTIO_META_ISTIO_PROXY_SHA=envoy:{sources.version('envoy')}"
    return (
        Image(
            istio.images["pilot"],
            (sources.base(), FileLayer(_programs(sources, "pilot-discovery"))),
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


def _programs(sources: Sources, *names: str) -> tuple[Entry, ...]:
    """Programs of the toolchain where the official images have them."""
    return tuple(program(f"usr/local/bin/{name}", sources.program(name)) for name in names)


def _static(*programs: Entry) -> FileLayer:
    """A layer for static programs on nothing else: they, the accounts, and ``/tmp``."""
    return FileLayer((*account_entries(_ACCOUNTS), *programs))
