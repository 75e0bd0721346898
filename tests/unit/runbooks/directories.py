"""A control plane whose hosts are directories here: their scripts run, and kubelet, etcd and the API server
are what the files there let them be."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from access.errors import Unanswered
from runbooks import journal as journals
from runbooks.engine import Runner
from runbooks.etcd.site import RestoreSite, Source
from runbooks.history import unfinished
from runbooks.model import Runbook

MANIFEST = """spec:
  containers:
  - command:
    - etcd
    - --initial-advertise-peer-urls=https://10.0.0.{number}:2380
    - --name={name}
"""
_PROGRAMS = """
pgrep() {{
  case "$*" in
    *kubelet*) true;;
    *) for file in {manifests}/*.yaml; do
         if [ -e "$file" ]; then file=${{file##*/}}; echo "1 ${{file%.yaml}}"; fi
       done;;
  esac
}}
pkill() {{ true; }}
"""
_PATHS = {
    "/var/lib/etcd": "etcd",
    "/etc/kubernetes/manifests": "manifests",
    "/etc/kubernetes/crossmesh": "crossmesh",
    "/var/lib/crossmesh": "apart",
}
"""Paths of hosts, and where they are below the directory of each."""
_CHANGES = ("mv ", "mkdir", "rm -rf")


class Kill(BaseException):
    """Stands for `kill -9`."""


class FakeTools:
    """etcdutl, which knows what one snapshot holds, and an etcd aside."""

    version = "3.6.6"

    def __init__(self) -> None:
        self.calls: list[tuple[str, ...]] = []
        self.keys = 4
        self.asides: list[tuple[str, ...]] = []

    def utility(self, *arguments: str) -> str:
        self.calls.append(arguments)
        if arguments[1] == "status":
            text = Path(arguments[2]).read_text()
            return f'{{"revision": {text.partition("=")[2] or 9}, "totalKey": {self.keys}}}'
        member = Path(arguments[arguments.index("--data-dir") + 1]) / "member"
        member.mkdir(parents=True)
        (member / "db").write_text(f"restored from {Path(arguments[2]).read_text()}")
        return ""

    @contextmanager
    def aside(self, directory: Path, *more: str) -> Any:
        self.asides.append(more)
        held = (directory / "data" / "member" / "db").read_text()

        def ask(*arguments: str) -> str:
            Path(arguments[2]).write_text(held)
            return ""

        yield ask


class Api:
    """The cluster's API, at whichever host serves it."""

    def __init__(self) -> None:
        self.gone: set[str] = set()
        """Paths of what was deleted."""
        self.ready = False
        """Whether an API server answers that is not looked at otherwise."""
        self.serves: Callable[[], bool] = lambda: False
        """Whether one does that is looked at."""
        self.moves = 0
        """So many more questions are lost, since the address passes on to another host."""

    def answer(self, method: str, path: str) -> tuple[int, str]:
        if not (self.ready or self.serves()):
            raise Unanswered("nobody answers")
        self._reach()
        return 200, "ok"

    def _reach(self) -> None:
        if self.moves:
            self.moves -= 1
            raise Unanswered("the address is on its way")

    def get(self, path: str) -> dict[str, Any] | None:
        self._reach()
        return None if path in self.gone else {"metadata": {"uid": "uid"}}

    def delete(self, path: str) -> None:
        self._reach()
        self.gone.add(path)


