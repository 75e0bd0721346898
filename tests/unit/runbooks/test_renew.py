"""A renewal of certificates: on hosts that are directories, by the script of hosts, killed at each step."""

from __future__ import annotations

import json
import os
import shutil
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from access.errors import Unanswered
from live.expiry import host_script as reading
from live.expiry import machines
from report.errors import CancelledError, ConfigurationError, OperationsError
from runbooks import journal as journals
from runbooks import waiting
from runbooks.certificates import host_script
from runbooks.certificates import site as sites
from runbooks.certificates.renew import RENEW
from runbooks.certificates.site import RenewSite
from runbooks.engine import RunFailedError, Runner
from runbooks.history import runs, unfinished
from runbooks.journal import Outcome
from tests.unit.live.expiry.support import CA, ETCD, kubeconfig, public, write
from tests.unit.operations.support import Issued, issue

HOST, WORKER = "eu-cp-1", "eu-worker-1"
PROGRAMS = ("etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler")
LOCK = threading.Lock()
LEAVES = {
    "/etc/kubernetes/pki/apiserver": CA,
    "/etc/kubernetes/pki/apiserver-kubelet-client": CA,
    "/etc/kubernetes/pki/etcd/server": ETCD,
}
CONFIG = "kind: ClusterConfiguration\nencryptionAlgorithm: ECDSA-P256\n"
CHANGING = ("keep", "renew", "put back", "end", "kubelet", "forget")
KUBEADM = """\
#!/bin/sh
set -e
case "$1 $2" in
"certs renew")
    grep -q ECDSA "$5" 2>/dev/null || grep -q ECDSA
    if [ -e "$FAKE_ROOT/half" ]; then
        : >"$FAKE_ROOT/etc/kubernetes/pki/apiserver.crt"
        rm "$FAKE_ROOT/half"; echo "no space left on device" >&2; exit 1
    fi
    cp -r "$FAKE_ROOT/fresh/." "$FAKE_ROOT/" ;;
"kubeconfig user") cat >/dev/null; cat "$FAKE_ROOT/client.conf" ;;
*) exit 2 ;;
esac
"""
SYSTEMCTL = """\
#!/bin/sh
echo "$@" >>"$FAKE_ROOT/systemctl"
pki=$FAKE_ROOT/var/lib/kubelet/pki
[ -e "$pki/kubelet.crt" ] || cp "$FAKE_ROOT/own/kubelet.crt" "$FAKE_ROOT/own/kubelet.key" "$pki"
"""


class Kill(BaseException):
    """Stands for `kill -9`."""


