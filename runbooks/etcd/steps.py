"""The steps by which the etcd of a control plane gets other data, the same on each of its hosts.

All API servers end before the first etcd does, and every etcd has ended before the data of the first are
exchanged: nobody is served old data while others get new ones. All members are made from one snapshot, with
the same list of members, so none has to join (etcd's guide on disaster recovery). What was there stays.
"""

from __future__ import annotations

import re
import shlex
import shutil
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

from access.errors import AccessError
from report.errors import OperationsError
from report.problem import Problem
from runbooks.etcd.site import API_SERVER, DATA, ETCD, MANIFESTS, RestoreSite
from runbooks.model import Facts, Step
from runbooks.waiting import until

BUMP = 1_000_000_000
"""Revisions that are left out, so that no client holds one that is yet to come: etcd's own guide on disaster
recovery names this number, for a store that writes 1,500 times a second for a week."""
_NODE = "/api/v1/nodes/{host}"
_OK = 200
_PATIENCE = 20.0
"""Seconds in which kubelet ends what has no manifest any more. One that was started without an API server
passes over a manifest that goes; then the program is asked itself, and nobody starts it anew."""


# -- Data for each member


def member_data(site: RestoreSite, snapshot: Path, name: str, peers: Sequence[tuple[str, str]]) -> Path:
    """The data directory of a member, in memory. peers: name and URL of all. Raises OperationsError."""
    target = site.scratch / "data"
    shutil.rmtree(target, ignore_errors=True)
    site.tools.utility(
        *("snapshot", "restore", str(snapshot), "--data-dir", str(target), "--name", name),
        *("--initial-cluster", ",".join(f"{peer}={url}" for peer, url in peers)),
        *("--initial-advertise-peer-urls", dict(peers)[name]),
        *("--initial-cluster-token", f"restored-{site.run or 'probe'}"),
        *("--bump-revision", str(BUMP), "--mark-compacted"),
    )
    return target


def _upload(site: RestoreSite) -> None:
    peers = [_peer(site, host) for host in site.hosts]
    snapshot = site.scratch / "snapshot.db"
    snapshot.unlink(missing_ok=True)
    try:
        site.source.fetch(site, snapshot)
        for host, (name, _) in zip(site.hosts, peers, strict=True):
            # Those that have it from a run that was killed get it anew: all are of this snapshot.
            site.require_lock()
            site.on_host(
                host, f"rm -rf {site.restored} {site.restored}.new; mkdir -p -m 700 {site.restored}.new"
            )
            site.send(host, member_data(site, snapshot, name, peers), f"{site.restored}.new")
            site.on_host(host, f"mv {site.restored}.new {site.restored}; sync")
            site.tell(f"{host}: its data lie beside what is there")
    finally:
        snapshot.unlink(missing_ok=True)
        shutil.rmtree(site.scratch / "data", ignore_errors=True)


def _peer(site: RestoreSite, host: str) -> tuple[str, str]:
    """Name and URL of a host's member, as kubeadm made it."""
    text = site.on_host(host, f"cat {MANIFESTS}/{ETCD}.yaml 2>/dev/null || cat {site.apart}/{ETCD}.yaml")
    return _flag(host, text, "name"), _flag(host, text, "initial-advertise-peer-urls")


def _flag(host: str, manifest: str, name: str) -> str:
    found = re.search(rf"^\s*- --{name}=(\S+)$", manifest, re.MULTILINE)
    if found is None:
        raise OperationsError(
            f"{host}: the manifest of etcd has no --{name}", fix="see that kubeadm made this host"
        )
    return found[1]


def _uploaded(site: RestoreSite) -> str:
    if not site.run:
        return "nothing was put on the hosts yet"
    lacking = [host for host, words in site.looks().items() if "whole" not in words and not _has_it(words)]
    return f"not on {', '.join(lacking)}" if lacking else ""


def _remove(site: RestoreSite, before: Facts) -> None:
    for host in site.hosts:
        path = shlex.quote(site.restored)
        site.on_host(host, f"rm -rf {path} {path}.new")


# -- The control plane, stopped and started


