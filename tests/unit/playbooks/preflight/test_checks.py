"""What a host's facts mean: each kind of host where somebody lives already, and what is said of it."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any, get_args

import pytest

from playbooks.preflight import checks
from playbooks.preflight.checks import CHECKS, judge, name_of, refusals
from playbooks.preflight.expected import Expected
from report.model import Finding, Severity, Status
from stacks.model.machines import PreflightCheck
from tests.unit.playbooks.conftest import ARMOURED

GOOD: dict[str, Any] = {
    "uid": 0,
    "clock": {"now": 0.0, "synchronized": True, "skew": 0.0},
    "release": {"id": "debian", "version": "12", "name": "Debian GNU/Linux 12 (bookworm)"},
    "machine": {
        "kernel": "6.1.0-28-amd64",
        "architecture": "x86_64",
        "python": "3.11.2",
        "cores": 2,
        "memory": 3900,
        "room": {"/": 30.0, "/var": 30.0},
        "swap": [],
        "systemd": True,
    },
    "cgroups": {"version": 2, "controllers": ["cpu", "cpuset", "io", "memory", "pids"]},
    "kernel": {
        "missing_modules": [],
        "unloaded_modules": [],
        "settings": {"net.ipv4.ip_forward": ["0", True]},
        "later_sysctls": [],
    },
    "services": [],
    "containers": {},
    "listeners": [{"protocol": "tcp", "address": "00000000", "port": 22, "program": "sshd"}],
    "firewall": {"ufw": False, "drops": []},
    "files": {
        "member": False,
        "ours": False,
        "k3s": False,
        "rke2": False,
        "k0s": False,
        "microk8s": False,
        "tunnels": False,
        "cni": [],
    },
    "images": {"listed": ["istio-1.2.3", "kubernetes-node-1.2.3"], "error": ""},
    "mirror": {"seconds": 2.0, "errors": []},
    "packages": {
        "installs": {"containerd": ["", "2.2.0-1"]},
        "removes": [],
        "held": [],
        "there": {},
        "carrying": [],
        "error": "",
    },
}
VARIABLES: dict[str, Any] = {
    "base_packages": ["containerd"],
    "base_sysctls": {"net.ipv4.ip_forward": 1},
    "kubelet_configuration": {},
    "images_base_url": "http://192.0.2.2/images",
    "images_bundles": ["kubernetes-node-1.2.3"],
    "images_public_key": ARMOURED,
}
READ_ONLY = {"net.ipv4.ip_forward": ["0", False]}
Change = Callable[[dict[str, Any]], None]


def found(*changes: tuple[str, Any], role: str = "worker", **expected: Any) -> list[Finding]:
    """What is said of a good host that differs in these (`path.to.fact`, value)."""
    facts = copy.deepcopy(GOOD)
    for path, value in changes:
        *parents, last = path.split(".")
        place = facts
        for part in parents:
            place = place[part]
        place[last] = value
    variables = {**VARIABLES, **expected.pop("variables", {})}
    return judge("host-1", facts, Expected(role, variables, "192.0.2.7", **expected))


def said(findings: list[Finding], name: str) -> list[tuple[Severity, str]]:
    return [(each.severity, each.message) for each in findings if name_of(each) == name and each.message]


@pytest.mark.parametrize("role", ["control-plane", "worker", "edge"])
def test_nothing_stands_against_a_fresh_machine(role: str) -> None:
    findings = found(role=role)
    assert {finding.status for finding in findings} == {Status.PASS}
    assert [name_of(finding) for finding in findings] == [check.name for check in CHECKS]


def test_a_host_with_docker_k3s_another_cni_a_firewall_and_swap_is_told_of_each() -> None:
    findings = found(
        ("services", ["docker", "k3s"]),
        ("containers", {"moby": 3}),
        ("files.cni", ["05-cilium.conflist"]),
        ("firewall", {"ufw": True, "drops": [["ip", "filter", "forward"], ["ip", "filter", "input"]]}),
        ("machine.swap", ["/swap.img"]),
        ("packages.removes", ["containerd.io", "docker-ce"]),
        ("listeners", [{"protocol": "tcp", "address": "0" * 32, "port": 10250, "program": "k3s-server"}]),
    )
    refused = [name_of(finding) for finding in refusals(findings)]
    assert refused == ["runtime", "kubelet", "cni", "firewall", "ports", "swap", "packages"]
    words = "\n".join(finding.message for finding in refusals(findings))
    for expected in (
        "docker runs here for something else, with containers: 3 in moby",
        "k3s runs: two kubelets",
        "05-cilium.conflist: containerd takes the first file by name",
        "a firewall drops what it forwards (ufw, ip filter forward, ip filter input)",
        "k3s-server listens at TCP 10250, which kubelet needs",
        "swap is on (/swap.img): kubelet does not start",
        "installing would remove containerd.io, docker-ce, and nobody has said that it may",
    ):
        assert expected in words
    assert all(finding.fix for finding in refusals(findings))


def test_of_a_name_server_s_host_only_what_concerns_it_is_said() -> None:
    findings = found(
        ("services", ["docker"]),
        ("containers", {"moby": 3}),
        ("machine.swap", ["/swap.img"]),
        ("firewall", {"ufw": True, "drops": [["ip", "filter", "input"]]}),
        ("listeners", [{"protocol": "udp", "address": "00000000", "port": 53, "program": "named"}]),
        role="edge",
    )
    assert [name_of(finding) for finding in refusals(findings)] == ["ports"]
    assert said(findings, "firewall")[0][0] is Severity.WARNING
    assert "UDP and TCP 53 must get through" in said(findings, "firewall")[0][1]


@pytest.mark.parametrize(
    ("address", "refused"), [("3500007F", False), ("070200C0", True), ("080200C0", False), ("0" * 32, True)]
)
def test_a_resolver_that_listens_at_another_address_is_in_nobody_s_way(address: str, refused: bool) -> None:
    listener = {"protocol": "udp", "address": address, "port": 53, "program": "systemd-resolve"}
    findings = found(("listeners", [listener]), role="edge")
    assert bool(refusals(findings)) is refused


def test_what_is_declared_to_be_accepted_is_a_warning() -> None:
    changes = (("machine.swap", ["/swap.img"]), ("files.cni", ["05-cilium.conflist"]))
    findings = found(*changes, accept=("swap",))
    assert [name_of(finding) for finding in refusals(findings)] == ["cni"]
    assert said(findings, "swap") == [
        (
            Severity.WARNING,
            "host-1: swap is on (/swap.img): kubelet does not start; accepted by the declaration",
        )
    ]


def test_only_packages_that_are_named_may_go() -> None:
    planned = ("packages", {**GOOD["packages"], "removes": ["containerd.io"], "held": ["kubelet"]})
    variables = {"base_replaceable_packages": ["containerd.io"]}
    findings = found(planned, variables=variables, accept=("packages",))
    assert said(findings, "packages") == [
        (Severity.WARNING, "host-1: installing will remove containerd.io, as declared"),
        (
            Severity.ERROR,
            "host-1: installing would change kubelet, which are held on it, and nobody has said that it may",
        ),
    ]


@pytest.mark.parametrize(
    ("kubernetes", "containerd", "warns"),
    [
        # Debian 12 mends its own 1.6 under the number that it came with.
        ("1.34.3", "1.6.20~ds1-1+deb12u1", False),
        ("1.35.3", "1.6.20~ds1-1+deb12u1", True),
        ("1.35.3", "1.7.24~ds1-6", False),
        ("1.35.3", "2.2.0-1", False),
        ("1.35.3", "2.4.2", False),
        ("1.34.3", "1.5.9-0ubuntu1", True),
        ("1.99.0", "1.5.9", False),
    ],
)
@pytest.mark.parametrize("is_there", [True, False])
def test_a_containerd_that_the_declared_kubernetes_is_not_made_for_is_warned_of(
    kubernetes: str, containerd: str, warns: bool, is_there: bool
) -> None:
    packages = {
        **GOOD["packages"],
        "installs": {} if is_there else {"containerd": ["", containerd]},
        "there": {"containerd": containerd} if is_there else {},
    }
    variables = {"base_pins": {"kubelet": f"{kubernetes}-*"}}
    told = said(found(("packages", packages), variables=variables), "packages")
    assert [severity for severity, _ in told] == ([Severity.WARNING] if warns else [])
    if warns:
        assert f"and Kubernetes {kubernetes} runs with containerd 1." in told[0][1]


def test_the_declaration_names_the_checks_that_may_be_overruled() -> None:
    assert set(get_args(PreflightCheck)) == {check.name for check in CHECKS if not check.final}


@pytest.mark.parametrize(
    ("change", "role", "check", "words"),
    [
        (
            ("release", {"id": "fedora", "version": "40", "name": "Fedora 40"}),
            "worker",
            "distribution",
            "Fedora 40",
        ),
        (("machine.systemd", False), "edge", "distribution", "not started by systemd"),
        (("containers", {"k8s.io": 4}), "worker", "runtime", "containerd runs here for something else"),
        (("files.member", True), "worker", "kubelet", "node of a cluster that was made otherwise"),
        (("clock.skew", -400.0), "edge", "clock", "400 s behind this machine's"),
        (("machine.room", {"/var": 1.0}), "worker", "disks", "only 1 GiB on /var free"),
        (("machine.memory", 1024), "control-plane", "memory", "less than 1700"),
        (("machine.cores", 1), "control-plane", "cores", "less than 2"),
        (("kernel.missing_modules", ["br_netfilter"]), "worker", "kernel", "has no br_netfilter"),
        (("cgroups.controllers", ["cpu", "cpuset", "pids"]), "worker", "cgroups", "keeps memory from"),
        (("mirror.errors", ["E: Failed to fetch"]), "edge", "mirror", "Failed to fetch"),
        (("packages.error", "E: Unable to locate package kubeadm"), "worker", "packages", "no kubeadm"),
        (("kernel.settings", READ_ONLY), "worker", "kernel", "does not let net.ipv4.ip_forward be set"),
        (("kernel.settings", READ_ONLY), "worker", "kernel", "have its own host set net.ipv4.ip_forward=1"),
        (("images.error", "HTTP Error 404: Not Found"), "worker", "images", "404: Not Found"),
        (
            ("images.listed", ["istio-1.2.3"]),
            "worker",
            "images",
            "no image bundle kubernetes-node-1.2.3; it lists istio-1.2.3",
        ),
    ],
)
def test_what_would_break_later_refuses(change: Any, role: str, check: str, words: str) -> None:
    (finding,) = refusals(found(change, role=role))
    assert name_of(finding) == check
    assert words in f"{finding.message} {finding.fix}"


@pytest.mark.parametrize(
    ("change", "role", "check", "words"),
    [
        (("files.k3s", True), "worker", "kubelet", "k3s is installed and does not run"),
        (("files.cni", ["99-loopback.conf"]), "worker", "cni", "99-loopback.conf, which stays unused"),
        (("clock.synchronized", False), "worker", "clock", "nothing keeps its clock right"),
        (("clock.skew", 7.0), "worker", "clock", "7 s ahead of this machine's"),
        (("machine.room", {"/var": 5.0}), "worker", "disks", "only 5 GiB"),
        (("machine.memory", 900), "worker", "memory", "pods will be evicted"),
        (("cgroups.version", 1), "worker", "cgroups", "control groups of version 1"),
        (("mirror.seconds", 31.0), "edge", "mirror", "take 31 s"),
        (
            ("kernel.later_sysctls", [["/etc/sysctl.d/99-hard.conf", "net.ipv4.ip_forward", "0"]]),
            "worker",
            "kernel",
            "99-hard.conf sets net.ipv4.ip_forward to 0 at each boot",
        ),
    ],
)
def test_what_may_go_well_is_a_warning(change: Any, role: str, check: str, words: str) -> None:
    findings = found(change, role=role)
    assert refusals(findings) == []
    ((severity, message),) = said(findings, check)
    assert severity is Severity.WARNING
    assert words in message


@pytest.mark.parametrize(
    ("value", "unloaded"), [(["1", False], []), ([None, False], ["br_netfilter"]), (["0", True], [])]
)
def test_a_setting_that_is_right_or_may_come_with_its_module_refuses_nobody(
    value: list[Any], unloaded: list[str]
) -> None:
    settings = {"net.ipv4.ip_forward": value}
    found_ = found(("kernel.settings", settings), ("kernel.unloaded_modules", unloaded))
    assert refusals(found_) == []


def test_a_key_of_another_form_is_told_before_the_role_meets_it() -> None:
    (finding,) = refusals(found(variables={"images_public_key": "\x99\x01\x0d\x04"}))
    assert name_of(finding) == "images"
    assert "gpg --armor --export" in finding.fix


def test_what_a_profile_says_of_its_machines_is_known() -> None:
    settings = {"kubelet_configuration": {"failSwapOn": False, "failCgroupV1": False}}
    changes = (("machine.swap", ["/swap.img"]), ("cgroups.version", 1), ("machine.memory", 1024))
    findings = found(*changes, role="control-plane", variables=settings, ignore=("Mem",))
    assert {finding.status for finding in findings} == {Status.PASS}


@pytest.mark.parametrize(
    ("kubelet", "settings", "ignore", "refuses", "words"),
    [
        ("1.34.9-*", {}, (), False, "kubelet 1.35 does not start with them"),
        ("1.34.9-*", {"failCgroupV1": True}, (), True, "or declare `failCgroupV1: false` for kubelet in its"),
        ("1.34.9-*", {"failCgroupV1": False}, (), False, ""),
        ("1.35.3-*", {}, (), True, "its kubelet does not start with them"),
        ("1.35.3-*", {}, (), True, "`failCgroupV1: false` for kubelet and `kubeadmIgnorePreflight: [System"),
        ("1.35.3-*", {}, ("SystemVerification",), True, "declare `failCgroupV1: false` for kubelet in its"),
        ("1.35.3-*", {"failCgroupV1": False}, (), True, "kubeadm refuses them, whatever kubelet is told"),
        ("1.35.3-*", {"failCgroupV1": False}, ("SystemVerification",), False, ""),
    ],
)
def test_control_groups_of_version_1_are_refused_where_kubelet_or_kubeadm_would(
    kubelet: str, settings: dict[str, Any], ignore: tuple[str, ...], refuses: bool, words: str
) -> None:
    variables = {"base_pins": {"kubelet": kubelet}, "kubelet_configuration": settings}
    findings = found(("cgroups.version", 1), variables=variables, ignore=ignore)
    told = [each for each in findings if name_of(each) == "cgroups" and each.status is Status.FAIL]
    assert [f"{each.message} {each.fix}".count(words) for each in told] == ([1] if words else [])
    assert bool(refusals(findings)) == refuses


def test_a_node_of_our_own_is_no_stranger() -> None:
    own = [
        {"protocol": "tcp", "address": "0" * 32, "port": port, "program": program}
        for port, program in ((6443, "kube-apiserver"), (10250, "kubelet"), (179, "bird"), (2379, "etcd"))
    ]
    findings = found(
        ("files.ours", True),
        ("files.member", True),
        ("files.cni", [checks.OWN_NETWORK]),
        ("services", ["kubelet"]),
        ("containers", {"k8s.io": 9}),
        ("listeners", own),
        ("machine.room", {"/var": 0.5}),
        role="control-plane",
    )
    assert refusals(findings) == []
    assert [name_of(finding) for finding in findings if finding.status is Status.FAIL] == ["disks"]


@pytest.mark.parametrize("role", ["worker", "control-plane", "edge"])
def test_a_host_that_was_set_up_is_refused_once_its_disk_is_full(role: str) -> None:
    (finding,) = refusals(found(("files.ours", True), ("machine.room", {"/": 9.0, "/var": 0.0}), role=role))
    assert name_of(finding) == "disks"
    assert "only 0 GiB on /var" in finding.message
    assert "make room" in finding.fix


UDP = {"protocol": "udp", "address": "00000000", "port": 51820, "program": ""}


@pytest.mark.parametrize(
    ("listener", "ours", "words"),
    [
        ({}, False, "another tunnel of WireGuard listens at UDP 51820, which tunnels need"),
        ({}, True, ""),
        ({"program": "wireguard-go"}, True, ""),
        ({"program": "openvpn"}, True, "openvpn listens at UDP 51820, which tunnels need"),
        ({"program": "openvpn", "port": 1194}, False, ""),
        ({"program": "openvpn", "protocol": "tcp"}, False, ""),
    ],
)
def test_the_port_of_tunnels_is_nobody_else_s(listener: dict[str, Any], ours: bool, words: str) -> None:
    both = [{**UDP, **listener}, {**UDP, **listener, "address": "0" * 32}]
    changes = (("listeners", both), ("files.tunnels", ours))
    told = [message for _, message in said(found(*changes, tunnel_port=51820), "ports")]
    assert [message.removeprefix("host-1: ") for message in told] == ([words] if words else [])
    assert not said(found(*changes), "ports"), "a node without tunnels needs it not"


WEB = {"protocol": "tcp", "address": "00000000", "port": 443, "program": "nginx"}


@pytest.mark.parametrize(
    ("listener", "is_told"),
    [
        ({}, True),
        ({"address": "070200C0"}, True),
        ({"address": "0100007F"}, False),
        ({"port": 8443}, False),
        ({"protocol": "udp"}, False),
    ],
)
def test_who_listens_where_a_node_leads_to_the_gateway_is_told(
    listener: dict[str, Any], is_told: bool
) -> None:
    both = (
        "listeners",
        [{**WEB, **listener}, {**WEB, **listener, "address": "0" * 32}] if is_told else [{**WEB, **listener}],
    )
    told = said(found(both, gateway_ports=(443, 15021)), "ports")
    words = "host-1: nginx listens at TCP 443, where clients would reach the region's gateway instead of it"
    assert [message for _, message in told] == ([words] if is_told else [])
    assert not said(found(both), "ports"), "a node that leads to no gateway needs it not"


def test_a_firewall_has_to_let_clients_through_to_the_gateway() -> None:
    told = said(found(("firewall.drops", [["inet", "mine", "input"]]), gateway_ports=(443,)), "firewall")
    assert "and 10250; for clients, TCP 443 must get through" in told[0][1]


def test_a_firewall_has_to_let_tunnels_through() -> None:
    told = said(found(("firewall.drops", [["inet", "mine", "input"]]), tunnel_port=51820), "firewall")
    assert "TCP 179, 6443 and 10250, and UDP 51820 must get through" in told[0][1]


def test_of_a_kernel_without_wireguard_it_is_said_what_stands_in_for_it() -> None:
    (finding,) = refusals(found(("kernel.missing_modules", ["wireguard"]), tunnel_port=51820))
    assert "has no wireguard" in finding.message and "`userspaceTunnels` of a host profile" in finding.fix
