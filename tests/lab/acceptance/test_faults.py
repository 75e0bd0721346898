"""Faults in the middle of what is done to a platform, each with what is said of it and the way back.

Run by `make acceptance SUITE=faults`; takes about forty minutes and writes
`docs/acceptance/faults-<date>.json`. One region of three control planes and a worker serves all tests, with a
machine beside it that joins and leaves; each runs alone by `-k`, takes its fault back, and leaves a platform
that is well and has nothing to do.
What other suites show of faults: a blocked drain, a held lock and certificates that have ended (`runbooks`),
a lost quorum (`restore`), machines that are lost (`control_planes`), a wrong host key (`tests/lab`).
"""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any

import pytest
import yaml
from cryptography import x509
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from access import ssh
from access.cluster import Cluster
from access.errors import AccessError, IdentityMismatch
from access.webhooks import CONFIGURATIONS
from lab import cgroups
from live import logins
from live.expiry import machines
from report.exit_codes import ExitCode
from runbooks.history import unfinished
from tests.lab.acceptance import results
from tests.lab.acceptance.hosts import quiet
from tests.lab.acceptance.test_control_planes import (
    APPLICATION,
    CONTROL,
    NODES,
    WORKER,
    brought_up,
    client,
    explained,
    healthy,
    holders,
    judged,
    members,
    node,
    told,
)
from tests.lab.acceptance.test_runbooks import PUT, certificates, dated, entries, killed, run
from tests.lab.acceptance.writing import writing
from tests.lab.site import UP_SECONDS, Ended, Site, wait

NAME = os.environ.get("CROSSMESH_FAULTS_STACK", "test-faults")
REGION, JOINS = "eu", "eu-worker-2"
"""The second is a machine that nobody declares but the tests that have it join."""
SAID_SECONDS = 75.0
"""So long after a host has gone `up` may take to say so: ssh gives a host up after 20 s, Ansible tries two
times more, and what else is at work may end."""
CUT_SECONDS = 100
"""For so long a host is cut off; it ends the cut itself, for nobody reaches it to do so."""
INTO_SECONDS = 7
"""From the begin of a play on its host until that goes away: Ansible starts in some seconds, and a play ends
no sooner than it has seen its node well for ten."""
PLAY_SECONDS = 120.0
"""Until a play of an `up` that was started is at work on its host."""
REFUSED_SECONDS = 600.0
"""For an `up` that cannot end well."""
NAMED_SECONDS = 180.0
"""Until the doctor names what was broken a moment ago."""
QUIET_SECONDS = 40.0
"""For a host to end what a run left there: its guard waits 20 s for a heartbeat."""
HOOK, HOOKS = "everything.faults.test", "faults"
_SET_UP = "ls -d /etc/kubernetes/* /usr/bin/kubelet /usr/bin/containerd 2>/dev/null || true"
"""What a host is asked to see whether it was set up as a node."""
_STORE = "/var/lib/containerd"
_MIB = 24
"""Of the disk that is too small for a node's images, the first of which has more."""
_NO_RUN = "rm -rf /var/lib/crossmesh/run-*"
"""Of one that a machine was switched off in: the next run takes it away, and until then it looks like one."""
_RUNS = "ls -d /var/lib/crossmesh/run-* 2>/dev/null || true"
_CUT = f"""
n=0
until ls -d /var/lib/crossmesh/run-* >/dev/null 2>&1; do
  n=$((n+1)); if [ $n -gt 600 ]; then exit 1; fi; sleep 0.2
done
sleep {INTO_SECONDS}
date +%s >/run/fault-cut
nft add table ip fault
nft add chain ip fault input '{{ type filter hook input priority -300; }}'
nft add rule ip fault input tcp dport 22 drop
sleep {CUT_SECONDS}
nft delete table ip fault
"""
"""Run by the host: once a play is at work there, sshd hears of nobody for a while, and lives."""
WELL: set[str] = set()
"""Names of sites that a test has left well."""


