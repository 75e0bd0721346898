"""A host that is a directory, led to another endpoint of its cluster: killed anywhere, and taken back."""

from __future__ import annotations

import json
import re
import ssl
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from ipaddress import ip_address
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import pytest
from ansible_collections.crossmesh.nodes.plugins.module_utils import endpoint, kubelet, objects, trust
from cryptography import x509

from tests.unit.operations.support import issue

NODE, OWN = "eu-cp-1", "192.0.2.21"
BEFORE, AFTER = f"{OWN}:6443", "192.0.2.20:6443"
AUTHORITY = issue("kubernetes-eu", ca=True)
NAMES = ("admin", "controller-manager", "kubelet", "scheduler", "super-admin")


class Kill(BaseException):
    """Stands for `kill -9`."""


def kubeconfig(server: str) -> str:
    return (
        "apiVersion: v1\nclusters:\n- cluster:\n    certificate-authority-data: QQ==\n"
        f"    server: https://{server}\n  name: eu\nusers:\n- name: x\n"
    )


class Host:
    """A member as kubeadm makes it, with a kubelet that is heard of where it is led to who answers."""

    def __init__(self, root: Path, names: tuple[str, ...]) -> None:
        self.kubernetes = root
        self.answering = {BEFORE, AFTER}
        self.starts: list[str] = []
        self.info = {"kubeconfig": kubeconfig(BEFORE)}
        for name in names:
            (root / f"{name}.conf").write_text(kubeconfig(BEFORE))

    def leads(self, name: str) -> str:
        return endpoint.server_in((self.kubernetes / f"{name}.conf").read_text()).removeprefix("https://")

    def run(self, *command: Any) -> CompletedProcess[str]:
        words = [str(word) for word in command]
        if words[0] == "systemctl":
            self.starts.append(self.leads("kubelet"))
        elif "patch" in words:
            self.info |= json.loads(words[-1])["data"]
        elif "configmap" in words:
            return CompletedProcess(words, 0, json.dumps({"data": self.info}), "")
        else:
            assert any(word.startswith("lease/") for word in words)
            heard = self.leads("kubelet") in self.answering
            return CompletedProcess(words, 0, "2999-01-01T00:00:00Z" if heard else "", "")
        return CompletedProcess(words, 0, "", "")


