"""Kubernetes goes on, minor by minor, past the end of the list of Istio's makers, with clients at work.

Two regions of one mesh as in the suite `upgrade`, with containerd of its makers from the start, which
Kubernetes 1.36 asks for. Each step is a test of its own; before the last one a step fails, and what was there
before serves on. Run by `make acceptance SUITE=upgrade_onward`, about an hour and a half; the first test
compiles what the toolchain has not yet, which takes an hour for each release on two cores
(`python -m toolchain install kubernetes-1.36.3 kubernetes-1.37.1` does so before). Writes
`docs/acceptance/upgrade_onward-<date>.json`. CROSSMESH_ONWARD=1.35.3,1.36.3 names other releases,
two or more; of two there is the step that fails, and the last one.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from itertools import pairwise
from typing import Any

import pytest

import releases
from access.cluster import Cluster
from access.errors import AccessError
from releases import minor, numbers
from report.exit_codes import ExitCode
from tests.lab.acceptance import results
from tests.lab.acceptance.upgrading import (
    CONTROL,
    NODES,
    Clients,
    declare,
    described,
    edited,
    ended_well,
    explained,
    kept,
    lost,
    starts,
)
from tests.lab.acceptance.versions import healthy
from tests.lab.conftest import log_directory
from tests.lab.site import Site
from toolchain import install

NAME = os.environ.get("CROSSMESH_ONWARD_STACK", "test-onward")
BROUGHT_UP = ("1.35.3", "1.36.3", "1.37.1")
"""The releases that this suite is for."""
RELEASES = os.environ.get("CROSSMESH_ONWARD", ",".join(BROUGHT_UP)).split(",")
STEPS = list(pairwise(RELEASES))
OTHERS = {"containerd": "2.4.2", "istio": "1.29.1", "metallb": "0.16.1"}
COMPILE_SECONDS, BRING_UP_SECONDS, STEP_SECONDS, FAILED_SECONDS = 4 * 3600, 3600, 4500, 3600
"""What each test may take; programs that it waits for are bound more closely."""
UP_SECONDS = 3300
STRICT = (1, 36)
"""From this minor version on, API servers hold new objects to what they let earlier ones be."""
GROUP, NAMESPACE = "onward.test", "onward"
ASN = {"type": "integer", "format": "int32", "minimum": 0, "maximum": 2**32 - 1}
"""A number as definitions of MetalLB 0.15 have it: its bound is beyond its format."""
LISTS = {
    "keepsakes": f"/apis/{GROUP}/v1/namespaces/{NAMESPACE}/keepsakes",
    "peers": f"/apis/{GROUP}/v1/namespaces/{NAMESPACE}/peers",
    "policies": f"/apis/networking.k8s.io/v1/namespaces/{NAMESPACE}/networkpolicies",
    "leases": f"/apis/coordination.k8s.io/v1/namespaces/{NAMESPACE}/leases",
    "nodes' leases": "/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases",
}
"""What is kept in each cluster, by what it is called here: custom resources, leases, and objects that a later
API server would refuse as new ones."""
_DEFINITIONS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
_HOOKS = "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations"
_HOOK = "no-jobs.onward.test"
_PKI = "/etc/kubernetes/pki/etcd"
_STATUS = (
    "kubectl --kubeconfig=/etc/kubernetes/admin.conf exec --namespace=kube-system etcd-{node} -- etcdctl "
    f"--cacert={_PKI}/ca.crt --cert={_PKI}/healthcheck-client.crt --key={_PKI}/healthcheck-client.key "
    "--endpoints=https://127.0.0.1:2379 endpoint status --write-out=json"
)


@pytest.fixture(scope="module")
def report() -> Iterator[dict[str, Any]]:
    """The result file, written however the suite ends."""
    yield from results.reported("upgrade_onward", kubernetes=RELEASES, **OTHERS)


@pytest.fixture(scope="module")
def site(report: dict[str, Any]) -> Iterator[Site]:
    """A platform of the first release on machines of its own, with what is to be kept."""
    found = Site(NAME, log_directory())
    try:
        offered = {program: [version] for program, version in OTHERS.items()}
        found.prepare(described(found, {"kubernetes": RELEASES, **offered}))
        declare(found, {"kubernetes": RELEASES[0], **OTHERS}, pairs(RELEASES[0]))
        with explained(found):
            report["upSeconds"] = round(found.up("--skip-preview", timeout=2400).seconds, 1)
            healthy(found)
        with found.clusters() as clusters:
            for cluster in clusters.values():
                keepsakes(cluster)
        yield found
        found.destroy()
    finally:
        found.stop()


@pytest.fixture(scope="module")
def reached() -> list[str]:
    """The release that the platform is at, last; those before it are where it was."""
    return [RELEASES[0]]


def keepsakes(cluster: Cluster) -> None:
    """Make what is to be kept, some of it of definitions of our own."""
    cluster.post("/api/v1/namespaces", new("v1", "Namespace", NAMESPACE, {}))
    for kind, fields in (("Keepsake", {"text": {"type": "string"}}), ("Peer", {"asn": ASN})):
        cluster.post(_DEFINITIONS, definition(kind, fields))
    for number in range(20):
        keep(cluster, "keepsakes", custom("Keepsake", f"kept-{number}", {"text": f"said {number}"}))
    keep(cluster, "peers", custom("Peer", "kept", {"asn": 64512}))
    keep(cluster, "policies", policy("kept"))
    lease = {"holderIdentity": "keeper", "leaseDurationSeconds": 3600, "leaseTransitions": 3}
    keep(cluster, "leases", new("coordination.k8s.io/v1", "Lease", "kept", lease))


def keep(cluster: Cluster, what: str, body: dict[str, Any]) -> None:
    """Make one object; its API server may need seconds to know a definition."""
    deadline = time.monotonic() + 60
    while said := refused(cluster, what, body):
        assert time.monotonic() < deadline, said
        time.sleep(1)


def refused(cluster: Cluster, what: str, body: dict[str, Any]) -> str:
    """What an API server says to an object that it refuses; empty where it takes it."""
    try:
        cluster.post(LISTS[what], body)
    except AccessError as error:
        return str(error)
    return ""


def new(api_version: str, kind: str, name: str, spec: Mapping[str, Any]) -> dict[str, Any]:
    """An object."""
    return {"apiVersion": api_version, "kind": kind, "metadata": {"name": name}, "spec": dict(spec)}


def custom(kind: str, name: str, spec: Mapping[str, Any]) -> dict[str, Any]:
    """An object of a definition of our own."""
    return new(f"{GROUP}/v1", kind, name, spec)


def policy(name: str) -> dict[str, Any]:
    """A policy whose network has bits behind its prefix."""
    block = {"from": [{"ipBlock": {"cidr": "10.1.2.3/16"}}]}
    return new("networking.k8s.io/v1", "NetworkPolicy", name, {"podSelector": {}, "ingress": [block]})


def definition(kind: str, fields: Mapping[str, Any]) -> dict[str, Any]:
    """A definition of a kind with these fields in its spec."""
    plural = f"{kind.lower()}s"
    spec = {"type": "object", "properties": dict(fields)}
    schema = {"openAPIV3Schema": {"type": "object", "properties": {"spec": spec}}}
    return new(
        "apiextensions.k8s.io/v1",
        "CustomResourceDefinition",
        f"{plural}.{GROUP}",
        {
            "group": GROUP,
            "scope": "Namespaced",
            "names": {"kind": kind, "plural": plural, "singular": kind.lower()},
            "versions": [{"name": "v1", "served": True, "storage": True, "schema": schema}],
        },
    )


def contents(site: Site) -> dict[str, dict[str, Any]]:
    """What is kept in each cluster: identity and content by name; of leases, not when they were renewed."""
    found: dict[str, dict[str, Any]] = {}
    with site.clusters() as clusters:
        for region, cluster in clusters.items():
            for what, path in LISTS.items():
                for item in (cluster.get(path) or {}).get("items", ()):
                    spec = dict(item["spec"])
                    spec.pop("renewTime", None)
                    name = f"{what} {item['metadata']['name']}"
                    found.setdefault(region, {})[name] = [item["metadata"]["uid"], spec]
    return found


def differing(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    """What is not as it was, in words."""
    return [
        f"{region}: {name} was {had}, is {after.get(region, {}).get(name)}"
        for region, items in before.items()
        for name, had in items.items()
        if after.get(region, {}).get(name) != had
    ]


def pairs(kubernetes: str) -> list[dict[str, str]]:
    """What has to be taken upon oneself for a release of Kubernetes; nothing where Istio's makers list it."""
    listed = releases.release("istio", OTHERS["istio"]).supports("kubernetes", kubernetes)
    return [] if listed else [{"istio": OTHERS["istio"], "kubernetes": kubernetes}]


