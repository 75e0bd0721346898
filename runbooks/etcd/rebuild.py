"""Rebuild a cluster's etcd whose majority is lost, from what is left of it.

A member without a majority serves nobody, and one that was started anew does not even give a snapshot of
itself: so its data are copied once it has ended, and read by an etcd aside that takes itself for the only
member (`--force-new-cluster`), which also reads what only the log has yet.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from access.errors import AccessError
from report.errors import OperationsError
from report.problem import Problem
from runbooks.etcd import site as sites
from runbooks.etcd import steps
from runbooks.etcd.site import DATA, RestoreSite
from runbooks.etcd.tools import data
from runbooks.model import Blast, Parameter, Runbook

_REGION = Parameter("region", "name of the region whose cluster has lost most of its members")
_OK = 200
_LOG = 512 << 20
"""Bytes beside a member's own data: its log is made anew, in files of 64 MiB."""


class Left:
    """The members that are left as the source of etcd's data: what the one has that is furthest."""

    def fetch(self, site: RestoreSite, target: Path) -> None:
        """Write a snapshot of it. Raises OperationsError where none of them can be read."""
        furthest, why = -1, []
        with_data = [host for host, words in site.looks().items() if "data" in words]
        for host in with_data:
            aside = target.with_name(f"{host}.db")
            try:
                revision = _read(site, host, aside)
            except OperationsError as error:
                why.append(error.message)
                site.tell(f"{host}: what it has cannot be read: {error.message}")
                continue
            site.tell(f"{host}: revision {revision}")
            if revision > furthest:
                furthest = revision
                aside.replace(target)
            aside.unlink(missing_ok=True)
        if furthest < 0:
            raise OperationsError(
                f"no member of etcd is left that can be read: {'; '.join(why) or 'no host has data'}",
                fix="bring it back from a backup: `restore-etcd`",
            )


def _read(site: RestoreSite, host: str, target: Path) -> int:
    """Have a snapshot of a host's member, which has ended, in a file; its revision."""
    own = site.scratch / "data"
    shutil.rmtree(own, ignore_errors=True)
    target.unlink(missing_ok=True)
    (own / "member").mkdir(mode=0o700, parents=True)
    try:
        site.receive(host, f"{DATA}/member", own / "member")
        with site.tools.aside(site.scratch, "--force-new-cluster") as ask:
            ask("snapshot", "save", str(target))
        status = data(site.tools.utility("snapshot", "status", str(target), "--write-out", "json"))
    finally:
        shutil.rmtree(own, ignore_errors=True)
    return int(status["revision"])


@contextmanager
def opened(stack_name: str, values: Mapping[str, str]) -> Iterator[RestoreSite]:
    """The site of a region. Raises as `site.opened` does."""
    with sites.opened(stack_name, values, Left()) as found:
        yield found


def _is_lost(site: RestoreSite) -> list[Problem]:
    """What stands against it: that etcd serves above all."""
    found = sites.against_hosts(site, _LOG, ())
    if any(problem.blocks for problem in found):
        return found
    if not any("data" in words for words in site.looks().values()):
        fix = "bring it back from a backup: `restore-etcd`"
        found.append(Problem(f"no host of {site.region} has data of etcd", fix))
    # Those that are said to be lost may be cut off from here alone, and have the majority.
    try:
        answers = site.cluster.answer("GET", "/readyz")[0] == _OK
    except AccessError:
        answers = False
    if answers:
        what = f"the API of {site.region} answers: etcd has a majority somewhere, and nothing is lost"
        found.append(Problem(what, "look which machines hold its address, and why they are not reached"))
    for host in site.hosts:
        try:
            served = site.served(host)["etcd"]
        except AccessError as error:
            found.append(Problem(error.message, error.fix))
            continue
        if served["status"] == _OK:
            found.append(
                Problem(
                    f"etcd of {host} serves: more than half of the members are there, and nothing is lost",
                    "clear the places of those that are lost, `clear-lost-node node=NODE`; one whose machine "
                    "runs joins anew by `renew-etcd-member node=NODE`",
                )
            )
    return found


def _blast(site: RestoreSite) -> Blast:
    lost = (
        "what was acknowledged and had not reached a member that is left is lost; nothing says what that is"
    )
    return Blast(site.region, [lost, *steps.touched(site)])


REBUILD: Runbook[RestoreSite] = Runbook(
    name="rebuild-etcd",
    title="Rebuild a cluster's etcd from the members that are left",
    says="For a control plane of several hosts that has lost more than half of its members for good, so that "
    "the others serve nobody. Of those that are left, the one that has the most gives its data, and all "
    "members are made anew from them; revisions begin far behind all that clients have seen. It loses less "
    "than a backup would. While machines can still be started, start them instead.",
    parameters=(_REGION, sites.WITHOUT),
    opened=opened,
    blast=_blast,
    preconditions=_is_lost,
    # A member's files are whole only once it has ended.
    steps=(steps.STOP, steps.UPLOAD, steps.EXCHANGE, steps.START, steps.FORGET),
    postconditions=steps.well,
)
