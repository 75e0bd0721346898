"""Each point of hosts: what Crossmesh makes, a host that keeps to it, and one that does not."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
import yaml

from live.hardening.facts import KUBELET, Authentication, HostFacts
from live.hardening.judges import API_SERVER, CONTROLLER_MANAGER, ETCD, SCHEDULER
from live.hardening.model import Decider, Point, State
from live.hardening.points import OF_HOSTS, POINTS, SECTIONS, hosts
from playbooks.phase import COLLECTION
from tests.unit.live.hardening.support import (
    MADE,
    PKI,
    Change,
    file,
    flag,
    kubelet,
    sshd,
    sysctl,
    together,
)

_PROVIDERS = "/etc/kubernetes/encryption.yaml"
_POLICY = "/etc/kubernetes/audit.yaml"
_GCM = "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256"
_CBC = "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA"


def _plugin(name: str) -> Change:
    return flag(API_SERVER, "enable-admission-plugins", f"NodeRestriction,{name}")


def _encrypting(*providers: str) -> Change:
    return together(
        flag(API_SERVER, "encryption-provider-config", _PROVIDERS),
        lambda facts: replace(facts, encryption=providers),
    )


def _auditing(*named: str) -> Change:
    return together(flag(API_SERVER, "audit-policy-file", _POLICY), lambda facts: replace(facts, audit=named))


def _authenticating(issuers: int = 0, anonymous: tuple[str, ...] | None = None) -> Change:
    return lambda facts: replace(facts, authentication=Authentication(issuers, anonymous))


_ADMIN = "/etc/kubernetes/admin.conf"
_MANIFESTS = [
    f"/etc/kubernetes/manifests/{name}.yaml" for name in (API_SERVER, CONTROLLER_MANAGER, SCHEDULER, ETCD)
]
_UNIT = "/usr/lib/systemd/system/kubelet.service"
_CONFIGURATION = "/var/lib/kubelet/config.yaml"
_PROXY = "/var/lib/kube-proxy/kubeconfig.conf"


def _unread(name: str, **facts: Any) -> Change:
    """With a file that is named and cannot be read."""
    return together(flag(API_SERVER, name, "/x"), lambda known: replace(known, **facts))


_OIDC = flag(API_SERVER, "oidc-issuer-url", "https://login.example.org")

HOLDING: Mapping[str, Change] = {
    "1.1.12": file("/var/lib/etcd", owner="etcd:etcd"),
    "1.2.5": flag(API_SERVER, "kubelet-certificate-authority", f"{PKI}/ca.crt"),
    "1.2.11": _plugin("AlwaysPullImages"),
    "1.2.30": flag(API_SERVER, "service-account-extend-token-expiration", "false"),
    "3.1.1": _OIDC,
    "3.1.2": _OIDC,
    "4.1.3": file(_PROXY),
    "4.1.4": file(_PROXY),
    "4.2.9": kubelet(tlsCertFile="/srv/kubelet.crt", tlsPrivateKeyFile="/srv/kubelet.key"),
    "5.5.1": _plugin("ImagePolicyWebhook"),
    "H.4": sshd("permitrootlogin", "no"),
    "H.5": sshd("passwordauthentication", "no"),
}
"""What makes a point hold that does not where Crossmesh has made everything."""
FAILING: Mapping[str, Change] = {
    **{f"1.1.{2 * index + 1}": file(path, mode=0o644) for index, path in enumerate(_MANIFESTS)},
    **{f"1.1.{2 * index + 2}": file(path, owner="mallory:root") for index, path in enumerate(_MANIFESTS)},
    "1.1.9": file("/etc/cni/net.d/*", mode=0o644),
    "1.1.10": file("/etc/cni/net.d/*", owner="root:users"),
    "1.1.11": file("/var/lib/etcd", mode=0o750),
    "1.1.13": file(_ADMIN, mode=0o640),
    "1.1.14": file("/etc/kubernetes/super-admin.conf", owner="mallory:mallory"),
    "1.1.15": file("/etc/kubernetes/scheduler.conf", mode=0o604),
    "1.1.16": file("/etc/kubernetes/scheduler.conf", owner="mallory:root"),
    "1.1.17": file("/etc/kubernetes/controller-manager.conf", mode=0o644),
    "1.1.18": file("/etc/kubernetes/controller-manager.conf", owner="mallory:root"),
    "1.1.19": file(PKI, owner="mallory:root"),
    "1.1.20": file(f"{PKI}/*.crt", mode=0o664),
    "1.1.21": file(f"{PKI}/*.key", mode=0o640),
    "1.2.2": flag(API_SERVER, "token-auth-file", "/etc/kubernetes/tokens.csv"),
    "1.2.1": _authenticating(anonymous=("/livez", "/api")),
    "1.2.3": flag(API_SERVER, "enable-admission-plugins", "NodeRestriction"),
    "1.2.4": flag(API_SERVER, "kubelet-client-key", None),
    "1.2.6": flag(API_SERVER, "authorization-mode", "Node,AlwaysAllow"),
    "1.2.7": flag(API_SERVER, "authorization-mode", "RBAC"),
    "1.2.8": flag(API_SERVER, "authorization-mode", "Node"),
    "1.2.9": flag(API_SERVER, "enable-admission-plugins", "NodeRestriction"),
    "1.2.10": _plugin("AlwaysAdmit"),
    "1.2.12": flag(API_SERVER, "disable-admission-plugins", "ServiceAccount"),
    "1.2.13": flag(API_SERVER, "disable-admission-plugins", "NamespaceLifecycle,Priority"),
    "1.2.14": flag(API_SERVER, "enable-admission-plugins", None),
    "1.2.15": flag(API_SERVER, "profiling", None),
    "1.2.16": flag(API_SERVER, "audit-log-path", None),
    "1.2.17": flag(API_SERVER, "audit-log-maxage", "29"),
    "1.2.18": flag(API_SERVER, "audit-log-maxbackup", None),
    "1.2.19": flag(API_SERVER, "audit-log-maxsize", "99"),
    "1.2.20": flag(API_SERVER, "request-timeout", "10m"),
    "1.2.21": flag(API_SERVER, "service-account-lookup", "false"),
    "1.2.22": flag(API_SERVER, "service-account-key-file", None),
    "1.2.23": flag(API_SERVER, "etcd-certfile", None),
    "1.2.24": flag(API_SERVER, "tls-private-key-file", None),
    "1.2.25": flag(API_SERVER, "client-ca-file", None),
    "1.2.26": flag(API_SERVER, "etcd-cafile", None),
    "1.2.27": flag(API_SERVER, "encryption-provider-config", None),
    "1.2.28": _encrypting("identity", "aescbc"),
    "1.2.29": flag(API_SERVER, "tls-cipher-suites", None),
    "1.3.1": flag(CONTROLLER_MANAGER, "terminated-pod-gc-threshold", "0"),
    "1.3.2": flag(CONTROLLER_MANAGER, "profiling", "true"),
    "1.3.3": flag(CONTROLLER_MANAGER, "use-service-account-credentials", None),
    "1.3.4": flag(CONTROLLER_MANAGER, "service-account-private-key-file", None),
    "1.3.5": flag(CONTROLLER_MANAGER, "root-ca-file", None),
    "1.3.6": flag(CONTROLLER_MANAGER, "feature-gates", "A=true,RotateKubeletServerCertificate=false"),
    "1.3.7": flag(CONTROLLER_MANAGER, "bind-address", None),
    "1.4.1": flag(SCHEDULER, "profiling", None),
    "1.4.2": flag(SCHEDULER, "bind-address", "0.0.0.0"),
    "2.1": flag(ETCD, "cert-file", None),
    "2.2": flag(ETCD, "client-cert-auth", "false"),
    "2.3": flag(ETCD, "auto-tls", "true"),
    "2.4": flag(ETCD, "peer-key-file", None),
    "2.5": flag(ETCD, "peer-client-cert-auth", None),
    "2.6": flag(ETCD, "peer-auto-tls", "true"),
    "2.7": flag(ETCD, "trusted-ca-file", f"{PKI}/ca.crt"),
    "3.2.1": flag(API_SERVER, "audit-policy-file", None),
    "3.2.2": _auditing("secrets", "pods"),
    "4.1.1": file(_UNIT, mode=0o644),
    "4.1.2": file(_UNIT, owner="mallory:root"),
    "4.1.3": file(_PROXY, mode=0o644),
    "4.1.4": file(_PROXY, owner="mallory:root"),
    "4.1.5": file("/etc/kubernetes/kubelet.conf", mode=0o644),
    "4.1.6": file("/etc/kubernetes/kubelet.conf", owner="mallory:root"),
    "4.1.7": file(f"{PKI}/ca.crt", mode=0o646),
    "4.1.8": file(f"{PKI}/ca.crt", owner="mallory:root"),
    "4.1.9": file(_CONFIGURATION, mode=0o644),
    "4.1.10": file("/etc/kubernetes/kubelet.conf.d/*.conf", owner="mallory:root"),
    "4.2.1": kubelet(authentication={"anonymous": {"enabled": True}}),
    "4.2.2": kubelet(authorization={"mode": "AlwaysAllow"}),
    "4.2.3": kubelet(authentication={}),
    "4.2.4": kubelet(readOnlyPort=10255),
    "4.2.5": flag(KUBELET, "streaming-connection-idle-timeout", "0"),
    "4.2.6": kubelet(makeIPTablesUtilChains=False),
    "4.2.7": flag(KUBELET, "hostname-override", "other"),
    "4.2.8": kubelet(eventRecordQPS=5),
    "4.2.10": kubelet(rotateCertificates=False),
    "4.2.11": kubelet(featureGates={"RotateKubeletServerCertificate": False}),
    "4.2.12": kubelet(tlsCipherSuites=[_GCM, _CBC]),
    "4.2.13": kubelet(podPidsLimit=-1),
    "4.2.14": kubelet(seccompDefault=False),
    "H.1": flag(API_SERVER, "tls-min-version", "VersionTLS11"),
    "H.2": flag(ETCD, "tls-min-version", "TLS1.1"),
    "H.3": kubelet(tlsMinVersion="VersionTLS10"),
    "H.6": sshd("permitemptypasswords", "yes"),
    "H.7": sysctl("vm.overcommit_memory", "0"),
    "H.8": sysctl("vm.panic_on_oom", "1"),
    "H.9": sysctl("kernel.panic", "0"),
    "H.10": sysctl("kernel.panic_on_oops", "0"),
    "H.11": sysctl("kernel.randomize_va_space", "0"),
    "H.12": sysctl("fs.protected_hardlinks", "0"),
    "H.13": sysctl("fs.protected_symlinks", "0"),
    "H.14": sysctl("fs.suid_dumpable", "2"),
    "H.15": sysctl("kernel.dmesg_restrict", "0"),
    "H.16": sysctl("kernel.kptr_restrict", "0"),
    "H.17": sysctl("kernel.unprivileged_bpf_disabled", "0"),
    "H.18": sysctl("net.ipv4.tcp_syncookies", "0"),
    "H.19": sysctl("net.ipv4.conf.all.accept_source_route", "1"),
    "H.20": sysctl("net.ipv4.conf.default.accept_redirects", "1"),
    "H.21": sysctl("net.ipv4.conf.all.send_redirects", "1"),
    "H.22": sysctl("net.ipv6.conf.all.accept_redirects", "1"),
}
"""What makes a point fail that holds where Crossmesh has made everything."""

each_point = pytest.mark.parametrize("point", OF_HOSTS, ids=lambda point: point.number)


@each_point
def test_a_point_has_the_state_that_its_page_says_where_crossmesh_has_made_everything(
    point: Point[HostFacts],
) -> None:
    state = point.judge(MADE).state
    assert state is point.default or (point.default is None and state is State.FAILS)


@each_point
def test_a_point_holds_where_it_is_kept_to_and_not_where_it_is_not(point: Point[HostFacts]) -> None:
    unchanged: Change = lambda facts: facts  # noqa: E731
    good = point.judge(HOLDING.get(point.number, unchanged)(MADE))
    bad = point.judge(FAILING.get(point.number, unchanged)(MADE))
    assert (good.state, bad.state) == (State.HOLDS, State.FAILS)
    assert good.there and bad.there and good != bad


def test_every_case_is_of_a_point() -> None:
    assert set(HOLDING) | set(FAILING) <= {point.number for point in OF_HOSTS}


@each_point
def test_of_a_host_without_kubernetes_nothing_holds_by_chance(point: Point[HostFacts]) -> None:
    assert point.judge(HostFacts()).state in (State.UNKNOWN, State.NOT_APPLICABLE)


@pytest.mark.parametrize(
    ("number", "change", "there"),
    [
        ("1.2.1", _unread("authentication-config", authentication=None), "/x says who may be anonymous"),
        ("3.1.1", _unread("authentication-config", authentication=None), "/x may name one"),
        ("1.2.6", flag(API_SERVER, "authorization-config", "/x"), "/x has the authorizers"),
        ("1.2.28", _unread("encryption-provider-config", encryption=None), "/x cannot be read"),
        ("3.2.2", _unread("audit-policy-file", audit=None), "/x cannot be read"),
    ],
)
def test_what_a_file_says_that_is_not_read_is_not_known(number: str, change: Change, there: str) -> None:
    (point,) = (point for point in OF_HOSTS if point.number == number)
    verdict = point.judge(change(MADE))
    assert verdict.state is State.UNKNOWN
    assert there in verdict.there
    assert "/x" in verdict.fix


@pytest.mark.parametrize(
    ("number", "change", "state"),
    [
        ("1.2.1", _authenticating(anonymous=()), State.HOLDS),
        ("1.2.1", _authenticating(anonymous=("*",)), State.FAILS),
        ("1.2.1", _authenticating(anonymous=None), State.FAILS),
        ("1.2.1", flag(API_SERVER, "anonymous-auth", "true"), State.FAILS),
        ("1.2.28", flag(API_SERVER, "encryption-provider-config", None), State.NOT_APPLICABLE),
        ("3.1.1", _authenticating(issuers=1), State.HOLDS),
        ("3.2.2", flag(API_SERVER, "audit-policy-file", None), State.NOT_APPLICABLE),
        ("1.2.20", flag(API_SERVER, "request-timeout", "1m30s"), State.HOLDS),
        ("1.2.20", flag(API_SERVER, "request-timeout", "0"), State.FAILS),
        ("1.2.20", flag(API_SERVER, "request-timeout", "soon"), State.FAILS),
        ("1.2.29", flag(API_SERVER, "tls-cipher-suites", f"{_GCM},{_CBC}"), State.FAILS),
        ("1.2.29", flag(API_SERVER, "tls-min-version", "VersionTLS13"), State.HOLDS),
        ("3.2.2", _auditing("secrets", "configmaps", "tokenreviews"), State.FAILS),
        ("4.2.1", flag(KUBELET, "anonymous-auth", "true"), State.FAILS),
        ("4.2.4", flag(KUBELET, "read-only-port", "10255"), State.FAILS),
        ("4.2.5", kubelet(streamingConnectionIdleTimeout="10m"), State.HOLDS),
        ("4.2.8", kubelet(eventRecordQPS=0), State.HOLDS),
        ("4.2.9", kubelet(serverTLSBootstrap=True), State.HOLDS),
        ("4.2.9", kubelet(tlsCertFile="/srv/kubelet.crt"), State.FAILS),
        ("4.2.11", flag(KUBELET, "feature-gates", "RotateKubeletServerCertificate=false"), State.FAILS),
        ("4.2.12", flag(KUBELET, "tls-cipher-suites", _GCM), State.HOLDS),
        ("4.2.13", kubelet(podPidsLimit=-1), State.FAILS),
        ("H.5", sshd("kbdinteractiveauthentication", "yes"), State.FAILS),
        ("H.5", sshd("passwordauthentication", "no,yes"), State.FAILS),
    ],
)
def test_what_counts_is_what_the_program_makes_of_it(number: str, change: Change, state: State) -> None:
    (point,) = (point for point in OF_HOSTS if point.number == number)
    assert point.judge(change(MADE)).state is state


def test_numbers_are_each_given_once_and_in_order() -> None:
    numbers = [point.number for point in POINTS]
    assert len(numbers) == len(set(numbers))
    for points in SECTIONS.values():
        parts = [_parts(point) for point in points]
        assert parts == sorted(parts)


def test_every_point_of_the_benchmark_is_there() -> None:
    sizes = {
        "1.1": 21,
        "1.2": 30,
        "1.3": 7,
        "1.4": 2,
        "2": 7,
        "3.1": 3,
        "3.2": 2,
        "4.1": 10,
        "4.2": 14,
        "4.3": 1,
        "5.1": 13,
        "5.2": 12,
        "5.3": 2,
        "5.4": 2,
        "5.5": 1,
        "5.6": 4,
    }
    of_benchmark = {point.number for point in POINTS if not point.number.startswith("H.")}
    assert of_benchmark == {
        f"{section}.{number}" for section, size in sizes.items() for number in range(1, size + 1)
    }


def _parts(point: Point[Any]) -> list[int]:
    return [int(part) for part in point.number.removeprefix("H.").split(".")]


@pytest.mark.parametrize("point", POINTS, ids=lambda point: point.number)
def test_a_point_says_what_is_wanted_who_decides_and_how_it_is_mended(point: Point[Any]) -> None:
    assert point.title[:1].isalpha() and not point.title.endswith(".")
    assert point.wanted and point.fix and point.today
    assert isinstance(point.decided_by, Decider)


def test_the_role_wishes_for_what_the_points_ask_of_any_machine() -> None:
    wished = yaml.safe_load((COLLECTION / "roles" / "base" / "vars" / "main.yml").read_text())
    values = {name: set(map(str, good)) for name, good in wished["base_wished_sysctls"].items()}
    asked = {name: set(good) for name, good, _ in hosts._OF_LINUX}
    assert {name: values.get(name) for name in asked} == asked
