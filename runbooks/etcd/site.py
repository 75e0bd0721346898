"""The hosts of a control plane whose etcd is made anew, what they say of themselves, and the way to each."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from access import ssh
from access.cluster import Cluster
from access.errors import AccessError, IdentityMismatch, Unanswered
from access.outputs import parse_outputs
from access.ssh import Connection
from live.state import opened as opened_outputs
from live.state import read_state
from playbooks.work.clusters import API_PORT
from report.errors import ConfigurationError, OperationsError
from report.problem import Problem
from runbooks.certificates.site import ETCD_PORT, HOST_SCRIPT
from runbooks.etcd import encryption
from runbooks.etcd.backup import declared, in_memory
from runbooks.etcd.tools import Tools
from runbooks.locks import OnHost, Place, UnderLock
from runbooks.model import Parameter
from runbooks.waiting import SECONDS
from stacks.load import Stack

DATA = "/var/lib/etcd"
"""etcd's data, as kubeadm has it. It may be a disk of its own: all that is moved stays in it."""
MANIFESTS = "/etc/kubernetes/manifests"
API_SERVER, ETCD = "kube-apiserver", "etcd"
WITHOUT = Parameter("without", "hosts of the control plane that are lost for good, by commas", "")
_APART = "/var/lib/crossmesh"
# A program of the same name in somebody's pod is none of the control plane.
_OF_CONTROL_PLANE = r"^([^ ]*/)?(etcd|kube-apiserver) .*=/etc/kubernetes/"
_SERVED_SECONDS = 30.0
_LOOK = """
for part in restored before; do if [ -d {data}/$part-{run} ]; then echo $part; fi; done
if [ -d {data}/restored-{run}/member ]; then echo whole; fi
if [ -d {data}/member ]; then echo data; fi
for program in etcd kube-apiserver; do
  if [ -e {manifests}/$program.yaml ]; then echo manifest:$program; fi
  if [ -e {apart}/$program.yaml ]; then echo apart:$program; fi
done
if pgrep -x kubelet >/dev/null; then echo kubelet; fi
pgrep -f -l '{pattern}' | while read -r number name; do echo "runs:${{name##*/}}"; done
"""
_ROOM = "if [ -d {data} ]; then cd {data}; else cd /var/lib; fi; df --output=avail -B1 . | tail -n 1"


class Source(Protocol):
    """Where the data come from."""

    def fetch(self, site: RestoreSite, target: Path) -> None:
        """Write a snapshot of etcd to a file in memory. Raises OperationsError."""


@dataclass
class RestoreSite(UnderLock):
    """What the runbooks work on."""

    stack: Stack
    region: str
    hosts: Mapping[str, Connection]
    """Those that get the data, in declared order."""
    absent: Mapping[str, Connection]
    """Those of the control plane that are lost."""
    identity: str
    """UID of the cluster's kube-system, as the stack's state has it."""
    tools: Tools
    scratch: Path
    """In memory: nothing readable touches a disk of this computer."""
    source: Source
    cluster: Cluster
    kept_keys: Mapping[int, str] = field(default_factory=dict)
    """Names of the cluster's keys of Secrets that the stack has, by number; also of those that no host
    has."""
    run: str = ""
    tell: Callable[[str], None] = field(default=lambda text: None)
    lost: Callable[[], str] = field(default=lambda: "")

    def places(self) -> Sequence[Place]:
        return [OnHost(host, connection) for host, connection in self.hosts.items()]

    @property
    def restored(self) -> str:
        """On each host, the data that are to be."""
        return f"{DATA}/restored-{self.run}"

    @property
    def before(self) -> str:
        """On each host, the data that were."""
        return f"{DATA}/before-{self.run}"

    @property
    def apart(self) -> str:
        """On each host, where manifests are while nothing runs by them."""
        return f"{_APART}/restore-{self.run}"

    def on_host(self, host: str, script: str, *, timeout: float = 60.0) -> str:
        """What a shell script says there, run by root. Raises OperationsError when it fails."""
        done = ssh.run(host, self.hosts[host], ["sh", "-euc", script], timeout=timeout)
        if done.returncode:
            words = done.stderr.strip().splitlines() or ["it said nothing"]
            raise OperationsError(f"{host}: {words[-1]}")
        return done.stdout

    def look(self, host: str) -> frozenset[str]:
        """How a host stands with this run, in the words of `_LOOK`."""
        run = self.run or "none"
        apart = f"{_APART}/restore-{run}"
        script = _LOOK.format(data=DATA, run=run, manifests=MANIFESTS, apart=apart, pattern=_OF_CONTROL_PLANE)
        return frozenset(self.on_host(host, script).split())

    def looks(self) -> dict[str, frozenset[str]]:
        """The same of all hosts, side by side."""
        with ThreadPoolExecutor(len(self.hosts)) as pool:
            return dict(zip(self.hosts, pool.map(self.look, self.hosts), strict=True))

    def served(self, host: str) -> dict[str, Any]:
        """How a host's etcd and API server answer there: for each its `status` and `why` it is another."""
        order = {"root": "", "run": self.run, "do": "served", "api": API_PORT, "etcd": ETCD_PORT}
        return ssh.ask(
            host,
            self.hosts[host],
            HOST_SCRIPT.read_bytes(),
            order,
            what="its control plane",
            timeout=_SERVED_SECONDS,
        )

    def send(self, host: str, source: Path, target: str) -> None:
        """Have a directory's content in one on the host. Raises OperationsError."""
        command = ["tar", "--extract", "--same-permissions", "--directory", target]
        packed = subprocess.run(
            ["tar", "--create", "--sparse", "--directory", str(source), "."],
            capture_output=True,
            check=True,
            timeout=SECONDS,
        ).stdout
        self._piped(host, command, packed)

    def receive(self, host: str, source: str, target: Path) -> None:
        """Have the content of a directory on the host in one here, in memory. Raises OperationsError."""
        packed = self._piped(host, ["tar", "--create", "--sparse", "--directory", source, "."], b"")
        subprocess.run(
            ["tar", "--extract", "--directory", str(target)],
            input=packed,
            capture_output=True,
            check=True,
            timeout=SECONDS,
        )

    def _piped(self, host: str, command: list[str], given: bytes) -> bytes:
        connection = self.hosts[host]
        password = f"{connection.become_password}\n".encode() if connection.asks_for_password else b""
        done = subprocess.run(
            ["ssh", *ssh.options(connection), "-T", connection.address, ssh.as_root(connection, command)],
            input=password + given,
            capture_output=True,
            timeout=SECONDS,
            check=False,
        )
        if done.returncode:
            raise OperationsError(f"{host}: {done.stderr.decode(errors='replace').strip()[-300:]}")
        return done.stdout


