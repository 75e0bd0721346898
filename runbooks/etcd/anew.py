"""Have a control plane whose machines are all lost begin anew from a backup, on machines that are new.

The data lie ready on the first of them before kubeadm makes its control plane, and etcd begins with them:
at no time does an API server answer that knows of no pod, and has kubelets of other nodes end what they run.
"""

from __future__ import annotations

import shlex
import shutil

from access.errors import AccessError, Unanswered
from report.errors import OperationsError
from report.problem import Problem
from runbooks.etcd import encryption, steps
from runbooks.etcd.restore import BACKUP, REGION, against_backup, opened, opens, source
from runbooks.etcd.site import API_SERVER, ETCD, WITHOUT, RestoreSite
from runbooks.model import Blast, Facts, Runbook, Step

LAID = "/var/lib/crossmesh/etcd-restored"
"""On the first host, what its control plane begins from; the collection's module `kubeadm` knows it too."""
_PORT = 2380


def first(site: RestoreSite) -> str:
    """The host that makes the cluster's control plane: of those that are declared, the one that has had its
    slice of the ledger for longest.
    """
    slices = site.stack.ledger.nodes[site.region]
    return min(site.hosts, key=lambda host: slices[host])


def _peer(site: RestoreSite, host: str) -> str:
    """The URL of a host's member, as kubeadm makes it."""
    address = str(site.stack.environment.regions[site.region].hosts[host].address)
    return f"https://{f'[{address}]' if ':' in address else address}:{_PORT}"


def _fits(site: RestoreSite) -> list[Problem]:
    """What stands against it: that a control plane is there above all."""
    found = against_backup(site)
    for host in site.hosts:
        try:
            seen = site.look(host)
        except OperationsError as error:
            found.append(Problem(error.message, "bring a machine at its address, or declare it elsewhere"))
            continue
        if seen & {f"manifest:{ETCD}", f"manifest:{API_SERVER}", f"runs:{ETCD}", "data"}:
            what = f"{host} has a control plane, or etcd's data"
            found.append(Problem(what, f"`restore-etcd region={site.region} backup=…` keeps what is there"))
    found += _answers(site)
    spec = site.stack.environment.regions[site.region].cluster
    assert spec.kind == "bareMetal", "others are refused when the site is opened"
    given = [name for number, name in site.kept_keys.items() if number in spec.encryption_keys]
    needed = source(site).head.get("keys_of_secrets", ())
    lacking, fix = encryption.lacking(needed, given, site.kept_keys)
    if lacking:
        found.append(
            Problem(f"Secrets in the backup are encrypted by {lacking}, which no host would get", fix)
        )
    if spec.api_server_address is None:
        what = "tokens of service accounts were signed by a key that was on the lost machine alone"
        fix = "start all pods anew once the API answers: `kubectl rollout restart`, in each namespace"
        found.append(Problem(what, fix, blocks=False))
    blocked = any(problem.blocks for problem in found)
    return found if blocked else [*found, *opens(site)]


def _answers(site: RestoreSite) -> list[Problem]:
    """Whether an API server is there after all."""
    try:
        site.cluster.answer("GET", "/readyz")
    except Unanswered:
        return []
    except AccessError as error:
        return [
            Problem(
                f"somebody answers at the address of the API of {site.region}: {error.message}", error.fix
            )
        ]
    return [Problem(f"the API of {site.region} answers", "nothing is lost; to go back, `restore-etcd`")]


def _lay(site: RestoreSite) -> None:
    host, new, snapshot = first(site), f"{LAID}.new", site.scratch / "snapshot.db"
    snapshot.unlink(missing_ok=True)
    try:
        site.source.fetch(site, snapshot)
        made = steps.member_data(site, snapshot, host, [(host, _peer(site, host))])
        site.on_host(host, f"rm -rf {new}; mkdir -p -m 700 {new}")
        site.send(host, made, new)
        site.on_host(host, f"rm -rf {LAID}; mv {new} {LAID}; sync")
    finally:
        snapshot.unlink(missing_ok=True)
        shutil.rmtree(site.scratch / "data", ignore_errors=True)


def _not_laid(site: RestoreSite) -> str:
    host = first(site)
    there = site.run and site.on_host(host, f"if [ -d {LAID}/member ]; then echo yes; fi").strip() == "yes"
    return "" if there else f"{host} has nothing to begin from"


def _take_away(site: RestoreSite, before: Facts) -> None:
    path = shlex.quote(LAID)
    site.on_host(first(site), f"rm -rf {path} {path}.new")


def _blast(site: RestoreSite) -> Blast:
    taken = source(site).head.get("taken")
    host = first(site)
    return Blast(
        site.region,
        [
            f"{host} gets etcd's data in {LAID}; nothing else of it is changed",
            f"`pulumi up` then makes its control plane from them: all objects are those of {taken}",
        ],
    )


def _next(site: RestoreSite) -> list[Problem]:
    host = first(site)
    site.tell(
        f"{host} is ready. Have `up` see what the machines lack, and make the control plane of them: `pulumi "
        f"refresh --target '**:HostPhase::NODE.*'` of {', '.join(site.hosts)}, then `pulumi up`"
    )
    return []


ANEW: Runbook[RestoreSite] = Runbook(
    name="restore-on-new-machines",
    title="Have a control plane on new machines begin from a backup",
    says="For a cluster whose control-plane machines are all lost. New ones are declared or are at the old "
    "addresses; etcd's data are put on the first of them, and `pulumi up` makes the control plane from "
    "them, by the cluster's authorities and keys, which the stack's state has. What other nodes run "
    "goes on.",
    parameters=(REGION, BACKUP, WITHOUT),
    opened=opened,
    blast=_blast,
    preconditions=_fits,
    steps=(
        Step(
            "lay",
            "make the first member's data, and put them where its control plane is made from them",
            do=_lay,
            verify=_not_laid,
            undo=_take_away,
        ),
    ),
    postconditions=_next,
)
