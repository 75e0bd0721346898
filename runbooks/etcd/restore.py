"""Bring a cluster's etcd back from a backup, with revisions that no client has seen."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from access import envelope
from access.stores import BUCKET, store
from report.errors import ConfigurationError, OperationsError
from report.problem import Problem
from runbooks.etcd import sealed, steps
from runbooks.etcd import site as sites
from runbooks.etcd.site import RestoreSite
from runbooks.etcd.tools import data
from runbooks.model import Blast, Parameter, Runbook

REGION = Parameter("region", "name of the region whose cluster is brought back")
BACKUP = Parameter("backup", "path of the backup, or s3://bucket/prefix/…")
_OLD_DAYS = 7
_EPOCH = "1970-01-01T00:00:00+00:00"


@dataclass(frozen=True)
class Backup:
    """A backup as the source of etcd's data."""

    path: Path
    place: str
    """Where it was named."""
    unwrap: Callable[[str, Mapping[str, Any]], bytes] = envelope.unwrapped

    @property
    def head(self) -> dict[str, Any]:
        """What it says of itself."""
        return sealed.head(self.path)

    def fetch(self, site: RestoreSite, target: Path) -> None:
        """Open it. Raises OperationsError where it is not what its head says."""
        head = self.head
        sealed.unseal(self.path, target, self.unwrap(site.stack.name, head["envelope"]))
        status = data(site.tools.utility("snapshot", "status", str(target), "--write-out", "json"))
        if (int(status["revision"]), int(status["totalKey"])) != (head["revision"], head["keys"]):
            raise OperationsError(
                f"it has {status['totalKey']} keys at revision {status['revision']}, and its head says "
                f"{head['keys']} at {head['revision']}"
            )


@contextmanager
def opened(stack_name: str, values: Mapping[str, str]) -> Iterator[RestoreSite]:
    """The site of a region. Raises ConfigurationError for one that cannot be brought back site."""
    place = values["backup"]
    path = Path(place).expanduser()
    if not place.startswith(BUCKET) and not path.is_file():
        raise ConfigurationError(f"there is no backup {path}", fix="name a file that backup-etcd made")
    with sites.opened(stack_name, values, Backup(path, place)) as found:
        if place.startswith(BUCKET):
            brought = found.scratch / "brought.etcd"
            parent, _, name = place.rpartition("/")
            store(parent).fetch(name, brought)
            found.source = replace(source(found), path=brought)
        yield found


def source(site: RestoreSite) -> Backup:
    """The backup that a site was opened with."""
    assert isinstance(site.source, Backup)
    return site.source


def against_backup(site: RestoreSite) -> list[Problem]:
    """What its head says against it, without opening it."""
    head = source(site).head
    found = []
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
    age = datetime.now(UTC) - datetime.fromisoformat(head.get("taken", _EPOCH))
    if age.days >= _OLD_DAYS:
        found.append(Problem(f"the backup is {age.days} days old: what came later is lost", blocks=False))
    return found


def _fits(site: RestoreSite) -> list[Problem]:
    """What stands against the backup and the hosts. All of it is looked at before anything is stopped."""
    head = source(site).head
    # The snapshot, and etcd's log beside it.
    size = 2 * int(head.get("bytes", 0))
    of_hosts = sites.against_hosts(site, size, head.get("keys_of_secrets", ()))
    found = [*against_backup(site), *of_hosts]
    blocked = any(problem.blocks for problem in found)
    return found if blocked else [*found, *opens(site)]


def opens(site: RestoreSite) -> list[Problem]:
    """Whether the backup opens, is what its head says, and makes a member."""
    snapshot = site.scratch / "snapshot.db"
    snapshot.unlink(missing_ok=True)
    try:
        site.source.fetch(site, snapshot)
        steps.member_data(site, snapshot, "probe", [("probe", "https://127.0.0.1:2380")])
    except OperationsError as error:
        what = f"{source(site).place} cannot be brought back: {error.message}"
        return [Problem(what, error.fix or "name another one")]
    finally:
        snapshot.unlink(missing_ok=True)
        shutil.rmtree(site.scratch / "data", ignore_errors=True)
    return []


def _blast(site: RestoreSite) -> Blast:
    taken = source(site).head.get("taken")
    lost = f"all objects are those of {taken}: what was written since then is lost"
    return Blast(site.region, [lost, *steps.touched(site)])


RESTORE: Runbook[RestoreSite] = Runbook(
    name="restore-etcd",
    title="Bring a cluster's etcd back from a backup",
    says="For a store that is lost or wrong. All members of etcd are made anew from the backup. Revisions "
    "begin far behind all that clients have seen, marked as compacted, so that every watch begins anew and "
    "no two answers differ. What etcd has now stays on the hosts. Where more than half of the members are "
    "lost and one is left, `rebuild-etcd` loses less.",
    parameters=(REGION, BACKUP, sites.WITHOUT),
    opened=opened,
    blast=_blast,
    preconditions=_fits,
    steps=(steps.UPLOAD, steps.STOP, steps.EXCHANGE, steps.START, steps.FORGET),
    postconditions=steps.well,
)
