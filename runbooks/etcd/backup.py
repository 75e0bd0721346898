"""Back up the etcd of a cluster on machines: taken, restored aside and compared, sealed, opened again."""

from __future__ import annotations

import os
import secrets
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from access import envelope, programs, ssh
from access.errors import AccessError
from access.ssh import Connection
from access.stores import Store, store
from live import backups
from live.backups import Kept
from live.state import read_state
from releases import release
from report.errors import ConfigurationError, OperationsError
from report.problem import Problem
from runbooks.control_plane import control_plane, on_machines, serving
from runbooks.etcd import encryption, sealed
from runbooks.etcd.tools import Member, Tools, data, member
from runbooks.locks import OnHost, Place
from runbooks.model import Blast, Parameter, Runbook, Step
from stacks.load import Stack
from stacks.model.clusters import Backups

_MEMORY = Path("/dev/shm")
_SCRATCH = "crossmesh-etcd-"
_ATTEMPTS = 3
"""A compaction of the live store between a snapshot and the question for its hash makes another hash."""
_REGION = Parameter("region", "name of the region whose cluster is backed up")
_HOME = "~/.local/state/crossmesh/backups"
_DESTINATION = Parameter(
    "destination",
    f"where the backup is put, a directory or s3://bucket/prefix; else as `backups` declares, or {_HOME}",
    "",
)
_KEEP = Parameter("keep", "how many backups of the region stay, the newest; else as declared, 0 for all", "")
_DAYS = Parameter("days", "older ones than that go, but for those; else as declared, 0 for no age", "")


@dataclass
class BackupSite:
    """What the runbook works on."""

    stack: Stack
    region: str
    host: str
    connection: Connection
    identity: str
    """UID of the cluster's kube-system."""
    tools: Tools
    scratch: Path
    """In memory: nothing readable touches a disk."""
    store: Store
    """Where backups are kept."""
    keep: int = 0
    """How many of the region's stay, the newest; 0 where nobody counts."""
    days: int = 0
    """Days after which others go; 0 where none goes for its age."""
    tell: Callable[[str], None] = field(default=lambda text: None)
    lost: Callable[[], str] = field(default=lambda: "")
    wrap: Callable[[str, bytes], dict[str, Any]] = envelope.wrapped
    run: str = ""
    at: datetime = field(default_factory=lambda: datetime.now(UTC))
    compared: dict[str, Any] = field(default_factory=dict)
    """What was compared; nothing before it was."""
    key: bytes = b""
    """Of the file, once it is sealed."""

    def places(self) -> Sequence[Place]:
        return [OnHost(self.host, self.connection)]

    @property
    def snapshot(self) -> Path:
        return self.scratch / "snapshot.db"

    @property
    def target(self) -> str:
        """Name of the backup, once it is proven."""
        return backups.name(self.stack.name, self.region, self.at)

    @property
    def unproven(self) -> str:
        """The same before that, which nobody takes for a backup."""
        return self.target.removesuffix(backups.ENDING) + backups.UNPROVEN

    def is_there(self, *names: str) -> bool:
        """Whether something is kept under one of these names."""
        return bool(set(names) & set(self.store.names(self.stack.name)))

    def expired(self) -> list[Kept]:
        """Backups of the region that go, oldest first. The newest one never does, nor this run's."""
        if not (self.keep or self.days):
            return []
        there = backups.kept(self.store, self.stack.name, self.region)
        others = [one for one in there[: -max(self.keep, 1)] if one.name != self.target]
        return [one for one in others if not self.days or self.at - one.taken > timedelta(days=self.days)]

    def key_names(self) -> list[str]:
        """Names of the keys that Secrets in etcd are encrypted by. Raises OperationsError."""
        return encryption.key_names(self._on_host)

    def _on_host(self, script: str) -> str:
        done = ssh.run(self.host, self.connection, ["sh", "-euc", script])
        if done.returncode:
            raise OperationsError(f"{self.host}: {done.stderr.strip() or 'it said nothing'}")
        return done.stdout

    @contextmanager
    def member(self) -> Iterator[Member]:
        """A way to etcd."""
        with member(self.host, self.connection) as found:
            yield found