@contextmanager
def opened(stack_name: str, values: Mapping[str, str], source: Source) -> Iterator[RestoreSite]:
    """The site of a region. Raises ConfigurationError for one that is not declared here, and for hosts to be
    left out that are not of its control plane.
    """
    region = values["region"]
    stack, hosts, version = declared(stack_name, region)
    absent = _absent(values["without"], [host for host, _ in hosts])
    state = read_state(stack_name)
    outputs = parse_outputs(stack_name, opened_outputs(state.outputs))
    way = state.ways().get(region)
    with in_memory() as scratch, Cluster(region, outputs.kubeconfigs[region]) as cluster:
        yield RestoreSite(
            stack,
            region,
            {host: connection for host, connection in hosts if host not in absent},
            {host: connection for host, connection in hosts if host in absent},
            way.uid if way else "",
            Tools(version),
            scratch,
            source,
            cluster,
            encryption.numbered(state, region),
        )


def _absent(text: str, hosts: Sequence[str]) -> set[str]:
    absent = {host for host in text.split(",") if host}
    if unknown := sorted(absent - set(hosts)):
        raise ConfigurationError(
            f"without={','.join(unknown)}: no such host is in the control plane",
            fix=f"it has {', '.join(hosts)}",
        )
    if absent == set(hosts):
        raise ConfigurationError(
            "without= leaves no host of the control plane out of it",
            fix="bring new machines at their addresses: `restore-on-new-machines`",
        )
    return absent


def against_hosts(site: RestoreSite, size: int, keys: Sequence[str]) -> list[Problem]:
    """What stands against the hosts. size: bytes that each has to hold beside what is there. keys: names of
    those that Secrets in the data are encrypted by.
    """
    found = [problem for host in site.hosts for problem in _of_host(site, host, size, keys)]
    for host in site.absent:
        found += _of_absent(site, host)
    if site.absent and len(site.hosts) % 2 == 0:
        found.append(
            Problem(f"of {len(site.hosts)} members of etcd all are needed until others join", blocks=False)
        )
    return found


def _of_host(site: RestoreSite, host: str, size: int, keys: Sequence[str]) -> list[Problem]:
    left_out = f"one that is lost for good is left out by without={host}"
    try:
        seen = site.look(host)
        room = site.on_host(host, _ROOM.format(data=DATA)).strip()
        known = encryption.key_names(lambda script: site.on_host(host, script))
    except OperationsError as error:
        return [Problem(error.message, f"bring it back; {left_out}")]
    found = []
    if not {f"manifest:{ETCD}", f"manifest:{API_SERVER}"} <= seen:
        found.append(
            Problem(
                f"{host} is no control plane: kubeadm's manifests are not there", f"`pulumi up`; {left_out}"
            )
        )
    if "kubelet" not in seen:
        found.append(
            Problem(
                f"kubelet does not run on {host}: it stops and starts what is there",
                "see `journalctl -u kubelet`",
            )
        )
    if room.isdigit() and int(room) < size:
        found.append(
            Problem(f"{DATA} of {host} has {int(room) >> 20} MiB left and needs {size >> 20}", "make room")
        )
    lacking, fix = encryption.lacking(keys, known, site.kept_keys)
    if lacking:
        found.append(
            Problem(
                f"Secrets in the backup are encrypted by {lacking}, and {host} has "
                f"{', '.join(known) or 'no key'}: nobody could read them",
                fix,
            )
        )
    return found


def _of_absent(site: RestoreSite, host: str) -> list[Problem]:
    """Whether a host is lost: its API server would go on with the old data, and so would whoever asks it."""
    off = f"switch {host} off for good, or take it off the network: it has the data of before"
    try:
        ssh.run(host, site.absent[host], ["true"])
    except Unanswered:
        return [Problem(f"{host} does not answer; whether it is off cannot be seen", off, blocks=False)]
    except IdentityMismatch as error:
        return [Problem(f"another machine answers as {host}: {error.message}", off, blocks=False)]
    except AccessError as error:
        return [Problem(f"whether {host} is lost cannot be said: {error.message}", error.fix or off)]
    return [Problem(f"{host} answers ssh: it is not lost", f"leave it out of without=, or {off}")]