@pytest.fixture(scope="module")
def report() -> Iterator[dict[str, Any]]:
    """The result file, written however the suite ends."""
    yield from results.reported("faults")


@pytest.fixture(scope="module")
def site(report: dict[str, Any]) -> Iterator[Site]:
    """Three control planes and a worker, well, and a machine that may join; nothing is left at the end."""
    with brought_up(NAME, report, spare=(JOINS,)) as found:
        reserve(found)
        explained(found, lambda: found.up("--skip-preview"))
        all_well(found)
        yield found


@pytest.fixture(autouse=True)
def mended(site: Site) -> Iterator[None]:
    """What a test before this one has left, because it failed, is mended first."""
    if site.name not in WELL:
        recover(site)
    WELL.discard(site.name)
    yield


@pytest.fixture
def cluster(site: Site) -> Iterator[Cluster]:
    with site.clusters() as clusters:
        yield clusters[REGION]


# -- The platform


def all_well(site: Site) -> float:
    """See that the doctor finds nothing and a further `up` changes nothing; seconds until it was well."""
    seconds = healthy(site)
    explained(site, lambda: site.up("--skip-preview", "--expect-no-changes"))
    WELL.add(site.name)
    return seconds


def recover(site: Site) -> None:
    """Bring a platform back from whatever a test that failed left."""
    site.lab("start")
    site.crossmesh("lock", "clear", check=False)
    if unfinished(entries(site)):
        run(site, "abort", check=False, timeout=900)
    with suppress(AccessError), site.clusters() as clusters:
        clusters[REGION].delete(f"{CONFIGURATIONS['ValidatingWebhookConfiguration']}/{HOOKS}")
    site.up("--skip-preview", check=False)
    healthy(site)


def rewritten(site: Site, change: Callable[[dict[str, Any]], None]) -> None:
    """Change the declared environment, to stay."""
    document = yaml.safe_load(site.stack_file.read_text())
    change(document["config"]["crossmesh:environment"])
    site.stack_file.write_text(yaml.safe_dump(document, sort_keys=False))


def reserve(site: Site) -> None:
    """Give the machine that joins its slice of the pools, so that it is the same whenever it does."""
    with joining(site):
        site.crossmesh("ledger", "--write")
        text = site.stack_file.read_text()
    site.stack_file.write_text(text)

    def undeclare(environment: dict[str, Any]) -> None:
        del environment["regions"][REGION]["cluster"]["nodes"][JOINS]

    rewritten(site, undeclare)


@contextmanager
def joining(site: Site, **more: Any) -> Iterator[None]:
    """A declaration with one worker more. more: further keys of it."""
    with site.changed_declaration({f"{NODES}.{JOINS}": {**node(site, JOINS), **more}}):
        yield


def declare_pods(site: Site, most: int) -> None:
    """Have the worker, and no other host, be declared with another number of pods at most."""

    def change(environment: dict[str, Any]) -> None:
        profiles = environment["hostProfiles"]
        usual = profiles["container"]
        profiles["other"] = {**usual, "kubelet": {**usual["kubelet"], "maxPods": most}}
        environment["regions"][REGION]["cluster"]["nodes"][WORKER]["profile"] = "other"

    rewritten(site, change)


def declare_variable(site: Site, value: str) -> None:
    """Have the application be declared with another value of a variable, so that `up` applies its objects."""

    def change(environment: dict[str, Any]) -> None:
        application = environment["applications"][APPLICATION]
        application["environment"] = {**application["environment"], "FAULTS": value}

    rewritten(site, change)


def most_pods(cluster: Cluster, name: str) -> str:
    found = cluster.get(f"/api/v1/nodes/{name}")
    assert found is not None
    return str(found["status"]["capacity"]["pods"])