@contextmanager
def opened(stack_name: str, values: Mapping[str, str]) -> Iterator[BackupSite]:
    """The site of a region. Raises ConfigurationError where its cluster is somebody else's."""
    region = values["region"]
    stack, hosts, version = declared(stack_name, region)
    host, connection = serving(hosts)
    way = read_state(stack_name).ways().get(region)
    destination, keep, days = settings(stack.environment.backups, values)
    with in_memory() as scratch:
        yield BackupSite(
            stack,
            region,
            host,
            connection,
            way.uid if way else "",
            Tools(version),
            scratch,
            store(destination),
            keep,
            days,
        )


def declared(stack_name: str, region: str) -> tuple[Stack, list[tuple[str, Connection]], str]:
    """A stack, and of its region on machines the hosts of the control plane, with the way to each, and etcd's
    version. Raises ConfigurationError for others.
    """
    stack, spec = on_machines(stack_name, region, "its etcd is")
    kubernetes = stack.environment.versions_of(region).kubernetes
    assert kubernetes is not None, "a cluster on machines has a version"
    return stack, control_plane(stack, spec), release("kubernetes", kubernetes).brings["etcd"]


def settings(spec: Backups | None, values: Mapping[str, str]) -> tuple[str, int, int]:
    """Where backups are kept, how many, and for how many days, as it is said, or else declared.

    Raises ConfigurationError for what is no number.
    """
    destination = values["destination"] or (spec.destination if spec else _HOME)
    keep = _number("keep", values, spec.keep if spec else 0)
    return destination, keep, _number("days", values, spec.days if spec else 0)


def _number(name: str, values: Mapping[str, str], declared: int) -> int:
    text = values[name] or str(declared)
    if not text.isdigit():
        raise ConfigurationError(f"{name}={text} is no number", fix="give a whole number, or 0")
    return int(text)


@contextmanager
def in_memory() -> Iterator[Path]:
    """A directory that is in memory only. Raises OperationsError where there is none."""
    if not _MEMORY.is_dir():
        raise OperationsError(
            f"{_MEMORY} is not there, and a snapshot holds every Secret of the cluster: it is put on no disk",
            fix=f"mount a tmpfs at {_MEMORY}",
        )
    for left in _MEMORY.glob(f"{_SCRATCH}*"):
        # Of a run that was killed: a snapshot in clear, which would stay until this computer starts anew.
        owner = left.name.removeprefix(_SCRATCH).partition("-")[0]
        if left.stat().st_uid == os.getuid() and programs.process_fields(int(owner)) is None:
            shutil.rmtree(left, ignore_errors=True)
    path = Path(tempfile.mkdtemp(prefix=f"{_SCRATCH}{os.getpid()}-", dir=_MEMORY))
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)


def _take(site: BackupSite) -> None:
    """A snapshot, restored aside, whose every figure is that of the live store at its revision."""
    for attempt in range(1, _ATTEMPTS + 1):
        restored = site.scratch / "data"
        shutil.rmtree(restored, ignore_errors=True)
        site.snapshot.unlink(missing_ok=True)
        with site.member() as found:
            site.tools.control("snapshot", "save", str(site.snapshot), member=found)
            site.tools.utility("snapshot", "restore", str(site.snapshot), "--data-dir", str(restored))
            database = str(restored / "member" / "snap" / "db")
            status = data(site.tools.utility("snapshot", "status", database, "--write-out", "json"))
            revision = int(status["revision"])
            question = ("endpoint", "hashkv", "--rev", str(revision), "--write-out", "json")
            # A server of its own looks at it: etcdutl's hashkv writes into the file that it reads.
            with site.tools.aside(site.scratch) as ask:
                ours = data(ask(*question))[0]["HashKV"]
            answer = data(site.tools.control(*question, member=found))
        theirs = answer[0]["HashKV"]
        if (
            int(theirs.get("compact_revision", -1)) != int(ours.get("compact_revision", -1))
            and attempt < _ATTEMPTS
        ):
            site.tell("etcd was compacted meanwhile: once more")
            continue
        if int(theirs["hash"]) != int(ours["hash"]):
            raise OperationsError(
                f"the snapshot of {site.host} is not what etcd has at revision {revision}: "
                f"hash {ours['hash']} and not {theirs['hash']}",
                fix="see that `etcdctl endpoint hashkv` says the same on every member",
            )
        site.compared.update(
            revision=revision,
            hash=int(ours["hash"]),
            keys=int(status["totalKey"]),
            bytes=int(status["totalSize"]),
        )
        shutil.rmtree(restored, ignore_errors=True)
        return


