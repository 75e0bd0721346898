"""Certificates of hosts: what is read there, what never leaves them, and hosts that do not answer."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from access.errors import Unanswered
from access.ssh import Connection
from live.expiry import machines
from live.expiry.model import Entry, State
from tests.unit.live.expiry.support import CA, SERVER, control_plane, kubelet, told, write
from tests.unit.operations.support import STACK, issue

RUNBOOK = "`crossmesh runbook run renew-certificates region=eu`"


def entries(root: Path) -> dict[str, Entry]:
    found = [entry for file in told(root)["found"] for entry in machines.of_file("eu", "eu-cp-1", file)]
    return {entry.place: entry for entry in found}


def test_all_of_a_control_plane_is_listed_with_who_renews_it(tmp_path: Path) -> None:
    control_plane(tmp_path)
    found = entries(tmp_path)
    assert {
        place: entry.renewed_by.partition(":")[0].partition(" (")[0] for place, entry in found.items()
    } == {
        "/etc/kubernetes/admin.conf": RUNBOOK,
        "/etc/kubernetes/pki/apiserver.crt": RUNBOOK,
        "/etc/kubernetes/pki/ca.crt": ("`crossmesh runbook run rotate-certificate-authority region=eu`"),
        "/etc/kubernetes/pki/etcd/ca.crt": "nobody",
        "/etc/kubernetes/pki/etcd/server.crt": RUNBOOK,
        "/etc/kubernetes/pki/sa.pub": "nobody",
        machines.CLIENT: f"kubelet itself, while the API server answers; once it has ended, {RUNBOOK}",
        machines.SERVED: RUNBOOK,
    }
    server = found["/etc/kubernetes/pki/apiserver.crt"]
    assert {place for place, entry in found.items() if not entry.runbook} == {
        "/etc/kubernetes/pki/ca.crt",
        "/etc/kubernetes/pki/etcd/ca.crt",
        "/etc/kubernetes/pki/sa.pub",
    }
    assert server.runbook == "renew-certificates region=eu"
    assert server.serial == f"{SERVER.certificate.serial_number:x}"
    assert (server.subject, server.issuer) == ("CN=kube-apiserver", "CN=kubernetes")
    assert {entry.state(datetime.now(UTC)) for entry in found.values()} == {State.OK}


def test_an_older_certificate_of_kubelet_is_none_that_it_shows(tmp_path: Path) -> None:
    kubelet(tmp_path)
    assert "/var/lib/kubelet/pki/kubelet-client-2026.pem" not in entries(tmp_path)


def test_a_certificate_that_kubelet_has_by_request_is_the_one_it_serves_by(tmp_path: Path) -> None:
    kubelet(tmp_path)
    write(tmp_path, "/var/lib/kubelet/pki/kubelet-server-current.pem", issue("x", CA).pem)
    found = entries(tmp_path)
    assert machines.SERVED not in found
    assert "approves" in found["/var/lib/kubelet/pki/kubelet-server-current.pem"].renewed_by


def test_a_certificate_that_kubelet_is_given_is_the_one_it_serves_by(tmp_path: Path) -> None:
    kubelet(tmp_path)
    write(tmp_path, "/etc/kubernetes/kubelet.conf.d/50-host.conf", 'tlsCertFile: "/srv/kubelet.crt"\n')
    write(tmp_path, "/srv/kubelet.crt", issue("x", CA).pem)
    found = entries(tmp_path)
    assert machines.SERVED not in found
    assert found["/srv/kubelet.crt"].renewed_by == "whoever gave it"


def test_a_file_that_holds_none_or_leads_nowhere_says_so(tmp_path: Path) -> None:
    kubelet(tmp_path)
    write(tmp_path, "/etc/kubernetes/pki/apiserver.crt", "")
    current = tmp_path / machines.CLIENT.lstrip("/")
    current.unlink()
    current.symlink_to(tmp_path / "gone.pem")
    found = entries(tmp_path)
    assert found["/etc/kubernetes/pki/apiserver.crt"].problem == "it holds no certificate"
    assert found[machines.CLIENT].problem == "No such file or directory"


@pytest.fixture(autouse=True)
def login(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machines.logins, "login", lambda stack, host, address: host)


def test_a_host_that_does_not_answer_is_not_known_and_hides_no_other(tmp_path: Path) -> None:
    kubelet(tmp_path)

    def ask(host: str, connection: Connection) -> Any:
        if host == "eu-cp-1":
            raise Unanswered("eu-cp-1: no route to it", fix="mend it")
        return {"found": []} if host.startswith("us") else told(tmp_path)

    found = machines.look(STACK, ["us", "eu"], ask)
    now = datetime.now(UTC)
    (silent,) = [entry for entry in found if entry.at == "eu-cp-1"]
    assert (silent.problem, silent.fix, silent.state(now)) == ("no route to it", "mend it", State.UNKNOWN)
    assert [entry.state(now) for entry in found if entry.at == "eu-worker-1"] == [State.OK, State.OK]
    (bare,) = [entry for entry in found if entry.at == "us-cp-1"]
    assert (bare.problem, bare.state(now)) == ("no certificate is there", State.UNREADABLE)


def test_it_is_asked_by_ssh_and_gets_no_argument(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: dict[str, Any] = {}

    def ask(host: str, connection: Connection, source: bytes, order: Any, **rest: Any) -> Any:
        asked.update(host=host, source=source, order=order)
        return {"found": []}

    monkeypatch.setattr(machines.ssh, "ask", ask)
    connection = Connection("192.0.2.1", "root", "", "/known_hosts")
    assert machines.asked("eu-cp-1", connection) == {"found": []}
    assert asked["order"] == {"root": ""}
    assert b"def main" in asked["source"]
