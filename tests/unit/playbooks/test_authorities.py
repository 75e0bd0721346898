"""Authorities on a host that is a directory: read, exchanged in stages, killed anywhere, and refused."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterator
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import pytest
from ansible_collections.crossmesh.nodes.plugins.module_utils import authorities, kubelet, objects, trust
from ansible_collections.crossmesh.nodes.plugins.module_utils.trust import Said, Wanted
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.operations.support import Issued, issue

OLD = issue("kubernetes-eu", ca=True, days=3650)
NEW = issue("kubernetes-eu-2", ca=True, days=3650)
A, B = (trust.names(each.pem)[0] for each in (OLD, NEW))
NODE = "eu-cp-1"
CONFIG = "kind: InitConfiguration\n---\nkind: ClusterConfiguration\nkubernetesVersion: v1.35.3\n"
BY = {A: OLD, B: NEW}


class Kill(BaseException):
    """Stands for `kill -9`."""


def encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def kubeconfig(bundle: str, client: Issued | None) -> str:
    """As kubeadm writes one; without a client, as kubelet's own."""
    user = "    client-certificate: /var/lib/kubelet/pki/kubelet-client-current.pem\n"
    if client:
        user = (
            f"    client-certificate-data: {encoded(client.pem)}\n"
            f"    client-key-data: {encoded(client.key_pem)}\n"
        )
    return (
        "apiVersion: v1\nclusters:\n- cluster:\n"
        f"    certificate-authority-data: {encoded(bundle)}\n    server: https://192.0.2.20:6443\n"
        f"  name: eu\nusers:\n- name: x\n  user:\n{user}"
    )


class Host:
    """A member as kubeadm makes it, with a kubelet that asks for a certificate where it has none."""

    def __init__(self, root: Path, *, issues: bool) -> None:
        self.root, self.issues = root, issues
        self.kubernetes, self.kubelet = root / "kubernetes", root / "kubelet"
        (self.kubernetes / "pki").mkdir(parents=True)
        self.kubelet.mkdir()
        self.signer = OLD
        """By which the cluster signs what kubelets ask for."""
        self.starts = 0
        self.deaf = False
        self.said: dict[str, str] = {}
        self.maps: dict[str, dict[str, str]] = {
            "cluster-info": {"kubeconfig": kubeconfig(OLD.pem, None)},
            "extension-apiserver-authentication": {"client-ca-file": OLD.pem},
        }
        (self.kubernetes / "pki" / "ca.crt").write_text(OLD.pem)
        (self.kubernetes / "kubelet.conf").write_text(kubeconfig(OLD.pem, None))
        self.client(OLD)
        if issues:
            (self.kubernetes / "pki" / "ca.key").write_text(OLD.key_pem)
            for name in trust.LEAVES:
                self.leaf(self.kubernetes / "pki", name, OLD)
            for name in trust.KUBECONFIGS:
                text = kubeconfig(OLD.pem, issue(name, OLD))
                (self.kubernetes / f"{name}.conf").write_text(text)

    @staticmethod
    def leaf(directory: Path, name: str, by: Issued) -> None:
        made = issue(name, by)
        (directory / f"{name}.crt").write_text(made.pem)
        (directory / f"{name}.key").write_text(made.key_pem)

    def client(self, by: Issued) -> None:
        """kubelet gets a certificate, and has it where it wants it."""
        made = issue(f"system:node:{NODE}", by)
        dated = self.kubelet / f"kubelet-client-{len(list(self.kubelet.iterdir()))}.pem"
        dated.write_text(made.pem + made.key_pem)
        link = self.kubelet / "kubelet-client-current.pem"
        link.unlink(missing_ok=True)
        link.symlink_to(dated.name)

    def kubeadm(self, command: tuple[str, ...], config: str) -> None:
        """Makes what is not there, by the authority in its directory."""
        found = re.search(r"certificatesDir: (\S+)", config)
        assert found and command[:3] == ("kubeadm", "init", "phase")
        directory = Path(found[1])
        given = (directory / "ca.crt").read_text().strip()
        by = next(each for each in BY.values() if each.pem.strip() == given)
        assert (directory / "ca.key").read_text().strip() == by.key_pem.strip()
        assert directory.stat().st_mode & 0o777 == 0o700
        if command[3] == "certs":
            self.leaf(directory, command[4], by)
            return
        assert f"--kubeconfig-dir={directory}" in command
        (directory / f"{command[4]}.conf").write_text(kubeconfig(by.pem, issue(command[4], by)))

    def run(self, *command: Any) -> CompletedProcess[str]:
        words = [str(word) for word in command]
        if words[:2] == ["systemctl", "restart"]:
            self.start()
            return CompletedProcess(words, 0, "", "")
        assert words[0] == "kubectl"
        if "annotate" in words:
            self.said = dict(word.split("=", 1) for word in words[-2:])
        elif "patch" in words:
            name = words[words.index("configmap") + 1]
            self.maps[name] |= json.loads(words[-1])["data"]
        elif "configmap" in words:
            data = self.maps[words[words.index("configmap") + 1]]
            return CompletedProcess(words, 0, json.dumps({"data": data}), "")
        elif any(word.startswith("lease/") for word in words):
            return CompletedProcess(words, 0, "" if self.deaf else "2999-01-01T00:00:00.000000Z", "")
        return CompletedProcess(words, 0, "", "")

    def start(self) -> None:
        """kubelet, which asks by what it is given where it has no certificate."""
        self.starts += 1
        asking = self.kubernetes / "bootstrap-kubelet.conf"
        if not (self.kubelet / "kubelet-client-current.pem").exists() and not self.deaf:
            given = json.loads(asking.read_text())
            user = given["users"][0]["user"]
            assert Path(user["client-certificate"]).read_text().startswith("-----BEGIN CERTIFICATE")
            self.client(self.signer)
            bundle = given["clusters"][0]["cluster"]["certificate-authority-data"]
            text = kubeconfig(base64.b64decode(bundle).decode(), None)
            (self.kubernetes / "kubelet.conf").write_text(text)

    def wanted(self, *order: str) -> Wanted:
        key = BY[order[0]].key_pem if self.issues else ""
        return Wanted(NODE, tuple(BY[name].pem for name in order), key)

    @property
    def begun(self) -> Path:
        return self.root / "authorities.begun"

    def bring(self, *order: str) -> None:
        authorities.bring(self.wanted(*order), self.begun, self.kubeadm, CONFIG)

    def lacking(self, *order: str) -> list[str]:
        return trust.lacking(self.wanted(*order), self.begun)

    def present(self, *order: str) -> Said:
        return trust.present(self.wanted(*order))


