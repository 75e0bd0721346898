"""Faults, one at a time, in a platform in memory: the first line of the doctor's report names the cause."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import pytest
from rich.console import Console

from gate.effects.sources import open_sources
from live.doctor import report
from live.doctor.causes import causes
from live.doctor.model import CheckResult
from live.expiry.model import STATE, of_certificate
from report.examination import Producer
from report.exit_codes import ExitCode
from report.model import Status
from runbooks.catalogue import runbook
from stacks.load import PROJECT, stack_path
from tests.unit.live.doctor.world import CA, REGIONS, World, expired, look
from tests.unit.operations.support import issue, raw_outputs

Fault = Callable[[World], Any]


def off(machine: str) -> Fault:
    return lambda world: setattr(world.machines[machine], "on", False)


def stop(machine: str, unit: str) -> Fault:
    return lambda world: world.machines[machine].stopped.add(f"{unit}.service")


def scale(region: str, name: str, replicas: int = 0) -> Fault:
    return lambda world: setattr(world.workloads[region][name], "replicas", replicas)


def waiting(region: str, name: str, reason: str, words: str) -> Fault:
    return lambda world: setattr(world.workloads[region][name], "waits", (reason, words))


def on(machine: str, **values: Any) -> Fault:
    return lambda world: [setattr(world.machines[machine], name, value) for name, value in values.items()]


def of(name: str, region: str, value: Any) -> Fault:
    """One region's entry of what the world has by region."""
    return lambda world: getattr(world, name).update({region: value})


def other_gateway(world: World) -> None:
    regions = raw_outputs()["regions"]
    regions["eu"]["nodes"]["eu-worker-1"]["podCidr"] = "172.30.9.0/24"
    world.changes["regions"] = regions


def authority_over(world: World) -> None:
    """That of the gateways, and so all that it signed."""
    world.ca = issue("gateway CA", ca=True, days=-1, age=400)
    world.leaves = dict.fromkeys(REGIONS, expired(world.ca))
    world.issued = [of_certificate("", STATE, "gateway CA", world.ca.certificate, "`pulumi up`")]