@contextmanager
def at_work(site: Site) -> Iterator[Callable[[float], Ended]]:
    """An `up` that goes on; call what is given to wait for its end, so many seconds at most."""
    flags = ("--yes", "--skip-preview", "--non-interactive", "--color=never", "--stack", site.name)
    process, log = site.start("pulumi", "up", *flags)
    began = time.monotonic()

    def ended(seconds: float) -> Ended:
        try:
            code = wait(process, seconds, "pulumi up")
        except subprocess.TimeoutExpired:
            raise AssertionError(f"`up` did not end within {seconds:.0f} s; see {log}") from None
        errors = log.with_suffix(".err").read_text(errors="replace")
        return Ended(code, log.read_text(errors="replace"), errors, time.monotonic() - began)

    try:
        yield ended
    finally:
        if process.poll() is None:
            # As Ctrl-C: it ends its plays and gives its locks back.
            process.send_signal(signal.SIGINT)
            with suppress(subprocess.TimeoutExpired):
                process.wait(90)
            process.kill()
            process.wait(10)


def at_play(site: Site, *hosts: str) -> str:
    """The first of some hosts on which a play is at work; waits for it."""
    deadline = time.monotonic() + PLAY_SECONDS
    while True:
        for host in hosts:
            if site.on(host, _RUNS).strip():
                return host
        assert time.monotonic() < deadline, f"no play was at work on {', '.join(hosts)}"


def named(site: Site, words: str) -> tuple[Ended, float]:
    """What the doctor says once it says some words, and the seconds until then."""
    began = time.monotonic()
    while words not in (said := site.crossmesh("doctor", check=False)).stdout:
        assert time.monotonic() - began < NAMED_SECONDS, f"{words!r}: {said.words[:4000]}\n{told(site)}"
        time.sleep(2)
    return said, round(time.monotonic() - began, 1)


def advised(said: Ended) -> list[str]:
    """The runbook that the doctor names first, as arguments of `crossmesh`."""
    lines = [line for line in said.stdout.splitlines() if "crossmesh runbook run " in line]
    assert lines, said.stdout[:4000]
    return shlex.split(lines[0].partition("crossmesh ")[2].partition(" --stack ")[0])


# -- (a) A host that goes away in the middle of a play


@contextmanager
def switched_off(site: Site) -> Iterator[Callable[[], float]]:
    """Once a play is at work there, the worker's machine ends, as by a power cut. Gives what tells when."""
    moments: list[float] = []

    def moment() -> float:
        if not moments:
            at_play(site, WORKER)
            time.sleep(INTO_SECONDS)
            moments.append(time.time())
            cgroups.kill(site.name, WORKER)
        return moments[0]

    site.on(WORKER, _NO_RUN)
    try:
        yield moment
    finally:
        site.lab("start")


@contextmanager
def cut_off(site: Site) -> Iterator[Callable[[], float]]:
    """Once a play is at work there, a packet filter lets nobody reach the worker's sshd any more."""
    site.on(WORKER, f"{_NO_RUN}; rm -f /run/fault-cut")
    site.on(WORKER, f"systemd-run --collect --unit=fault-cut sh -c {shlex.quote(_CUT)}")

    def moment() -> float:
        # It cannot be asked before it is back.
        return float(site.on(WORKER, "cat /run/fault-cut"))

    try:
        yield moment
    finally:
        back(site)
        undo = "systemctl stop fault-cut; nft delete table ip fault"
        site.on(WORKER, f"({undo}) 2>/dev/null || true")


def is_reached(site: Site) -> bool:
    """Whether the worker's sshd lets anybody in."""
    return site.lab("exec", WORKER, "--", "true", timeout=60, check=False).returncode == 0


def back(site: Site) -> None:
    """Wait until the worker is reached again."""
    deadline = time.monotonic() + CUT_SECONDS + 30
    while not is_reached(site):
        assert time.monotonic() < deadline, f"{WORKER} stays cut off"
        time.sleep(2)


