"""Back up the etcd of a cluster on machines: taken, restored aside and compared, sealed, opened again."""

from __future__ import annotations

import os
import secrets
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from access import envelope, programs, ssh
from access.ssh import Connection
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

ENDING = ".etcd"
_MEMORY = Path("/dev/shm")
_SCRATCH = "crossmesh-etcd-"
_ATTEMPTS = 3
"""A compaction of the live store between a snapshot and the question for its hash makes another hash."""
_REGION = Parameter("region", "name of the region whose cluster is backed up")
_DIRECTORY = Parameter("directory", "where the backup is put", "~/.local/state/crossmesh/backups")
_KEEP = Parameter("keep", "how many backups of the region stay there, the newest; 0 for all", "0")


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
    directory: Path
    keep: int
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
    def target(self) -> Path:
        """The backup, once it is proven."""
        return self.directory / self.stack.name / f"{self.region}-{self.at:%Y%m%dT%H%M%SZ}{ENDING}"

    @property
    def unproven(self) -> Path:
        """The same before that, under a name that nobody takes for a backup."""
        return self.target.with_suffix(".unproven")

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
    with in_memory() as scratch:
        yield BackupSite(
            stack,
            region,
            host,
            connection,
            way.uid if way else "",
            Tools(version),
            scratch,
            Path(values["directory"]).expanduser(),
            _number(values["keep"]),
        )


def declared(stack_name: str, region: str) -> tuple[Stack, list[tuple[str, Connection]], str]:
    """A stack, and of its region on machines the hosts of the control plane, with the way to each, and etcd's
    version. Raises ConfigurationError for others.
    """
    stack, spec = on_machines(stack_name, region, "its etcd is")
    kubernetes = stack.environment.versions_of(region).kubernetes
    assert kubernetes is not None, "a cluster on machines has a version"
    return stack, control_plane(stack, spec), release("kubernetes", kubernetes).brings["etcd"]


def _number(text: str) -> int:
    if not text.isdigit():
        raise ConfigurationError(f"keep={text} is no number", fix="give how many backups stay, 0 for all")
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
    site.target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    # The journal lets one run at a time be: what is here of another one is a killed one's.
    for left in site.target.parent.glob(f"{site.region}-*.unproven"):
        left.unlink()
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
    site.compared["sha256"] = sealed.seal(site.snapshot, site.unproven, site.key, head)


def _there(site: BackupSite) -> bool:
    return site.unproven.exists() or site.target.exists()


def _proven(site: BackupSite) -> None:
    """Open what was sealed, from the disk, and compare."""
    again = site.scratch / "again.db"
    try:
        digest = sealed.unseal(site.unproven, again, site.key)
    finally:
        again.unlink(missing_ok=True)
    if digest != site.compared.get("sha256"):
        raise OperationsError(
            f"{site.unproven} is not what was sealed", fix="look at the disk that it lies on"
        )
    site.unproven.rename(site.target)
    site.tell(
        f"{site.target}: revision {site.compared['revision']}, {site.compared['keys']} keys, "
        f"{site.target.stat().st_size} bytes"
    )


def backups(directory: Path, stack: str, region: str) -> list[Path]:
    """Backups of a region that lie in a directory, oldest first."""
    return sorted((directory / stack).glob(f"{region}-*{ENDING}"))


def _expire(site: BackupSite) -> None:
    for path in backups(site.directory, site.stack.name, site.region)[: -site.keep or None]:
        path.unlink()
        site.tell(f"{path} is removed: {site.keep} newer ones stay")


def _expired(site: BackupSite) -> str:
    there = len(backups(site.directory, site.stack.name, site.region))
    return f"{there} backups are there" if site.keep and there > site.keep else ""


def _room(site: BackupSite) -> list[Problem]:
    directory = site.directory
    while not directory.exists():
        directory = directory.parent
    if not os.access(directory, os.W_OK | os.X_OK):
        return [Problem(f"{directory} cannot be written to", "name another directory=")]
    return []


def _blast(site: BackupSite) -> Blast:
    touched = [
        f"nothing of region {site.region} is changed; etcd of {site.host} is read",
        f"{site.target} is made",
    ]
    if site.keep:
        touched.append(f"of the region's backups there, all but the {site.keep} newest are removed")
    return Blast(site.region, touched)


BACKUP = Runbook(
    name="backup-etcd",
    title="Back up a cluster's etcd",
    says="Takes a snapshot of the cluster's etcd, restores it aside, and compares hash and revision with the "
    "live store; only then is it encrypted, by a key that the stack's secrets provider keeps, and opened "
    "again from the disk. Nothing readable touches a disk. Run it from a timer with --yes.",
    parameters=(_REGION, _DIRECTORY, _KEEP),
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
            verify=lambda site: "" if _there(site) else f"{site.unproven} is not there",
            undo=lambda site, before: site.unproven.unlink(missing_ok=True),
        ),
        Step(
            "prove",
            "open it again, compare, and have it count",
            do=_proven,
            verify=lambda site: "" if site.target.exists() else "it was not opened again yet",
            undo=lambda site, before: site.target.unlink(missing_ok=True),
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
