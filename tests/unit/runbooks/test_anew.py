"""A control plane on new machines: it begins from a backup, and never from nothing."""

from __future__ import annotations

import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from access.errors import AccessError, Unanswered
from runbooks.etcd.anew import ANEW
from tests.unit.runbooks.directories import Kill, Site, abort, against, go
from tests.unit.runbooks.test_restore import RESTORED, backup
from tests.unit.runbooks.test_restore import site as with_backup

SENIOR = "eu-cp-2"
"""The one that has had its slice of the ledger for longest."""


class Api:
    """What answers at the address of the API."""

    answered: AccessError | None = Unanswered("nobody")

    def answer(self, method: str, path: str) -> tuple[int, str]:
        if self.answered:
            raise self.answered
        return 200, "ok"


def site(root: Path, path: Path | None = None, virtual: str | None = "10.0.0.100") -> Site:
    """Three new machines, on which nothing is."""
    is_first = not (root / "eu-cp-1").exists()
    found = with_backup(root, path, 3)
    if is_first:
        for host in found.hosts:
            shutil.rmtree(root / host / "etcd")
            shutil.rmtree(root / host / "manifests")
    hosts = {f"eu-cp-{number}": SimpleNamespace(address=f"10.0.0.{number}") for number in (1, 2, 3)}
    region = SimpleNamespace(
        hosts=hosts,
        cluster=SimpleNamespace(kind="bareMetal", api_server_address=virtual, encryption_keys=(1,)),
    )
    slices = {"eu-cp-1": 3, SENIOR: 1, "eu-cp-3": 2}
    stack: Any = SimpleNamespace(
        name="lab",
        environment=SimpleNamespace(regions={"eu": region}),
        ledger=SimpleNamespace(nodes={"eu": slices}),
    )
    api: Any = Api()
    found.stack, found.cluster, found.kept_keys = stack, api, {1: "key-1"}
    return found


def laid(site: Site) -> dict[str, str]:
    """What lies ready on hosts."""
    files = {host: site.root / host / "apart" / "etcd-restored" / "member" / "db" for host in site.hosts}
    return {host: file.read_text() for host, file in files.items() if file.exists()}


def test_the_data_lie_ready_where_the_control_plane_is_made(tmp_path: Path) -> None:
    found = site(tmp_path)
    assert against(ANEW, found) == []
    go(ANEW, found)
    assert laid(found) == {SENIOR: RESTORED}
    tools: Any = found.tools
    (call,) = [call for call in tools.calls if call[1] == "restore" and SENIOR in call]
    assert call[5:11] == (
        *("--name", SENIOR, "--initial-cluster", f"{SENIOR}=https://10.0.0.2:2380"),
        *("--initial-advertise-peer-urls", "https://10.0.0.2:2380"),
    )
    assert call[-3:] == ("--bump-revision", "1000000000", "--mark-compacted")
    assert list(found.scratch.iterdir()) == []


@pytest.mark.parametrize("number", [1, 2])
def test_killed_anywhere_it_goes_on_or_is_taken_back(tmp_path: Path, number: int) -> None:
    for take_back in (False, True):
        root = tmp_path / str(take_back)
        root.mkdir()
        found = site(root)
        found.kill_at = number
        with pytest.raises(Kill):
            go(ANEW, found)
        again = site(root, root / "eu.etcd")
        if take_back:
            abort(ANEW, again)
            assert laid(again) == {}
            assert not list((root / SENIOR / "apart").iterdir())
        else:
            go(ANEW, again)
            assert laid(again) == {SENIOR: RESTORED}


@pytest.mark.parametrize("there", ["manifests/etcd.yaml", "manifests/kube-apiserver.yaml", "etcd/member/db"])
def test_a_control_plane_that_is_there_is_not_made_anew(tmp_path: Path, there: str) -> None:
    found = site(tmp_path)
    (tmp_path / "eu-cp-3" / there).parent.mkdir(parents=True)
    (tmp_path / "eu-cp-3" / there).touch()
    assert against(ANEW, found) == ["eu-cp-3 has a control plane, or etcd's data"]


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (None, "the API of eu answers"),
        (AccessError("401"), "somebody answers at the address of the API of eu: 401"),
    ],
)
def test_an_api_that_answers_is_left_alone(tmp_path: Path, answer: AccessError | None, words: str) -> None:
    found = site(tmp_path)
    api: Any = found.cluster
    api.answered = answer
    assert against(ANEW, found) == [words]


def test_a_host_that_does_not_answer_is_named(tmp_path: Path) -> None:
    found = site(tmp_path)
    found.silent = ("eu-cp-1",)
    assert against(ANEW, found) == ["eu-cp-1 does not answer"]


def test_keys_that_no_host_would_get_are_named(tmp_path: Path) -> None:
    (said,) = against(ANEW, site(tmp_path, backup(tmp_path, keys_of_secrets=["key-1", "key-2"])))
    assert said == "Secrets in the backup are encrypted by key-2, which no host would get"


def test_a_backup_of_another_cluster_is_refused(tmp_path: Path) -> None:
    (said,) = against(ANEW, site(tmp_path, backup(tmp_path, cluster="another")))
    assert "is of another cluster" in said


def test_what_is_lost_with_the_only_machine_is_told(tmp_path: Path) -> None:
    (told,) = ANEW.preconditions(site(tmp_path, virtual=None))
    assert (told.blocks, "tokens of service accounts" in told.what) == (False, True)