def went_away(site: Site, said: Ended) -> None:
    """See that `up` names the host, what became of it, and how to go on."""
    assert said.returncode != 0, f"the play ended before its host went away: {said.words[-2000:]}"
    for words in (
        f"{WORKER} ({site.machines[WORKER]}), phase prepare: ",
        "the connection to the host was lost",
        f"crossmesh preflight --host {WORKER}",
        "the phase starts over and takes what is done as done",
    ):
        assert words in said.words, f"{words!r}: {said.words[-4000:]}"


def goes_on(site: Site, cluster: Cluster, most: int) -> dict[str, Any]:
    """See that nothing of the play is at work any more, and that the next `up` does what it did not."""
    left = quiet(site, QUIET_SECONDS)
    assert not left, f"still at work: {left}"
    again = explained(site, lambda: site.up("--skip-preview"))
    assert f"{WORKER} prepare" in again.words, f"the phase was not run again: {again.words[-3000:]}"
    assert most_pods(cluster, WORKER) == str(most)
    return {"secondsOfNextUp": round(again.seconds, 1), "secondsUntilWell": all_well(site)}


def test_a_machine_that_is_switched_off_in_the_middle_of_its_play_is_named_and_gets_the_rest_later(
    site: Site, cluster: Cluster, report: dict[str, Any]
) -> None:
    declare_pods(site, 61)
    with switched_off(site) as moment, at_work(site) as ended:
        gone = moment()
        said = ended(REFUSED_SECONDS)
        seconds = round(time.time() - gone, 1)
    went_away(site, said)
    assert seconds < SAID_SECONDS, f"{seconds} s: {said.words[-2000:]}"
    report["switchedOff"] = {"secondsUntilSaid": seconds} | goes_on(site, cluster, 61)


def test_a_host_whose_sshd_is_cut_off_in_the_middle_of_its_play_is_named_and_gets_the_rest_later(
    site: Site, cluster: Cluster, report: dict[str, Any]
) -> None:
    declare_pods(site, 62)
    with cut_off(site) as moment:
        with at_work(site) as ended:
            said = ended(REFUSED_SECONDS)
            over = time.time()
        went_away(site, said)
        assert not is_reached(site), f"it was back before `up` ended: {said.words[-2000:]}"
        back(site)
        seconds = round(over - moment(), 1)
    assert seconds < SAID_SECONDS, f"{seconds} s: {said.words[-2000:]}"
    report["cutOff"] = {"secondsUntilSaid": seconds} | goes_on(site, cluster, 62)


# -- (b) A disk that is full


@contextmanager
def small_disk(site: Site) -> Iterator[None]:
    """The machine that joins has a disk for containers that is too small for images."""
    site.on(JOINS, f"mkdir -p {_STORE} && mount -t tmpfs -o size={_MIB}m,mode=0711 tmpfs {_STORE}")
    try:
        yield
    finally:
        # Its containerd, if there is one, begins anew on the disk below.
        site.on(
            JOINS,
            f"systemctl stop containerd 2>/dev/null; umount -l {_STORE}; "
            "if systemctl cat containerd >/dev/null 2>&1; then systemctl start containerd; fi",
        )


