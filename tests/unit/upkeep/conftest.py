"""A Go command of the test's own, sources of programs, and a catalogue to add to."""

from __future__ import annotations

import json
import os
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest

import releases
from toolchain.manifest import ROOT
from upkeep import module

CONSTANTS = """\
package constants

const (
\tEtcd = "etcd"
\tMinExternalEtcdVersion = "3.5.24-0"
\tDefaultEtcdVersion = "{etcd}"
\tCoreDNSVersion = "{coredns}"
\tPauseVersion = "{pause}"
)

var (
\tSupportedEtcdVersion = map[uint8]string{{
\t\tuint8(skewed(-1).Minor()): "3.5.24-0",
\t\tuint8(skewed(0).Minor()):  "{last}",
\t}}
)
"""


class FakeGo:
    """Says what the world is like, and remembers how it was asked."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self._world: dict[str, Any] = {}
        program = home / "go"
        program.write_text(f"#!{sys.executable} -S\n{(Path(__file__).parent / 'fake_go.py').read_text()}")
        program.chmod(0o755)
        self.has()

    def has(self, **world: Any) -> None:
        """Add to the world."""
        self._world |= world
        (self.home / "world.json").write_text(json.dumps(self._world))

    @property
    def calls(self) -> list[dict[str, Any]]:
        """How it was called."""
        return [json.loads(line) for line in (self.home / "log.jsonl").read_text().splitlines()]

    def asked_for(self) -> list[str]:
        """The versions that it was asked for one by one."""
        return [
            query
            for call in self.calls
            if call["arguments"][:3] == ["list", "-m", "-e"]
            for query in call["arguments"][4:]
        ]


@pytest.fixture
def go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeGo:
    """The only Go on PATH."""
    home = tmp_path / "bin"
    home.mkdir()
    monkeypatch.setenv("PATH", f"{home}{os.pathsep}/usr/bin:/bin")
    monkeypatch.delenv("GOPROXY", raising=False)
    return FakeGo(home)


@pytest.fixture
def catalogue(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the catalogue, and a place for modules, that the test may add to; the directory of both."""
    shutil.copytree(releases.ROOT, tmp_path / "releases")
    (tmp_path / "toolchain" / "modules").mkdir(parents=True)
    assert module.ROOT == ROOT
    monkeypatch.setattr(releases, "ROOT", tmp_path / "releases")
    monkeypatch.setattr(module, "ROOT", tmp_path / "toolchain")
    return tmp_path


def kubernetes(
    place: Path, *, etcd: str = "3.6.5-0", coredns: str = "v1.12.1", pause: str = "3.10.1", last: str = ""
) -> Path:
    """The parts of a Kubernetes' source that are read."""
    constants = place / "cmd/kubeadm/app/constants/constants.go"
    constants.parent.mkdir(parents=True)
    constants.write_text(CONSTANTS.format(etcd=etcd, coredns=coredns, pause=pause, last=last or etcd))
    (place / "go.mod").write_text(
        "module k8s.io/kubernetes\n\ngo 1.24.0\n\ngodebug default=go1.24\n\n"
        "require (\n\tgo.etcd.io/bbolt v1.4.0 // indirect\n)\n\n"
        "replace (\n\tk8s.io/api => ./staging/src/k8s.io/api\n"
        "\tk8s.io/kubelet => ./staging/src/k8s.io/kubelet\n)\n"
    )
    (place / "go.sum").write_text("go.etcd.io/bbolt v1.4.0 h1:b=\n")
    return place


def brought(place: Path, *, etcd: str = "3.6.5", coredns: str = "1.12.1") -> dict[str, str]:
    """The sources of what a Kubernetes brings, by what Go is asked for."""
    modules = [f"go.etcd.io/etcd/{part}/v3@v{etcd}" for part in ("etcdctl", "etcdutl", "server")]
    found = {}
    for number, query in enumerate([*modules, f"github.com/coredns/coredns@v{coredns}"]):
        source = place / str(number)
        source.mkdir(parents=True)
        (source / "go.mod").write_text(f"module {query.partition('@')[0]}\n\ngo 1.24.0\n")
        (source / "go.sum").write_text("go.etcd.io/bbolt v1.4.0 h1:b=\n")
        found[query] = str(source)
    with (source / "go.sum").open("a") as stream:
        stream.write("github.com/coredns/caddy v1.1.1 h1:c=\n")
    return found


def istio(place: Path, *, api: str = "v1.28.9", gateway: str = "v1.4.0") -> Path:
    """The parts of an Istio's source that are read."""
    place.mkdir(parents=True)
    (place / "go.mod").write_text(
        "module istio.io/istio\n\ngo 1.25.0\n\nrequire (\n"
        f"\tistio.io/api {api}\n\tk8s.io/api v0.34.1\n\tsigs.k8s.io/gateway-api {gateway}\n)\n"
    )
    (place / "go.sum").write_text("github.com/openshift/api v0.0.0 h1:o=\n")
    return place


def metallb(place: Path, tag: str, *, name: str = "controller") -> Path:
    """The parts of a MetalLB's source that are read."""
    manifests = place / "config/manifests/metallb-native.yaml"
    manifests.parent.mkdir(parents=True)
    documents = [
        {
            "apiVersion": "apps/v1",
            "kind": kind,
            "metadata": {"name": container, "namespace": "metallb-system"},
            "spec": {
                "template": {
                    "spec": {
                        "containers": [
                            {
                                "name": container,
                                "image": f"quay.io/metallb/{container}:{tag}",
                                "args": ["--port=1"],
                                "readinessProbe": {"httpGet": {"path": "/metrics"}},
                            }
                        ]
                    }
                }
            },
        }
        for kind, container in (("Deployment", name), ("DaemonSet", "speaker"))
    ]
    manifests.write_text("\n---\n".join(json.dumps(document) for document in documents))
    (place / "go.mod").write_text("module go.universe.tf/metallb\n\ngo 1.25.0\n")
    (place / "go.sum").write_text("")
    return place
