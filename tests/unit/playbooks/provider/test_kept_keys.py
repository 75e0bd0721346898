"""What a control plane that kubeadm has made keeps of its cluster's keys, taken over once."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from access import ssh
from access.errors import Unanswered
from playbooks.provider import kept_keys, tls
from playbooks.provider.resources.base import Operation
from playbooks.provider.resources.certificates import CertificateAuthority
from playbooks.provider.resources.signing_key import SigningKey
from playbooks.provider.run import kept_keys_script
from playbooks.provider.tls import Request
from playbooks.provider.values import UNKNOWN
from playbooks.work.clusters import ETCD, FRONT_PROXY, SERVICE_ACCOUNTS
from report.errors import OperationsError
from tests.unit.playbooks.provider.support import Host
from tests.unit.playbooks.provider.test_tunnel_key import operation

pytestmark = pytest.mark.anyio
CONNECTION = {"address": "127.0.0.1", "user": "root", "privateKeyFile": "k", "knownHostsFile": "h"}


def kept_on(name: str) -> dict[str, Any]:
    return {"kept_on": {"host": "eu-cp-1", "connection": CONNECTION, "name": name}}


def authority(name: str) -> tuple[str, str]:
    key = tls.new_key()
    return tls.issue(Request(name, 3650, ca=True), key, None), key


class Control:
    """A host that is a directory."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.keys = {FRONT_PROXY: authority("front-proxy-ca"), ETCD: authority("etcd-ca")}
        private = tls.new_key()
        public = tls.load_key(private).public_key()
        text = public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
        self.keys[SERVICE_ACCOUNTS] = (text, private)
        for name, pair in self.keys.items():
            for path, content in zip(kept_keys._FILES[name], pair, strict=True):
                self.write(f"{kept_keys_script.PKI}/{path}", content)
        self.asked = 0

    def write(self, path: str, content: str = "") -> None:
        file = Path(f"{self.root}{path}")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(content)

    def marked(self, name: str) -> None:
        self.write(f"{kept_keys_script.STATE}/{name}")

    def answer(self, host: str, _: object, source: bytes, order: dict[str, Any], **__: object) -> Any:
        assert host == "eu-cp-1" and b"def answer" in source and order["root"] == ""
        self.asked += 1
        return kept_keys_script.answer({**order, "root": str(self.root)})


@pytest.fixture
def control(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Control:
    found = Control(tmp_path / "host")
    monkeypatch.setattr(ssh, "ask", found.answer)
    return found


def of(found: Operation, name: str, **inputs: Any) -> dict[str, Any]:
    return {"common_name": name, "validity_days": 3650, **kept_on(name), **inputs}


async def test_what_a_control_plane_has_is_taken_over_whole_and_asked_for_once(control: Control) -> None:
    control.marked("init.finished")
    now = operation()
    for name in (FRONT_PROXY, ETCD):
        made = await CertificateAuthority().create(now, of(now, name))
        certificate, key = control.keys[name]
        assert (made["certificate"], made["root_certificate"]) == (certificate, certificate)
        assert tls.load_key(made["private_key"]).public_key() == tls.load_key(key).public_key()
        assert made["not_after"] == tls.not_after(certificate)
        assert not (await CertificateAuthority().diff(now, made, of(now, name))).any
    signing = {"purpose": "tokens", **kept_on(SERVICE_ACCOUNTS)}
    made = await SigningKey().create(now, signing)
    assert made["public_key"] == control.keys[SERVICE_ACCOUNTS][0]
    assert not (await SigningKey().diff(now, made, signing)).any
    assert control.asked == 1
    assert "kept_on" not in made


async def test_it_is_told_and_no_key_is(control: Control) -> None:
    control.marked("init.finished")
    now = operation()
    await SigningKey().create(now, {"purpose": "tokens", **kept_on(SERVICE_ACCOUNTS)})
    assert now.context.engine.said == [("info", "taken over from eu-cp-1, which has it already")]  # type: ignore[attr-defined]


@pytest.mark.parametrize("mark", ["", "init.begun", "join.finished"])
async def test_one_that_carries_no_cluster_has_nothing_to_take_over(control: Control, mark: str) -> None:
    """Not finished, it is cleared before it begins anew; and who has joined without one is a worker."""
    if mark:
        control.marked(mark)
    now = operation()
    made = await CertificateAuthority().create(now, of(now, FRONT_PROXY))
    assert made["certificate"] != control.keys[FRONT_PROXY][0]
    assert tls.load_certificate(made["certificate"])
    assert (await SigningKey().create(now, {"purpose": "t", **kept_on(SERVICE_ACCOUNTS)}))["private_key"]


async def test_a_control_plane_that_has_joined_keeps_them_too(control: Control) -> None:
    control.marked("join.finished")
    control.write(f"{kept_keys_script.PKI}/apiserver-kubelet-client.key")
    made = await CertificateAuthority().create(operation(), of(operation(), ETCD))
    assert made["certificate"] == control.keys[ETCD][0]


async def test_half_of_a_pair_and_a_wrong_key_are_refused_and_none_is_made_instead(control: Control) -> None:
    control.marked("init.finished")
    key = Path(f"{control.root}{kept_keys_script.PKI}/etcd/ca.key")
    other = tls.new_key()
    key.write_text(other)
    with pytest.raises(OperationsError, match=r"etcd/ca\.key is not the key of etcd/ca\.crt") as refused:
        await CertificateAuthority().create(operation(), of(operation(), ETCD))
    assert other.splitlines()[1] not in str(refused.value)
    key.unlink()
    with pytest.raises(OperationsError, match=r"eu-cp-1: its control plane has no etcd/ca\.key"):
        await CertificateAuthority().create(operation(), of(operation(), ETCD))


async def test_a_host_that_does_not_answer_is_no_reason_to_make_others(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def silent(*_: object, **__: object) -> None:
        raise Unanswered("eu-cp-1: root@127.0.0.1 port 22 cannot be reached", fix="check that it runs")

    monkeypatch.setattr(ssh, "ask", silent)
    monkeypatch.setattr(kept_keys, "REACH_TIMEOUT", 0.0)
    with pytest.raises(Unanswered):
        await CertificateAuthority().create(operation(), of(operation(), ETCD))


async def test_a_preview_asks_nobody(control: Control) -> None:
    shown = await CertificateAuthority().create(operation(preview=True), of(operation(), ETCD))
    assert shown["certificate"] is UNKNOWN
    await SigningKey().create(operation(preview=True), {"purpose": "t", **kept_on(SERVICE_ACCOUNTS)})
    assert control.asked == 0


def test_it_travels_through_the_connection_alone(host: Host) -> None:
    """The host's list of processes and logs show no key, nor which files are asked for."""
    order = {"root": str(host.path / "none"), "files": ["sa.key"]}
    told = ssh.ask("eu-cp-1", host.connection, kept_keys.SCRIPT.read_bytes(), order)
    assert told == {"carries": False, "files": {}}
    assert not any("sa.key" in call for call in host.ssh_calls())
    assert json.loads(json.dumps(told)) == told