def _stop(site: RestoreSite) -> None:
    for program in (API_SERVER, ETCD):
        site.require_lock()
        for host in site.hosts:
            manifest, apart = f"{MANIFESTS}/{program}.yaml", f"{site.apart}/{program}.yaml"
            site.on_host(
                host, f"mkdir -p -m 700 {site.apart}; if [ -e {manifest} ]; then mv {manifest} {apart}; fi"
            )
        until(_Ending(site, program), f"every {program} to end", site.tell)


class _Ending:
    """Says where a program still runs. One that kubelet leaves is asked to end, as the runtime would ask."""

    def __init__(self, site: RestoreSite, program: str) -> None:
        self._site, self._program = site, program
        self._asked = time.monotonic()

    def __call__(self) -> str:
        runs = [host for host, words in self._site.looks().items() if f"runs:{self._program}" in words]
        if runs and time.monotonic() - self._asked > _PATIENCE:
            self._asked = time.monotonic()
            for host in runs:
                self._site.on_host(host, _END.format(program=self._program))
        return f"it runs on {', '.join(runs)}" if runs else ""


_END = "pkill -TERM -f '^([^ ]*/)?{program} .*=/etc/kubernetes/' || true"


def _not_stopped(site: RestoreSite) -> str:
    """Where the control plane is not stopped."""
    for host, seen in site.looks().items():
        for program in (API_SERVER, ETCD):
            if f"apart:{program}" not in seen:
                return f"{program} of {host} runs by its manifest"
            if f"runs:{program}" in seen:
                return f"{program} still runs on {host}"
    return ""


def _start(site: RestoreSite, *, served: bool = True) -> None:
    """served: whether to wait until all of it serves."""
    for program, lacking in ((ETCD, _etcd_lacks), (API_SERVER, _lacks)):
        site.require_lock()
        for host in site.hosts:
            manifest, apart = f"{MANIFESTS}/{program}.yaml", f"{site.apart}/{program}.yaml"
            site.on_host(host, f"if [ -e {apart} ]; then mv {apart} {manifest}; fi")
        if served:
            until(partial(lacking, site), f"{program} to serve", site.tell)
    if served:
        until(partial(_unanswered, site), "the API to answer at its address", site.tell)


def _etcd_lacks(site: RestoreSite) -> str:
    return _silent(site, (ETCD,))


def _lacks(site: RestoreSite) -> str:
    """Where etcd or the API server does not serve."""
    return _silent(site, (ETCD, API_SERVER))


def _silent(site: RestoreSite, programs: Sequence[str]) -> str:
    for host, seen in site.looks().items():
        for program in programs:
            if f"apart:{program}" in seen or f"manifest:{program}" not in seen:
                return f"{program} of {host} is stopped"
        try:
            served = site.served(host)
        except AccessError as error:
            return error.message
        for program in programs:
            if served[program]["status"] != _OK:
                return f"{program} of {host} does not serve: {served[program]['why'] or 'it says nothing'}"
    return ""


def _unanswered(site: RestoreSite) -> str:
    """Why the API does not answer at its address, which may just pass on to a host that was ready earlier."""
    try:
        status, words = site.cluster.answer("GET", "/readyz")
    except AccessError as error:
        return error.message
    return "" if status == _OK else f"it answers {status}: {words[:200]}"


def _started(site: RestoreSite) -> str:
    return _not_exchanged(site) or _lacks(site) or _unanswered(site)


def _stopped_or_started(site: RestoreSite) -> str:
    if not site.run:
        return "they run"
    words = _not_stopped(site)
    return words if words and _started(site) else ""


def _served(site: RestoreSite) -> Facts:
    """Whether it served before: where it did not, nobody can wait for it when all is as it was."""
    return {"served": not _lacks(site)}


def _start_again(site: RestoreSite, before: Facts) -> None:
    _start(site, served=bool(before.get("served")))


# -- Its data, exchanged


def _exchange(site: RestoreSite) -> None:
    for host in site.hosts:
        site.require_lock()
        site.on_host(
            host,
            # By the mark the host's next play knows that what the cluster tells of itself may be older.
            f"mkdir -p -m 700 {site.before}; touch {site.before}/exchanged; "
            f"if [ -d {site.restored}/member ]; then cd {DATA}; "
            # Half of an exchange that was killed: the old data are kept already.
            f"if [ -d member ]; then if [ -d {site.before}/member ]; then rm -rf member; "
            f"else mv member {site.before}/member; fi; fi; mv {site.restored}/member member; fi; "
            f"rm -rf {site.restored}; sync",
        )


