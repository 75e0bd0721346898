"""A restore: refused before anything is stopped, and killed at every step."""

from __future__ import annotations

import json
import shutil
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from access.errors import Unanswered
from report.errors import OperationsError
from runbooks import journal as journals
from runbooks import waiting
from runbooks.engine import RunFailedError, Runner
from runbooks.etcd import encryption, restore, sealed
from runbooks.etcd.restore import RESTORE, RestoreSite
from runbooks.history import unfinished

KEY = bytes(range(32))
MANIFEST = """spec:
  containers:
  - command:
    - etcd
    - --initial-advertise-peer-urls=https://10.0.0.1:2380
    - --name=eu-cp-1
"""


class Kill(BaseException):
    """Stands for `kill -9`."""


class FakeTools:
    """etcdutl, which knows what one snapshot holds."""

    version = "3.6.6"

    def __init__(self) -> None:
        self.calls: list[tuple[str, ...]] = []
        self.keys = 4

    def utility(self, *arguments: str) -> str:
        self.calls.append(arguments)
        if arguments[1] == "status":
            return json.dumps({"revision": 9, "totalKey": self.keys})
        member = Path(arguments[arguments.index("--data-dir") + 1]) / "member"
        member.mkdir(parents=True)
        (member / "db").write_text("restored")
        return ""


class Api:
    """The API server of the cluster: it serves what the host's manifests and data let it."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.sick = False

    def answer(self, method: str, path: str) -> tuple[int, str]:
        runs = (self.root / "manifests" / "kube-apiserver.yaml").exists()
        if not runs or (self.sick and (self.root / "etcd" / "member" / "db").read_text() == "restored"):
            raise Unanswered("the server does not answer")
        return 200, "ok"

    def get(self, path: str) -> dict[str, Any]:
        return {"metadata": {"uid": "uid"}}


class Site(RestoreSite):
    """A host that is a directory here, and is killed at the script of a number."""

    scripts = 0
    kill_at = 0

    def on_host(self, script: str, *, timeout: float = 60.0) -> str:
        done = subprocess.run(["sh", "-euc", script], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        changing = any(word in script for word in ("mv ", "mkdir", "rm -rf"))
        self.scripts += changing
        if changing and self.kill_at == self.scripts:
            raise Kill
        return done.stdout


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The host."""
    (tmp_path / "etcd" / "member").mkdir(parents=True)
    (tmp_path / "etcd" / "member" / "db").write_text("live")
    (tmp_path / "manifests").mkdir()
    (tmp_path / "manifests" / "etcd.yaml").write_text(MANIFEST)
    (tmp_path / "manifests" / "kube-apiserver.yaml").write_text("…")
    monkeypatch.setattr(restore, "_DATA", str(tmp_path / "etcd"))
    monkeypatch.setattr(restore, "_MANIFESTS", str(tmp_path / "manifests"))
    monkeypatch.setattr(restore, "_APART", str(tmp_path))
    monkeypatch.setattr(restore, "_RUNNING", "true")
    monkeypatch.setattr(waiting, "POLL", 0.01)
    monkeypatch.setattr(waiting, "SECONDS", 0.3)

    def send(site: RestoreSite, source: Path, target: str) -> None:
        shutil.copytree(source, target, dirs_exist_ok=True)

    monkeypatch.setattr(restore, "_send", send)
    return tmp_path


def backup(root: Path, **changes: Any) -> Path:
    (root / "plain").write_bytes(b"a snapshot")
    head = {
        "region": "eu",
        "cluster": "uid",
        "etcd": "3.6.6",
        "taken": datetime.now(UTC).isoformat(timespec="seconds"),
        "revision": 9,
        "keys": 4,
        "envelope": {"secure": "…"},
    }
    sealed.seal(root / "plain", root / "eu.etcd", KEY, {**head, **changes})
    return root / "eu.etcd"


def site(root: Path, path: Path | None = None, hosts: int = 1) -> Site:
    (root / "scratch").mkdir(exist_ok=True)
    stack: Any = SimpleNamespace(name="lab")
    tools: Any = FakeTools()
    api: Any = Api(root)
    where = path or backup(root)
    none: Any = None
    made = Site(stack, "eu", "eu-cp-1", none, hosts, "uid", tools, root / "scratch", where, api)
    made.unwrap = lambda stack, envelope: KEY
    return made