def go_to(site: Site, kubernetes: str) -> None:
    """Make the edit that a step is."""
    with edited(site) as environment:
        environment["versions"]["kubernetes"] = kubernetes
        environment["unlistedPairs"] = pairs(kubernetes)


def reviewed(site: Site, had: str, to: str) -> int:
    """The gate names all that comes with a step, and lets it through; its exit code."""
    gate = site.crossmesh("gate", "--report", "markdown=-", check=False)
    old, new = (releases.release("kubernetes", version) for version in (had, to))
    wanted = [f"Kubernetes goes from {had} to {to}", f"batch {len(NODES)} of {len(NODES)}"]
    wanted.append(f"etcd from {old.brings['etcd']} to {new.brings['etcd']}")
    if pairs(to):
        wanted.append(f"Istio {OTHERS['istio']} with Kubernetes {to} is taken upon yourself")
    if minor(to) == "1.37":
        wanted.append("has no simple way back")
    missing = [words for words in wanted if words not in gate.words]
    assert not missing, f"the gate does not say {missing}: {gate.words[-6000:]}"
    assert gate.returncode == ExitCode.CLEAN, f"the gate ended with {gate.returncode}: {gate.words[-6000:]}"
    return gate.returncode


def stored(site: Site, to: str) -> dict[str, Any]:
    """Each etcd is of the release, with the storage version of its minor; what it says of itself."""
    wanted = releases.release("kubernetes", to).brings["etcd"]
    found = {}
    for node in CONTROL.values():
        deadline = time.monotonic() + 90
        while True:
            status = json.loads(site.on(node, _STATUS.format(node=node)))[0]["Status"]
            found[node] = {key: status.get(key) for key in ("version", "storageVersion")}
            if found[node] == {"version": wanted, "storageVersion": f"{minor(wanted)}.0"}:
                break
            assert time.monotonic() < deadline, f"{node}: etcd says {found[node]}, wanted is {wanted}"
            time.sleep(3)
    return found


