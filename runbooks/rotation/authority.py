"""Replace the authority of a cluster by another one, in stages that can each be left standing for days.

Order of the stages: Kubernetes, "Manual Rotation of CA Certificates". Each but that of pods is an edit of
`certificateAuthorities` and an `up`, which brings it to control planes and then to the other nodes; what
would have somebody show what another one does not trust is refused on hosts as well.
"""

from __future__ import annotations

import hashlib
import ssl
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from access import ssh
from access.cluster import Cluster
from access.errors import AccessError
from access.host_lock import OnHost
from access.outputs import parse_outputs
from access.ssh import Connection
from live import logins
from live.state import opened as opened_outputs
from live.state import read_state
from playbooks.phase import COLLECTION
from playbooks.tokens import CERTIFICATE_AUTHORITY
from playbooks.work.clusters import API_PORT, authority_name
from report.errors import ConfigurationError, OperationsError
from report.problem import Problem
from runbooks.control_plane import control_plane, on_machines
from runbooks.locks import Place
from runbooks.model import Blast, Facts, Parameter, Runbook, Step
from runbooks.rotation import holders
from runbooks.rotation.holders import Holder
from runbooks.rotation.site import StagedSite, added, back, first, was
from runbooks.waiting import until
from stacks.system_namespaces import KUBE_SYSTEM

STAGES = ("trust", "pods", "issue", "retire")
_REGION = Parameter("region", "name of the region whose cluster gets another authority")
_NUMBER = Parameter("number", "number of the new authority: one more than that of the last one")
_UNTIL = Parameter(
    "until", f"the step after which it ends, for days if need be: {', '.join(STAGES)}", STAGES[-1]
)
_LIBRARY = COLLECTION / "plugins" / "module_utils" / "trust.py"
_SECONDS = 30.0
_TOLD = """
import json, socket, sys
order = json.loads(sys.stdin.readline())
# What says that it issues is a control plane; the key itself is no matter here.
wanted = Wanted(order["node"], tuple(order["known"]), order["issues"])
said = present(wanted)
told = {"trusts": sorted(said.trusts), "shows": sorted(said.shows)}
if order["issues"]:
    socket.setdefaulttimeout(10)
    try:
        served = ssl.get_server_certificate(("127.0.0.1", order["port"]))
        told["shows"] = sorted({*told["shows"], issued_by(served, certificates(wanted.bundle))} - {""})
    except OSError as error:
        told["why"] = f"its API server does not answer: {error}"
print(json.dumps(told))
"""
"""What follows the library by which plays look at what a host trusts; it connects to the API server too."""


@dataclass
class AuthoritySite(StagedSite):
    """The nodes of a cluster, and its authorities."""

    ways: Mapping[str, Connection] = field(default_factory=dict)
    """The way to each node, in declared order."""
    until: str = STAGES[-1]

    def declared(self) -> list[int]:
        return list(self.spec.certificate_authorities)

    def places(self) -> Sequence[Place]:
        return [OnHost(host, way) for host, way in self.control.items()]

    def wants(self, step: str) -> bool:
        """Whether a step is to be taken by this run."""
        return STAGES.index(step) <= STAGES.index(self.until)

    def certificates(self) -> dict[int, str]:
        """Certificates of the authorities that are declared and made, PEM, by number."""
        made = {
            str(one.inputs.get("common_name")): str(one.outputs.get("certificate") or "")
            for one in read_state(self.stack_name).of_type(CERTIFICATE_AUTHORITY)
        }
        numbers = sorted({*self.declared(), self.number})
        found = {number: made.get(authority_name(self.region, number), "") for number in numbers}
        return {number: pem for number, pem in found.items() if pem}

    def look(self, host: str, known: Sequence[str]) -> dict[str, Any]:
        """What a host trusts and shows, by names of authorities. known: certificates of those that may be.
        Raises OperationsError."""
        order = {
            "node": host,
            "known": list(known),
            "issues": "it does" if host in self.control else "",
            "port": API_PORT,
        }
        source = (_LIBRARY.read_text() + _TOLD).encode()
        told = ssh.ask(host, self.ways[host], source, order, what="its authorities", timeout=_SECONDS)
        if "why" in told:
            raise OperationsError(f"{host}: {told['why']}")
        return told

    @contextmanager
    def cluster(self) -> Iterator[Cluster]:
        """The cluster by the kubeconfig that the stack has now: each stage makes it anew."""
        outputs = parse_outputs(self.stack_name, opened_outputs(read_state(self.stack_name).outputs))
        with Cluster(self.region, outputs.kubeconfigs[self.region]) as cluster:
            yield cluster

    def holders(self) -> list[Holder]:
        """What runs by an earlier bundle, and asks the API server."""
        with self.cluster() as cluster:
            return holders.stale(cluster)

    def restart(self, holder: Holder) -> None:
        """Have it start anew, its pods in turns, and wait until all are there."""
        with self.cluster() as cluster:
            holders.restart(cluster, holder)
            until(partial(holders.unfinished, cluster, holder), f"{holder} to start anew", self.tell)

    def published(self) -> list[str]:
        """Names of the authorities that pods are told of (`kube-root-ca.crt`)."""
        with self.cluster() as cluster:
            found = cluster.get(f"/api/v1/namespaces/{KUBE_SYSTEM}/configmaps/kube-root-ca.crt") or {}
        return names((found.get("data") or {}).get("ca.crt", ""))


