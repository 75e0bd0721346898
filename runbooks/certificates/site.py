"""The hosts of a cluster, for the renewal of its certificates: all over ssh."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from access import ssh
from access.ssh import Connection
from live import logins
from live.expiry import machines
from live.expiry.model import Entry, State
from playbooks.work.clusters import API_PORT
from report.errors import ConfigurationError, OperationsError
from runbooks.control_plane import control_plane, on_machines
from runbooks.locks import OnHost, Place, UnderLock
from stacks.load import Stack

ETCD_PORT = 2379
LONGEST = 365
"""Days that kubeadm's certificates are valid (kubeadm, `CertificateValidityPeriod`)."""
HOST_SCRIPT = Path(__file__).with_name("host_script.py")
_SECONDS = 180.0
_UNROTATED = 0.05
"""Of its life: kubelet asks for the next one from 70 to 90 % on; with less left, nobody gives it one."""


@dataclass
class RenewSite(UnderLock):
    """What the runbook works on."""

    stack: Stack
    region: str
    control: Sequence[str]
    """Hosts of the control plane, in declared order."""
    ways: Mapping[str, Connection]
    """To every node of the region, by name."""
    within: timedelta
    """What ends in less is made anew."""
    run: str = ""
    tell: Callable[[str], None] = field(default=lambda text: None)
    lost: Callable[[], str] = field(default=lambda: "")

    @property
    def workers(self) -> list[str]:
        """The other nodes, sorted."""
        return sorted(set(self.ways) - set(self.control))

    def places(self) -> Sequence[Place]:
        return [OnHost(host, self.ways[host]) for host in self.control]

    def ask(self, host: str, do: str, **order: Any) -> dict[str, Any]:
        """Have a host do something; what it says. Raises OperationsError with why it could not."""
        order = {"root": "", "run": self.run, "do": do, **order}
        connection, source = self.ways[host], HOST_SCRIPT.read_bytes()
        answer = ssh.ask(host, connection, source, order, what="its certificates", timeout=_SECONDS)
        if answer.get("problem"):
            raise OperationsError(f"{host}: {answer['problem']}")
        return answer

    def read(self, host: str, root: str) -> Any:
        """What is public of a host's files, or of a copy of them below a root."""
        return machines.asked(host, self.ways[host], root)

    def look(self, host: str) -> dict[str, Any]:
        """How a host stands with this run."""
        return self.ask(host, "look")

    def served(self, host: str) -> dict[str, Any]:
        """By what a host's API server and etcd serve, and how they and the nodes are."""
        return self.ask(host, "served", api=API_PORT, etcd=ETCD_PORT)

    def entries(self, host: str, *, kept: bool = False) -> dict[str, Entry]:
        """A host's certificates by place; kept: as they were before this run changed them."""
        root = f"/var/lib/crossmesh/certificates-{self.run}" if kept else ""
        found = [
            entry
            for file in self.read(host, root)["found"]
            for entry in machines.of_file(self.region, host, file)
        ]
        return {entry.place: entry for entry in found}

    def renewable(self, host: str) -> list[Entry]:
        """What kubeadm made on a host, that ends soon and that this run has not made anew."""
        return self._unchanged(host, self._of_kubeadm)

    def of_kubelet(self, host: str) -> list[Entry]:
        """What kubelet has on a host that comes to its end and that nobody gives it anew; also what this run
        took away, so that kubelet makes it anew, which it does once it starts.
        """
        due = self._unchanged(host, self._of_kubelet)
        if self.run and self.look(host)["unmade"]:
            why = "kubelet has not made it anew yet"
            due.append(Entry(self.region, host, machines.SERVED, problem=why))
        return due

    def config(self) -> str:
        """kubeadm's configuration as the cluster was made by it. Raises OperationsError."""
        for host in self.control:
            if text := str(self.look(host)["config"]):
                return text
        raise OperationsError(
            f"no host of the control plane of {self.region} knows how kubeadm was configured",
            fix="see that `pulumi up` made them: /var/lib/crossmesh/init.finished",
        )

    def _unchanged(self, host: str, ends: Callable[[Entry, datetime], bool]) -> list[Entry]:
        now = datetime.now(UTC)
        due = [entry for entry in self.entries(host).values() if ends(entry, now)]
        if not (due and self.run and self.look(host)["kept"]):
            return due
        before = self.entries(host, kept=True)
        return [entry for entry in due if not _is_new(entry, before.get(entry.place))]

    def _of_kubeadm(self, entry: Entry, now: datetime) -> bool:
        # Of several in one file, later ones are numbered.
        path = entry.place.partition(" (")[0]
        kubeadms = path.startswith(machines.PKI) or path in machines.KUBECONFIGS
        leaf = kubeadms and path not in machines.AUTHORITIES
        return leaf and entry.state(now, self.within) is not State.OK

    def _of_kubelet(self, entry: Entry, now: datetime) -> bool:
        if entry.place == machines.SERVED:
            return entry.state(now, self.within) is not State.OK
        if entry.place != machines.CLIENT:
            return False
        if entry.not_before is None or entry.not_after is None:
            return True
        life = entry.not_after - entry.not_before
        return entry.state(now, life * _UNROTATED) is not State.OK


def _is_new(entry: Entry, before: Entry | None) -> bool:
    return bool(entry.serial) and before is not None and entry.serial != before.serial


@contextmanager
def opened(stack_name: str, values: Mapping[str, str]) -> Iterator[RenewSite]:
    """The site of a region. Raises ConfigurationError for one whose cluster is somebody else's."""
    region = values["region"]
    stack, spec = on_machines(stack_name, region, "its certificates are")
    control = [host for host, _ in control_plane(stack, spec)]
    ways = {host: logins.login(stack, host, node.ssh_address) for host, node in spec.nodes.items()}
    yield RenewSite(stack, region, control, ways, _days(values["within"]))


def _days(text: str) -> timedelta:
    if not text.isdigit() or not 0 < int(text) <= LONGEST:
        raise ConfigurationError(
            f"within={text} is no such number of days", fix=f"give 1 to {LONGEST}; {LONGEST} renews all"
        )
    return timedelta(days=int(text))