def _has_it(words: frozenset[str]) -> bool:
    return {"before", "data"} <= words and "restored" not in words


def _not_exchanged(site: RestoreSite) -> str:
    if not site.run:
        return "nothing was exchanged yet"
    for host, words in site.looks().items():
        if not _has_it(words):
            return f"{host} has the data that were there before"
    return ""


def _exchange_back(site: RestoreSite, before: Facts) -> None:
    for host in site.hosts:
        site.on_host(
            host,
            f"if [ -d {site.before} ]; then cd {DATA}; "
            f"if [ -d member ] && [ ! -d {site.restored}/member ]; then "
            f"mkdir -p -m 700 {site.restored}; mv member {site.restored}/member; fi; "
            f"if [ -d {site.before}/member ]; then mv {site.before}/member member; fi; "
            f"rm -f {site.before}/exchanged; rmdir {site.before}; fi; sync",
        )


UPLOAD: Step[RestoreSite] = Step(
    "upload",
    "make each member's data from one snapshot, beside what is there",
    do=_upload,
    verify=_uploaded,
    undo=_remove,
)
STOP: Step[RestoreSite] = Step(
    "stop",
    "stop every API server, then every etcd",
    do=_stop,
    verify=_stopped_or_started,
    before=_served,
    undo=_start_again,
)
EXCHANGE: Step[RestoreSite] = Step(
    "exchange",
    "put the new data in place of the old ones, which stay on the hosts",
    do=_exchange,
    verify=_not_exchanged,
    undo=_exchange_back,
)
START: Step[RestoreSite] = Step(
    "start",
    "start every etcd, and once they serve every API server",
    do=_start,
    verify=_started,
    undo=lambda site, before: _stop(site),
)


# -- Hosts that are left out


def _still_nodes(site: RestoreSite) -> str:
    if not site.absent:
        return ""
    if not site.run:
        return f"{', '.join(site.absent)} may be nodes"
    try:
        there = [host for host in site.absent if site.cluster.get(_NODE.format(host=host)) is not None]
    except AccessError as error:
        return error.message
    return f"{', '.join(there)} are nodes" if there else ""


def _forget(site: RestoreSite) -> None:
    # What ran there is given up with them, and started elsewhere.
    for host in site.absent:
        site.cluster.delete(_NODE.format(host=host))


FORGET: Step[RestoreSite] = Step(
    "forget",
    "delete the nodes of the hosts that are left out, so that other machines can join in their place",
    do=_forget,
    verify=_still_nodes,
    # The old data have them still.
    undo=lambda site, before: None,
)


def well(site: RestoreSite) -> list[Problem]:
    """Whether it is the same cluster; says what is left to do."""
    namespace: dict[str, Any] = site.cluster.get("/api/v1/namespaces/kube-system") or {}
    uid = (namespace.get("metadata") or {}).get("uid")
    if uid != site.identity:
        return [Problem(f"this is another cluster now: {uid}, not {site.identity}")]
    site.tell(f"{', '.join(site.hosts)}: what etcd had is in {site.before}; remove it once all is well")
    site.tell(
        "objects are those that the new data have: `pulumi up --refresh` brings again what has been declared "
        "since, and has each control plane tell the cluster anew what it runs by"
    )
    for host in site.absent:
        site.tell(
            f"{host}: bring another machine at its address, and `pulumi up --refresh`; or take it out of the "
            f"declaration, and `CROSSMESH_LOST_HOSTS={host} pulumi up`"
        )
    return []


def touched(site: RestoreSite) -> list[str]:
    """What both runbooks touch, in words."""
    return [
        f"the API of region {site.region} is away for about a minute; what runs goes on",
        f"what etcd has now stays on {', '.join(site.hosts)} in {DATA}/before-…",
        *(f"{host} is left out: no member of etcd and no node afterwards" for host in site.absent),
    ]