def go(root: Path, made: Site) -> None:
    made.run = "a1"
    with journals.opened(root / "journal") as journal:
        past = unfinished(journal.entries)
        runner = Runner(RESTORE, made, journal, lambda text: None)
        if past:
            runner.resume(past)
        else:
            runner.begin("a1", {}, "eu")


def content(root: Path, name: str = "etcd") -> str:
    return (root / name / "member" / "db").read_text()


def problems(made: Site) -> list[str]:
    return [problem.what for problem in RESTORE.preconditions(made) if problem.blocks]


def test_the_store_is_that_of_the_backup_and_the_old_one_stays(root: Path) -> None:
    made = site(root)
    assert problems(made) == []
    go(root, made)
    assert (content(root), content(root, "etcd.before-a1")) == ("restored", "live")
    assert not (root / "etcd.restored-a1").exists()
    assert (root / "manifests" / "etcd.yaml").read_text() == MANIFEST


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
    root: Path, monkeypatch: pytest.MonkeyPatch, wanted: list[str], lacking: str
) -> None:
    (root / "encryption-0a.yaml").write_text(ENCRYPTION)
    script = encryption.SCRIPT.replace("/etc/kubernetes/crossmesh", str(root))
    monkeypatch.setattr(encryption, "SCRIPT", script)
    said = [what for what in problems(site(root, backup(root, keys_of_secrets=wanted))) if "Secrets" in what]
    assert [what.split(" and ")[0] for what in said] == (
        [f"Secrets in the backup are encrypted by {lacking},"] if lacking else []
    )
    assert not any("c2Vj" in what for what in said)


def test_revisions_begin_where_no_client_has_been(root: Path) -> None:
    made = site(root)
    go(root, made)
    tools: Any = made.tools
    (called,) = [call for call in tools.calls if call[1] == "restore"]
    assert called[-3:] == ("--bump-revision", "1000000000", "--mark-compacted")
    assert called[5:9] == ("--name", "eu-cp-1", "--initial-cluster", "eu-cp-1=https://10.0.0.1:2380")


@pytest.mark.parametrize("number", range(1, 9))
def test_a_restore_that_was_killed_anywhere_goes_on(root: Path, number: int) -> None:
    made = site(root)
    made.kill_at = number
    try:
        go(root, made)
    except Kill:
        go(root, site(root, made.backup))
    assert (content(root), content(root, "etcd.before-a1")) == ("restored", "live")
    assert (root / "manifests" / "kube-apiserver.yaml").exists()


@pytest.mark.parametrize("number", range(1, 7))
def test_a_restore_that_was_killed_anywhere_can_be_taken_back(root: Path, number: int) -> None:
    made = site(root)
    made.kill_at = number
    try:
        go(root, made)
    except Kill:
        again = site(root, made.backup)
        again.run = "a1"
        with journals.opened(root / "journal") as journal:
            past = unfinished(journal.entries)
            assert past is not None
            assert Runner(RESTORE, again, journal, lambda text: None).abort(past) == []
        assert content(root) == "live"
        assert (root / "manifests" / "kube-apiserver.yaml").exists()
        assert not (root / "etcd.restored-a1").exists()


def test_a_store_that_does_not_serve_is_taken_back(root: Path) -> None:
    made = site(root)
    api: Any = made.cluster
    api.sick = True
    with pytest.raises(RunFailedError, match="was taken back"):
        go(root, made)
    assert content(root) == "live"
    assert (root / "manifests" / "kube-apiserver.yaml").exists()


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
    root: Path, changes: dict[str, Any], words: str
) -> None:
    (found,) = problems(site(root, backup(root, **changes)))
    assert words in found


def test_a_byte_that_was_changed_is_refused(root: Path) -> None:
    path = backup(root)
    whole = bytearray(path.read_bytes())
    whole[-1] ^= 1
    path.write_bytes(whole)
    (found,) = problems(site(root, path))
    assert "was changed or cut off" in found
    path.write_bytes(b"")
    with pytest.raises(OperationsError, match="is no backup of this kind"):
        problems(site(root, path))


def test_a_control_plane_of_several_hosts_is_refused(root: Path) -> None:
    (found,) = problems(site(root, hosts=3))
    assert "has 3 hosts" in found


def test_how_old_it_is_is_told(root: Path) -> None:
    taken = (datetime.now(UTC) - timedelta(days=9)).isoformat(timespec="seconds")
    (problem,) = RESTORE.preconditions(site(root, backup(root, taken=taken)))
    assert (problem.blocks, problem.what) == (False, "the backup is 9 days old: what came later is lost")
