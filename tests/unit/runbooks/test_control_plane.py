"""Which host of a control plane is asked, where there are several."""

from __future__ import annotations

import pytest

from access import ssh
from access.errors import AccessError, Unanswered
from access.programs import Executed
from access.ssh import Connection
from report.errors import OperationsError
from runbooks.control_plane import serving

WAY = Connection("192.0.2.11", "root", "", "/known_hosts")
HOSTS = [(f"eu-cp-{number}", WAY) for number in (1, 2, 3)]


def answers(monkeypatch: pytest.MonkeyPatch, **codes: int | None) -> None:
    """How `pgrep` ends on each host; None for one that does not answer."""

    def run(host: str, connection: Connection, command: list[str]) -> Executed:
        code = codes[host.replace("-", "_")]
        if code is None:
            raise Unanswered(f"{host} does not answer")
        return Executed(code, "", "")

    monkeypatch.setattr(ssh, "run", run)


def test_the_only_host_is_asked_nothing_before(monkeypatch: pytest.MonkeyPatch) -> None:
    answers(monkeypatch)
    assert serving(HOSTS[:1])[0] == "eu-cp-1"


def test_of_several_the_first_on_which_etcd_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    answers(monkeypatch, eu_cp_1=None, eu_cp_2=1, eu_cp_3=0)
    assert serving(HOSTS)[0] == "eu-cp-3"


def test_where_there_is_none_the_first_reason_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    answers(monkeypatch, eu_cp_1=None, eu_cp_2=1, eu_cp_3=1)
    with pytest.raises(AccessError, match="eu-cp-1 does not answer"):
        serving(HOSTS)
    answers(monkeypatch, eu_cp_1=1, eu_cp_2=1, eu_cp_3=1)
    with pytest.raises(OperationsError, match="eu-cp-1: etcd does not run"):
        serving(HOSTS)
