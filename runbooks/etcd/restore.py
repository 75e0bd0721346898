"""Bring a cluster's etcd back from a backup, with revisions that no client has seen."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

from access import envelope, ssh
from access.cluster import Cluster
from access.errors import AccessError
from access.outputs import parse_outputs
from access.ssh import Connection
from live.state import opened as opened_outputs
from live.state import read_state
from report.errors import ConfigurationError, OperationsError
from report.problem import Problem
from runbooks.etcd import encryption, sealed
from runbooks.etcd.backup import declared, in_memory
from runbooks.etcd.tools import Tools, data
from runbooks.locks import OnHost, Place
from runbooks.model import Blast, Facts, Parameter, Runbook, Step
from runbooks.waiting import SECONDS, until
from stacks.load import Stack

BUMP = 1_000_000_000
"""Revisions that are left out, so that no client holds one that is yet to come: etcd's own guide on disaster
recovery names this number, for a store that writes 1,500 times a second for a week."""
_REGION = Parameter("region", "name of the region whose cluster is brought back")
_BACKUP = Parameter("backup", "path of the backup")
_DATA = "/var/lib/etcd"
_MANIFESTS = "/etc/kubernetes/manifests"
_APART = "/var/lib/crossmesh"
_STOPPED = ("etcd.yaml", "kube-apiserver.yaml")
_RUNNING = "pgrep -x -l 'etcd|kube-apiserver' || true"
_OLD_DAYS = 7


@dataclass
class RestoreSite:
    """What the runbook works on."""

    stack: Stack
    region: str
    host: str
    connection: Connection
    hosts: int
    """How many hosts the control plane has."""
    identity: str
    """UID of the cluster's kube-system, as the stack's state has it."""
    tools: Tools
    scratch: Path
    backup: Path
    cluster: Cluster
    run: str = ""
    tell: Callable[[str], None] = field(default=lambda text: None)
    lost: Callable[[], str] = field(default=lambda: "")
    unwrap: Callable[[str, Mapping[str, Any]], bytes] = envelope.unwrapped

    def places(self) -> Sequence[Place]:
        return [OnHost(self.host, self.connection)]

    @property
    def head(self) -> dict[str, Any]:
        return sealed.head(self.backup)

    @property
    def restored(self) -> str:
        """On the host, the data that is to be."""
        return f"{_DATA}.restored-{self.run}"

    @property
    def before(self) -> str:
        """On the host, the data that was."""
        return f"{_DATA}.before-{self.run}"

    @property
    def apart(self) -> str:
        """On the host, where manifests are while nothing runs by them."""
        return f"{_APART}/restore-{self.run}"

    def on_host(self, script: str, *, timeout: float = 60.0) -> str:
        """What a shell script says there, run by root. Raises OperationsError when it fails."""
        done = ssh.run(self.host, self.connection, ["sh", "-euc", script], timeout=timeout)
        if done.returncode:
            words = done.stderr.strip().splitlines() or ["it said nothing"]
            raise OperationsError(f"{self.host}: {words[-1]}")
        return done.stdout

    def is_so(self, test: str) -> bool:
        """Whether a shell test holds there."""
        return self.on_host(f"if {test}; then echo yes; fi").strip() == "yes"


@contextmanager
def opened(stack_name: str, values: Mapping[str, str]) -> Iterator[RestoreSite]:
    """The site of a region. Raises ConfigurationError for one that cannot be brought back here."""
    region = values["region"]
    stack, hosts, version = declared(stack_name, region)
    host, connection = hosts[0]
    backup = Path(values["backup"]).expanduser()
    if not backup.is_file():
        raise ConfigurationError(f"there is no backup {backup}", fix="name a file that backup-etcd made")
    state = read_state(stack_name)
    outputs = parse_outputs(stack_name, opened_outputs(state.outputs))
    way = state.ways().get(region)
    with in_memory() as scratch, Cluster(region, outputs.kubeconfigs[region]) as cluster:
        yield RestoreSite(
            stack,
            region,
            host,
            connection,
            len(hosts),
            way.uid if way else "",
            Tools(version),
            scratch,
            backup,
            cluster,
        )


def _fits(site: RestoreSite) -> list[Problem]:
    """What stands against the backup. All of it is looked at before anything is stopped."""
    head = site.head
    found = []
    if site.hosts > 1:
        found.append(
            Problem(
                f"the control plane of {site.region} has {site.hosts} hosts: each member has to be made anew",
                "take it to one host first; more than one is not built yet",
            )
        )
    if head.get("cluster") != site.identity or head.get("region") != site.region:
        found.append(
            Problem(
                f"the backup is of another cluster: region {head.get('region')}, {head.get('cluster')}; "
                f"this one is {site.region}, {site.identity}",
                "name a backup of this cluster",
            )
        )
    line = ".".join(str(head.get("etcd", "")).split(".")[:2])
    if line != ".".join(site.tools.version.split(".")[:2]):
        found.append(
            Problem(
                f"the backup was written by etcd {head.get('etcd')}, and the cluster has "
                f"{site.tools.version}: an older etcd does not start on it",
                "bring it back by the line that wrote it",
            )
        )
    known = encryption.key_names(site.on_host)
    if lacking := sorted(set(head.get("keys_of_secrets", ())) - set(known)):
        found.append(
            Problem(
                f"Secrets in the backup are encrypted by {', '.join(lacking)}, and {site.host} has "
                f"{', '.join(known) or 'no key'}: nobody could read them",
                "bring it back where that key is: the stack's state keeps the cluster's (EncryptionKey), and "
                "`pulumi up` gives it to each of its control-plane hosts",
            )
        )
    age = datetime.now(UTC) - datetime.fromisoformat(head.get("taken", "1970-01-01T00:00:00+00:00"))
    if age.days >= _OLD_DAYS:
        found.append(Problem(f"the backup is {age.days} days old: what came later is lost", blocks=False))
    return found or _opens(site)


def _opens(site: RestoreSite) -> list[Problem]:
    """Whether the backup opens, and is what its head says."""
    try:
        _prepare(site, "probe", "https://127.0.0.1:2380")
    except OperationsError as error:
        return [
            Problem(f"{site.backup} cannot be brought back: {error.message}", error.fix or "name another one")
        ]
    finally:
        shutil.rmtree(site.scratch / "data", ignore_errors=True)
    return []


def _prepare(site: RestoreSite, name: str, peer: str) -> Path:
    """The data directory of a member, in memory. Raises OperationsError for what is not as its head says."""
    head, snapshot, target = site.head, site.scratch / "snapshot.db", site.scratch / "data"
    shutil.rmtree(target, ignore_errors=True)
    snapshot.unlink(missing_ok=True)
    try:
        sealed.unseal(site.backup, snapshot, site.unwrap(site.stack.name, head["envelope"]))
        status = data(site.tools.utility("snapshot", "status", str(snapshot), "--write-out", "json"))
        if (int(status["revision"]), int(status["totalKey"])) != (head["revision"], head["keys"]):
            raise OperationsError(
                f"it has {status['totalKey']} keys at revision {status['revision']}, and its head says "
                f"{head['keys']} at {head['revision']}"
            )
        site.tools.utility(
            *("snapshot", "restore", str(snapshot), "--data-dir", str(target), "--name", name),
            *("--initial-cluster", f"{name}={peer}", "--initial-advertise-peer-urls", peer),
            *("--initial-cluster-token", f"restored-{site.run or 'probe'}"),
            *("--bump-revision", str(BUMP), "--mark-compacted"),
        )
    finally:
        snapshot.unlink(missing_ok=True)
    return target


def _upload(site: RestoreSite) -> None:
    text = site.on_host(f"cat {_MANIFESTS}/etcd.yaml 2>/dev/null || cat {site.apart}/etcd.yaml")
    name, peer = _flag(text, "name"), _flag(text, "initial-advertise-peer-urls")
    target = _prepare(site, name, peer)
    try:
        site.on_host(f"rm -rf {site.restored}.new; mkdir -m 700 {site.restored}.new")
        _send(site, target, f"{site.restored}.new")
        site.on_host(f"mv {site.restored}.new {site.restored}; sync")
    finally:
        shutil.rmtree(target, ignore_errors=True)


def _send(site: RestoreSite, source: Path, target: str) -> None:
    """Have a directory's content on the host. Raises OperationsError."""
    connection = site.connection
    command = ssh.as_root(connection, ["tar", "--extract", "--same-permissions", "--directory", target])
    packed = subprocess.run(
        ["tar", "--create", "--directory", str(source), "."],
        capture_output=True,
        check=True,
        timeout=SECONDS,
    ).stdout
    password = f"{connection.become_password}\n".encode() if connection.asks_for_password else b""
    done = subprocess.run(
        ["ssh", *ssh.options(connection), "-T", connection.address, command],
        input=password + packed,
        capture_output=True,
        timeout=SECONDS,
        check=False,
    )
    if done.returncode:
        raise OperationsError(f"{site.host}: {done.stderr.decode(errors='replace').strip()[-300:]}")