def test_a_disk_without_room_is_refused_and_one_that_images_fill_is_made_good_by_the_next_run(
    site: Site, cluster: Cluster, report: dict[str, Any]
) -> None:
    found: dict[str, Any] = {}
    there = site.on(JOINS, _SET_UP)
    with small_disk(site):
        with joining(site):
            looked = site.crossmesh("preflight", "--host", JOINS, check=False)
            refused = site.up("--skip-preview", check=False, timeout=REFUSED_SECONDS)
        assert looked.returncode == ExitCode.POLICY, looked.words
        assert f"disks/{JOINS}" in looked.words
        assert refused.returncode != 0
        for words in ("1 host cannot be used; no host was changed", f"GiB on {_STORE}", "make room: "):
            assert words in refused.words, f"{words!r}: {refused.words[-3000:]}"
        assert site.on(JOINS, _SET_UP) == there, "a host that was refused was changed"
        found["secondsUntilRefused"] = round(refused.seconds, 1)
        with joining(site, accept=["disks"]):
            full = site.up("--skip-preview", check=False, timeout=REFUSED_SECONDS)
            said, _ = named(site, f"the disk at {_STORE} of {JOINS} is full")
        assert full.returncode != 0
        for words in (
            f"{JOINS} ({site.machines[JOINS]}), phase prepare: ",
            "no space left on device",
            f"a disk of {JOINS} is full",
            "the phase starts over and takes what is done as done",
        ):
            assert words.lower() in full.words.lower(), f"{words!r}: {full.words[-4000:]}"
        assert "Is the mirror of the stack file's sources up" not in full.words
        assert said.returncode == ExitCode.UNHEALTHY
        assert cluster.get(f"/api/v1/nodes/{JOINS}") is None
        found["secondsUntilFull"] = round(full.seconds, 1)
    with joining(site):
        joined = explained(site, lambda: site.up("--skip-preview"))
        found |= {"secondsOfNextUp": round(joined.seconds, 1), "secondsUntilWell": all_well(site)}
    report["diskFull"] = found | leaves(site, cluster)


def leaves(site: Site, cluster: Cluster) -> dict[str, Any]:
    """Have the machine that joined leave."""
    left = explained(site, lambda: site.up("--skip-preview"))
    assert cluster.get(f"/api/v1/nodes/{JOINS}") is None
    return {"secondsUntilItHasLeft": round(left.seconds, 1), "secondsUntilWellWithoutIt": all_well(site)}


# -- (c) Certificates that are not valid yet


def test_certificates_that_are_not_valid_yet_are_named_by_all_and_made_anew(
    site: Site, cluster: Cluster, report: dict[str, Any]
) -> None:
    """As of a machine whose clock ran ahead when they were made."""
    stack, served = site.declaration(), "/etc/kubernetes/pki/apiserver.crt"
    hosts = stack.environment.regions[REGION].hosts
    ways = {host: logins.login(stack, host, hosts[host].ssh_address) for host in (*CONTROL, WORKER)}

    def read(host: str, path: str) -> str:
        return ssh.run(host, ways[host], ["cat", path]).stdout

    authority = x509.load_pem_x509_certificate(read(CONTROL[0], "/etc/kubernetes/pki/ca.crt").encode())
    key = load_pem_private_key(read(CONTROL[0], "/etc/kubernetes/pki/ca.key").encode(), None)
    early = {WORKER: machines.CLIENT, **dict.fromkeys(CONTROL, served)}
    before = {(host, path): read(host, path) for host, path in early.items()}
    try:
        for (host, path), text in before.items():
            files = {path: dated(text, authority, key, begins=1, ends=300)}
            ssh.ask(host, ways[host], PUT, {"files": files, "end": host in CONTROL}, timeout=60)
        await_early(cluster)
        rows = certificates(site)
        assert {where for where, one in rows.items() if one["state"] == "not yet valid"} >= set(early.items())
        assert site.crossmesh("certificates", check=False).returncode == ExitCode.UNHEALTHY
        said, seconds = named(site, "is not valid before ")
        assert said.returncode == ExitCode.UNHEALTHY
        first = said.stdout.partition("\n")[0]
        assert first.startswith(f"cause: host-certificates/{REGION} in {REGION}: "), said.stdout[:3000]
        assert "is not valid before " in first
        declare_variable(site, "not-yet-valid")
        refused = site.up("--skip-preview", check=False, timeout=REFUSED_SECONDS)
        assert refused.returncode != 0
        assert "not yet valid" in refused.words, refused.words[-4000:]
        wanted = advised(said)
        assert wanted == ["runbook", "run", "renew-certificates", f"region={REGION}"]
        done = explained(site, lambda: site.crossmesh(*wanted, "--yes", timeout=900))
    except BaseException:
        for (host, path), text in before.items():
            ssh.ask(host, ways[host], PUT, {"files": {path: text}, "end": host in CONTROL}, timeout=60)
        raise
    assert {one["state"] for one in certificates(site).values()} == {"ok"}
    again = explained(site, lambda: site.up("--skip-preview"))
    report["notYetValid"] = {
        "firstLine": first,
        "secondsUntilNamed": seconds,
        "secondsUntilUpWasRefused": round(refused.seconds, 1),
        "renewSeconds": round(done.seconds, 1),
        "secondsOfNextUp": round(again.seconds, 1),
        "secondsUntilWell": all_well(site),
    }


