"""What the role `control_plane` gives an API server, with a real one: no machine is needed."""

from __future__ import annotations

import base64
import json
import os
import secrets
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml
from ansible_collections.crossmesh.nodes.plugins.module_utils import control_plane, stored_secrets

import toolchain
from playbooks.provider import tls
from tests.lab.api_server import ApiServer, encoded
from tests.unit.playbooks.conftest import rendering

ROLE = "control_plane"
SETTINGS = "/etc/kubernetes/crossmesh"
LOG = "/var/log/kubernetes/audit"
WORD = "the-word-that-nobody-may-read"
OWN = {
    "control_plane_kubernetes_version": "1.35.3",
    "control_plane_cluster_name": "eu",
    "control_plane_node_name": "eu-cp-1",
    "control_plane_address": "192.0.2.1",
    "control_plane_endpoint": "192.0.2.1:6443",
    "control_plane_pod_cidr": "10.0.0.0/20",
    "control_plane_service_cidr": "10.1.0.0/20",
    "control_plane_taints": [],
}


def kubeadm_s(**variables: Any) -> str:
    """kubeadm's configuration."""
    return rendering(ROLE, "kubeadm.yaml.j2", {**OWN, **variables})


def new_key(name: str) -> dict[str, str]:
    return {"name": name, "secret": base64.b64encode(secrets.token_bytes(32)).decode()}


def arguments(directory: Path, **variables: Any) -> list[str]:
    """The role's arguments of the API server, with its files in a directory."""
    variables = {**OWN, **variables}
    for name in ("admission", "audit-policy", "authentication", "encryption"):
        text = rendering(ROLE, f"{name}.yaml.j2", variables)
        (directory / f"{name}.yaml").write_text(text)
    documents = yaml.safe_load_all(kubeadm_s(**variables))
    (cluster,) = (document for document in documents if document["kind"] == "ClusterConfiguration")
    words = [f"--{each['name']}={each['value']}" for each in cluster["apiServer"]["extraArgs"]]
    return [word.replace(SETTINGS, str(directory)).replace(LOG, str(directory)) for word in words]


@dataclass
class Running:
    server: ApiServer
    directory: Path

    def stored(self, name: str) -> bytes:
        """What etcd has of a Secret."""
        program = toolchain.program("etcdctl")
        key = f"/registry/secrets/default/{name}"
        command = [str(program), "--endpoints", self.server.etcd, "get", key, "--print-value-only"]
        return subprocess.run(command, capture_output=True, check=True, timeout=30).stdout

    def write(self, name: str) -> None:
        body = {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": name},
            "data": {"a": encoded(WORD)},
        }
        self.server.apply(f"/api/v1/namespaces/default/secrets/{name}", body)

    def read(self, name: str) -> str:
        found = self.server.request("GET", f"/api/v1/namespaces/default/secrets/{name}")
        return base64.b64decode(found["data"]["a"]).decode()

    @property
    def log(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in (self.directory / "audit.log").read_text().splitlines()]


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    directory = tmp_path_factory.mktemp("settings")
    with ApiServer("eu", arguments(directory, control_plane_encryption_keys=[new_key("key-1")])) as server:
        yield Running(server, directory)


@pytest.mark.parametrize(
    "variables", [{}, {"control_plane_audit": False}, {"control_plane_external_ips": True}]
)
def test_kubeadm_itself_starts_the_api_server_so(tmp_path: Path, variables: dict[str, Any]) -> None:
    config = kubeadm_s(**variables)
    kubeadm = str(toolchain.program("kubeadm"))

    def carry_out(command: tuple[str, ...], more: Mapping[str, str]) -> None:
        command = (kubeadm, *command[1:])
        environment = {**os.environ, **more}
        subprocess.run(command, input=config, env=environment, text=True, check=True, capture_output=True)

    manifests = control_plane.generated(carry_out)
    words = control_plane.arguments(manifests["kube-apiserver"])
    (cluster,) = (each for each in yaml.safe_load_all(config) if each["kind"] == "ClusterConfiguration")
    declared = [f"--{each['name']}={each['value']}" for each in cluster["apiServer"]["extraArgs"]]
    assert set(declared) <= set(words)
    assert len({word.partition("=")[0] for word in words}) == len(words), "none is given twice"
    container = yaml.safe_load(manifests["kube-apiserver"])["spec"]["containers"][0]
    assert container["command"][1:] == words
    mounts = {mount["mountPath"] for mount in container["volumeMounts"]}
    named = {word.partition("=")[2] for word in words if word.partition("=")[2].startswith("/")}
    assert all(any(Path(mount) in Path(path).parents for mount in mounts) for path in named)
    subprocess.run(
        [kubeadm, "config", "validate", "--config=/dev/stdin"], input=config, text=True, check=True
    )


@pytest.mark.parametrize("path", ["/livez", "/readyz", "/healthz", "/readyz?verbose"])
def test_health_is_told_to_whoever_says_nothing_of_himself(running: Running, path: str) -> None:
    assert httpx.get(running.server.url + path, verify=False).status_code == 200