@pytest.fixture
def use(monkeypatch: pytest.MonkeyPatch) -> Any:
    def used(host: Host) -> Host:
        monkeypatch.setattr(trust, "KUBERNETES", host.kubernetes)
        monkeypatch.setattr(trust, "KUBELET", host.kubelet)
        for part in (authorities, kubelet, objects):
            monkeypatch.setattr(part, "run", host.run)
        for part in (authorities, kubelet):
            monkeypatch.setattr(part, "_POLL", 0.01)
        monkeypatch.setattr(kubelet, "SECONDS", 0.3)
        return host

    return used


@pytest.fixture(params=[True, False], ids=["control-plane", "worker"])
def host(request: pytest.FixtureRequest, tmp_path: Path, use: Any) -> Host:
    found: Host = use(Host(tmp_path / "host", issues=request.param))
    return found


STAGES = ((A, B), (B, A), (B,))


def test_names_of_issuer_and_owner_are_read_as_they_stand_in_certificates() -> None:
    leaf = issue("x", OLD)
    der = trust.certificates(f"text\n{leaf.pem}{leaf.key_pem}{NEW.pem}")
    assert len(der) == 2
    assert trust.issuer(der[0]) == leaf.certificate.issuer.public_bytes()
    assert trust.subject(der[0]) == leaf.certificate.subject.public_bytes()
    assert trust.subject(der[1]) == NEW.certificate.subject.public_bytes()
    assert A != B and A.startswith("ca-")


def test_a_host_as_it_was_made_lacks_nothing(host: Host) -> None:
    assert host.lacking(A) == []
    assert host.present(A) == Said(frozenset({A}), frozenset({A}))


def test_a_kubeconfig_that_names_a_file_is_left(tmp_path: Path, use: Any) -> None:
    host = use(Host(tmp_path / "host", issues=False))
    text = "clusters:\n- cluster:\n    certificate-authority: /etc/kubernetes/pki/ca.crt\n"
    (host.kubernetes / "kubelet.conf").write_text(text)
    assert host.lacking(A) == []
    host.bring(A, B)
    assert host.lacking(A, B) == []
    assert (host.kubernetes / "kubelet.conf").read_text() == text