FAULTS: dict[str, tuple[Fault, str, str]] = {
    "worker without power": (
        off("eu-worker-1"),
        "kubelet/eu-worker-1 in eu: node eu-worker-1 is not Ready (its kubelet has not been heard of)",
        "(host/eu-worker-1 is not known)",
    ),
    "control plane without power": (
        off("eu-cp-1"),
        "api-server/eu in eu: https://10.101.1.11:6443 gives no answer",
        "(host/eu-cp-1 is not known)",
    ),
    "edge host without power": (
        off("us-edge-1"),
        "name-server/10.101.2.13:53 in us: ",
        "no answer from 10.101.2.13:53 within 4 s (host/us-edge-1 is not known)",
    ),
    "kubelet stopped": (
        stop("eu-worker-1", "kubelet"),
        "services/eu-worker-1 in eu: kubelet does not run on eu-worker-1: inactive (dead)",
        "since Sat 2026-11-28 10:00:00 UTC",
    ),
    "kubelet of a control plane stopped": (stop("us-cp-1", "kubelet"), "services/us-cp-1 in us: kubelet", ""),
    "containerd stopped": (
        stop("eu-worker-1", "containerd"),
        "services/eu-worker-1 in eu: containerd does not run on eu-worker-1",
        "",
    ),
    "BIRD stopped": (
        stop("eu-worker-1", "bird"),
        "services/eu-worker-1 in eu: bird does not run on eu-worker-1",
        "",
    ),
    "BIRD of a control plane stopped": (stop("us-cp-1", "bird"), "services/us-cp-1 in us: bird", ""),
    "name server stopped": (stop("eu-edge-1", "gdnsd"), "services/eu-edge-1 in eu: gdnsd does not run", ""),
    "prober stopped": (
        stop("us-edge-1", "crossmesh-health"),
        "services/us-edge-1 in us: crossmesh-health does not run",
        "",
    ),
    "clock wrong": (
        on("us-worker-1", skew=-4000),
        "host/us-worker-1 in us: the clock of us-worker-1",
        "behind",
    ),
    "kubelet's certificate over": (
        on("eu-worker-1", certificate=issue("system:node:x", days=-1, age=400)),
        "host-certificates/eu in eu: ",
        "kubelet-client-current.pem",
    ),
    "authority that up issued over": (
        authority_over,
        "issued-certificates: ",
        "gateway CA",
    ),
    "disk full": (
        on("eu-worker-1", pressure="DiskPressure"),
        "kubelet/eu-worker-1 in eu: node eu-worker-1 has DiskPressure",
        "",
    ),
    "etcd ended": (
        on("eu-cp-1", ended={"etcd", "kube-apiserver"}),
        "control-plane/eu-cp-1 in eu: etcd does not run on eu-cp-1, though its manifest is there",
        "",
    ),
    "etcd without data": (
        on("eu-cp-1", data=False, ended={"etcd"}),
        "control-plane/eu-cp-1 in eu: etcd on eu-cp-1 has no data",
        "",
    ),
    "manifest of the API server gone": (
        on("us-cp-1", missing={"kube-apiserver"}),
        "control-plane/us-cp-1 in us: kube-apiserver does not run on us-cp-1: its manifest",
        "/etc/kubernetes/manifests/kube-apiserver.yaml is not there",
    ),
    "scheduler ended": (
        on("us-cp-1", ended={"kube-scheduler"}),
        "control-plane/us-cp-1 in us: kube-scheduler does not run",
        "",
    ),
    "CoreDNS scaled to 0": (scale("eu", "coredns"), "coredns/eu in eu: coredns is scaled to 0", ""),
    "istiod scaled to 0": (scale("us", "istiod"), "istiod/us in us: istiod is scaled to 0", ""),
    "gateway scaled to 0": (
        scale("eu", "istio-ingressgateway"),
        "gateway/eu in eu: istio-ingressgateway is scaled to 0",
        "",
    ),
    "application scaled to 0": (
        scale("eu", "asset-mgr-ms-svc"),
        "application/eu/asset-mgr-ms-svc in eu: it is scaled to 0",
        "",
    ),
    "image that is not there": (
        waiting("eu", "asset-consumer-svc", "ImagePullBackOff", "no such image"),
        "application/eu/asset-consumer-svc in eu: ",
        "ImagePullBackOff",
    ),
    "istiod without memory": (
        waiting("eu", "istiod", "CrashLoopBackOff", "back-off"),
        "istiod/eu in eu: istiod has 0 of 1 pods ready",
        "CrashLoopBackOff",
    ),
    "speaker that crashes": (
        waiting("us", "speaker", "CrashLoopBackOff", "back-off"),
        "metallb/us in us: speaker has 0 of 2 pods ready",
        "",
    ),
    "kube-proxy that crashes": (
        waiting("eu", "kube-proxy", "CrashLoopBackOff", "back-off"),
        "kube-proxy/eu in eu: kube-proxy has 0 of 2 pods ready",
        "",
    ),
    "node cordoned": (
        lambda world: world.cordoned.add("eu-worker-1"),
        "schedulable/eu in eu: node eu-worker-1 is cordoned",
        "",
    ),
    "node that is not declared": (
        of("undeclared", "eu", ["stranger"]),
        "nodes/eu in eu: node stranger is not declared",
        "",
    ),
    "another cluster answers": (
        of("uids", "us", "uid-2"),
        "api-server/us in us: kube-system has the UID uid-2",
        "",
    ),
    "another release runs": (
        of("versions", "eu", "v1.30.0"),
        "api-server/eu in eu: runs Kubernetes v1.30.0",
        "",
    ),
    "gateway's certificate over": (
        of("leaves", "eu", expired()),
        "certificate/eu/assetmanagement.greencompute.lab.crossmesh.test in eu: ",
        "certificate has expired",
    ),
    "authority of clients about to end": (
        lambda world: setattr(world, "ca", issue("gateway CA", ca=True, days=1, age=400)),
        "published-ca: the CA CN=gateway CA",
        "",
    ),
    "two roots": (
        of("roots", "us", issue("other root", ca=True, days=3650)),
        "mesh-authorities: us: ",
        "there are 2 roots",
    ),
    "remote cluster not read": (of("sync", "eu", "timeout"), "remote-clusters/eu in eu: ", "us is timeout"),
    "router of another AS": (
        on("eu-worker-1", session="Active"),
        "sessions/eu-worker-1 in eu: eu-worker-1 and the router 10.101.1.1",
        "have no session: Active",
    ),
    "addresses translated": (of("masquerades", "eu", True), "flat/eu/us in eu: it sees 10.101.1.12", ""),
    "plain text taken": (of("plain_text", "us", True), "strict-mtls/us in us: ", "in plain text"),
    "gateway without an address": (
        of("balanced", "us", False),
        "gateway-address/us in us: the service has no address",
        "",
    ),
    "forced states malformed": (
        lambda world: world.malformed.update({"eu-edge-1": ["value for 'x'"]}),
        "health-view/eu-edge-1 in eu: /var/lib/gdnsd/admin_state is malformed",
        "",
    ),
    "another time to live": (
        lambda world: setattr(world, "ttl", 300),
        "name-server/10.101.1.13:53 in eu: ",
        "TTL 300 s, declared 5 s",
    ),
    "slice that is another": (other_gateway, "slices: ", "the ledger says 172.30.1.0/24"),
}
"""By what is broken: how, with which words the first line begins after `cause: `, and what is in it."""