class Site(RestoreSite):
    """A run may be killed at the script of a number; hosts may be silent."""

    root: Path
    scripts = 0
    kill_at = 0
    sick = False
    """Whether an API server does not serve from what was restored."""
    silent: Sequence[str] = ()
    blind = False
    """Whether no API server serves from what was there before."""

    def on_host(self, host: str, script: str, *, timeout: float = 60.0) -> str:
        if host in self.silent:
            raise Unanswered(f"{host} does not answer")
        own = self.root / host
        changing = any(word in script for word in _CHANGES)
        whole = _PROGRAMS.format(manifests=own / "manifests") + self._own(host, script)
        done = subprocess.run(["sh", "-euc", whole], capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{whole}\n{done.stderr}"
        self.one_store()
        self.scripts += changing
        if changing and self.kill_at == self.scripts:
            raise Kill
        return done.stdout

    def one_store(self) -> None:
        """No etcd may run on other data than those of the others."""
        running = {self.content(host)[:8] for host in self.hosts if self.runs(host, "etcd")} - {""}
        assert len({content == "restored" for content in running}) <= 1, running

    def runs(self, host: str, program: str) -> bool:
        return (self.root / host / "manifests" / f"{program}.yaml").exists()

    def content(self, host: str, part: str = "") -> str:
        """What is in a host's data, or in a part that lies beside them."""
        file = self.root / host / "etcd" / part / "member" / "db"
        return file.read_text() if file.exists() else ""

    def served(self, host: str) -> dict[str, Any]:
        if host in self.silent:
            raise Unanswered(f"{host} does not answer")
        there = [one for one in (*self.hosts, *self.absent) if one not in self.silent]
        running = [one for one in there if self.runs(one, "etcd") and self.content(one)]
        restored = self.content(host).startswith("restored")
        members = len(self.hosts) if restored else len(self.hosts) + len(self.absent)
        serves = host in running and len([one for one in running if one in self.hosts]) > members // 2
        well = serves and self.runs(host, "kube-apiserver")
        well = well and not (self.sick if restored else self.blind)
        return {
            "etcd": {"status": 200 if serves else 503, "why": "" if serves else "no leader"},
            "kube-apiserver": {"status": 200 if well else 0, "why": "" if well else "nobody answers"},
        }

    def answers(self) -> bool:
        """Whether the API server of some host does."""
        heard = [host for host in self.hosts if host not in self.silent]
        return any(self.served(host)["kube-apiserver"]["status"] == 200 for host in heard)

    def send(self, host: str, source: Path, target: str) -> None:
        shutil.copytree(source, self._own(host, target), dirs_exist_ok=True)

    def receive(self, host: str, source: str, target: Path) -> None:
        assert not self.runs(host, "etcd"), "files of an etcd that runs are not whole"
        shutil.copytree(self._own(host, source), target, dirs_exist_ok=True)

    def _own(self, host: str, text: str) -> str:
        for path, to in _PATHS.items():
            text = text.replace(path, str(self.root / host / to))
        return text


def made(root: Path, source: Source, hosts: int = 1, absent: int = 0) -> Site:
    """A site of hosts, the last of which are lost; their directories come into being with the first one."""
    names = [f"eu-cp-{number}" for number in range(1, hosts + 1)]
    (root / "scratch").mkdir(exist_ok=True)
    for number, name in enumerate(names, 1):
        own = root / name
        if own.exists():
            continue
        (own / "etcd" / "member").mkdir(parents=True)
        (own / "etcd" / "member" / "db").write_text("live")
        (own / "manifests").mkdir()
        (own / "manifests" / "etcd.yaml").write_text(MANIFEST.format(number=number, name=name))
        (own / "manifests" / "kube-apiserver.yaml").write_text("…")
    stack: Any = SimpleNamespace(name="lab")
    tools: Any = FakeTools()
    api: Any = Api()
    there: dict[str, Any] = dict.fromkeys(names[: hosts - absent])
    lost: dict[str, Any] = dict.fromkeys(names[hosts - absent :])
    found = Site(stack, "eu", there, lost, "uid", tools, root / "scratch", source, api)
    found.root = root
    api.serves = found.answers
    return found


def go(book: Runbook[Any], site: Site) -> None:
    """Run it, or go on with it where it was killed."""
    site.run = "a1"
    with journals.opened(site.root / "journal") as journal:
        past = unfinished(journal.entries)
        runner = Runner(book, site, journal, lambda text: None)
        if past:
            runner.resume(past)
        else:
            runner.begin("a1", {}, "eu")


def abort(book: Runbook[Any], site: Site) -> list[str]:
    """Take it back; what stays."""
    site.run = "a1"
    with journals.opened(site.root / "journal") as journal:
        past = unfinished(journal.entries)
        assert past is not None
        return Runner(book, site, journal, lambda text: None).abort(past)


def against(book: Runbook[Any], site: Site) -> list[str]:
    """What blocks it."""
    return [problem.what for problem in book.preconditions(site) if problem.blocks]


def states(site: Site) -> list[tuple[str, str]]:
    """What each host's data hold, and those of before; what is half done is told too."""
    found = []
    for host in site.hosts:
        for program in ("etcd", "kube-apiserver"):
            assert site.runs(host, program), f"{program} does not run on {host}"
        assert not (site.root / host / "etcd" / "restored-a1").exists()
        assert not (site.root / host / "etcd" / "restored-a1.new").exists()
        # The mark by which the host's play knows that its store has the objects of another time.
        aside = site.root / host / "etcd" / "before-a1"
        assert (aside / "exchanged").exists() == aside.is_dir()
        found.append((site.content(host), site.content(host, "before-a1")))
    return found
