"""containerd of a host's distribution, or of a release of its makers."""

from __future__ import annotations

import tomllib
from collections.abc import Callable
from typing import Any

import pytest

import releases
from playbooks.inventory import HostPlan, host_plans
from playbooks.work.clusters import CONTAINERD
from playbooks.work.machines import PREPARE
from stacks.ledger import Ledger
from stacks.model import Environment

Render = Callable[..., str]
Planned = Callable[..., dict[str, HostPlan]]
VERSION = releases.versions("containerd")[-1]
PAUSE = releases.release("kubernetes", releases.default("kubernetes")).images["pause"]
LOGINS = {"docker.io": {"user": "anna", "password": 'to"k\\en'}}
HUB = {"name": "docker.io", "mirror": "https://cache.example.org/v2/hub", "login": "hubLogin"}


@pytest.fixture
def planned(declaration: dict[str, Any], ledger: Ledger) -> Planned:
    """The lab's hosts, where the region eu has a released containerd."""

    def planned(**sources: Any) -> dict[str, HostPlan]:
        declaration["sources"] |= sources
        declaration["regions"]["eu"]["versions"] = {"containerd": VERSION}
        return host_plans(Environment.model_validate(declaration), ledger)

    return planned


def test_nodes_of_a_region_with_a_release_have_its_package_in_the_place_of_the_distribution_s(
    planned: Planned,
) -> None:
    plans = planned()
    own, other, edge = (plans[host].variables[PREPARE] for host in ("eu-cp-1", "us-cp-1", "eu-edge-1"))
    assert f"{CONTAINERD}={VERSION}-*" in own["base_packages"]
    assert not {"containerd", "runc"} & set(own["base_packages"])
    assert own["base_pins"][CONTAINERD] == f"{VERSION}-*"
    assert own["base_replaceable_packages"] == ["containerd", "runc"]
    assert own["container_runtime_release"] == VERSION
    assert {"containerd", "runc"} <= set(other["base_packages"])
    for elsewhere in (other, edge):
        assert CONTAINERD not in " ".join(elsewhere["base_packages"])
        assert not {"container_runtime_release", "base_replaceable_packages"} & elsewhere.keys()


def test_the_packages_that_its_makers_have_are_of_the_pattern_that_is_asked_for() -> None:
    for version in releases.versions("containerd"):
        assert releases.release("containerd", version).packages.startswith(f"{version}-")


def test_its_file_has_the_names_of_containerd_2_and_the_pause_image_pinned(
    planned: Planned, render: Render, golden: Callable[[str, str], None]
) -> None:
    variables = planned()["eu-worker-1"].variables[PREPARE]
    text = render("container_runtime", "config-2.toml.j2", variables)
    golden("container_runtime/config-2.toml", text)
    plugins = tomllib.loads(text)["plugins"]
    images, runtime = (plugins[f"io.containerd.cri.v1.{part}"] for part in ("images", "runtime"))
    assert images["pinned_images"] == {"sandbox": PAUSE}
    assert images["registry"] == {"config_path": "/etc/containerd/certs.d"}
    assert runtime["cni"] == {"bin_dirs": ["/usr/lib/cni"], "conf_dir": "/etc/cni/net.d"}
    assert runtime["restrict_oom_score_adj"] is True, "of the lab's profile"
    assert runtime["containerd"]["runtimes"]["runc"]["options"] == {"SystemdCgroup": False}


def test_both_files_say_the_same(planned: Planned, render: Render) -> None:
    variables = {
        **planned(registries=[HUB])["eu-worker-1"].variables[PREPARE],
        "container_runtime_logins": LOGINS,
    }
    early, late = (
        tomllib.loads(render("container_runtime", name, variables))["plugins"]
        for name in ("config.toml.j2", "config-2.toml.j2")
    )
    cri = early["io.containerd.grpc.v1.cri"]
    images, runtime = (late[f"io.containerd.cri.v1.{part}"] for part in ("images", "runtime"))
    assert images["registry"] == cri["registry"]
    assert images["registry"]["configs"]["registry-1.docker.io"]["auth"]["password"] == 'to"k\\en'
    assert images["pinned_images"]["sandbox"] == cri["sandbox_image"]
    assert runtime["containerd"] == cri["containerd"]
    assert runtime["cni"]["bin_dirs"] == [cri["cni"]["bin_dir"]]