def await_early(cluster: Cluster) -> None:
    """Wait until the API is served by a certificate that is not valid yet."""
    deadline = time.monotonic() + NAMED_SECONDS
    while True:
        try:
            why = f"it answers {cluster.answer('GET', '/readyz')[0]}"
        except IdentityMismatch as error:
            assert "does not hold at this time" in error.message, error.message
            return
        except AccessError as error:
            why = error.message
        assert time.monotonic() < deadline, why
        time.sleep(1)


# -- (d) One dead member of etcd


@pytest.mark.parametrize("kill", ["", "join"])
def test_one_dead_member_of_etcd_costs_no_write_and_joins_anew_by_the_runbook_that_is_named(
    site: Site, report: dict[str, Any], kill: str
) -> None:
    """Its store is broken while it ends: the first pages of the database, by which it is known as one."""
    holding = holders(site)
    name = next(each for each in reversed(CONTROL) if each not in holding)
    with writing(client(site), f"without-member-{kill or 'whole'}") as writes:
        time.sleep(3)
        lost = time.monotonic()
        site.on(
            name,
            "dd if=/dev/zero of=/var/lib/etcd/member/snap/db bs=4096 count=4 conv=notrunc 2>/dev/null; "
            "pkill -KILL -f '^etcd .*=/etc/kubernetes/'",
        )
        said, seconds = named(site, f"renew-etcd-member node={name}")
        wanted = advised(said)
        assert wanted == ["runbook", "run", "renew-etcd-member", f"node={name}"], said.stdout[:3000]
        refused = run(site, "run", "clear-lost-node", f"node={name}", "--dry-run", check=False)
        assert refused.returncode != 0 and f"{name} answers ssh" in refused.words
        if kill:
            killed(site, kill, *wanted[2:])
            done = explained(site, lambda: run(site, "resume", timeout=900))
        else:
            done = explained(site, lambda: site.crossmesh(*wanted, "--yes", timeout=900))
    found = judged(site, writes, lost)
    assert members(site, CONTROL[0]) == set(CONTROL), told(site)
    assert site.on(name, "ls -d /var/lib/etcd/before-*/member"), "what it had is gone"
    site.on(name, "rm -rf /var/lib/etcd/before-*")
    again = run(site, "run", *wanted[2:], "--dry-run", check=False)
    assert again.returncode != 0 and "serves: nothing of it is to be made anew" in again.words
    report.setdefault("deadMember", {})[kill or "undisturbed"] = found | {
        "firstLine": said.stdout.partition("\n")[0],
        "secondsUntilNamed": seconds,
        "runbookSeconds": round(done.seconds, 1),
        "secondsUntilWell": all_well(site),
    }


# -- (e) An API server that restarts


def test_an_api_server_that_ends_twice_while_control_planes_are_changed_keeps_nobody_from_it(
    site: Site, cluster: Cluster, report: dict[str, Any]
) -> None:
    def change(environment: dict[str, Any]) -> None:
        environment["hostProfiles"]["container"]["kubelet"]["maxPods"] = 63

    rewritten(site, change)
    ended_on = []
    with at_work(site) as ended:
        at_play(site, *CONTROL)
        for _ in range(2):
            (holder, *_) = holders(site) or CONTROL
            site.on(holder, "pkill -KILL -x kube-apiserver", check=False)
            ended_on.append(holder)
            time.sleep(20)
        done = ended(UP_SECONDS)
    assert done.returncode == 0, f"{done.words[-4000:]}\n{told(site)}"
    assert {most_pods(cluster, name) for name in CONTROL} == {"63"}
    report["apiServerRestarted"] = {
        "on": ended_on,
        "upSeconds": round(done.seconds, 1),
        "secondsUntilWell": all_well(site),
    }