def _flag(manifest: str, name: str) -> str:
    found = re.search(rf"^\s*- --{name}=(\S+)$", manifest, re.MULTILINE)
    if found is None:
        raise OperationsError(f"the manifest of etcd has no --{name}", fix="see that kubeadm made this host")
    return found[1]


def _stop(site: RestoreSite) -> None:
    moves = "; ".join(
        f"if [ -e {_MANIFESTS}/{name} ]; then mv {_MANIFESTS}/{name} {site.apart}/{name}; fi"
        for name in _STOPPED
    )
    site.on_host(f"mkdir -p -m 700 {site.apart}; {moves}")
    until(partial(_stopped, site), "the API server and etcd to end", site.tell)


def _stopped(site: RestoreSite) -> str:
    if any(not site.is_so(f"[ -e {site.apart}/{name} ]") for name in _STOPPED):
        return "the API server and etcd run by their manifests"
    running = site.on_host(_RUNNING).split()
    return f"{' '.join(running[1::2])} still runs" if running else ""


def _exchange(site: RestoreSite) -> None:
    site.on_host(
        f"if [ ! -e {site.before} ]; then mv {_DATA} {site.before}; fi; "
        f"if [ ! -e {_DATA} ]; then mv {site.restored} {_DATA}; fi; sync"
    )


