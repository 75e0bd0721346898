"""A restore: refused before anything is stopped, and killed at every step, on one host and on three."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from access import ssh
from access.errors import AccessError, IdentityMismatch, Unanswered
from access.programs import Executed
from report.errors import ConfigurationError, OperationsError
from runbooks import waiting
from runbooks.engine import RunFailedError
from runbooks.etcd import sealed, steps
from runbooks.etcd import site as sites
from runbooks.etcd.restore import RESTORE, Backup
from tests.unit.access import s3
from tests.unit.runbooks.directories import Kill, Site, abort, against, go, made, states

KEY = bytes(range(32))
RESTORED = "restored from a snapshot"
SCRIPTS = {1: 2 + 2 + 1 + 2, 3: 3 * (2 + 2 + 1 + 2)}
"""How many scripts change something, by the number of hosts."""
EVERYWHERE = [(hosts, number) for hosts in SCRIPTS for number in range(1, SCRIPTS[hosts] + 1)]
GONE_ON = [(hosts, number) for hosts, number in EVERYWHERE if hosts == 1 or number % 2]
TAKEN_BACK = [(hosts, number) for hosts, number in EVERYWHERE if hosts == 1 or not number % 2]


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waiting, "POLL", 0.01)
    monkeypatch.setattr(waiting, "SECONDS", 0.3)


def backup(root: Path, **changes: Any) -> Path:
    (root / "plain").write_bytes(b"a snapshot")
    head = {
        "region": "eu",
        "cluster": "uid",
        "etcd": "3.6.6",
        "taken": datetime.now(UTC).isoformat(timespec="seconds"),
        "revision": 9,
        "keys": 4,
        "bytes": 100,
        "envelope": {"secure": "…"},
    }
    sealed.seal(root / "plain", root / "eu.etcd", KEY, {**head, **changes})
    return root / "eu.etcd"


def site(root: Path, path: Path | None = None, hosts: int = 1, absent: int = 0) -> Site:
    where = path or backup(root)
    source = Backup(where, str(where), unwrap=lambda stack, envelope: KEY)
    return made(root, source, hosts, absent)


@pytest.mark.parametrize("hosts", [1, 3, 5])
def test_every_member_has_what_the_backup_has_and_the_old_data_stay(tmp_path: Path, hosts: int) -> None:
    found = site(tmp_path, hosts=hosts)
    assert against(RESTORE, found) == []
    go(RESTORE, found)
    assert states(found) == [(RESTORED, "live")] * hosts


def test_all_members_are_of_one_snapshot_and_know_each_other_from_the_first_day(tmp_path: Path) -> None:
    found = site(tmp_path, hosts=3)
    go(RESTORE, found)
    tools: Any = found.tools
    calls = [call for call in tools.calls if call[1] == "restore"]
    peers = ",".join(f"eu-cp-{number}=https://10.0.0.{number}:2380" for number in (1, 2, 3))
    for number, call in enumerate(calls, 1):
        options = dict(zip(call[3:-1:2], call[4:-1:2], strict=True))
        assert options == {
            "--data-dir": str(found.scratch / "data"),
            "--name": f"eu-cp-{number}",
            "--initial-cluster": peers,
            "--initial-advertise-peer-urls": f"https://10.0.0.{number}:2380",
            "--initial-cluster-token": "restored-a1",
            # Revisions begin where no client has been.
            "--bump-revision": "1000000000",
        }
        assert call[-1] == "--mark-compacted"
    assert len(calls) == 3
    assert list(found.scratch.iterdir()) == []


def test_the_address_of_the_api_may_pass_on_while_hosts_become_ready(tmp_path: Path) -> None:
    found = site(tmp_path, hosts=3, absent=1)
    api: Any = found.cluster
    api.moves = 3
    go(RESTORE, found)
    assert api.gone == {"/api/v1/nodes/eu-cp-3"}
    assert not api.moves


@pytest.mark.parametrize("hosts", SCRIPTS)
def test_the_count_of_scripts_is_that_of_a_run(tmp_path: Path, hosts: int) -> None:
    found = site(tmp_path, hosts=hosts)
    go(RESTORE, found)
    assert found.scripts == SCRIPTS[hosts]


@pytest.mark.parametrize(("hosts", "number"), GONE_ON)
def test_a_restore_that_was_killed_anywhere_goes_on(tmp_path: Path, hosts: int, number: int) -> None:
    found = site(tmp_path, hosts=hosts)
    found.kill_at = number
    with pytest.raises(Kill):
        go(RESTORE, found)
    again = site(tmp_path, _path(found), hosts)
    go(RESTORE, again)
    assert states(again) == [(RESTORED, "live")] * hosts


@pytest.mark.parametrize(("hosts", "number"), TAKEN_BACK)
def test_a_restore_that_was_killed_anywhere_is_taken_back(tmp_path: Path, hosts: int, number: int) -> None:
    found = site(tmp_path, hosts=hosts)
    found.kill_at = number
    with pytest.raises(Kill):
        go(RESTORE, found)
    again = site(tmp_path, _path(found), hosts)
    assert abort(RESTORE, again) == []
    assert states(again) == [("live", "")] * hosts


@pytest.mark.parametrize("number", range(1, 13, 3))
def test_taking_it_back_can_be_killed_too(tmp_path: Path, number: int) -> None:
    found = site(tmp_path, hosts=3)
    found.kill_at = SCRIPTS[3]
    with pytest.raises(Kill):
        go(RESTORE, found)
    killed = site(tmp_path, _path(found), 3)
    killed.kill_at = number
    with pytest.raises(Kill):
        abort(RESTORE, killed)
    again = site(tmp_path, _path(found), 3)
    abort(RESTORE, again)
    assert states(again) == [("live", "")] * 3


def _path(site: Site) -> Path:
    assert isinstance(site.source, Backup)
    return site.source.path


@pytest.mark.parametrize("hosts", [1, 3])
def test_a_store_that_does_not_serve_is_taken_back(tmp_path: Path, hosts: int) -> None:
    found = site(tmp_path, hosts=hosts)
    found.sick = True
    with pytest.raises(RunFailedError, match="was taken back"):
        go(RESTORE, found)
    assert states(found) == [("live", "")] * hosts


def test_what_did_not_serve_before_is_not_waited_for_when_all_is_as_it_was(tmp_path: Path) -> None:
    found = site(tmp_path)
    found.sick = found.blind = True
    with pytest.raises(RunFailedError, match="was taken back"):
        go(RESTORE, found)
    assert states(found) == [("live", "")]


def test_a_host_whose_disk_is_new_gets_its_data_like_the_others(tmp_path: Path) -> None:
    found = site(tmp_path, hosts=3)
    (tmp_path / "eu-cp-2" / "etcd" / "member" / "db").unlink()
    (tmp_path / "eu-cp-2" / "etcd" / "member").rmdir()
    go(RESTORE, found)
    assert states(found) == [(RESTORED, "live"), (RESTORED, ""), (RESTORED, "live")]


# -- Hosts


def answers(monkeypatch: pytest.MonkeyPatch, answer: AccessError | None) -> None:
    """How every host answers that is said to be lost."""

    def run(host: str, connection: Any, command: list[str]) -> Executed:
        if answer:
            raise answer
        return Executed(0, "", "")

    monkeypatch.setattr(ssh, "run", run)


def test_the_members_that_remain_are_those_of_the_hosts_that_are_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers(monkeypatch, Unanswered("no route"))
    found = site(tmp_path, hosts=3, absent=2)
    assert against(RESTORE, found) == []
    told: list[str] = []
    found.tell = told.append
    go(RESTORE, found)
    assert states(found) == [(RESTORED, "live")]
    tools: Any = found.tools
    assert "eu-cp-1=https://10.0.0.1:2380" in tools.calls[-1]
    assert any("CROSSMESH_LOST_HOSTS=eu-cp-3 pulumi up" in words for words in told)
    api: Any = found.cluster
    assert api.gone == {"/api/v1/nodes/eu-cp-2", "/api/v1/nodes/eu-cp-3"}


@pytest.mark.parametrize(
    ("answer", "blocked"),
    [
        (None, "eu-cp-3 answers ssh: it is not lost"),
        (Unanswered("no route"), ""),
        (IdentityMismatch("another key"), ""),
        (AccessError("no key"), "whether eu-cp-3 is lost cannot be said: no key"),
    ],
)
def test_a_host_that_is_left_out_must_not_answer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, answer: AccessError | None, blocked: str
) -> None:
    answers(monkeypatch, answer)
    found = site(tmp_path, hosts=3, absent=1)
    assert against(RESTORE, found) == ([blocked] if blocked else [])
    told = [problem.what for problem in RESTORE.preconditions(found) if not problem.blocks]
    assert any("eu-cp-3" in words for words in told) is not bool(blocked)
    assert "of 2 members of etcd all are needed until others join" in told


def test_a_host_that_does_not_answer_is_named_with_the_way_out(tmp_path: Path) -> None:
    found = site(tmp_path, hosts=3)
    found.silent = ("eu-cp-2",)
    (problem,) = [one for one in RESTORE.preconditions(found) if one.blocks]
    assert (problem.what, "without=eu-cp-2" in problem.fix) == ("eu-cp-2 does not answer", True)


def test_a_host_that_kubeadm_has_not_made_is_refused(tmp_path: Path) -> None:
    found = site(tmp_path, hosts=3)
    (tmp_path / "eu-cp-3" / "manifests" / "etcd.yaml").unlink()
    assert against(RESTORE, found) == ["eu-cp-3 is no control plane: kubeadm's manifests are not there"]


def test_a_disk_that_is_too_full_is_refused_before_anything_is_stopped(tmp_path: Path) -> None:
    (found,) = against(RESTORE, site(tmp_path, backup(tmp_path, bytes=1 << 50)))
    assert found.startswith("/var/lib/etcd of eu-cp-1 has ")
    assert found.endswith(f" MiB left and needs {1 << 31}")


@pytest.mark.parametrize(
    ("given", "words"), [("eu-cp-9", "no such host"), ("eu-cp-1,eu-cp-2", "leaves no host")]
)
def test_hosts_to_be_left_out_are_of_the_control_plane_and_not_all_of_it(given: str, words: str) -> None:
    with pytest.raises(ConfigurationError, match=words):
        sites._absent(given, ["eu-cp-1", "eu-cp-2"])
    assert sites._absent("", ["eu-cp-1"]) == set()
    assert sites._absent("eu-cp-2", ["eu-cp-1", "eu-cp-2"]) == {"eu-cp-2"}


def test_what_kubelet_leaves_is_asked_to_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(steps, "_PATIENCE", 0.0)
    found, asked = site(tmp_path), []

    def on_host(host: str, script: str, *, timeout: float = 60.0) -> str:
        if "pkill" in script:
            asked.append(script)
        return "runs:etcd\n" if not asked else ""

    monkeypatch.setattr(found, "on_host", on_host)
    ending = steps._Ending(found, "etcd")
    assert (ending(), ending()) == ("it runs on eu-cp-1", "")
    assert len(asked) == 1 and "pkill -TERM -f '^([^ ]*/)?etcd .*=/etc/kubernetes/'" in asked[0]


# -- The backup


ENCRYPTION = """resources:
  - resources: [secrets]
    providers:
      - secretbox:
          keys:
            - {name: key-2, secret: c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0MTI=}
            - {name: key-1, secret: c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0MTI=}
      - identity: {}