def printed(results: list[CheckResult], **options: bool) -> list[str]:
    stream = io.StringIO()
    console = Console(file=stream, width=200, highlight=False)
    report.print_causes(console, "lab", results, **options)
    report.print_table(console, results, 1.0, every=options.get("every", False))
    return stream.getvalue().splitlines()


@pytest.fixture
def world() -> World:
    return World()


def test_a_world_in_which_nothing_is_broken_is_well(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    results = look(world, monkeypatch)
    assert [(result.check.id, result.finding.message) for result in results if not result.passed] == []
    assert causes(results) == ()
    assert printed(results)[0].startswith("link")


SOURCES = open_sources(stack_path("lab"), PROJECT)
IN_EACH = {"another time to live": 2}
"""Faults that several checks find, each for itself: both name servers answer so."""


@pytest.mark.parametrize("fault", FAULTS)
def test_the_first_line_names_what_was_broken_and_all_else_that_failed_follows_from_it(
    world: World, monkeypatch: pytest.MonkeyPatch, fault: str
) -> None:
    seed, begins, words = FAULTS[fault]
    seed(world)
    results = look(world, monkeypatch)
    first = printed(results)[0]
    assert first.startswith(f"cause: {begins}"), "\n".join(printed(results))
    assert words in first
    told = report.examination("lab", results, Producer("1", "3", "", False), SOURCES)
    assert told.verdict.code is ExitCode.UNHEALTHY
    assert told.verdict.words.startswith(told.causes[0].rule.removeprefix("doctor/"))
    failed = [cause for cause in told.causes if cause.status is Status.FAIL]
    assert len(failed) == IN_EACH.get(fault, 1), failed
    # What is not known is said to be that, and is a machine that nobody reaches.
    for cause in told.causes[len(failed) :]:
        assert cause.status is Status.NOT_MEASURABLE
        assert cause.rule in failed[0].unknown
        assert "cannot be reached" in cause.message


def test_a_dead_worker_is_one_cause_with_what_follows_folded_under_it(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    off("eu-worker-1")(world)
    results = look(world, monkeypatch)
    lines = printed(results)
    failed = sum(result.finding.status is Status.FAIL for result in results)
    assert failed > 10
    assert lines[1] == (
        "  not known host/eu-worker-1: eu-worker-1: root@10.101.1.12 port 22 cannot be reached: timed out"
    )
    assert lines[2:4] == ["  fix       wake it", "  fix       Read `journalctl -u kubelet` on eu-worker-1."]
    (folded,) = (line for line in lines if "follow from it" in line and "gateway/eu" in line)
    assert "gateway-readiness/eu" in folded and folded.endswith("(--all tells of each)")
    assert not any(line.startswith("✘ failed  gateway/eu: ") for line in lines)
    assert any(line.startswith("✘ failed  kubelet/eu-worker-1: ") for line in lines)
    every = printed(results, every=True)
    assert any(line.startswith("✘ failed  gateway/eu: ") for line in every)
    assert any("follows from" in line and "kubelet/eu-worker-1" in line for line in every)
    assert not any("--all" in line for line in every)
    # Clients are led to the other region, and its checks hold.
    assert any("rest on it and are ok" in line and "https/" in line for line in lines), lines


def takes(named: str) -> None:
    """There is a runbook of that name, and it takes these parameters."""
    name, *values = named.split()
    assert runbook(name).values(dict(value.split("=", 1) for value in values))


def test_a_node_that_was_cordoned_is_brought_back_by_its_runbook(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.cordoned.add("eu-worker-1")
    results = look(world, monkeypatch)
    assert printed(results)[1] == "  runbook   crossmesh runbook run return-node node=eu-worker-1 --stack lab"
    takes(causes(results)[0].runbook)


def test_etcd_that_lost_its_data_is_brought_back_by_its_runbook(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    on("eu-cp-1", data=False, ended={"etcd"})(world)
    results = look(world, monkeypatch)
    line = printed(results)[1]
    assert line == "  runbook   crossmesh runbook run restore-etcd region=eu backup=PATH --stack lab"
    takes(causes(results)[0].runbook)


def test_hosts_that_nobody_can_look_at_explain_no_failure(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without ssh from here, a platform is looked at by its clusters alone, and they say what failed."""
    for machine in world.machines.values():
        machine.admits = False
    scale("eu", "istiod")(world)
    results = look(world, monkeypatch)
    lines = printed(results)
    assert lines[0].startswith("cause: istiod/eu in eu: istiod is scaled to 0")
    unknown = [line for line in lines if line.startswith("not known: ")]
    assert len(unknown) == len(world.machines)
    assert "gone" not in "".join(unknown) and "deleted" not in "".join(unknown)


def test_what_is_not_known_alone_is_no_failure(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.machines["eu-edge-1"].admits = False
    results = look(world, monkeypatch)
    lines = printed(results)
    assert lines[0].startswith("not known: host/eu-edge-1 in eu: eu-edge-1: root@10.101.1.13 port 22 cannot")
    assert "health-view/eu-edge-1" in lines[2]
    told = report.examination("lab", results, Producer("1", "3", "", False), SOURCES)
    assert told.verdict.code is ExitCode.NOT_MEASURABLE


def test_several_causes_come_in_the_order_of_how_much_follows(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.ca = issue("gateway CA", ca=True, days=1, age=400)
    scale("us", "istiod")(world)
    off("eu-worker-1")(world)
    found = [cause for cause in causes(look(world, monkeypatch)) if cause.status is Status.FAIL]
    assert [cause.rule for cause in found] == [
        "doctor/kubelet/eu-worker-1",
        "doctor/istiod/us",
        "doctor/published-ca",
    ]
    assert [len(cause.follows) for cause in found] == sorted(
        (len(cause.follows) for cause in found), reverse=True
    )


def test_every_region_s_faults_are_told_apart(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    for region in REGIONS:
        stop(f"{region}-worker-1", "kubelet")(world)
    first, second = causes(look(world, monkeypatch))
    assert {first.rule, second.rule} == {"doctor/services/eu-worker-1", "doctor/services/us-worker-1"}
    assert "doctor/nodes/eu" not in (first if first.region == "us" else second).follows


def test_the_world_has_what_clients_trust() -> None:
    assert World().ca is CA