def names(pem: str) -> list[str]:
    """Names of certificates, as hosts give them (`trust.names`)."""
    end = "-----END CERTIFICATE-----"
    parts = [f"{part[part.index('-----BEGIN') :]}{end}" for part in pem.split(end) if "-----BEGIN" in part]
    return [f"ca-{hashlib.sha256(ssl.PEM_cert_to_DER_cert(part)).hexdigest()[:8]}" for part in parts]


@contextmanager
def _opened(stack_name: str, values: Mapping[str, str]) -> Iterator[AuthoritySite]:
    region, number, last = values["region"], values["number"], values["until"]
    if not number.isdigit() or int(number) < 1:
        raise ConfigurationError(
            f"number={number} is no number of an authority", fix="give a whole number from 2 on"
        )
    if last not in STAGES:
        raise ConfigurationError(f"until={last} is no step", fix=f"give one of {', '.join(STAGES)}")
    stack, spec = on_machines(stack_name, region, "its authority is")
    ways = {host: logins.login(stack, host, node.ssh_address) for host, node in spec.nodes.items()}
    control = dict(control_plane(stack, spec))
    yield AuthoritySite(
        stack_name, region, int(number), "certificateAuthorities", control, ways=ways, until=last
    )


def _lacking(site: AuthoritySite, lacks: Callable[[str, dict[str, Any]], str]) -> str:
    """What is lacking on nodes. lacks: says it of one, by the new one's name and what the host says."""
    made = site.certificates()
    if site.number not in made:
        return f"authority {site.number} is not made yet"
    (name,) = names(made[site.number])
    return "; ".join(
        filter(None, (_of_host(site, host, name, list(made.values()), lacks) for host in site.ways))
    )


def _of_host(
    site: AuthoritySite,
    host: str,
    name: str,
    known: list[str],
    lacks: Callable[[str, dict[str, Any]], str],
) -> str:
    words = lacks(name, site.look(host, known))
    return f"{host} {words}" if words else ""


def _distrusted(site: AuthoritySite) -> str:
    if site.number not in site.declared():
        return f"authority {site.number} is not declared"
    new = f"does not trust authority {site.number} yet"
    return _lacking(site, lambda name, told: "" if name in told["trusts"] else new)


def _stale(site: AuthoritySite) -> str:
    """Pods that do not trust the new one yet; none do before they were told of it.

    Once it issues, they do: that was asked before, and what they are told changes once more then.
    """
    if site.declared()[0] == site.number:
        return ""
    if not _is_published(site):
        return f"pods are not told of authority {site.number} yet"
    found = site.holders()
    return f"what trusts the old one alone: {', '.join(map(str, found))}" if found else ""


def _restart_all(site: AuthoritySite) -> None:
    if words := _distrusted(site):
        raise OperationsError(f"pods would start anew for nothing: {words}")
    until(
        lambda: "" if _is_published(site) else "kube-root-ca.crt is as before", "pods to be told", site.tell
    )
    for holder in site.holders():
        site.require_lock()
        site.tell(f"{holder} starts anew")
        site.restart(holder)


def _is_published(site: AuthoritySite) -> bool:
    made = site.certificates()
    return site.number in made and names(made[site.number])[0] in site.published()


def _issued_elsewhere(site: AuthoritySite) -> str:
    if site.declared()[0] != site.number:
        return f"certificates are declared to be issued by authority {site.declared()[0]}"
    old = f"shows certificates of another authority than {site.number}"
    return _lacking(site, lambda name, told: "" if told["shows"] == [name] else old)


def _still_trusted(site: AuthoritySite) -> str:
    if site.declared() != [site.number]:
        return f"other authorities are declared beside it: {site.declared()}"
    lacking = _lacking(site, lambda name, told: "" if told["trusts"] == [name] else "trusts others beside it")
    return lacking or _still_told(site)


def _still_told(site: AuthoritySite) -> str:
    others = [name for name in site.published() if name not in names(site.certificates()[site.number])]
    return f"pods are told of {', '.join(others)} still" if others else ""