# -- (f) A webhook that refuses everything


@contextmanager
def refusing(cluster: Cluster) -> Iterator[None]:
    """A webhook that fails closed, of a service that nobody has, is asked of whatever is written.

    But for leases: without these the controllers and the scheduler end within seconds, and what is seen then
    is that.
    """
    path = CONFIGURATIONS["ValidatingWebhookConfiguration"]
    everything = {
        "apiGroups": ["*"],
        "apiVersions": ["*"],
        "operations": ["CREATE", "UPDATE", "DELETE"],
        "resources": ["*"],
        "scope": "*",
    }
    hook: Mapping[str, Any] = {
        "name": HOOK,
        "admissionReviewVersions": ["v1"],
        "sideEffects": "None",
        "failurePolicy": "Fail",
        "timeoutSeconds": 5,
        "clientConfig": {"service": {"namespace": "default", "name": "nobody"}},
        "rules": [everything],
        "matchConditions": [
            {"name": "no-leases", "expression": "request.resource.group != 'coordination.k8s.io'"}
        ],
    }
    cluster.post(
        path,
        {
            "apiVersion": "admissionregistration.k8s.io/v1",
            "kind": "ValidatingWebhookConfiguration",
            "metadata": {"name": HOOKS},
            "webhooks": [hook],
        },
    )
    try:
        # Each API server hears of it by a watch of its own.
        time.sleep(5)
        yield
    finally:
        cluster.delete(f"{path}/{HOOKS}")
        time.sleep(5)


def barred(said: Ended) -> None:
    """See that the webhook is named, and that it does not answer."""
    assert said.returncode != 0
    for words in ("failed calling webhook", HOOK):
        assert words in said.words, f"{words!r}: {said.words[-4000:]}"


def test_objects_that_a_webhook_keeps_out_are_told_with_its_name_and_applied_by_the_next_run(
    site: Site, cluster: Cluster, report: dict[str, Any]
) -> None:
    declare_variable(site, "barred")
    with refusing(cluster):
        refused = site.up("--skip-preview", check=False, timeout=REFUSED_SECONDS)
    barred(refused)
    again = explained(site, lambda: site.up("--skip-preview"))
    report["webhookWhileApplying"] = {
        "secondsUntilRefused": round(refused.seconds, 1),
        "secondsOfNextUp": round(again.seconds, 1),
        "secondsUntilWell": all_well(site),
    }


def test_a_node_that_a_webhook_keeps_from_joining_is_told_what_brings_it_and_joins_by_the_next_run(
    site: Site, cluster: Cluster, report: dict[str, Any]
) -> None:
    with joining(site):
        with refusing(cluster):
            # What is refused elsewhere does not keep the host from beginning to join.
            flags = ("--skip-preview", "--continue-on-error")
            refused = site.up(*flags, check=False, timeout=REFUSED_SECONDS)
        barred(refused)
        for words in (
            f"{JOINS} ({site.machines[JOINS]}), phase join: ",
            f"delete ValidatingWebhookConfiguration {HOOKS}",
        ):
            assert words in refused.words, f"{words!r}: {refused.words[-4000:]}"
        assert cluster.get(f"/api/v1/nodes/{JOINS}") is None
        half = site.on(
            JOINS, "ls /var/lib/crossmesh/*.begun /var/lib/crossmesh/*.finished 2>/dev/null || true"
        )
        assert not half.strip(), f"it has begun to join: {half}"
        joined = explained(site, lambda: site.up("--skip-preview"))
        found = {
            "secondsUntilRefused": round(refused.seconds, 1),
            "secondsOfNextUp": round(joined.seconds, 1),
            "secondsUntilWell": all_well(site),
        }
    report["webhookWhileJoining"] = found | leaves(site, cluster)