def _seal(site: BackupSite) -> None:
    # The journal lets one run at a time be: what is there of another one is a killed one's.
    for left in backups.kept(site.store, site.stack.name, site.region, backups.UNPROVEN):
        site.store.remove(left.name)
    site.key = secrets.token_bytes(32)
    head = {
        "stack": site.stack.name,
        "region": site.region,
        "cluster": site.identity,
        "etcd": site.tools.version,
        "taken": site.at.isoformat(timespec="seconds"),
        # Whoever brings it back needs those too: what is in etcd is encrypted by them.
        "keys_of_secrets": site.key_names(),
        "envelope": site.wrap(site.stack.name, site.key),
        **site.compared,
    }
    made = site.scratch / "sealed"
    try:
        site.compared["sha256"] = sealed.seal(site.snapshot, made, site.key, head)
        # Memory is for one more of them: what was sealed is opened again from where it is kept.
        site.snapshot.unlink()
        site.store.put(made, site.unproven)
    finally:
        made.unlink(missing_ok=True)


def _proven(site: BackupSite) -> None:
    """Open what was sealed, from where it is kept, and compare."""
    kept, again = site.scratch / "kept", site.scratch / "again.db"
    try:
        site.store.fetch(site.unproven, kept)
        size = kept.stat().st_size
        digest = sealed.unseal(kept, again, site.key)
    finally:
        kept.unlink(missing_ok=True)
        again.unlink(missing_ok=True)
    if digest != site.compared.get("sha256"):
        raise OperationsError(
            f"{site.store.where}: {site.unproven} is not what was sealed", fix="look at where it is kept"
        )
    site.store.rename(site.unproven, site.target)
    figures = f"revision {site.compared['revision']}, {site.compared['keys']} keys, {size} bytes"
    site.tell(f"{site.store.where}/{site.target}: {figures}")


def _expire(site: BackupSite) -> None:
    for one in site.expired():
        site.store.remove(one.name)
        site.tell(f"{one.name} is removed: newer ones stay")


def _expired(site: BackupSite) -> str:
    there = site.expired()
    return f"{len(there)} backups are older than any that stay" if there else ""


def _room(site: BackupSite) -> list[Problem]:
    try:
        site.store.require_writable()
    except AccessError as error:
        return [Problem(error.message, error.fix)]
    return []


def _blast(site: BackupSite) -> Blast:
    touched = [
        f"nothing of region {site.region} is changed; etcd of {site.host} is read",
        f"{site.store.where}/{site.target} is made",
    ]
    if site.keep or site.days:
        age = f" that are older than {site.days} days" if site.days else ""
        touched.append(
            f"of the region's backups there, those{age} are removed, but for the {max(site.keep, 1)} newest"
        )
    return Blast(site.region, touched)


BACKUP = Runbook(
    name="backup-etcd",
    title="Back up a cluster's etcd",
    says="Takes a snapshot of the cluster's etcd, restores it aside, and compares hash and revision with the "
    "live store; only then is it encrypted, by a key that the stack's secrets provider keeps, and opened "
    "again from where it is kept: a directory, or a bucket. Nothing readable touches a disk. Run it from a "
    "timer with --yes.",
    parameters=(_REGION, _DESTINATION, _KEEP, _DAYS),
    opened=opened,
    blast=_blast,
    preconditions=_room,
    steps=(
        Step(
            "snapshot",
            "take a snapshot, restore it aside, and compare it with the live store",
            do=_take,
            verify=lambda site: "" if site.compared else "no snapshot was compared yet",
            undo=lambda site, before: None,
        ),
        Step(
            "seal",
            "encrypt it into its place",
            do=_seal,
            verify=lambda site: (
                "" if site.is_there(site.unproven, site.target) else f"{site.unproven} is not there"
            ),
            undo=lambda site, before: site.store.remove(site.unproven),
        ),
        Step(
            "prove",
            "open it again, compare, and have it count",
            do=_proven,
            verify=lambda site: "" if site.is_there(site.target) else "it was not opened again yet",
            undo=lambda site, before: site.store.remove(site.target),
        ),
        Step(
            "expire",
            "remove the oldest backups of the region",
            do=_expire,
            verify=_expired,
            one_way="they are gone; the newer ones were proven each",
        ),
    ),
    postconditions=lambda site: [],
)