def test_each_stage_is_reached_and_then_nothing_is_left(host: Host) -> None:
    shown = {(A, B): A, (B, A): B, (B,): B}
    for order in STAGES:
        host.signer = BY[order[0]]
        assert host.lacking(*order)
        host.bring(*order)
        assert host.lacking(*order) == []
        assert host.present(*order) == Said(frozenset(order), frozenset({shown[order]}))
        assert not host.begun.exists()
    rest = sorted(path.name for path in host.kubernetes.iterdir() if path.is_file())
    assert rest == (
        ["admin.conf", "controller-manager.conf", "kubelet.conf", "scheduler.conf", "super-admin.conf"]
        if host.issues
        else ["kubelet.conf"]
    )
    assert not (host.kubernetes / ".authorities-new").exists()


def test_what_is_issued_already_is_left(host: Host) -> None:
    admin = host.kubernetes / "admin.conf"
    before = trust.decoded(trust.CLIENT, trust.text_of(admin))
    host.bring(A, B)
    assert trust.decoded(trust.CLIENT, trust.text_of(admin)) == before
    assert host.starts == 1


def writes(host: Host, monkeypatch: pytest.MonkeyPatch, kill_at: int) -> list[str]:
    """Files in their order as they are written; the run is killed just before one of them."""
    done: list[str] = []
    write = authorities.write

    def counted(path: Path, content: str, mode: int) -> None:
        done.append(path.name)
        if len(done) == kill_at:
            raise Kill
        write(path, content, mode)

    monkeypatch.setattr(authorities, "write", counted)
    return done


@pytest.mark.parametrize("kill_at", range(1, 22))
def test_one_that_was_killed_anywhere_goes_on(
    host: Host, monkeypatch: pytest.MonkeyPatch, kill_at: int
) -> None:
    host.bring(A, B)
    host.signer = NEW
    with monkeypatch.context() as patch:
        writes(host, patch, kill_at)
        try:
            host.bring(B, A)
        except Kill:
            assert host.lacking(B, A), "nothing is taken for done"
            authorities.recover()
    host.bring(B, A)
    assert host.lacking(B, A) == []
    assert host.present(B, A) == Said(frozenset({A, B}), frozenset({B}))


def test_a_kubelet_that_gets_no_certificate_goes_on_by_the_one_that_it_has(tmp_path: Path, use: Any) -> None:
    host = use(Host(tmp_path / "host", issues=False))
    host.bring(A, B)
    with pytest.raises(authorities.AuthoritiesError, match=f"kubelet has no certificate of {B} yet"):
        host.bring(B, A)  # the cluster still signs by the old one
    host.deaf = True
    with pytest.raises(authorities.AuthoritiesError):
        host.bring(B, A)
    assert (host.kubelet / "kubelet-client-current.pem").exists()
    assert not (host.kubernetes / "bootstrap-kubelet.conf").exists()
    host.deaf, host.signer = False, NEW
    host.bring(B, A)
    assert host.lacking(B, A) == []


def test_a_kubelet_that_is_not_heard_of_is_no_success(host: Host) -> None:
    host.deaf = True
    with pytest.raises(authorities.AuthoritiesError, match="has not said since that it lives"):
        host.bring(A, B)
    assert host.lacking(A, B) == ["kubelet starts anew"]


def test_a_certificate_that_kubelet_lost_in_between_is_given_back(tmp_path: Path, use: Any) -> None:
    host = use(Host(tmp_path / "host", issues=False))
    current = host.kubelet / "kubelet-client-current.pem"
    text = current.read_text()
    current.unlink()
    authorities.recover()
    assert current.is_symlink() and current.read_text() == text


def test_who_joins_learns_of_the_authorities_and_servers_forget_old_ones(tmp_path: Path, use: Any) -> None:
    host = use(Host(tmp_path / "host", issues=True))
    authorities.announce(host.wanted(A, B))
    told = trust.decoded(trust.AUTHORITY, host.maps["cluster-info"]["kubeconfig"], 2)
    assert trust.names(told) == [A, B]
    assert host.maps["extension-apiserver-authentication"]["client-ca-file"] == OLD.pem
    host.maps["extension-apiserver-authentication"]["client-ca-file"] = OLD.pem + NEW.pem
    authorities.announce(host.wanted(B))
    assert trust.names(host.maps["extension-apiserver-authentication"]["client-ca-file"]) == [B]


def test_the_node_says_what_its_host_trusts_and_shows(host: Host) -> None:
    authorities.publish(host.wanted(A, B), host.present(A, B))
    assert host.said == {authorities.TRUSTED: A, authorities.SHOWN: A}
    authorities.publish(host.wanted(A, B), authorities.while_it_changes(host.present(A, B), [B, A]))
    assert host.said == {authorities.TRUSTED: A, authorities.SHOWN: ",".join(sorted((A, B)))}
    authorities.publish_soon(host.wanted(A))
    assert host.said == {authorities.TRUSTED: A, authorities.SHOWN: A}


