"""A rotation of the key of Secrets: stage by stage, killed anywhere, taken back, and refused."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from access.errors import Unanswered
from access.host_lock import Pass
from live.state import parse_state
from report.errors import CancelledError, ConfigurationError, OperationsError
from report.problem import Problem
from runbooks import applied
from runbooks import journal as journals
from runbooks.engine import RunFailedError, Runner
from runbooks.etcd import encryption
from runbooks.history import runs, unfinished
from runbooks.journal import Outcome
from runbooks.rotation import encryption_key, site
from runbooks.rotation.encryption_key import ROTATE_KEY, KeySite

HOSTS = ("eu-cp-1", "eu-cp-2", "eu-cp-3")


class Kill(BaseException):
    """Stands for `kill -9`."""


class World(KeySite):
    """A declaration, control planes that are changed in turn, and an etcd with Secrets."""

    def __init__(self, number: int = 2) -> None:
        super().__init__("lab", "eu", number, "encryptionKeys", dict.fromkeys(HOSTS, Any))  # type: ignore
        self.numbers = [1]
        self.made = {1: "key-a"}
        self.have = {host: ["key-a", "identity"] for host in HOSTS}
        self.secrets = ["key-a"] * 4
        self.encrypts = True
        self.pending: list[Problem] = []
        self.silent: set[str] = set()
        self.steps = self.kill_at = 0
        self.sick = False

    @property
    def spec(self) -> Any:
        return SimpleNamespace(encryption_at_rest=self.encrypts)

    def declared(self) -> list[int]:
        return list(self.numbers)

    def names(self) -> dict[int, str]:
        return dict(self.made)

    def order(self, host: str) -> list[str]:
        if host in self.silent:
            raise Unanswered(f"{host} does not answer")
        return self.have[host]

    def stored(self) -> dict[str, int]:
        return dict(Counter(self.secrets))

    def unapplied(self) -> list[Problem]:
        return self.pending

    def tick(self) -> None:
        self.steps += 1
        if self.steps == self.kill_at:
            raise Kill

    def bring_about(self, numbers: Sequence[int]) -> None:
        if why := self.lost():
            raise CancelledError(f"stopped: {why}")
        self.tick()
        self.numbers = list(numbers)
        self.tick()
        self.made |= {number: f"key-{number}" for number in numbers if number not in self.made}
        order = [*(self.made[number] for number in self.numbers), "identity"]
        for host in HOSTS:
            if self.sick and host == HOSTS[1]:
                raise OperationsError("`pulumi up` failed: eu-cp-2 does not answer")
            self.tick()
            changes = self.have[host] != order
            self.have[host] = order
            self.secrets += [have[0] for have in self.have.values()]
            self.tick()
            if changes:
                self.rewrite(host)
            self.readable()

    def rewrite(self, host: str = HOSTS[0]) -> str:
        self.secrets = [self.have[host][0]] * len(self.secrets)
        return "all written anew"

    def readable(self) -> None:
        """Every API server reads every Secret."""
        for host, have in self.have.items():
            assert set(self.secrets) <= set(have), (host, have, self.secrets)


def go(root: Path, world: World) -> None:
    world.run = "a1"
    with journals.opened(root) as journal:
        past = unfinished(journal.entries)
        runner = Runner(ROTATE_KEY, world, journal, world.tell)
        if past:
            runner.resume(past)
        else:
            runner.begin("a1", {}, "eu")


def rotated(world: World) -> bool:
    only = all(have == ["key-2", "identity"] for have in world.have.values())
    return only and world.numbers == [2] and set(world.secrets) == {"key-2"}


def problems(world: World) -> list[str]:
    return [problem.what for problem in ROTATE_KEY.preconditions(world)]


def test_each_stage_reaches_all_control_planes_before_the_next(tmp_path: Path) -> None:
    world = World()
    assert problems(world) == []
    blast = ROTATE_KEY.blast(world)
    assert blast.confirm == "eu"
    assert "regions.eu.cluster.encryptionKeys goes from [1] to [2]" in blast.touched[0]
    go(tmp_path, world)
    assert rotated(world)
    # Nothing of an old key is lost: backups need it.
    assert world.made == {1: "key-a", 2: "key-2"}


def test_a_rotation_that_is_done_changes_nothing(tmp_path: Path) -> None:
    world = World()
    go(tmp_path, world)
    told: list[str] = []
    world.tell, steps = told.append, world.steps
    with journals.opened(tmp_path) as journal:
        Runner(ROTATE_KEY, world, journal, told.append).begin("b2", {}, "eu")
    assert world.steps == steps
    assert [line for line in told if "so already" in line] == [
        f"{step.name}: so already" for step in ROTATE_KEY.steps
    ]
    assert ROTATE_KEY.blast(world).touched == ["nothing: key 2 is the only one already"]


def clean_steps() -> int:
    world = World()
    for step in ROTATE_KEY.steps:
        step.do(world)
    return world.steps


@pytest.mark.parametrize("number", range(1, clean_steps() + 1))
def test_one_that_was_killed_anywhere_goes_on(tmp_path: Path, number: int) -> None:
    world = World()
    world.kill_at = number
    with pytest.raises(Kill):
        go(tmp_path, world)
    world.readable()
    go(tmp_path, world)
    assert rotated(world)


@pytest.mark.parametrize("number", range(1, clean_steps() + 1))
def test_one_that_was_killed_anywhere_can_be_taken_back(tmp_path: Path, number: int) -> None:
    world = World()
    world.kill_at = number
    with pytest.raises(Kill):
        go(tmp_path, world)
    with journals.opened(tmp_path) as journal:
        past = unfinished(journal.entries)
        assert past
        assert Runner(ROTATE_KEY, world, journal, world.tell).abort(past) == []
        assert runs(journal.entries)[-1].outcome is Outcome.TAKEN_BACK
    assert world.numbers == [1]
    assert all(have == ["key-a", "identity"] for have in world.have.values())
    world.readable()


def test_what_failed_stands_and_goes_on_once_it_is_mended(tmp_path: Path) -> None:
    world = World()
    world.sick = True
    with pytest.raises(RunFailedError, match="stands where it is"):
        go(tmp_path, world)
    world.readable()
    world.sick = False
    go(tmp_path, world)
    assert rotated(world)


def test_the_old_key_stays_while_etcd_has_secrets_of_it(tmp_path: Path) -> None:
    world = World()

    def refuse(host: str = "") -> str:
        return "nothing was written anew"

    world.rewrite = refuse  # type: ignore[method-assign]
    with pytest.raises(RunFailedError, match=r"etcd has Secrets by other keys: .* by key-a"):
        go(tmp_path, world)
    assert world.numbers == [2, 1]
    world.readable()
    del world.rewrite
    go(tmp_path, world)
    assert rotated(world)


@pytest.mark.parametrize(
    ("made", "declared", "number", "words"),
    [
        ({1: "a"}, [1], 3, "number 3 leaves numbers out"),
        ({1: "a", 2: "b"}, [2], 1, "number 1 was used before"),
        ({1: "a", 2: "b"}, [1], 2, "number 2 was used before"),
    ],
)
def test_a_number_that_is_not_the_next_one_is_refused(
    made: dict[int, str], declared: list[int], number: int, words: str
) -> None:
    world = World(number)
    world.made, world.numbers = made, declared
    (problem,) = ROTATE_KEY.preconditions(world)
    assert problem.what == words
    assert problem.fix == f"give number={max(made) + 1}"


def test_what_stands_against_it_is_said_before_anything_is_changed() -> None:
    world = World()
    world.encrypts, world.silent = False, {HOSTS[1]}
    world.pending = [Problem("changes that were not brought about")]
    assert problems(world) == [
        "Secrets of eu are not encrypted (`encryptionAtRest: false`): no key is in use",
        "eu-cp-2 does not answer",
    ]
    world.encrypts, world.silent = True, set()
    assert problems(world) == ["changes that were not brought about"]


def test_a_number_that_is_none_is_refused() -> None:
    with (
        pytest.raises(ConfigurationError, match="number=two is no number of a key"),
        ROTATE_KEY.opened("lab", {"region": "eu", "number": "two"}),
    ):
        raise AssertionError


class Staged(site.StagedSite):
    def declared(self) -> list[int]:
        return [1]


def test_a_stage_is_written_into_the_stack_file_and_brought_about(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[Any] = []
    monkeypatch.setattr(site, "stack_file", lambda name: tmp_path / f"Pulumi.{name}.yaml")
    monkeypatch.setattr(site, "set_value", lambda *given: done.append(given) or True)
    monkeypatch.setattr(applied, "bring_about", lambda stack, tell, more: done.append((stack, more)))
    staged = Staged("lab", "eu", 2, "encryptionKeys", {})
    assert (site.added(staged), site.first(staged), site.was(staged)) == ([1, 2], [2, 1], {"numbers": [1]})
    staged.passed = lambda: Pass("a1", {"eu-cp-1": 7})
    staged.bring_about([2, 1])
    path = ("regions", "eu", "cluster", "encryptionKeys")
    # The `up` may change the hosts that the run holds.
    shown = {"CROSSMESH_RUNBOOK_PASS": '{"numbers": {"eu-cp-1": 7}, "run": "a1"}'}
    assert done == [(tmp_path / "Pulumi.lab.yaml", path, [2, 1]), ("lab", shown)]
    staged.lost = lambda: "the lock is another's now"
    with pytest.raises(CancelledError, match="another's now"):
        staged.bring_about([2])
    staged.lost = lambda: ""

    def refuse(*given: Any) -> bool:
        raise ValueError("no mapping")

    monkeypatch.setattr(site, "set_value", refuse)
    with pytest.raises(OperationsError, match="cannot be changed: no mapping") as refused:
        staged.bring_about([2])
    assert "`encryptionKeys: [2]`" in refused.value.fix
    assert len(done) == 2


def test_keys_are_known_by_their_numbers_from_the_state() -> None:
    def entry(name: str, cluster: str, **more: Any) -> dict[str, Any]:
        inputs = {"cluster": cluster, **more}
        return {
            "urn": f"urn:pulumi:lab::crossmesh::crossmesh:kubernetes:EncryptionKey::{name}",
            "type": "crossmesh:kubernetes:EncryptionKey",
            "custom": True,
            "inputs": inputs,
            "outputs": {**inputs, "key_name": f"name-of-{name}"},
        }

    entries = [entry("eu.key", "eu"), entry("eu.key.2", "eu", number=2), entry("us.key", "us")]
    state = parse_state("lab", {"deployment": {"resources": entries}})
    assert encryption.numbered(state, "eu") == {1: "name-of-eu.key", 2: "name-of-eu.key.2"}


def test_the_order_of_the_api_server_that_runs_is_read() -> None:
    said = "      - secretbox:\n"
    assert encryption.order(lambda script: "            - {name: key-2\n      - identity\n") == [
        "key-2",
        "identity",
    ]
    assert encryption.order(lambda script: "") == encryption.order(lambda script: said) == ["identity"]


def test_a_backup_from_before_a_rotation_says_which_key_it_needs_and_how_it_is_had() -> None:
    kept = {1: "key-a", 2: "key-b"}
    assert encryption.lacking(["key-b"], ["key-b"], kept) == ("", "")
    words, fix = encryption.lacking(["key-a", "key-b"], ["key-b"], kept)
    assert words == "key-a (key 1)"
    assert "older than a rotation" in fix and "name [1] behind the others in `encryptionKeys`" in fix
    words, fix = encryption.lacking(["key-x"], ["key-b"], kept)
    assert words == "key-x" and "pulumi stack import" in fix


def test_what_etcd_holds_and_what_was_written_anew_is_asked_of_a_host(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[tuple[str, bytes, Any]] = []
    answers = [{"stored": {"key-b": 3}}, {"there": 3, "other": 1}, {"why": "etcd at 127.0.0.1: refused"}]

    def ask(host: str, way: Any, source: bytes, order: Any, **_: Any) -> dict[str, Any]:
        compile(source, host, "exec")
        asked.append((host, source, order))
        return answers[len(asked) - 1]

    monkeypatch.setattr(encryption.ssh, "ask", ask)
    host: Any = ("eu-cp-1", None)
    assert encryption.stored(host) == {"key-b": 3}
    assert b"def secrets_by_key" in asked[0][1]
    assert (
        encryption.rewritten(host, 6443, 60) == "3 Secrets written anew, of which 1 were kept in another form"
    )
    assert b"def rewrite(" in asked[1][1] and asked[1][2] == {"port": 6443}
    with pytest.raises(OperationsError, match="eu-cp-1: etcd at 127"):
        encryption.stored(host)


def test_the_runbook_asks_the_hosts_that_there_are(monkeypatch: pytest.MonkeyPatch) -> None:
    stack: Any = SimpleNamespace()
    monkeypatch.setattr(encryption_key, "on_machines", lambda *_: (stack, None))
    monkeypatch.setattr(encryption_key, "control_plane", lambda *_: [("eu-cp-1", None)])
    with ROTATE_KEY.opened("lab", {"region": "eu", "number": "2"}) as opened:
        assert (opened.region, opened.number, list(opened.control)) == ("eu", 2, ["eu-cp-1"])
        assert [place.name for place in opened.places()] == ["eu-cp-1"]