def runtimes(cluster: Cluster) -> set[str]:
    """What each node's kubelet says of its runtime."""
    return {node.status.node_info.container_runtime_version for node in cluster.core.list_node().items}


def judged(site: Site, to: str) -> None:
    """What is beside versions is as it has to be: containerd, the pause image, and the way to kubelets' logs;
    and new objects are held to more by a release that does so."""
    pause = releases.release("kubernetes", to).images["pause"]
    for node in NODES:
        said = site.on(node, "containerd config dump 2>/dev/null | grep -m1 'sandbox = '")
        assert pause in said, f"{node}: containerd starts pods with {said}, {to} brings {pause}"
    is_strict = numbers(to)[:2] >= STRICT
    with site.clusters() as clusters:
        for region, cluster in clusters.items():
            assert runtimes(cluster) == {f"containerd://{OTHERS['containerd']}"}, region
            # By a certificate that kubeadm 1.36 gives another right than those before it.
            pod = f"kube-scheduler-{CONTROL[region]}"
            assert cluster.core.read_namespaced_pod_log(pod, "kube-system", tail_lines=1), region
            for words, what, body in HELD_TO_MORE:
                said = refused(cluster, what, body)
                assert (words in said) is is_strict, f"{region}, {words!r}: {said or 'taken'}"
                cluster.delete(f"{LISTS[what]}/{body['metadata']['name']}")


HELD_TO_MORE = (
    ("must not have bits set beyond the prefix length", "policies", policy("new")),
    ("format int32", "peers", custom("Peer", "new", {"asn": 64513})),
)
"""What a strict API server says to new objects, and they."""


@contextmanager
def no_jobs(cluster: Cluster) -> Iterator[None]:
    """Jobs are refused, by a webhook of a service that nobody has: kubeadm makes one before an upgrade, to
    see that the cluster runs pods."""
    rule = {
        "apiGroups": ["batch"],
        "apiVersions": ["*"],
        "operations": ["CREATE"],
        "resources": ["jobs"],
        "scope": "*",
    }
    hook: dict[str, Any] = {
        "name": _HOOK,
        "admissionReviewVersions": ["v1"],
        "sideEffects": "None",
        "failurePolicy": "Fail",
        "timeoutSeconds": 5,
        "clientConfig": {"service": {"namespace": NAMESPACE, "name": "nobody"}},
        "rules": [rule],
    }
    kinds = {"apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingWebhookConfiguration"}
    cluster.post(_HOOKS, {**kinds, "metadata": {"name": _HOOK}, "webhooks": [hook]})
    try:
        # Each API server hears of it by a watch of its own.
        time.sleep(5)
        yield
    finally:
        cluster.delete(f"{_HOOKS}/{_HOOK}")


@pytest.mark.timeout(COMPILE_SECONDS)
def test_the_programs_of_all_releases_are_there() -> None:
    wanted = [f"kubernetes-{version}" for version in RELEASES]
    install.install([*wanted, *(f"{program}-{version}" for program, version in OTHERS.items())])