def test_a_node_that_does_not_answer_is_said(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, use: Any
) -> None:
    host = use(Host(tmp_path / "host", issues=True))
    refused = CompletedProcess([], 1, "", "connection refused")
    for part in (authorities, objects):
        monkeypatch.setattr(part, "run", lambda *_: refused)
    monkeypatch.setattr(kubelet, "SECONDS", 0.0)
    for act in (
        lambda: authorities.others(NODE),
        lambda: authorities.publish(host.wanted(A), Said()),
        lambda: authorities.publish_soon(host.wanted(A)),
        lambda: authorities.announce(host.wanted(A)),
    ):
        with pytest.raises(authorities.AuthoritiesError, match="connection refused"):
            act()


def test_others_are_known_by_their_nodes(monkeypatch: pytest.MonkeyPatch) -> None:
    items = [
        {"metadata": {"name": NODE}},
        {"metadata": {"name": "w1", "annotations": {authorities.TRUSTED: f"{A},{B}", authorities.SHOWN: A}}},
        {"metadata": {"name": "w2"}},
    ]
    done = CompletedProcess([], 0, json.dumps({"items": items}), "")
    monkeypatch.setattr(authorities, "run", lambda *_: done)
    assert authorities.others(NODE) == {"w1": Said(frozenset({A, B}), frozenset({A})), "w2": Said()}


def test_what_others_would_not_trust_or_still_show_is_refused() -> None:
    both, old = Said(frozenset({A, B}), frozenset({A})), Said(frozenset({A}), frozenset({A}))
    authorities.see_that_it_may_come(old, [A, B], {"w1": Said()})
    with pytest.raises(authorities.AuthoritiesError, match=f"by {B}, which w1 does not trust yet"):
        authorities.see_that_it_may_come(both, [B, A], {"w1": old, "w2": both})
    authorities.see_that_it_may_come(both, [B, A], {"w1": both})
    changed = Said(frozenset({A, B}), frozenset({B}))
    with pytest.raises(authorities.AuthoritiesError, match="would not be trusted any more, and w1 shows"):
        authorities.see_that_it_may_come(changed, [B], {"w1": both, "w2": changed})
    with pytest.raises(authorities.AuthoritiesError, match="w2 shows"):
        authorities.see_that_it_may_come(changed, [B], {"w1": changed, "w2": Said()})
    authorities.see_that_it_may_come(changed, [B], {"w1": changed})


CONTROL = ("cp-1", "cp-2")
NODES = (*CONTROL, "w-1", "w-2")
ORDERS = st.sampled_from([("a",), ("a", "b"), ("b", "a"), ("b",)])


class Cluster:
    """Nodes with what they trust, show and say; all connect to each other."""

    def __init__(self) -> None:
        one = Said(frozenset("a"), frozenset("a"))
        self.have = dict.fromkeys(NODES, one)
        self.said = dict.fromkeys(NODES, one)

    def change(self, node: str, order: tuple[str, ...], killed: str) -> None:
        """What a play does; only control planes see all nodes and ask whether it may be."""
        before = self.have[node]
        there = {name: said for name, said in self.said.items() if name != node}
        authorities.see_that_it_may_come(before, order, there)
        self.said[node] = authorities.while_it_changes(before, order)
        if killed == "before":
            return
        self.have[node] = Said(frozenset(order), frozenset(order[:1]))
        if killed:
            return
        self.said[node] = self.have[node]

    def connects(self) -> Iterator[tuple[str, str]]:
        for one in NODES:
            for other in NODES:
                if not self.have[other].shows <= self.have[one].trusts:
                    yield one, other


@given(st.lists(st.tuples(ORDERS, st.sampled_from(["", "", "before", "after"])), max_size=8))
def test_whatever_is_declared_everybody_trusts_what_others_show(
    ups: list[tuple[tuple[str, ...], str]],
) -> None:
    """Each `up` goes through control planes and then workers, and ends where one is killed or refuses."""
    cluster = Cluster()
    for order, killed in ups:
        for number, node in enumerate(NODES):
            try:
                if node in CONTROL:
                    cluster.change(node, order, killed if number == 1 else "")
                else:
                    cluster.have[node] = cluster.said[node] = Said(frozenset(order), frozenset(order[:1]))
            except authorities.AuthoritiesError:
                break
            assert list(cluster.connects()) == [], (order, node, cluster.have)
            if killed and number == 1:
                break
