"""One member of etcd made anew from the others: its host lives, and what it had cannot be used any more.

etcd's own guide ("Replace a failed machine") has the failed member removed before the new one is added, so
that the number that has to agree never grows. The new one starts without data and gets them from the leader.
Nothing else of the host changes: it stays the node that it is.
"""

from __future__ import annotations

import re
import shlex
import time
from collections.abc import Sequence
from typing import Any

from access import ssh
from access.errors import Unanswered
from live.logins import login
from report.errors import OperationsError
from report.problem import Problem
from runbooks.control_plane import ask_etcd_beside, control_plane
from runbooks.etcd.site import DATA, ETCD, MANIFESTS
from runbooks.model import Blast, Facts, Runbook, Step
from runbooks.nodes.site import NODE, NodeSite, opened_node
from runbooks.waiting import until
from stacks.model import NodeRole

_APART = "/var/lib/crossmesh"
_HOST_SECONDS = 60.0
_PATIENCE = 20.0
"""Seconds in which kubelet ends what has no manifest any more; then it is asked itself."""
_PROCESS = r"^([^ ]*/)?etcd .*=/etc/kubernetes/"
"""A program of the same name in somebody's pod is none of the control plane."""
_LOOK = """
if [ -e {manifests}/etcd.yaml ]; then echo manifest; fi
if [ -e {apart}/etcd.yaml ]; then echo apart; fi
if [ -d {data}/member ]; then echo data; fi
if [ -d {before} ]; then echo before; fi
if pgrep -f '{process}' >/dev/null; then echo runs; fi
if pgrep -x kubelet >/dev/null; then echo kubelet; fi
"""
_TOLD = """
import sys
order, told = json.loads(sys.stdin.readline()), {}

def there():
    return ask("127.0.0.1", "/v3/cluster/member/list", {"linearizable": True})["members"]

def add():
    if not any(order["url"] in entry["peerURLs"] for entry in there()):
        ask("127.0.0.1", "/v3/cluster/member/add", {"peerURLs": [order["url"]]})

try:
    if order["do"] == "expel":
        expel(order["name"])
    if order["do"] == "add":
        _persistently(add)
    told["members"] = [{"name": entry.get("name", ""), "url": entry["peerURLs"][0]} for entry in there()]
    told["well"] = [member.name for member in members(["127.0.0.1"]) if is_well(member.address)]
except (EtcdError, OSError) as error:
    told["why"] = str(error)
print(json.dumps(told))
"""
"""What follows the library by which plays ask etcd, on another machine of the control plane."""
_CLUSTER = re.compile(r"^(\s*- )--initial-cluster=\S*\n(?:\s*- --initial-cluster-state=\S*\n)?", re.MULTILINE)
_PEER = re.compile(r"^\s*- --initial-advertise-peer-urls=(\S+)$", re.MULTILINE)


# -- The member's host, and the others


def _on_host(site: NodeSite, script: str) -> str:
    """What a shell script says on the member's host, run by root. Raises OperationsError when it fails."""
    way = login(site.stack, site.node, site.declared.ssh_address)
    done = ssh.run(site.node, way, ["sh", "-euc", script], timeout=_HOST_SECONDS)
    if done.returncode:
        words = done.stderr.strip().splitlines() or ["it said nothing"]
        raise OperationsError(f"{site.node}: {words[-1]}")
    return done.stdout


def _apart(site: NodeSite) -> str:
    """Where the manifest is while nothing runs by it."""
    return f"{_APART}/member-{site.run or 'none'}"


def _before(site: NodeSite) -> str:
    """Where the data are that were."""
    return f"{DATA}/before-{site.run or 'none'}"


def _look(site: NodeSite) -> frozenset[str]:
    script = _LOOK.format(
        manifests=MANIFESTS, apart=_apart(site), data=DATA, before=_before(site), process=_PROCESS
    )
    return frozenset(_on_host(site, script).split())


def _ask(site: NodeSite, do: str, url: str = "") -> dict[str, Any]:
    """What the first other host of the control plane says whose etcd can. Raises OperationsError."""
    order = {"do": do, "name": site.node, "url": url}
    cannot = f"no other member of etcd in {site.region} answers for {site.node}"
    return ask_etcd_beside(site.stack, site.spec, site.node, _TOLD, order, cannot)


