"""The way to hosts of a renewal: what is asked over ssh, and what their script sees of what serves there."""

from __future__ import annotations

import json
import ssl
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from report.errors import ConfigurationError, OperationsError
from runbooks import control_plane
from runbooks.certificates import site as sites
from runbooks.locks import OnHost
from stacks.model.clusters import AdoptedClusterSpec
from tests.unit.live.checks.support import serving
from tests.unit.live.expiry.support import CA, ETCD, write
from tests.unit.operations.support import STACK, Issued, issue

SCRIPT = Path(sites.__file__).with_name("host_script.py")
VALUES = {"region": "eu", "within": "90"}
READY = {"type": "Ready", "status": "True"}
NODES = {
    "items": [
        {"metadata": {"name": "eu-cp-1"}, "status": {"conditions": [READY]}},
        {"metadata": {"name": "eu-worker-1"}, "status": {"conditions": [{**READY, "status": "Unknown"}]}},
        {"metadata": {"name": "eu-worker-2"}},
    ]
}


@contextmanager
def over_tls(
    directory: Path, leaf: Issued, authority: Issued, answers: dict[str, tuple[int, str]]
) -> Iterator[int]:
    """A server that asks who is there, and its port."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, body = answers[self.path]
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body.encode())

        def log_message(self, format: str, *arguments: object) -> None:
            pass

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(
        write(directory, f"{authority.certificate.serial_number}.pem", leaf.pem + leaf.key_pem)
    )
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_verify_locations(cadata=authority.pem)
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    with serving(server) as port:
        yield port


@pytest.fixture
def host(tmp_path: Path) -> Path:
    """A host of a control plane, with what it shows etcd and the API server."""
    for path, authority in (("apiserver-kubelet-client", CA), ("etcd/healthcheck-client", ETCD)):
        client = issue(path, authority)
        write(tmp_path, f"/etc/kubernetes/pki/{path}.crt", client.pem)
        write(tmp_path, f"/etc/kubernetes/pki/{path}.key", client.key_pem)
    write(tmp_path, "/etc/kubernetes/pki/ca.crt", CA.pem)
    write(tmp_path, "/etc/kubernetes/pki/etcd/ca.crt", ETCD.pem)
    return tmp_path


def served(host: Path, api: Issued, readyz: tuple[int, str] = (200, "ok")) -> Any:
    """What the script says, run as a host runs it."""
    store = issue("etcd", ETCD)
    with ExitStack() as stack:
        answers = {"/readyz": readyz, "/api/v1/nodes": (200, json.dumps(NODES))}
        one = stack.enter_context(over_tls(host, api, CA, answers))
        two = stack.enter_context(over_tls(host, store, ETCD, {"/health": (200, "{}")}))
        order = {"root": str(host), "run": "a1", "do": "served", "api": one, "etcd": two}
        done = subprocess.run(
            [sys.executable, str(SCRIPT)], input=json.dumps(order), capture_output=True, text=True, check=True
        )
    answer = json.loads(done.stdout)
    assert answer["etcd"]["serial"] == f"{store.certificate.serial_number:x}"
    assert answer["etcd"]["status"] == 200
    return answer


def test_what_serves_is_known_by_its_certificate_and_by_what_it_answers(host: Path) -> None:
    api = issue("kube-apiserver", CA)
    answer = served(host, api)
    assert answer["kube-apiserver"]["serial"] == f"{api.certificate.serial_number:x}"
    assert answer["nodes"] == {"eu-cp-1": True, "eu-worker-1": False, "eu-worker-2": False}


def test_what_serves_by_a_certificate_that_has_ended_says_so(host: Path) -> None:
    answer = served(host, issue("kube-apiserver", CA, days=-1, age=9))
    assert answer["kube-apiserver"]["status"] == 0
    assert "expired" in answer["kube-apiserver"]["why"]
    assert answer["nodes"] == {}


def test_what_is_not_ready_says_why(host: Path) -> None:
    answer = served(host, issue("kube-apiserver", CA), (500, "[-]etcd failed"))
    assert (answer["kube-apiserver"]["status"], answer["kube-apiserver"]["why"]) == (500, "[-]etcd failed")


@pytest.fixture
def stack(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(control_plane, "read_stack", lambda path: STACK)
    for module in (control_plane, sites):
        monkeypatch.setattr(module.logins, "login", lambda stack, host, address: f"way to {host}")


@pytest.mark.usefixtures("stack")
def test_a_region_is_opened_with_the_ways_to_all_its_nodes() -> None:
    with sites.opened("lab", VALUES) as site:
        assert list(site.control) == ["eu-cp-1"]
        assert site.ways["eu-cp-1"] == "way to eu-cp-1"
        assert site.workers == sorted(set(STACK.environment.regions["eu"].nodes) - {"eu-cp-1"})
        (place,) = site.places()
        assert isinstance(place, OnHost)
        assert (place.name, site.within.days) == ("eu-cp-1", 90)


@pytest.mark.usefixtures("stack")
def test_a_region_that_is_none_or_somebody_else_s_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with (
        pytest.raises(ConfigurationError, match="has no region asia"),
        sites.opened("lab", {**VALUES, "region": "asia"}),
    ):
        pass
    adopted = AdoptedClusterSpec.model_construct(kind="adopted")
    region = STACK.environment.regions["eu"].model_copy(update={"cluster": adopted})
    environment = STACK.environment.model_copy(update={"regions": {"eu": region}})
    other = replace(STACK, environment=environment)
    monkeypatch.setattr(control_plane, "read_stack", lambda path: other)
    with (
        pytest.raises(ConfigurationError, match="is adopted: its certificates are its owner's"),
        sites.opened("lab", VALUES),
    ):
        pass


@pytest.mark.usefixtures("stack")
def test_a_host_is_asked_over_ssh_and_its_problem_is_raised(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Any] = []

    def ask(host: str, connection: Any, source: bytes, order: Any, **rest: Any) -> Any:
        asked.append((host, connection, order))
        return {"problem": "no space left"} if order["do"] == "renew" else {"config": "kind: x"}

    monkeypatch.setattr(sites.ssh, "ask", ask)
    with sites.opened("lab", VALUES) as site:
        site.run = "a1"
        assert site.config() == "kind: x"
        site.served("eu-cp-1")
        with pytest.raises(OperationsError, match="eu-cp-1: no space left"):
            site.ask("eu-cp-1", "renew", config="kind: x")
    assert asked[0] == ("eu-cp-1", "way to eu-cp-1", {"root": "", "run": "a1", "do": "look"})
    assert asked[1][2] == {"root": "", "run": "a1", "do": "served", "api": 6443, "etcd": 2379}