class World:
    """Hosts, and kubelets that run what manifests say."""

    def __init__(self, directory: Path, days: float, client_days: float = 200) -> None:
        self.directory = directory
        self.days = days
        self.asked: list[tuple[str, str]] = []
        self.silent: set[str] = set()
        self.kill_at = 0
        self.number = 0
        self.loaded: dict[str, str] = {}
        self.sick = self.stubborn = False
        for host in (HOST, WORKER):
            self._node(host, client_days)
        self._control_plane()
        self.kubelet()

    def root(self, host: str) -> Path:
        return self.directory / host

    def _node(self, host: str, client_days: float) -> None:
        root = self.root(host)
        write(root, "/etc/kubernetes/pki/ca.crt", CA.pem)
        client = issue(f"system:node:{host}", CA, days=client_days, age=365 - client_days)
        dated = write(root, "/var/lib/kubelet/pki/kubelet-client-2026.pem", client.pem + client.key_pem)
        (dated.parent / "kubelet-client-current.pem").symlink_to(dated)
        write(root, "/etc/kubernetes/kubelet.conf", f"    client-certificate: {machines.CLIENT}\n")
        write(root, machines.SERVED, issue(host, days=self.days, age=365 - self.days).pem)
        write(root, "/var/lib/kubelet/pki/kubelet.key", "old")
        write(root, "/own/kubelet.crt", issue(host, days=365, age=0).pem)
        write(root, "/own/kubelet.key", "new")
        write(root, "/client.conf", kubeconfig(issue(f"system:node:{host}", CA, days=365, age=0)))
        write(root, "/proc/1/cmdline", "/usr/bin/kubelet\0--config=/var/lib/kubelet/config.yaml\0")
        write(root, "/proc/1/stat", f"1 (kubelet) S {' '.join('0' * 30)}")

    def _control_plane(self) -> None:
        root = self.root(HOST)
        for name, authority in (("ca", CA), ("front-proxy-ca", CA), ("etcd/ca", ETCD)):
            write(root, f"/etc/kubernetes/pki/{name}.crt", authority.pem)
            write(root, f"/etc/kubernetes/pki/{name}.key", authority.key_pem)
        write(root, "/etc/kubernetes/pki/sa.pub", public(issue("sa")))
        for path, authority in LEAVES.items():
            self._leaf(path, issue(path, authority, days=self.days, age=365 - self.days))
            self._leaf(f"/fresh{path}", issue(path, authority, days=365, age=0))
        for name in ("admin", "scheduler"):
            old, new = (issue(name, CA, days=days, age=365 - days) for days in (self.days, 365))
            write(root, f"/etc/kubernetes/{name}.conf", kubeconfig(old))
            write(root, f"/fresh/etc/kubernetes/{name}.conf", kubeconfig(new))
        record = {"identity": {}, "config": CONFIG, "names": []}
        write(root, "/var/lib/crossmesh/init.finished", json.dumps(record))

    def _leaf(self, path: str, pair: Issued) -> None:
        write(self.root(HOST), f"{path}.crt", pair.pem)
        write(self.root(HOST), f"{path}.key", pair.key_pem)

    def kubelet(self) -> None:
        """Start what manifests say and what does not run, by the certificates that there are then."""
        root = self.root(HOST)
        for program in PROGRAMS:
            if not any(f"/bin/{program}\0--x" in path.read_text() for path in root.glob("proc/*/cmdline")):
                self.number += 1
                process = f"/proc/{100 + self.number}"
                write(root, f"{process}/cmdline", f"/bin/{program}\0--x=/etc/kubernetes/pki/x\0")
                write(root, f"{process}/stat", f"9 ({program}) S {' '.join([str(self.number)] * 30)}")
                file = {"kube-apiserver": "apiserver", "etcd": "etcd/server"}.get(program)
                self.loaded[program] = self.serial(f"/etc/kubernetes/pki/{file}.crt") if file else ""

    def end(self, number: int, signal: int) -> None:
        """End a process of the control plane's host; one that is stubborn by force alone."""
        if signal == 9 or not self.stubborn:
            shutil.rmtree(self.root(HOST) / f"proc/{number}")

    def entries(self, host: str = HOST) -> dict[str, Any]:
        found = self.read(host, "")["found"]
        return {one.place: one for file in found for one in machines.of_file("eu", host, file)}

    def serial(self, place: str, host: str = HOST) -> str:
        return str(self.entries(host)[place].serial)

    def read(self, host: str, root: str) -> Any:
        order = {"root": f"{self.root(host)}{root}"}
        return self.told(reading, host, order)

    def told(self, script: ModuleType, host: str, order: dict[str, Any]) -> Any:
        if host in self.silent:
            raise Unanswered(f"{host}: no route to it", fix="mend it")
        # The scripts know one host, as hosts do.
        with LOCK, pytest.MonkeyPatch.context() as patched:
            patched.setattr(host_script.os, "kill", self.end)
            os.environ["FAKE_ROOT"] = str(self.root(host))
            return json.loads(json.dumps(script.answer(order)))


