"""The database of countries, looked at on edge hosts before `up` changes any, and by the doctor."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from playbooks.inventory import host_plans
from playbooks.preflight import country_database
from playbooks.preflight.checks import judge, name_of
from playbooks.preflight.country_database import database, readable, value
from playbooks.preflight.expected import Expected, database_program, order, program
from playbooks.work.machines import PREPARE
from report.model import Severity
from stacks.ledger import Ledger
from stacks.model import Environment
from tests.unit.playbooks import mmdb
from tests.unit.playbooks.conftest import ARMOURED
from tests.unit.playbooks.preflight.test_checks import GOOD, VARIABLES

NOW = 1_700_000_000
PATH = "/var/lib/GeoIP/countries.mmdb"


def written(path: Path, **more: Any) -> Path:
    path.write_bytes(mmdb.database({"198.51.100.0/24": ("EU", "DE")}, built=NOW, **more))
    return path


def said(found: dict[str, Any], now: float = NOW) -> list[tuple[Severity, str, str]]:
    """What the preflight of an edge host says of it."""
    facts = {**GOOD, "clock": {**GOOD["clock"], "now": now}, "database": found}
    findings = judge("eu-edge-1", facts, Expected("edge", VARIABLES, "192.0.2.7", database=PATH))
    return [
        (one.severity, one.message, one.fix) for one in findings if name_of(one) == "database" and one.message
    ]


def test_a_database_says_what_it_is(tmp_path: Path) -> None:
    path = str(written(tmp_path / "countries.mmdb"))
    found = database(path)
    assert {**found, "readable": True} == {
        "path": path,
        "error": "",
        "type": "Test-Country",
        "built": NOW,
        "form": 2,
        "readable": True,
    }
    assert said({**found, "readable": True}) == []


def test_one_that_is_missing_broken_or_cut_off_is_refused_with_what_to_do(tmp_path: Path) -> None:
    assert database(str(tmp_path / "none"))["error"] == "No such file or directory"
    other = tmp_path / "other"
    other.write_bytes(b"no database")
    assert database(str(other))["error"] == "it is no database in MaxMind's format"
    cut = written(tmp_path / "cut")
    cut.write_bytes(cut.read_bytes()[:-20])
    assert "broken, or cut off" in database(str(cut))["error"]
    ((severity, words, fix),) = said(database(str(tmp_path / "none")))
    assert severity is Severity.ERROR
    assert "cannot be used: No such file or directory; gdnsd does not start" in words
    assert "geoipupdate" in fix and "accept" not in fix, "nobody may overrule it: gdnsd does not"


@given(st.binary(max_size=200))
def test_whatever_is_behind_the_mark_is_read_or_refused(tail: bytes) -> None:
    with contextlib.suppress(LookupError, TypeError, ValueError, RecursionError):
        value(tail, 0)


def test_one_that_gdnsd_may_not_read_or_knows_no_form_of_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Nobody is called so here: the file's mode for others counts, and that of each directory above it.
    monkeypatch.setattr(country_database, "READER", "nobody-is-called-so")
    path = written(tmp_path / "countries.mmdb")
    for mode, may in ((0o640, 0), (0o644, 4)):
        path.chmod(mode)
        assert country_database._may(str(path), 4, (-1, set())) is bool(may)
    tmp_path.chmod(0o700)
    assert not readable(str(path))
    assert country_database._may(str(path), 4, (os.getuid(), set()))
    found = database(str(path))
    ((severity, words, fix),) = said(found)
    assert severity is Severity.ERROR and "the user gdnsd, who may not read" in words and "chmod o+r" in fix
    ((_, words, _),) = said({**found, "readable": True, "form": 3})
    assert "has version 3 of MaxMind's format" in words


def test_one_that_is_old_or_knows_no_countries_is_warned_of(tmp_path: Path) -> None:
    found = {**database(str(written(tmp_path / "asn.mmdb", kind="GeoLite2-ASN"))), "readable": True}
    kind, age = said(found, NOW + 31 * 86400)
    assert kind[0] is age[0] is Severity.WARNING
    assert "'GeoLite2-ASN': one that knows no countries" in kind[1]
    assert "was built 31 days ago" in age[1]
    assert len(said(found, NOW + 29 * 86400)) == 1


def test_edge_hosts_alone_are_asked_for_it_and_only_where_it_is_declared(
    declaration: dict[str, Any], ledger: Ledger
) -> None:
    def asked(host: str) -> Any:
        plan = host_plans(Environment.model_validate(declaration), ledger)[host]
        variables = {**plan.variables[PREPARE], "base_apt_keys": {}}
        keys = {source["name"]: ARMOURED for source in declaration["sources"]["apt"]}
        expected = Expected.of(plan.preflight, {**variables, "base_apt_keys": keys})
        return order(expected).get("database")

    assert asked("eu-edge-1") is None
    declaration["globalLoadBalancer"]["geoipDatabase"] = PATH
    assert asked("eu-edge-1") == PATH
    assert asked("eu-worker-1") is None


def test_the_programs_that_look_run_by_themselves(tmp_path: Path) -> None:
    path = str(written(tmp_path / "countries.mmdb"))
    for source in (program({"database": path}), database_program(path)):
        done = subprocess.run(
            [sys.executable, "-I", "-S", "-"], input=source, capture_output=True, check=True
        )
        answer = json.loads(done.stdout.splitlines()[-1])
        assert (answer.get("database") or answer)["built"] == NOW
