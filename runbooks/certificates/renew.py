"""Make a cluster's certificates anew, before they end or after: over ssh alone, without its API server."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

from access.errors import AccessError
from live.expiry import machines
from live.expiry.model import BROKEN, Entry
from report.problem import Problem
from runbooks.certificates.site import LONGEST, RenewSite, opened
from runbooks.model import Blast, Facts, Parameter, Runbook, Step
from runbooks.waiting import until

_REGION = Parameter("region", "name of the region whose cluster's certificates are renewed")
_WITHIN = Parameter("within", f"days: what ends in less is made anew; {LONGEST} renews all", "90")
_PROGRAMS = ("etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler")
"""The parts of a control plane, each after what it asks."""
_SERVING = {"etcd": f"{machines.PKI}etcd/server.crt", "kube-apiserver": f"{machines.PKI}apiserver.crt"}
"""Those that serve others, and by which file."""
_SKEW = timedelta(minutes=1)
"""Well below the five minutes by which kubeadm dates certificates back (`CertificateBackdate`)."""
_PARALLEL = 16


def _each(site: RenewSite, hosts: Sequence[str], look: Callable[[str], Any]) -> dict[str, Any]:
    """What is seen of each host, side by side; of one that does not answer, the `AccessError`."""

    def seen(host: str) -> Any:
        try:
            return look(host)
        except AccessError as error:
            return error

    if not hosts:
        return {}
    with ThreadPoolExecutor(min(_PARALLEL, len(hosts))) as pool:
        return dict(zip(hosts, pool.map(seen, hosts), strict=True))


def _silent(seen: Any) -> str:
    return seen.message if isinstance(seen, AccessError) else ""


def _lacking(site: RenewSite, hosts: Sequence[str], lacks: Callable[[RenewSite, str], str]) -> str:
    """What hosts lack; of one that does not answer, that, unless it is no host of the control plane."""
    seen = _each(site, hosts, lambda host: lacks(site, host))
    answered = {host: one for host, one in seen.items() if host in site.control or not _silent(one)}
    return "; ".join(filter(None, (_silent(one) or one for one in answered.values())))


def _named(host: str, entries: Iterable[Entry]) -> str:
    places = [entry.place for entry in entries]
    more = f" and {len(places) - 3} more" if len(places) > 3 else ""
    return f"{host}: {', '.join(places[:3])}{more} come to their end" if places else ""


# -- Keeping what is there


def _due(site: RenewSite, host: str) -> list[Entry]:
    of_kubeadm = site.renewable(host) if host in site.control else []
    return [*of_kubeadm, *site.of_kubelet(host)]


def _unkept(site: RenewSite, host: str) -> str:
    if not _due(site, host) or site.look(host)["kept"]:
        return ""
    return f"{host}: nothing of it is kept yet"


def _keep(site: RenewSite) -> None:
    for host in site.ways:
        try:
            if _unkept(site, host):
                site.ask(host, "keep")
        except AccessError:
            if host in site.control:
                raise


def _forget(site: RenewSite, before: Facts) -> None:
    for host in site.ways:
        try:
            site.ask(host, "forget")
        except AccessError:
            if host in site.control:
                raise


# -- kubeadm's


def _ends(site: RenewSite, host: str) -> str:
    return _named(host, site.renewable(host))


def _renew(site: RenewSite) -> None:
    config = site.config()
    for host in site.control:
        if _ends(site, host):
            site.require_lock()
            site.ask(host, "renew", config=config)


def _serving(site: RenewSite) -> Facts:
    """Which hosts serve before anything is changed: with certificates that have ended, none may."""
    return {"serving": [host for host in site.control if not _unserved(site, host)]}


def _put_back(site: RenewSite, before: Facts) -> None:
    for host in site.control:
        if site.look(host)["kept"]:
            site.ask(host, "put back")
            _restart(site, host, served=host in before.get("serving", ()))


# -- Static pods


def _outdated(site: RenewSite, host: str) -> str:
    """What runs by certificates that were there before, or does not run."""
    seen = site.look(host)
    if not seen["kept"]:
        return f"{host}: its certificates are made anew first" if site.renewable(host) else ""
    if seen["old"]:
        return f"{host}: {', '.join(seen['old'])} run by the certificates that were there before"
    return _unserved(site, host)


def _unserved(site: RenewSite, host: str) -> str:
    missing = [name for name in _PROGRAMS if name not in site.look(host)["running"]]
    if missing:
        return f"{host}: {', '.join(missing)} do not run"
    served, files = site.served(host), site.entries(host)
    for name, place in _SERVING.items():
        seen, file = served[name], files.get(place)
        if seen["status"] != 200:
            return f"{host}: {name} does not serve: {seen['why'] or seen['status']}"
        if file is None or seen["serial"] != file.serial:
            return f"{host}: {name} does not serve by the certificate in {place}"
    return ""


def _restart_all(site: RenewSite) -> None:
    for host in site.control:
        if _outdated(site, host):
            site.require_lock()
            _restart(site, host)


def _restart(site: RenewSite, host: str, *, served: bool = True) -> None:
    """End what runs by earlier files, one part after the other: kubelet starts each anew.

    Manifests stay where they are: a kubelet that was started without an API server passes over one that goes,
    until it has heard of the pods of the API server once. served: whether to wait until all of it serves.
    """
    for name in _PROGRAMS:
        if name in site.look(host)["old"]:
            site.ask(host, "end", name=name)
            if served:
                until(partial(_away, site, host, name), f"{name} on {host} to start anew", site.tell)
    if served:
        until(partial(_outdated, site, host), f"the control plane on {host} to serve", site.tell)


def _away(site: RenewSite, host: str, name: str) -> str:
    """That a part does not run, or does not serve where that can be asked."""
    if name not in site.look(host)["running"]:
        return f"{host}: {name} does not run"
    seen = site.served(host).get(name)
    return f"{host}: {name} does not serve: {seen['why']}" if seen and seen["status"] != 200 else ""


def _without_kubelet(site: RenewSite) -> list[Problem]:
    what, fix = "kubelet does not run on {}, and starts no control plane", "see `journalctl -u kubelet` on {}"
    silent = [host for host in site.control if not site.look(host)["kubelet"]]
    return [Problem(what.format(host), fix.format(host)) for host in silent]


# -- kubelet's


def _kubelet_ends(site: RenewSite, host: str) -> str:
    return _named(host, site.of_kubelet(host))


def _kubelets(site: RenewSite, hosts: Sequence[str]) -> None:
    for host in hosts:
        try:
            due = {entry.place for entry in site.of_kubelet(host)}
        except AccessError:
            if host in site.control:
                raise
            continue
        if not due:
            continue
        site.require_lock()
        pem = ""
        if machines.CLIENT in due:
            pem = site.ask(site.control[0], "client", node=host, config=site.config())["pem"]
        site.ask(host, "kubelet", pem=pem, serving=machines.SERVED in due)
        until(partial(_kubelet_ends, site, host), f"kubelet on {host} to start", site.tell)


# -- Before and after


def _fits(site: RenewSite) -> list[Problem]:
    looked, read = _each(site, site.control, site.look), _each(site, site.control, site.entries)
    found = [problem for host, seen in looked.items() for problem in _of_host(host, seen)]
    if all(_silent(seen) or not seen["config"] for seen in looked.values()):
        what = "no host of the control plane knows how kubeadm was configured"
        found.append(Problem(what, "see that `pulumi up` made them"))
    for host, entries in read.items():
        if not _silent(entries):
            found += [problem for place in machines.AUTHORITIES for problem in _of(host, entries.get(place))]
    for seen in _each(site, site.workers, site.look).values():
        if words := _silent(seen):
            found.append(Problem(f"left as it is: {words}", seen.fix, blocks=False))
    return found


def _of_host(host: str, seen: Any) -> Iterable[Problem]:
    if words := _silent(seen):
        yield Problem(words, seen.fix)
        return
    for authority in seen["keyless"]:
        yield Problem(f"{host} has no key of the authority {authority}", "renew where that key is kept")
    skew = abs(seen["now"] - datetime.now(UTC).timestamp())
    if skew > _SKEW.total_seconds():
        fix = "set it, or this computer's: certificates get their time from there"
        yield Problem(f"the clock of {host} is {skew:.0f} s off", fix)


def _of(host: str, authority: Entry | None) -> Iterable[Problem]:
    """What stands against an authority that is to sign."""
    now = datetime.now(UTC)
    if authority is None or authority.state(now) in BROKEN:
        what = authority.says(now) if authority else f"{host} lacks an authority of kubeadm's"
        yield Problem(what, "nothing that it signs would be valid; bring the cluster back on new machines")
    elif authority.not_after and authority.not_after - now < timedelta(days=LONGEST):
        yield Problem(f"{authority.says(now)}: what it signs ends with it", blocks=False)


def _blast(site: RenewSite) -> Blast:
    """What is made anew, and of all the rest how long it holds."""
    now, lines, restarts = datetime.now(UTC), [], False
    seen = _each(site, list(site.ways), lambda host: (_due(site, host), site.entries(host)))
    for host, found in seen.items():
        if _silent(found):
            continue
        anew = {entry.place for entry in found[0]}
        restarts |= host in site.control and bool(anew - {machines.CLIENT, machines.SERVED})
        lines += _told(host, anew, found[1], now)
    away = f"the API of {site.region} is away for seconds, on one host after the other; what runs goes on"
    none = f"nothing of kubeadm's ends within {site.within.days} days: no control plane is started anew"
    return Blast(site.region, [away if restarts else none, *lines])


def _told(host: str, anew: set[str], entries: Mapping[str, Entry], now: datetime) -> list[str]:
    """What ends when on a host; of one where nothing is due, what ends first."""
    if not anew:
        ends = [entry for entry in entries.values() if entry.not_after]
        first = min(ends, key=lambda entry: entry.not_after or now, default=None)
        return [f"{host}: all stays; the first to end: {first.place} {first.words(now)}"] if first else []
    return [
        f"{host}: {place} {entry.words(now)}; {'made anew' if place in anew else 'stays'}"
        for place, entry in sorted(entries.items())
    ]


def _well(site: RenewSite) -> list[Problem]:
    """Nodes that were worked on are Ready, which needs no credential of ours."""
    seen = _each(site, list(site.ways), site.look)
    worked = [host for host, one in seen.items() if not _silent(one) and one["kept"]]
    if worked:
        until(partial(_unready, site, worked), "the nodes to be ready", site.tell)
        where = f"/var/lib/crossmesh/certificates-{site.run}"
        site.tell(f"{', '.join(worked)}: what was there is in {where}, until the next renewal")
    return []


def _unready(site: RenewSite, worked: Sequence[str]) -> str:
    host = site.control[0]
    if words := _unserved(site, host):
        return words
    ready = site.served(host)["nodes"]
    waiting = [node for node in worked if not ready.get(node)]
    return f"not Ready: {', '.join(waiting)}" if waiting else ""


RENEW = Runbook(
    name=machines.RUNBOOK,
    title="Renew a cluster's certificates",
    says="kubeadm's certificates last for a year, and nobody renews them by itself. Those that end soon or "
    "have ended are made anew, on one host after the other, and what kubelets have that comes to its end. "
    "It needs ssh alone, and no API server. What was there is kept on the hosts. The authorities stay: what "
    "others have of them goes on being valid.",
    parameters=(_REGION, _WITHIN),
    opened=opened,
    blast=_blast,
    preconditions=_fits,
    # What is made anew is of the same authority and holds longer: it is no worse than what was there.
    takes_back=False,
    steps=(
        Step(
            "keep",
            "keep what is there, for root alone",
            do=_keep,
            verify=lambda site: _lacking(site, list(site.ways), _unkept),
            undo=_forget,
        ),
        Step(
            "renew",
            "have kubeadm make its certificates and kubeconfigs anew",
            do=_renew,
            verify=lambda site: _lacking(site, site.control, _ends),
            before=_serving,
            undo=_put_back,
        ),
        Step(
            "kubelet",
            "give kubelets of the control plane what has ended, and start them anew",
            do=lambda site: _kubelets(site, site.control),
            verify=lambda site: _lacking(site, site.control, _kubelet_ends),
            one_way="kubelet goes on with what it got, which is no worse than what had ended",
        ),
        Step(
            "restart",
            "start the control plane anew, one host after the other, each proven to serve",
            do=_restart_all,
            verify=lambda site: _lacking(site, site.control, _outdated),
            check=_without_kubelet,
            undo=lambda site, before: None,
        ),
        Step(
            "nodes",
            "give kubelets of the other nodes what has ended, and start them anew",
            do=lambda site: _kubelets(site, site.workers),
            verify=lambda site: _lacking(site, site.workers, _kubelet_ends),
            one_way="kubelet goes on with what it got, which is no worse than what had ended",
        ),
    ),
    postconditions=_well,
)