class Site(RenewSite):
    """The same, but that hosts are directories."""

    world: World

    def ask(self, host: str, do: str, **order: Any) -> dict[str, Any]:
        world = self.world
        if do == "served":
            return self._served(host)
        order = {"root": str(world.root(host)), "run": self.run, "do": do, **order}
        answer = world.told(host_script, host, order)
        world.kubelet()
        if do in CHANGING:
            world.asked.append((host, do))
            if len(world.asked) == world.kill_at:
                raise Kill
        if answer.get("problem"):
            raise OperationsError(f"{host}: {answer['problem']}")
        return dict(answer)

    def read(self, host: str, root: str) -> Any:
        return self.world.read(host, root)

    def _served(self, host: str) -> dict[str, Any]:
        status = {"status": 500 if self.world.sick else 200, "why": "", "body": ""}
        loaded = self.world.loaded
        nodes = dict.fromkeys((HOST, WORKER), True)
        return {
            "kube-apiserver": {**status, "serial": loaded["kube-apiserver"]},
            "etcd": {**status, "serial": loaded["etcd"]},
            "nodes": nodes,
        }


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waiting, "POLL", 0.01)
    monkeypatch.setattr(waiting, "SECONDS", 0.5)


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where hosts are, and kubeadm and systemctl of theirs."""
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:/usr/bin:/bin")
    monkeypatch.setenv("FAKE_ROOT", "")
    for name, text in (("kubeadm", KUBEADM), ("systemctl", SYSTEMCTL)):
        program = write(tmp_path, f"/bin/{name}", text)
        program.chmod(0o755)
    return tmp_path


def site(world: World, within: int = 90) -> Site:
    stack: Any = SimpleNamespace(name="lab")
    ways: Any = {HOST: None, WORKER: None}
    made = Site(stack, "eu", [HOST], ways, timedelta(days=within))
    made.world = world
    return made


def go(world: World, within: int = 90, made: Site | None = None) -> Site:
    made = made or site(world, within)
    made.run = "a1"
    with journals.opened(world.directory / "journal") as journal:
        past = unfinished(journal.entries)
        runner = Runner(RENEW, made, journal, lambda text: None)
        if past:
            runner.resume(past)
        else:
            runner.begin("a1", {}, "eu")
    return made


def left(world: World, host: str = HOST) -> dict[str, int]:
    now = datetime.now(UTC)
    return {
        place: entry.left(now).days
        for place, entry in world.entries(host).items()
        if entry.not_after is not None and "ca.crt" not in place
    }


def renewed(world: World) -> bool:
    ends = {**left(world), machines.CLIENT: 365}
    return min(ends.values()) >= 364


def test_all_that_ends_soon_is_made_anew_and_runs_by_it(programs: Path) -> None:
    world = World(programs, days=20)
    before = world.serial("/etc/kubernetes/pki/apiserver.crt")
    go(world)
    assert renewed(world)
    assert world.loaded["kube-apiserver"] == world.serial("/etc/kubernetes/pki/apiserver.crt") != before
    kept = world.root(HOST) / "var/lib/crossmesh/certificates-a1"
    assert kept.stat().st_mode & 0o777 == 0o700
    assert (kept / "etc/kubernetes/pki/apiserver.key").exists()
    assert left(world, WORKER)[machines.SERVED] >= 364
    assert (world.root(WORKER) / "systemctl").read_text() == "restart kubelet.service\n"
    assert [do for host, do in world.asked if host == HOST] == [
        *("keep", "renew", "kubelet"),
        *["end"] * 4,
    ]
    assert len(world.asked) == len(CHANGES)


def test_what_holds_for_long_is_left_alone(programs: Path) -> None:
    world = World(programs, days=200)
    made = site(world)
    assert "no control plane is started anew" in RENEW.blast(made).touched[0]
    go(world, made=made)
    assert world.asked == []
    assert left(world)["/etc/kubernetes/pki/apiserver.crt"] < 201


def test_all_can_be_asked_for_though_it_holds_and_ends_nowhere_twice(programs: Path) -> None:
    world = World(programs, days=300)
    before = {place: entry.serial for place, entry in world.entries().items()}
    go(world, within=365)
    after = {place: entry.serial for place, entry in world.entries().items()}
    changed = {place for place in before if before[place] != after[place]}
    assert changed == {
        *(f"{path}.crt" for path in LEAVES),
        "/etc/kubernetes/admin.conf",
        "/etc/kubernetes/scheduler.conf",
        machines.SERVED,
    }


def test_a_dry_run_says_what_ends_when(programs: Path) -> None:
    made = site(World(programs, days=20))
    told = RENEW.blast(made)
    assert told.confirm == "eu"
    assert told.touched[0].startswith("the API of eu is away for seconds")
    (line,) = [line for line in told.touched if "apiserver.crt" in line]
    assert "expires in 19 days" in line or "expires in 20 days" in line
    assert line.endswith("; made anew")
    assert any("pki/ca.crt" in line and line.endswith("; stays") for line in told.touched)
    due = [step.name for step in RENEW.steps if step.verify(made)]
    assert due == ["keep", "renew", "kubelet", "restart", "nodes"]


def test_of_a_host_where_nothing_is_due_the_first_end_is_told(programs: Path) -> None:
    made = site(World(programs, days=200))
    (line,) = [line for line in RENEW.blast(made).touched if line.startswith(WORKER)]
    assert line.startswith(f"{WORKER}: all stays; the first to end: ")
    assert [step.name for step in RENEW.steps if step.verify(made)] == []


@pytest.mark.parametrize("client_days", [200, -3])
def test_what_has_ended_already_is_made_anew_without_an_api_server(
    programs: Path, client_days: float
) -> None:
    world = World(programs, days=-5, client_days=client_days)
    # The API server is down: nothing of the run asks it before its certificates are new.
    for program in ("kube-apiserver", "etcd"):
        world.loaded[program] = "ended"
    go(world)
    assert renewed(world)
    for host in (HOST, WORKER):
        assert left(world, host)[machines.CLIENT] >= 199
        current = world.root(host) / machines.CLIENT.lstrip("/")
        assert current.is_symlink()
    if client_days < 0:
        assert current.readlink().name.startswith("kubelet-client-")
        assert "PRIVATE KEY" in current.read_text()
        assert current.stat().st_mode & 0o777 == 0o600


CHANGES = tuple(range(1, 10))
"""Every change that a whole run makes on hosts, by its number."""


@pytest.mark.parametrize("number", CHANGES)
@pytest.mark.parametrize("days", [20, -5])
def test_a_renewal_that_was_killed_anywhere_goes_on(programs: Path, number: int, days: float) -> None:
    world = World(programs, days=days, client_days=days)
    world.kill_at = number
    try:
        go(world)
    except Kill:
        go(world)
    assert renewed(world)
    assert world.loaded["kube-apiserver"] == world.serial("/etc/kubernetes/pki/apiserver.crt")


def test_a_kubelet_that_has_not_made_its_certificate_yet_is_waited_for(programs: Path) -> None:
    world = World(programs, days=20)
    # It is told to start, and takes a while until it makes what it lacks.
    (programs / "bin/systemctl").write_text("#!/bin/sh\n")
    with pytest.raises(RunFailedError, match=f"{HOST}: {machines.SERVED}"):
        go(world)
    # A run that was killed when it was away, and before kubelet was told to start.
    (programs / "bin/systemctl").write_text(SYSTEMCTL)
    go(world)
    assert renewed(world)
    for host in (HOST, WORKER):
        assert left(world, host)[machines.SERVED] >= 364


@pytest.mark.parametrize("number", CHANGES)
def test_a_renewal_that_was_killed_anywhere_can_be_taken_back(programs: Path, number: int) -> None:
    world = World(programs, days=20)
    before = {place: entry.serial for place, entry in world.entries().items()}
    world.kill_at = number
    try:
        go(world)
    except Kill:
        again = site(world)
        again.run = "a1"
        with journals.opened(world.directory / "journal") as journal:
            past = unfinished(journal.entries)
            assert past is not None
            stays = Runner(RENEW, again, journal, lambda text: None).abort(past)
            (ended,) = runs(journal.entries)
        assert ended.outcome in (Outcome.TAKEN_BACK, Outcome.LEFT)
        assert all("kubelet goes on" in words for words in stays)
        after = {place: entry.serial for place, entry in world.entries().items()}
        kubelets = {machines.SERVED}
        assert {place for place in before if before[place] != after[place]} <= kubelets
        assert world.loaded["kube-apiserver"] == before["/etc/kubernetes/pki/apiserver.crt"]
        assert not list((world.root(HOST) / "var/lib/crossmesh").glob("certificates-*"))


def test_half_a_file_of_a_kubeadm_that_failed_is_made_whole(programs: Path) -> None:
    world = World(programs, days=20)
    (world.root(HOST) / "half").touch()
    with pytest.raises(RunFailedError, match=r"no space left on device\nThe run a1 stands where it is"):
        go(world)
    assert world.entries()["/etc/kubernetes/pki/apiserver.crt"].problem
    go(world)
    assert renewed(world)


def test_a_control_plane_that_does_not_serve_stands_as_it_is_and_can_be_taken_back(programs: Path) -> None:
    world = World(programs, days=20)
    world.sick = True
    with pytest.raises(RunFailedError, match="etcd does not serve"):
        go(world)
    world.sick = False
    go(world)
    assert renewed(world)


def test_a_part_that_does_not_end_is_ended_by_force(programs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(host_script, "GRACE_SECONDS", 0.05)
    monkeypatch.setattr(host_script, "POLL", 0.01)
    world = World(programs, days=20)
    world.stubborn = True
    go(world)
    assert renewed(world)


def test_an_operator_who_lost_the_lock_begins_nothing_further(programs: Path) -> None:
    world = World(programs, days=20)
    made = site(world)
    made.lost = lambda: "the lock on eu-cp-1 is another's now"
    with pytest.raises(CancelledError, match="another's now"):
        go(world, made=made)
    assert world.asked == []


def problems(world: World) -> dict[str, bool]:
    return {problem.what: problem.blocks for problem in RENEW.preconditions(site(world))}


def test_nothing_stands_against_hosts_that_kubeadm_made(programs: Path) -> None:
    assert problems(World(programs, days=20)) == {}


def test_a_silent_worker_is_left_alone_and_a_silent_control_plane_blocks(programs: Path) -> None:
    world = World(programs, days=20)
    world.silent = {WORKER}
    assert problems(world) == {f"left as it is: {WORKER}: no route to it": False}
    go(world)
    assert renewed(world)
    world.silent = {HOST}
    found = problems(world)
    assert found[f"{HOST}: no route to it"]
    assert HOST in RENEW.steps[1].verify(site(world))


def test_an_authority_without_key_or_time_blocks(programs: Path) -> None:
    world = World(programs, days=20)
    (world.root(HOST) / "etc/kubernetes/pki/etcd/ca.key").unlink()
    ended = issue("kubernetes", ca=True, days=-1, age=3650)
    write(world.root(HOST), "/etc/kubernetes/pki/ca.crt", ended.pem)
    soon = issue("front proxy", ca=True, days=100, age=3550)
    write(world.root(HOST), "/etc/kubernetes/pki/front-proxy-ca.crt", soon.pem)
    (world.root(HOST) / "var/lib/crossmesh/init.finished").unlink()
    found = problems(world)
    assert found[f"{HOST} has no key of the authority etcd/ca"]
    assert found["no host of the control plane knows how kubeadm was configured"]
    assert any("pki/ca.crt expired" in what and blocks for what, blocks in found.items())
    assert any("front-proxy-ca.crt" in what and not blocks for what, blocks in found.items())


def test_a_host_whose_clock_is_off_blocks(programs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    world = World(programs, days=20)
    look = Site.look
    monkeypatch.setattr(Site, "look", lambda self, host: {**look(self, host), "now": 0})
    assert any("the clock of eu-cp-1 is" in what and blocks for what, blocks in problems(world).items())


def test_a_kubelet_that_does_not_run_is_not_waited_for(programs: Path) -> None:
    world = World(programs, days=20)
    shutil.rmtree(world.root(HOST) / "proc/1")
    with pytest.raises(RunFailedError, match="kubelet does not run on eu-cp-1"):
        go(world)
    assert (HOST, "end") not in world.asked


def test_a_program_of_the_same_name_in_a_pod_is_none_of_the_control_plane(programs: Path) -> None:
    world = World(programs, days=20)
    write(world.root(HOST), "/proc/77/cmdline", "/usr/local/bin/etcd\0--data-dir=/data\0")
    write(world.root(HOST), "/proc/77/stat", f"77 (etcd) S {' '.join('7' * 30)}")
    go(world)
    assert renewed(world)


def test_earlier_copies_go_with_the_next_renewal(programs: Path) -> None:
    world = World(programs, days=20)
    write(world.root(HOST), "/var/lib/crossmesh/certificates-old/etc/kubernetes/pki/apiserver.key", "x")
    go(world)
    assert [path.name for path in (world.root(HOST) / "var/lib/crossmesh").glob("certificates-*")] == [
        "certificates-a1"
    ]


def test_a_kubeconfig_with_kubelet_s_own_key_in_it_names_the_file_then(programs: Path) -> None:
    world = World(programs, days=20, client_days=-3)
    write(world.root(HOST), "/etc/kubernetes/kubelet.conf", kubeconfig(issue("old", CA, days=-3, age=400)))
    go(world)
    text = (world.root(HOST) / "etc/kubernetes/kubelet.conf").read_text()
    assert f"client-certificate: {machines.CLIENT}\n" in text
    assert f"client-key: {machines.CLIENT}\n" in text
    assert "data" not in text


@pytest.mark.parametrize("text", ["0", "366", "-1", "soon"])
def test_a_time_that_no_certificate_has_is_refused(text: str) -> None:
    with pytest.raises(ConfigurationError, match="is no such number of days"):
        sites._days(text)