def _names(told: dict[str, Any]) -> set[str]:
    return {str(member["name"]) for member in told["members"]}


# -- What stands against it


def _is_dead(site: NodeSite) -> list[Problem]:
    """What stands against it: that it serves, or that the others could not."""
    if site.declared.role is not NodeRole.CONTROL_PLANE:
        return [Problem(f"{site.node} is a worker: it has no member of etcd")]
    others = [host for host, _ in control_plane(site.stack, site.spec) if host != site.node]
    if not others:
        fix = f"bring it back from a backup: `restore-etcd region={site.region} backup=PATH`"
        return [Problem(f"{site.node} has the only member of etcd: there is nobody to get data from", fix)]
    try:
        seen = _look(site)
    except Unanswered as error:
        return [Problem(error.message, f"where its machine is lost: `clear-lost-node node={site.node}`")]
    except OperationsError as error:
        return [Problem(error.message, error.fix)]
    found = [problem for lacking, problem in _needed(site).items() if lacking not in seen]
    try:
        told = _ask(site, "look")
    except OperationsError as error:
        return [*found, Problem(error.message, error.fix)]
    if site.node in told["well"]:
        found.append(Problem(f"the member of etcd on {site.node} serves: nothing of it is to be made anew"))
    ill = sorted(set(others) - set(told["well"]))
    if len(others) - len(ill) < (len(others) + 1) // 2 + 1:
        what = f"etcd does not serve on {', '.join(ill)} either: without a majority nobody joins"
        found.append(Problem(what, f"bring them back first, or `rebuild-etcd region={site.region}`"))
    return found


def _needed(site: NodeSite) -> dict[str, Problem]:
    return {
        "manifest": Problem(
            f"{MANIFESTS}/{ETCD}.yaml is not on {site.node}: kubeadm has not made it a control plane",
            "`pulumi up`, or where another run keeps it, `crossmesh runbook resume`",
        ),
        "kubelet": Problem(
            f"kubelet does not run on {site.node}: it starts and ends etcd",
            "see `journalctl -u kubelet` there",
        ),
    }


def _blast(site: NodeSite) -> Blast:
    return Blast(
        site.node,
        [
            f"etcd of {site.region} has one member less, and has it again once this one has all data",
            f"what etcd has now stays on {site.node} in {DATA}/before-…",
        ],
    )


# -- Steps


def _joined(site: NodeSite) -> str:
    """What it lacks to be a member again that this run has made."""
    seen = _look(site)
    if not site.run or "apart" in seen or not {"manifest", "before", "runs"} <= seen:
        return f"etcd on {site.node} is not made anew yet"
    return "" if site.node in _ask(site, "look")["well"] else f"etcd on {site.node} does not serve yet"


def _stop(site: NodeSite) -> None:
    apart, manifest = _apart(site), f"{MANIFESTS}/{ETCD}.yaml"
    # A half-made one of this run, which was killed: the manifest that is kept is that of before.
    _on_host(
        site,
        f"mkdir -p -m 700 {apart}; if [ -e {manifest} ]; then "
        f"if [ -e {apart}/{ETCD}.yaml ]; then rm {manifest}; else mv {manifest} {apart}/{ETCD}.yaml; fi; fi",
    )
    asked = time.monotonic()

    def lacking() -> str:
        nonlocal asked
        if "runs" not in _look(site):
            return ""
        if time.monotonic() - asked > _PATIENCE:
            asked = time.monotonic()
            _on_host(site, f"pkill -TERM -f '{_PROCESS}' || true")
        return f"it runs on {site.node}"

    until(lacking, "etcd to end", site.tell)


def _not_stopped(site: NodeSite) -> str:
    seen = _look(site)
    if "apart" in seen and not {"manifest", "runs"} & seen:
        return ""
    words = f"etcd on {site.node} is started by its manifest"
    return words if _joined(site) else ""


