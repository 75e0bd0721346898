"""`crossmesh certificates`: table, JSON and exit codes."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest
from click.testing import CliRunner, Result

from live.expiry import listed
from live.expiry.model import Entry, Kind
from operations.cli import crossmesh

NOW = datetime.now(UTC)
GOOD = Entry(
    "eu",
    "eu-cp-1",
    "/etc/kubernetes/pki/apiserver.crt",
    subject="CN=kube-apiserver",
    issuer="CN=kubernetes",
    serial="ab",
    not_before=NOW - timedelta(days=165),
    not_after=NOW + timedelta(days=200, hours=1),
    renewed_by="kubeadm",
)
KEY = Entry("eu", "eu-cp-1", "/etc/kubernetes/pki/sa.pub", kind=Kind.KEY, fingerprint="0123456789abcdef")
SILENT = Entry("us", "us-cp-1", "", problem="no route to it", fix="mend it", seen=False)


def run(monkeypatch: pytest.MonkeyPatch, entries: list[Entry], *arguments: str) -> Result:
    monkeypatch.setattr(listed, "read", lambda stack: entries)
    return CliRunner().invoke(crossmesh, ["certificates", "--stack", "lab", *arguments])


def test_each_is_a_row_with_its_end_and_what_renews_it(monkeypatch: pytest.MonkeyPatch) -> None:
    done = run(monkeypatch, [GOOD, KEY])
    assert done.exit_code == 0
    words = " ".join(done.output.split())
    for word in (
        "eu, eu-cp-1",
        "CN=kube-apiserver",
        "200 days",
        "kubeadm",
        "no end",
        "0123456789abcdef",
        "ok",
    ):
        assert word in words


def test_what_does_not_answer_is_in_it_and_in_the_exit_code(monkeypatch: pytest.MonkeyPatch) -> None:
    done = run(monkeypatch, [GOOD, SILENT])
    assert done.exit_code == 11
    assert "not known" in done.output
    assert "us-cp-1: no route to it; fix: mend it" in done.output


def test_a_time_may_be_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    done = run(monkeypatch, [GOOD, KEY], "--within", "250", "--json")
    assert done.exit_code == 14
    first, second = json.loads(done.stdout)
    assert (first["state"], first["daysLeft"], first["renewedBy"]) == ("ends soon", 200, "kubeadm")
    assert (second["state"], second["notAfter"], second["kind"]) == ("ok", None, "key")
    assert run(monkeypatch, [], "--within", "0").exit_code == 2