def test_whoever_joins_may_ask_where_the_cluster_is(running: Running) -> None:
    """kubeadm makes the ConfigMap and a role for it; here is neither: he is known, and has no right."""
    path = "/api/v1/namespaces/kube-public/configmaps/cluster-info?timeout=10s"
    answer = httpx.get(running.server.url + path, verify=False)
    assert answer.status_code == 403
    assert "system:anonymous" in answer.text


@pytest.mark.parametrize(
    "path", ["/version", "/api", "/livez/ping", "/openapi/v2", "/api/v1/namespaces/kube-public/configmaps"]
)
def test_of_all_else_he_is_told_nothing(running: Running, path: str) -> None:
    assert httpx.get(running.server.url + path, verify=False).status_code == 401


def test_a_secret_is_not_readable_in_etcd_and_is_by_the_api(running: Running) -> None:
    running.write("hidden")
    assert running.stored("hidden").startswith(b"k8s:enc:secretbox:v1:key-1:")
    assert WORD.encode() not in running.stored("hidden")
    assert running.read("hidden") == WORD


def test_who_read_a_secret_is_in_the_audit_log_and_not_what_is_in_it(running: Running) -> None:
    running.write("audited")
    running.read("audited")
    entries = [entry for entry in running.log if (entry.get("objectRef") or {}).get("name") == "audited"]
    assert {(entry["verb"], entry["level"]) for entry in entries} == {
        ("get", "Metadata"),
        ("patch", "Metadata"),
    }
    assert all(entry["user"]["username"] == "administrator" for entry in entries)
    text = (running.directory / "audit.log").read_text()
    assert WORD not in text and encoded(WORD) not in text
    assert (running.directory / "audit.log").stat().st_mode & 0o777 == 0o600


def test_health_and_leases_are_not_in_it(running: Running) -> None:
    lease = {
        "apiVersion": "coordination.k8s.io/v1",
        "kind": "Lease",
        "metadata": {"name": "leader"},
        "spec": {"holderIdentity": "a"},
    }
    running.server.apply("/apis/coordination.k8s.io/v1/namespaces/default/leases/leader", lease)
    httpx.get(f"{running.server.url}/readyz", verify=False)
    assert not any(entry["requestURI"].startswith("/readyz") for entry in running.log)
    assert not any((entry.get("objectRef") or {}).get("resource") == "leases" for entry in running.log)


def test_services_take_no_addresses_of_others(running: Running) -> None:
    body = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "thief"},
        "spec": {"ports": [{"port": 80}], "externalIPs": ["192.0.2.1"]},
    }
    with pytest.raises(AssertionError, match="Use of external IPs is denied"):
        running.server.apply("/api/v1/namespaces/default/services/thief", body)


def test_two_hundred_events_at_once_are_taken(running: Running) -> None:
    event = {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"generateName": "e-"},
        "involvedObject": {"namespace": "default"},
    }
    for _ in range(200):
        running.server.request("POST", "/api/v1/namespaces/default/events", event)


@pytest.mark.parametrize("encrypts", [True, False])
def test_secrets_are_written_anew_in_the_form_that_is_declared(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, encrypts: bool
) -> None:
    """Encryption is switched on, or off, under Secrets that are there, as the module kubeadm does it."""
    settings, pki = tmp_path / "settings", tmp_path / "pki"
    settings.mkdir()
    pki.mkdir()
    keys = [new_key("key-1")]
    before = arguments(
        settings, control_plane_encryption_keys=keys, control_plane_encrypt_secrets=not encrypts
    )
    with ApiServer("eu", before) as server:
        running = Running(server, settings)
        for number in range(5):
            running.write(f"s{number}")
        assert (WORD.encode() in running.stored("s0")) is encrypts
        after = arguments(
            settings, control_plane_encryption_keys=keys, control_plane_encrypt_secrets=encrypts
        )
        server.restart(after)
        monkeypatch.setattr(stored_secrets, "PKI", pki)
        monkeypatch.setattr(stored_secrets, "ADMIN", pki / "admin.conf")
        monkeypatch.setattr(stored_secrets, "PAGE", 2)
        _client_of(server, pki)
        assert running.read("s1") == WORD, "the old form can still be read"
        assert stored_secrets.rewrite(server.port) == (5, 5)
        assert stored_secrets.rewrite(server.port) == (5, 0)
        for number in range(5):
            assert (WORD.encode() in running.stored(f"s{number}")) is not encrypts
            assert running.read(f"s{number}") == WORD


def _client_of(server: ApiServer, pki: Path) -> None:
    user = yaml.safe_load(server.kubeconfig)["users"][0]["user"]
    (pki / "ca.crt").write_text(server.authority)
    assert tls.load_key(base64.b64decode(user["client-key-data"]).decode())
    (pki / "admin.conf").write_text(server.kubeconfig)