def _start_again(site: NodeSite, before: Facts) -> None:
    apart, data = f"{_apart(site)}/{ETCD}.yaml", f"{DATA}/member"
    # Without its data, the one that made the cluster would begin another one, and its API server serve that.
    _on_host(site, f"if [ -e {apart} ] && [ -d {data} ]; then mv {apart} {MANIFESTS}/{ETCD}.yaml; fi")


def _still_member(site: NodeSite) -> str:
    if site.node not in _names(_ask(site, "look")):
        return ""
    return f"etcd of {site.region} still counts {site.node}" if _joined(site) else ""


def _expel(site: NodeSite) -> None:
    _ask(site, "expel")


def _set_aside(site: NodeSite) -> None:
    before = _before(site)
    _on_host(
        site,
        f"mkdir -p -m 700 {DATA} {before}; cd {DATA}; if [ -e member ]; then "
        # What a run that was killed has begun to make is not what was.
        f"if [ -e {before}/member ]; then rm -rf member; else mv member {before}/member; fi; fi; sync",
    )


def _not_aside(site: NodeSite) -> str:
    seen = _look(site)
    if "before" in seen and "data" not in seen:
        return ""
    return f"what etcd had is in its place on {site.node}" if _joined(site) else ""


def _join(site: NodeSite) -> None:
    kept = f"{_apart(site)}/{ETCD}.yaml"
    manifest = _on_host(site, f"cat {kept}")
    found = _PEER.search(manifest)
    if found is None or not _CLUSTER.search(manifest):
        raise OperationsError(
            f"{site.node}: the manifest of etcd has no --initial-advertise-peer-urls or --initial-cluster",
            fix="see that kubeadm made this host",
        )
    told = _ask(site, "add", found[1])
    text = joining(manifest, site.node, [(one["name"], one["url"]) for one in told["members"]])
    # Written beside it first: kubelet reads whatever it finds in its directory.
    _on_host(
        site,
        f"umask 077; printf %s {shlex.quote(text)} > {kept}.new; sync; "
        f"mv {kept}.new {MANIFESTS}/{ETCD}.yaml; rm {kept}; rmdir {_apart(site)}",
    )
    until(lambda: _joined(site), f"etcd on {site.node} to serve", site.tell)


def joining(manifest: str, name: str, peers: Sequence[tuple[str, str]]) -> str:
    """etcd's manifest for a member that joins others and has no data. peers: name and URL of all, its own
    name empty while it was never started."""
    listed = ",".join(f"{peer or name}={url}" for peer, url in peers)
    words = rf"\g<1>--initial-cluster={listed}\n\g<1>--initial-cluster-state=existing\n"
    return _CLUSTER.sub(words, manifest, count=1)


def _told(site: NodeSite) -> list[Problem]:
    site.tell(f"{site.node}: what etcd had is in {_before(site)}; remove it once all is well")
    return []


MEMBER = Runbook(
    name="renew-etcd-member",
    title="Make one member of etcd anew from the others",
    says="For a control plane of several hosts, one of which lives while its etcd does not: its data are "
    "broken or gone, and more than half of the members serve. It leaves, its data are set aside, and it "
    "joins again and gets what the others have. The host stays a node, and pods on it go on; its own API "
    "server is away until its etcd serves. Where the machine itself is lost: `clear-lost-node`.",
    parameters=(NODE,),
    opened=opened_node,
    blast=_blast,
    preconditions=_is_dead,
    steps=(
        Step(
            "stop",
            "end etcd on the host, and keep its manifest aside",
            do=_stop,
            verify=_not_stopped,
            undo=_start_again,
        ),
        Step(
            "expel",
            "have the others take the member out",
            do=_expel,
            verify=_still_member,
            one_way="what it had is of no use any more; it joins as a new member",
        ),
        Step(
            "set-aside",
            "keep what it had beside its place",
            do=_set_aside,
            verify=_not_aside,
            one_way="it lies on the host, and the member that it was is none any more",
        ),
        Step(
            "join",
            "have the others take it in, start it, and wait until it serves",
            do=_join,
            verify=_joined,
            one_way="it has what the others have",
        ),
    ),
    postconditions=_told,
    takes_back=False,
)
