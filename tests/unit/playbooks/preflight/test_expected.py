"""What a host is asked before it is touched, and what it answers."""

from __future__ import annotations

import http.server
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.crossmesh.nodes.plugins.module_utils import facts

from playbooks.inventory import host_plans
from playbooks.preflight.expected import Expected, order, program
from playbooks.work.machines import PREPARE
from stacks.ledger import Ledger
from stacks.model import Environment
from tests.unit.playbooks.conftest import ARMOURED

NFT = {
    "nftables": [
        {"metainfo": {"version": "1.0.6"}},
        {
            "chain": {
                "family": "ip",
                "table": "filter",
                "name": "FORWARD",
                "hook": "forward",
                "policy": "drop",
            }
        },
        {"chain": {"family": "ip", "table": "filter", "name": "INPUT", "hook": "input", "policy": "accept"}},
        {"chain": {"family": "inet", "table": "mine", "name": "in", "hook": "input", "policy": "drop"}},
        {"chain": {"family": "ip", "table": "filter", "name": "DOCKER"}},
    ]
}


def wanted(environment: Environment, ledger: Ledger, host: str) -> Expected:
    plan = host_plans(environment, ledger)[host]
    keys = {"base_apt_keys": {source.name: ARMOURED for source in environment.sources.apt}}
    return Expected.of(plan.preflight, {**plan.variables[PREPARE], **keys})


def test_a_host_is_asked_for_what_its_roles_would_write(environment: Environment, ledger: Ledger) -> None:
    kubernetes = environment.versions.kubernetes
    asked = order(wanted(environment, ledger, "eu-cp-1"))
    assert f"kubeadm={kubernetes}-*" in asked["packages"]
    assert "URIs: http://10.101.0.2/apt" in asked["sources_files"][""]
    assert f"Pin: version {kubernetes}-*" in asked["pins_file"]
    assert asked["modules"] == ["br_netfilter", "overlay"]
    assert "net.ipv4.ip_forward" in asked["sysctls"]


def test_a_site_s_proxy_is_asked_through(declaration: dict[str, Any], ledger: Ledger) -> None:
    declaration["sources"]["proxy"] = {"http": "http://proxy.example.test:3128"}
    asked = order(wanted(Environment.model_validate(declaration), ledger, "eu-edge-1"))
    assert 'Acquire::http::Proxy "http://proxy.example.test:3128";' in asked["proxy_file"]


def test_without_declared_sources_the_host_s_own_are_read(
    declaration: dict[str, Any], ledger: Ledger
) -> None:
    del declaration["sources"]["apt"]
    asked = order(wanted(Environment.model_validate(declaration), ledger, "eu-edge-1"))
    assert asked["sources_files"] == {}
    assert asked["pins_file"] == ""


def test_a_host_s_preflight_knows_its_role_and_what_is_accepted(
    declaration: dict[str, Any], ledger: Ledger
) -> None:
    declaration["regions"]["eu"]["edges"]["eu-edge-1"]["accept"] = ["ports", "clock"]
    environment = Environment.model_validate(declaration)
    roles = {name: plan.preflight["role"] for name, plan in host_plans(environment, ledger).items()}
    assert roles["eu-cp-1"] == "control-plane"
    assert roles["us-worker-1"] == "worker"
    edge = wanted(environment, ledger, "eu-edge-1")
    assert (edge.role, edge.accept, edge.address) == ("edge", ("clock", "ports"), "10.101.1.13")
    assert wanted(environment, ledger, "eu-cp-1").ignore == ("Swap", "SystemVerification")


@pytest.mark.parametrize("asked", [None, {}])
def test_the_program_that_looks_runs_by_itself_and_answers_in_one_line(asked: dict[str, Any] | None) -> None:
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-"], input=program(asked), capture_output=True, check=True
    )
    answer = json.loads(done.stdout.splitlines()[-1])
    assert answer["uid"] == os.getuid()
    if asked is not None:
        assert answer["mirror"] is None, "without packages apt is left alone"
        assert answer["machine"]["cores"] >= 1
        assert answer.keys() >= {"clock", "cgroups", "files", "firewall", "listeners", "release", "services"}