@pytest.mark.timeout(BRING_UP_SECONDS)
def test_a_pair_that_no_list_has_is_refused_until_it_is_named(site: Site, report: dict[str, Any]) -> None:
    report["etcdBefore"] = stored(site, RELEASES[0])
    judged(site, RELEASES[0])
    late = RELEASES[-1]
    with site.changed_declaration({"versions.kubernetes": late}):
        gate = site.crossmesh("gate", check=False)
    assert gate.returncode == ExitCode.USAGE, gate.words[-4000:]
    said = " ".join(gate.words.split())
    for words in ("take the pair upon yourself", "unlistedPairs", f"kubernetes: {late}"):
        assert words in said, f"{words!r}: {gate.words[-4000:]}"


def step(site: Site, report: dict[str, Any], reached: list[str], had: str, to: str) -> None:
    """One step, with clients at work; all that there was is there after it."""
    assert reached[-1] == had, f"the platform is at {reached[-1]}: the test of the step to {had} says why"
    told = report.setdefault(f"{had} to {to}", {})
    before, content = kept(site), contents(site)
    go_to(site, to)
    told["gateExit"] = reviewed(site, had, to)
    with explained(site):
        with Clients(site) as clients:
            ended = site.up("--skip-preview", check=False, timeout=UP_SECONDS)
        told |= {"upSeconds": round(ended.seconds, 1), **clients.told()}
        assert ended.returncode == 0, ended.words[-8000:]
        told["kubeletStarts"] = times = starts(site)
        told["lostObjects"] = gone = lost(before, kept(site))
        told["differing"] = other = differing(content, contents(site))
        ended_well(site, told, {"kubernetes": to, **OTHERS}, had)
        told["etcd"] = stored(site, to)
        judged(site, to)
    # From here on the next step can be tried, whatever else is found.
    reached.append(to)
    assert sorted(NODES, key=times.__getitem__) == NODES, f"turns in another order: {times}"
    assert not gone, gone[:20]
    assert not other, other[:20]
    clients.were_answered("everywhere")
    # Two gateways on two workers, of which one is drained at a time. In `us` there is one of each.
    clients.were_answered("eu")


@pytest.mark.parametrize(("had", "to"), STEPS[:-1])
@pytest.mark.timeout(STEP_SECONDS)
def test_a_step_upgrades_two_regions_and_clients_are_answered(
    had: str, to: str, site: Site, report: dict[str, Any], reached: list[str]
) -> None:
    step(site, report, reached, had, to)


@pytest.mark.timeout(FAILED_SECONDS)
def test_a_step_that_fails_leaves_what_serves_and_goes_back_by_the_old_declaration(
    site: Site, report: dict[str, Any], reached: list[str]
) -> None:
    had, to = STEPS[-1]
    assert reached[-1] == had, f"the platform is at {reached[-1]}: the test of the step to {had} says why"
    told = report.setdefault("failed", {})
    before, content, started = kept(site), contents(site), starts(site)
    go_to(site, to)
    with Clients(site) as clients:
        try:
            with site.clusters() as clusters, no_jobs(clusters["eu"]):
                failed = site.up("--skip-preview", check=False, timeout=UP_SECONDS)
        finally:
            go_to(site, had)
        told |= {"secondsUntilFailed": round(failed.seconds, 1), "said": failed.words[-3000:]}
        assert failed.returncode != 0, f"it went on without a Job: {failed.words[-4000:]}"
        for words in ("CreateJob", f"serves, as {had}"):
            assert words in failed.words, f"{words!r}: {failed.words[-8000:]}"
        assert starts(site) == started, "a kubelet was started anew by a step that failed before its own"
        with explained(site):
            back = site.up("--skip-preview", check=False, timeout=UP_SECONDS)
            told["secondsOfTheWayBack"] = round(back.seconds, 1)
            assert back.returncode == 0, back.words[-8000:]
            ended_well(site, told, {"kubernetes": had, **OTHERS}, to)
            told["etcd"] = stored(site, had)
    told |= clients.told()
    gone, other = lost(before, kept(site)), differing(content, contents(site))
    assert not gone and not other, [*gone[:10], *other[:10]]
    clients.were_answered("everywhere")


@pytest.mark.timeout(STEP_SECONDS)
def test_the_last_step_upgrades_two_regions_and_clients_are_answered(
    site: Site, report: dict[str, Any], reached: list[str]
) -> None:
    step(site, report, reached, *STEPS[-1])
