"""Secrets written anew on a host, by an API server that is a list in memory."""

from __future__ import annotations

import base64
import http.client
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from ansible_collections.crossmesh.nodes.plugins.module_utils import stored_secrets
from hypothesis import given
from hypothesis import strategies as st


class Server:
    """Stands for the connection. Secrets by name, each with whether it is stored in another form."""

    def __init__(self, stored: dict[str, bool], *, answers: dict[str, int] | None = None) -> None:
        self.stored = {name: [other, 1] for name, other in stored.items()}
        self.answers = answers or {}
        self.old_lists = 0
        self.busy: dict[str, int] = {}
        """So often each is written by others, in the old form, just before it is written here."""
        self.said: tuple[int, Any] = (0, None)

    def request(self, method: str, path: str, body: str | None, headers: dict[str, str]) -> None:
        if method == "PUT":
            self.said = self._put(path, json.loads(body or ""))
        else:
            self.said = self._listed(path) if "?" in path else self._one(path.rpartition("/")[2])

    def _one(self, name: str) -> tuple[int, Any]:
        if name not in self.stored:
            return 404, {"message": "not found"}
        version = str(self.stored[name][1])
        return 200, {"metadata": {"namespace": "shop", "name": name, "resourceVersion": version}}

    def _listed(self, path: str) -> tuple[int, Any]:
        query = parse_qs(urlsplit(path).query)
        first = int(query.get("continue", ["0"])[0])
        if first and self.old_lists:
            self.old_lists -= 1
            return 410, {"message": "too old"}
        last = first + int(query["limit"][0])
        names = sorted(self.stored)
        items = [
            {"metadata": {"namespace": "shop", "name": name, "resourceVersion": str(self.stored[name][1])}}
            for name in names[first:last]
        ]
        return 200, {"items": items, "metadata": {"continue": str(last) if last < len(names) else ""}}

    def _put(self, path: str, body: dict[str, Any]) -> tuple[int, Any]:
        assert (body["apiVersion"], body["kind"]) == ("v1", "Secret")
        name = body["metadata"]["name"]
        assert path == f"/api/v1/namespaces/shop/secrets/{name}"
        if status := self.answers.get(name):
            return status, {"message": "a webhook said no"}
        entry = self.stored[name]
        if self.busy.get(name):
            self.busy[name] -= 1
            entry[1] += 1
        if body["metadata"]["resourceVersion"] != str(entry[1]):
            return 409, {"message": "the object has been modified"}
        if entry[0]:
            entry[:] = [False, entry[1] + 1]
        return 200, {"metadata": {"resourceVersion": str(entry[1])}}

    def getresponse(self) -> Server:
        return self

    @property
    def status(self) -> int:
        return self.said[0]

    def read(self) -> bytes:
        return json.dumps(self.said[1]).encode()

    def close(self) -> None:
        pass


@pytest.fixture(autouse=True)
def small_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stored_secrets, "PAGE", 3)


ADMIN = """\
apiVersion: v1
kind: Config
users:
- name: kubernetes-admin
  user:
    client-certificate-data: {certificate}
    client-key-data: {key}
"""


@pytest.fixture(scope="module", autouse=True)
def admin(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """kubeadm's kubeconfig of whoever administers the cluster."""
    file = tmp_path_factory.mktemp("kubernetes") / "admin.conf"
    file.write_text(ADMIN.format(certificate=encoded("who"), key=encoded("secret")))
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setattr(stored_secrets, "ADMIN", file)
        yield file


def encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def rewritten(
    server: Server, monkeypatch: pytest.MonkeyPatch, shown: list[str] | None = None
) -> tuple[int, int]:
    class Context:
        def load_cert_chain(self, file: str) -> None:
            if shown is not None:
                shown.append(Path(file).read_text())

    monkeypatch.setattr(stored_secrets.ssl, "create_default_context", lambda **_: Context())
    monkeypatch.setattr(http.client, "HTTPSConnection", lambda *_, **__: server)
    return stored_secrets.rewrite(6443)


@given(st.dictionaries(st.text("abc", min_size=1, max_size=4), st.booleans(), max_size=12))
def test_each_is_written_once_and_those_in_another_form_are_counted(stored: dict[str, bool]) -> None:
    with pytest.MonkeyPatch.context() as monkeypatch:
        server = Server(stored)
        assert rewritten(server, monkeypatch) == (len(stored), sum(stored.values()))
        assert not any(other for other, _ in server.stored.values())
        assert rewritten(server, monkeypatch) == (len(stored), 0)


def test_they_are_written_by_whoever_administers_the_cluster(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not by what the API server shows kubelets: kubeadm 1.36 gives it no right to Secrets."""
    shown: list[str] = []
    rewritten(Server({"a": True}), monkeypatch, shown)
    assert shown == ["who\nsecret\n"]


def test_a_kubeconfig_without_a_key_in_it_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(stored_secrets, "ADMIN", tmp_path / "admin.conf")
    for text in ("", "    client-certificate: /etc/kubernetes/pki/admin.crt\n"):
        (tmp_path / "admin.conf").write_text(text)
        with pytest.raises(stored_secrets.StoredSecretsError, match=r"admin\.conf has no client-certificate"):
            rewritten(Server({}), monkeypatch)
    (tmp_path / "admin.conf").unlink()
    with pytest.raises(stored_secrets.StoredSecretsError, match=r"not written anew: .*No such file"):
        rewritten(Server({}), monkeypatch)


def test_one_that_is_gone_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    server = Server({"a": True, "b": True}, answers={"a": 404})
    assert rewritten(server, monkeypatch) == (2, 1)


def test_one_that_others_write_meanwhile_is_written_anew_all_the_same(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Another API server writes in the form that is to go."""
    server = Server({"a": True, "b": True})
    server.busy = {"a": 3}
    assert rewritten(server, monkeypatch) == (2, 2)
    assert not any(other for other, _ in server.stored.values())


def test_one_that_others_write_all_the_time_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    server = Server({"a": True})
    server.busy = {"a": 99}
    with pytest.raises(
        stored_secrets.StoredSecretsError, match="shop/a is not written anew: others wrote it"
    ):
        rewritten(server, monkeypatch)


def test_one_that_is_refused_is_named_with_the_server_s_words(monkeypatch: pytest.MonkeyPatch) -> None:
    server = Server({"a": True}, answers={"a": 403})
    with pytest.raises(stored_secrets.StoredSecretsError, match="shop/a is not written anew: a webh"):
        rewritten(server, monkeypatch)


def test_a_list_that_grew_old_is_begun_anew_and_given_up_in_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    server = Server({str(number): True for number in range(5)})
    server.old_lists = 2
    seen, _ = rewritten(server, monkeypatch)
    assert seen == 5
    assert not any(other for other, _ in server.stored.values())
    server.old_lists = 3
    with pytest.raises(stored_secrets.StoredSecretsError, match="grew old 3 times"):
        rewritten(server, monkeypatch)
