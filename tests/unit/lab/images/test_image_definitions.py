from __future__ import annotations

import re
from pathlib import Path

import pytest

from lab.images.archive import Image
from lab.images.definitions import OF_RELEASES, OWN, Sources, images
from lab.images.layer import FileLayer, normalise

REFERENCES = {
    "kubernetes-node-1.34.3": ["registry.k8s.io/pause:3.10.1", "registry.k8s.io/kube-proxy:v1.34.3",
                        "registry.k8s.io/coredns/coredns:v1.12.1"],
    "kubernetes-control-plane-1.34.3": ["registry.k8s.io/kube-apiserver:v1.34.3",
                                 "registry.k8s.io/kube-controller-manager:v1.34.3",
                                 "registry.k8s.io/kube-scheduler:v1.34.3", "registry.k8s.io/etcd:3.6.5-0"],
    "istio-1.28.3": ["docker.io/istio/pilot:1.28.3", "docker.io/istio/proxyv2:1.28.3"],
    "metallb-0.15.2": ["quay.io/metallb/controller:v0.15.2", "quay.io/metallb/speaker:v0.15.2"],
    "solution": ["docker.io/crossmesh/asset-service:1.0.0"],
    "tools": ["docker.io/crossmesh/tools:1.0.0"],
}  # fmt: skip


def paths(image: Image) -> dict[str, str]:
    found = {}
    for layer in image.layers:
        assert isinstance(layer, FileLayer)
        found.update({entry.path: entry.kind for entry in normalise(layer.entries)})
    return found


@pytest.mark.parametrize("bundle", sorted(REFERENCES))
def test_a_bundle_has_the_images_that_manifests_ask_for(bundle: str, sources: Sources) -> None:
    assert [image.reference for image in images(bundle, sources)] == REFERENCES[bundle]


def test_there_is_no_bundle_beside_these() -> None:
    assert {*OF_RELEASES, *OWN} == {re.sub(r"-[\d.]+$", "", name) for name in REFERENCES}


@pytest.mark.parametrize("bundle", sorted(REFERENCES))
def test_what_an_image_starts_is_in_it(bundle: str, sources: Sources) -> None:
    for image in images(bundle, sources):
        started = (*image.config.entrypoint, *image.config.command)[0]
        if bundle != "tools":
            assert paths(image).get(started.removeprefix("/")) == "file", image.reference


def test_the_proxy_image_is_what_the_injection_template_expects(sources: Sources) -> None:
    pilot, proxy = images("istio-1.28.3", sources)
    found = paths(proxy)
    for path in ("usr/local/bin/pilot-agent", "usr/local/bin/envoy"):
        assert found[path] == "file"
    assert found["var/lib/istio/envoy/envoy_bootstrap_tmpl.json"] == "file"
    owners = {entry.path: (entry.uid, entry.gid) for layer in proxy.layers for entry in layer.entries}  # type: ignore[attr-defined]
    assert owners["etc/istio/proxy"] == owners["var/lib/istio/data"] == (1337, 1337)
    assert pilot.config.user == proxy.config.user == "1337:1337"
    # Relative paths in the agent start at the root.
    assert proxy.config.working_directory == "/"


def test_the_proxy_is_a_layer_of_its_own_that_another_version_of_the_mesh_shares(
    sources: Sources, programs: Path
) -> None:
    old = images("istio-1.28.3", sources)[1]
    (programs / "pilot-agent").write_text("a newer agent")
    new = images("istio-1.29.1", sources)[1]
    envoys = [
        [layer for layer in image.layers if any("envoy" in entry.path and entry.mode == 0o755 and
                                                entry.kind == "file" for entry in layer.entries)]  # type: ignore[attr-defined]
        for image in (old, new)
    ]  # fmt: skip
    assert envoys[0] == envoys[1] and len(envoys[0]) == 1 and len(envoys[0][0].entries) == 1  # type: ignore[attr-defined]


def test_users_are_numbers_so_that_non_root_can_be_checked(sources: Sources) -> None:
    users = {image.reference.rsplit("/", 1)[1].split(":")[0]: image.config.user
             for bundle in REFERENCES for image in images(bundle, sources)}  # fmt: skip
    assert users["asset-service"] == users["tools"] == "65532:65532"
    assert all(user.replace(":", "").isdigit() for user in users.values() if user)
    # These need root: ports below 1024 without file capabilities, netfilter, host paths.
    assert {name for name, user in users.items() if not user} == {
        "kube-proxy", "coredns", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "etcd",
        "controller", "speaker",
    }  # fmt: skip