@pytest.fixture
def mirror(tmp_path: Path) -> Iterator[str]:
    """A mirror of image bundles; its address."""
    (tmp_path / "images").mkdir()
    (tmp_path / "images" / "SHA256SUMS").write_text(
        f"{'0' * 64}  istio-1.2.3.tar\n{'1' * 64} *kubernetes-node-1.2.3.tar\n"
    )
    handler = partial(http.server.SimpleHTTPRequestHandler, directory=str(tmp_path))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def test_a_host_reads_what_a_mirror_has_and_says_why_it_cannot(mirror: str) -> None:
    def asked(path: str, **proxies: str) -> dict[str, Any]:
        found: dict[str, Any] = facts.bundles({"base_url": f"{mirror}{path}", "proxies": proxies})
        return found

    assert asked("/images/") == {"listed": ["istio-1.2.3", "kubernetes-node-1.2.3"], "error": ""}
    assert "404" in asked("/other")["error"]
    assert "refused" in asked("/images", http="http://127.0.0.1:1")["error"]
    assert facts.bundles({"base_url": "mirror/images", "proxies": {}})["error"]


def test_the_mirror_of_bundles_is_asked_by_the_way_that_the_role_has(
    declaration: dict[str, Any], ledger: Ledger
) -> None:
    assert order(wanted(Environment.model_validate(declaration), ledger, "eu-edge-1"))["images"] is None
    declaration["sources"]["proxy"] = {"http": "http://proxy.example.test:3128"}
    asked = order(wanted(Environment.model_validate(declaration), ledger, "eu-worker-1"))["images"]
    assert asked["base_url"] == declaration["sources"]["images"]["baseUrl"]
    assert asked["proxies"] == dict.fromkeys(("http", "https"), "http://proxy.example.test:3128")


def test_of_each_kernel_setting_its_value_is_told_and_whether_it_can_be_set() -> None:
    found = facts.kernel([], ["kernel.ostype", "net.none.such"])["settings"]
    assert found == {
        "kernel.ostype": ["Linux", os.access("/proc/sys/kernel/ostype", os.W_OK)],
        "net.none.such": [None, False],
    }


def test_chains_that_drop_what_no_rule_takes_are_found() -> None:
    assert facts.policies(json.dumps(NFT), "") == [["inet", "mine", "input"], ["ip", "filter", "forward"]]
    said = "-P INPUT ACCEPT\n-P FORWARD DROP\n-P OUTPUT ACCEPT\n-A FORWARD -j ACCEPT\n"
    assert facts.policies("", said) == [["ip", "filter", "forward"]]
    assert facts.policies("no JSON", "") == []


def test_the_version_of_control_groups_is_read_from_their_mount(tmp_path: Path) -> None:
    assert facts.cgroups(str(tmp_path / "none")) == {"version": 1, "controllers": []}
    (tmp_path / "memory").mkdir()
    assert facts.cgroups(str(tmp_path)) == {"version": 1, "controllers": ["memory"]}
    (tmp_path / "cgroup.controllers").write_text("cpu memory pids\n")
    assert facts.cgroups(str(tmp_path)) == {"version": 2, "controllers": ["cpu", "memory", "pids"]}


def test_each_distribution_reads_its_own_sources() -> None:
    asked = {"sources_files": {"": "for all", "debian-13": "for trixie"}}
    assert facts.declared_sources(asked, {"id": "debian", "version": "13"}) == "for trixie"
    assert facts.declared_sources(asked, {"id": "ubuntu", "version": "24.04"}) == "for all"
    assert facts.declared_sources({"sources_files": {}}, {"id": "debian", "version": "13"}) == ""


def test_of_a_node_with_tunnels_the_kernel_s_part_is_asked_for_unless_a_program_stands_in(
    declaration: dict[str, Any], ledger: Ledger
) -> None:
    for region in declaration["regions"].values():
        del region["fabric"]
    declaration["tunnels"] = {"port": 51821}
    declaration["hostProfiles"]["other"] = {"userspaceTunnels": True}
    declaration["regions"]["us"]["cluster"]["nodes"]["us-worker-1"]["profile"] = "other"
    environment = Environment.model_validate(declaration)
    kernel, program, edge = (
        wanted(environment, ledger, host) for host in ("eu-worker-1", "us-worker-1", "eu-edge-1")
    )
    assert (kernel.tunnel_port, program.tunnel_port, edge.tunnel_port) == (51821, 51821, 0)
    assert "wireguard" in order(kernel)["modules"] and "wireguard-tools" in order(kernel)["packages"]
    assert "wireguard" not in order(program)["modules"] and "wireguard-go" in order(program)["packages"]
    assert not {"wireguard", "wireguard-tools"} & {*order(edge)["modules"], *order(edge)["packages"]}