def _exchanged(site: RestoreSite) -> str:
    test = f"[ -d {site.before}/member ] && [ -d {_DATA}/member ] && [ ! -e {site.restored} ]"
    return "" if site.run and site.is_so(test) else f"{_DATA} has what was there before"


def _exchange_back(site: RestoreSite, before: Facts) -> None:
    site.on_host(
        f"if [ -e {site.before} ]; then if [ -e {_DATA} ]; then mv {_DATA} {site.restored}; fi; "
        f"mv {site.before} {_DATA}; fi; sync"
    )


def _start(site: RestoreSite) -> None:
    moves = "; ".join(
        f"if [ -e {site.apart}/{name} ]; then mv {site.apart}/{name} {_MANIFESTS}/{name}; fi"
        for name in _STOPPED
    )
    site.on_host(moves)
    until(partial(_serving, site), "the API server to serve", site.tell)


def _serving(site: RestoreSite) -> str:
    if site.is_so(f"[ -e {site.apart}/etcd.yaml ] || [ -e {site.apart}/kube-apiserver.yaml ]"):
        return "etcd and the API server are stopped"
    try:
        status, text = site.cluster.answer("GET", "/readyz")
    except AccessError as error:
        return error.message
    return "" if status == 200 else f"the API server is not ready: {text[:200]}"


def _started(site: RestoreSite) -> str:
    lacking = _exchanged(site)
    return lacking or _serving(site)


def _blast(site: RestoreSite) -> Blast:
    head = site.head
    return Blast(
        site.region,
        [
            f"the API of region {site.region} is away for about a minute; what runs goes on",
            f"all objects are those of {head.get('taken')}: what was written since then is lost",
            f"what etcd has now stays on {site.host} as {_DATA}.before-…",
        ],
    )


def _well(site: RestoreSite) -> list[Problem]:
    namespace = site.cluster.get("/api/v1/namespaces/kube-system")
    uid = ((namespace or {}).get("metadata") or {}).get("uid")
    site.tell(f"{site.host}: {site.before} has what etcd had; remove it once all is well")
    return (
        [] if uid == site.identity else [Problem(f"this is another cluster now: {uid}, not {site.identity}")]
    )


def _remove(site: RestoreSite, before: Facts) -> None:
    site.on_host(f"rm -rf {shlex.quote(site.restored)} {shlex.quote(site.restored)}.new")


RESTORE = Runbook(
    name="restore-etcd",
    title="Bring a cluster's etcd back from a backup",
    says="For a store that is lost or wrong. Revisions begin far behind all that clients have seen, marked "
    "as compacted, so that every watch begins anew and no two answers differ. What etcd has now stays on "
    "the host.",
    parameters=(_REGION, _BACKUP),
    opened=opened,
    blast=_blast,
    preconditions=_fits,
    steps=(
        Step(
            "upload",
            "make the data directory from the backup, beside the one that is there",
            do=_upload,
            verify=lambda site: (
                ""
                if site.run and (site.is_so(f"[ -d {site.restored}/member ]") or not _exchanged(site))
                else "it is not on the host"
            ),
            undo=_remove,
        ),
        Step(
            "stop",
            "stop the API server and etcd",
            do=_stop,
            verify=lambda site: "" if site.run and (not _stopped(site) or not _started(site)) else "they run",
            undo=lambda site, before: _start(site),
        ),
        Step(
            "exchange", "put it in place of the old one", do=_exchange, verify=_exchanged, undo=_exchange_back
        ),
        Step(
            "start",
            "start etcd and the API server",
            do=_start,
            verify=_started,
            undo=lambda site, before: _stop(site),
        ),
    ),
    postconditions=_well,
)