"""


@pytest.mark.parametrize(("wanted", "lacking"), [(["key-1"], ""), ([], ""), (["key-1", "key-3"], "key-3")])
def test_a_backup_whose_secrets_nobody_here_could_read_is_refused(
    tmp_path: Path, wanted: list[str], lacking: str
) -> None:
    found = site(tmp_path, backup(tmp_path, keys_of_secrets=wanted), 3)
    for host in found.hosts:
        (tmp_path / host / "crossmesh").mkdir()
        (tmp_path / host / "crossmesh" / "encryption-0a.yaml").write_text(ENCRYPTION)
    said = against(RESTORE, found)
    assert [what.split(" and ")[0] for what in said] == (
        [f"Secrets in the backup are encrypted by {lacking},"] * 3 if lacking else []
    )
    assert not any("c2Vj" in what for what in said)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"cluster": "another"}, "is of another cluster"),
        ({"region": "us"}, "is of another cluster"),
        ({"etcd": "3.5.21"}, "was written by etcd 3.5.21, and the cluster has 3.6.6"),
        ({"etcd": "3.7.0"}, "an older etcd does not start on it"),
        ({"keys": 5}, "has 4 keys at revision 9, and its head says 5 at 9"),
        ({"revision": 8}, "and its head says 4 at 8"),
    ],
)
def test_a_backup_that_does_not_fit_is_refused_with_its_reason(
    tmp_path: Path, changes: dict[str, Any], words: str
) -> None:
    (found,) = against(RESTORE, site(tmp_path, backup(tmp_path, **changes), 3))
    assert words in found


def test_a_byte_that_was_changed_is_refused(tmp_path: Path) -> None:
    path = backup(tmp_path)
    whole = bytearray(path.read_bytes())
    whole[-1] ^= 1
    path.write_bytes(whole)
    (found,) = against(RESTORE, site(tmp_path, path))
    assert "was changed or cut off" in found
    path.write_bytes(b"")
    with pytest.raises(OperationsError, match="is no backup of this kind"):
        against(RESTORE, site(tmp_path, path))


def test_a_backup_in_a_bucket_is_brought_into_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = site(tmp_path)

    @contextmanager
    def opened(stack: str, values: Mapping[str, str], source: Backup) -> Iterator[Site]:
        found.source = source
        yield found

    monkeypatch.setattr(sites, "opened", opened)
    with s3.serving() as server:
        for name, value in server.environment.items():
            monkeypatch.setenv(name, value)
        server.objects["etcd/lab/eu-1.etcd"] = backup(tmp_path).read_bytes()
        place = f"s3://{s3.BUCKET}/etcd/lab/eu-1.etcd"
        with RESTORE.opened("lab", {"region": "eu", "backup": place}):
            source = found.source
            assert isinstance(source, Backup)
            assert (source.path.parent, source.place) == (found.scratch, place)
            found.source = replace(source, unwrap=lambda stack, envelope: KEY)
            assert against(RESTORE, found) == []
        with pytest.raises(AccessError, match="cannot be read"):
            RESTORE.opened("lab", {"region": "eu", "backup": f"{place}.other"}).__enter__()
    with pytest.raises(ConfigurationError, match="there is no backup /nowhere"):
        RESTORE.opened("lab", {"region": "eu", "backup": "/nowhere"}).__enter__()


def test_how_old_it_is_is_told(tmp_path: Path) -> None:
    taken = (datetime.now(UTC) - timedelta(days=9)).isoformat(timespec="seconds")
    (problem,) = RESTORE.preconditions(site(tmp_path, backup(tmp_path, taken=taken)))
    assert (problem.blocks, problem.what) == (False, "the backup is 9 days old: what came later is lost")