def _retire(site: AuthoritySite) -> None:
    site.bring_about([site.number])
    # By the controller manager that leads, once one does again: each of them has just been started anew.
    until(partial(_still_told, site), "pods to be told", site.tell)


def _untold_pods(site: AuthoritySite) -> list[Problem]:
    stale = _stale(site)
    return [Problem(stale, "they would be cut off: `until=pods` starts them anew")] if stale else []


def _shown_elsewhere(site: AuthoritySite) -> list[Problem]:
    words = _issued_elsewhere(site)
    return [Problem(words, "`crossmesh runbook resume` has them issued anew")] if words else []


def _fits(site: AuthoritySite) -> list[Problem]:
    there = site.declared()
    following = max(there) + 1
    if site.number not in there and (site.number != following or len(there) > 1):
        number = max(there) if len(there) > 1 else following
        return [
            Problem(f"number {site.number} is not the next one: there is {there}", f"give number={number}")
        ]
    known, found = list(site.certificates().values()), []
    for host in site.ways:
        try:
            site.look(host, known)
        except (AccessError, OperationsError) as error:
            fix = error.fix or "each node has to trust the new authority before it is used"
            found.append(Problem(error.message, fix))
    return found or site.unapplied()


def _blast(site: AuthoritySite) -> Blast:
    there = site.declared()
    if there == [site.number]:
        return Blast(site.region, [f"nothing: authority {site.number} is the only one already"])
    hosts, wants = ", ".join(site.control), site.wants
    end = [site.number] if wants("retire") else first(site) if wants("issue") else added(site)
    touched = [
        f"the declaration: {'.'.join(site.path)} goes from {there} to {end}, to be committed",
        f"control planes of {hosts} start anew, one after the other, and every kubelet of {site.region}",
    ]
    if wants("pods"):
        touched.append(
            "pods that ask the API server start anew, in turns: kube-proxy, CoreDNS, istiod and others"
        )
    if wants("issue"):
        touched.append("whoever has a kubeconfig of before needs the stack's: it does not trust the new one")
    return Blast(site.region, touched)


def _tell_end(site: AuthoritySite) -> list[Problem]:
    site.tell("commit the stack file; `crossmesh kubeconfig` gives the kubeconfig of now")
    if site.wants("retire"):
        site.tell("what runs since before trusts the old one, too, until it starts anew the next time")
    else:
        site.tell(f"it may stay so; `number={site.number}` goes on after {site.until}")
    return []


def _nothing(site: AuthoritySite, before: Facts) -> None:
    """Pods that were started anew trust both."""


def _step(
    name: str,
    says: str,
    do: Callable[[AuthoritySite], None],
    verify: Callable[[AuthoritySite], str],
    **more: Any,
) -> Step[AuthoritySite]:
    """A step that this run may leave out."""
    return Step(name, says, do=do, verify=lambda site: verify(site) if site.wants(name) else "", **more)


ROTATE_AUTHORITY: Runbook[AuthoritySite] = Runbook(
    name="rotate-certificate-authority",
    title="Replace a cluster's certificate authority by another one",
    says="Before an authority ends, or because somebody may have its key. All nodes trust the new one beside "
    "the old; pods that ask the API server learn of it; then everything is issued anew by it; last, the old "
    "one is trusted no more. Between two steps the cluster works, for days if need be (`until=`). Each "
    "stage but that of pods is a change of `certificateAuthorities` in the stack file and a `pulumi up`. "
    "The authorities of etcd and of the front proxy are others, and stay.",
    parameters=(_REGION, _NUMBER, _UNTIL),
    opened=_opened,
    blast=_blast,
    preconditions=_fits,
    # Each stage is one in which the cluster may stay; what failed is mended, and the run goes on.
    takes_back=False,
    steps=(
        _step(
            "trust",
            "have all nodes trust the new authority beside the old one",
            lambda site: site.bring_about(added(site)),
            _distrusted,
            before=was,
            undo=back,
        ),
        _step(
            "pods",
            "start anew, in turns, what asks the API server and trusts the old one alone",
            _restart_all,
            _stale,
            undo=_nothing,
        ),
        _step(
            "issue",
            "have everything issued anew by the new authority",
            lambda site: site.bring_about(first(site)),
            _issued_elsewhere,
            check=_untold_pods,
            before=was,
            undo=back,
        ),
        _step(
            "retire",
            "have nobody trust the old authority any more",
            _retire,
            _still_trusted,
            check=_shown_elsewhere,
            before=was,
            one_way="the stack forgets the old authority with its key: another rotation makes a new one",
        ),
    ),
    postconditions=_tell_end,
)