@pytest.fixture
def use(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    def used(*names: str) -> Host:
        host = Host(tmp_path, names)
        monkeypatch.setattr(trust, "KUBERNETES", tmp_path)
        for part in (endpoint, kubelet, objects):
            monkeypatch.setattr(part, "run", host.run)
        for part in (endpoint, kubelet):
            monkeypatch.setattr(part, "SECONDS", 0.1)
            monkeypatch.setattr(part, "_POLL", 0.01)
        monkeypatch.setattr(endpoint, "_SETTLE", 0.0)
        answer = "No route to host"
        monkeypatch.setattr(endpoint, "answer", lambda at: "" if at in host.answering else answer)
        return host

    return used


@pytest.mark.parametrize(("kubelet_s", "follows"), [(BEFORE, False), ("192.0.2.99:6443", True)])
def test_a_control_plane_s_own_parts_keep_asking_beside_them(use: Any, kubelet_s: str, follows: bool) -> None:
    """Also its kubelet, where kubeadm has it do so; one that it led to the cluster's address follows."""
    host = use(*NAMES)
    (host.kubernetes / "kubelet.conf").write_text(kubeconfig(kubelet_s))
    endpoint.lead_control_plane(NODE, kubelet_s, AFTER, OWN)
    assert {name: host.leads(name) for name in NAMES} == {
        "admin": AFTER,
        "super-admin": AFTER,
        "controller-manager": BEFORE,
        "scheduler": BEFORE,
        "kubelet": AFTER if follows else BEFORE,
    }
    assert host.starts == ([AFTER] if follows else [])
    assert (host.kubernetes / "admin.conf").stat().st_mode & 0o777 == 0o600


def test_one_that_did_not_make_the_cluster_has_no_second_administrator(use: Any) -> None:
    host = use("admin", "kubelet")
    endpoint.lead_control_plane(NODE, BEFORE, AFTER, OWN)
    assert host.leads("admin") == AFTER
    assert not (host.kubernetes / "super-admin.conf").exists()


def test_who_joins_learns_of_it(use: Any) -> None:
    host = use()
    endpoint.announce(AFTER)
    assert host.info == {"kubeconfig": kubeconfig(AFTER)}


def test_a_worker_s_kubelet_starts_anew_at_the_other_endpoint(use: Any) -> None:
    host = use("kubelet")
    endpoint.follow(NODE, BEFORE, AFTER)
    assert (host.leads("kubelet"), host.starts) == (AFTER, [AFTER])


def test_nobody_is_led_where_the_cluster_does_not_answer(use: Any) -> None:
    host = use("kubelet")
    host.answering = {BEFORE}
    with pytest.raises(endpoint.EndpointError, match=f"does not answer at https://{AFTER}: No route to host"):
        endpoint.follow(NODE, BEFORE, AFTER)
    assert (host.leads("kubelet"), host.starts) == (BEFORE, [])


@pytest.mark.parametrize("killed", [True, False])
def test_a_kubelet_that_is_not_heard_of_goes_back(
    use: Any, monkeypatch: pytest.MonkeyPatch, killed: bool
) -> None:
    """Also where a run was killed after it had led kubelet there: the way back is not the way on."""
    host = use("kubelet")
    if killed:
        with monkeypatch.context() as patch:
            patch.setattr(kubelet, "restart", lambda *_: (_ for _ in ()).throw(Kill))
            with pytest.raises(Kill):
                endpoint.follow(NODE, BEFORE, AFTER)
        assert host.leads("kubelet") == AFTER
    monkeypatch.setattr(endpoint, "answer", lambda at: "")
    host.answering = {BEFORE}
    with pytest.raises(endpoint.EndpointError, match=f"was led to https://{BEFORE} again"):
        endpoint.follow(NODE, BEFORE, AFTER)
    assert (host.leads("kubelet"), host.starts) == (BEFORE, [AFTER, BEFORE])
    host.answering = {BEFORE, AFTER}
    endpoint.follow(NODE, BEFORE, AFTER)
    assert host.leads("kubelet") == AFTER


def test_a_kubeconfig_without_a_server_is_none(use: Any) -> None:
    host = use("kubelet")
    (host.kubernetes / "kubelet.conf").write_text("apiVersion: v1\n")
    with pytest.raises(endpoint.EndpointError, match="names no API server"):
        endpoint.follow(NODE, BEFORE, AFTER)


def test_what_moves_and_what_goes_on_to_be_served() -> None:
    assert not endpoint.moves({"node": "x"}, {"node": "x", "endpoint": AFTER})
    assert not endpoint.moves({"endpoint": AFTER}, {"endpoint": AFTER})
    assert endpoint.moves({"endpoint": BEFORE}, {"endpoint": AFTER})
    assert endpoint.is_served_on({"endpoint": BEFORE}, [OWN])
    assert not endpoint.is_served_on({"endpoint": AFTER}, [OWN])
    assert not endpoint.is_served_on({}, [OWN])
    assert endpoint.address_of("https://[2001:db8::1]:6443") == "2001:db8::1"


def at(address: str) -> tuple[x509.GeneralName, ...]:
    return (x509.IPAddress(ip_address(address)),)


class Handler(BaseHTTPRequestHandler):
    status = 200

    def do_GET(self) -> None:
        self.send_response(self.status if self.path == "/readyz" else 404)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Nothing."""


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Starts an API server with a certificate, and gives its endpoint."""
    monkeypatch.setattr(trust, "KUBERNETES", tmp_path)
    (tmp_path / "pki").mkdir()
    (tmp_path / "pki" / "ca.crt").write_text(AUTHORITY.pem)
    running = []

    def started(certificate: Any, status: int = 200) -> str:
        pair = tmp_path / "pair.pem"
        pair.write_text(certificate.pem + certificate.key_pem)
        found = HTTPServer(("127.0.0.1", 0), type("Own", (Handler,), {"status": status}))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(pair)
        found.socket = context.wrap_socket(found.socket, server_side=True)
        threading.Thread(target=found.serve_forever, daemon=True).start()
        running.append(found)
        return f"127.0.0.1:{found.server_address[1]}"

    yield started
    for each in running:
        each.shutdown()
        each.server_close()


def test_who_answers_is_of_the_cluster_and_has_the_address_in_its_certificate(server: Any) -> None:
    of_it = issue("kube-apiserver", AUTHORITY, sans=at("127.0.0.1"))
    assert endpoint.answer(server(of_it)) == ""
    assert endpoint.answer(server(of_it, status=500)) == "/readyz answers 500"
    elsewhere = issue("kube-apiserver", AUTHORITY, sans=at("192.0.2.1"))
    assert "127.0.0.1" in endpoint.answer(server(elsewhere))
    other = issue("kube-apiserver", issue("other", ca=True), sans=at("127.0.0.1"))
    assert re.search("certificate verify failed", endpoint.answer(server(other)))


def test_silence_is_told(server: Any) -> None:
    assert endpoint.answer("127.0.0.1:1")
