"""A region that runs with one control plane and no address of its API is given one and two more control
planes by one declaration, under clients; one machine is switched off; and it goes back to one.

`up` is killed once on the way, just when the API server has its new certificate and nobody is led to the new
address yet. Run by `make acceptance SUITE=api_address`; about 20 minutes on two processors that do nothing
else. Writes `docs/acceptance/api_address-<date>.json`. A failure says what the machines said: who holds the
address, where each file leads, what the cluster tells of itself, and the last words of etcd, API server and
keepalived.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import yaml

from lab import cgroups
from live.doctor import probes
from tests.lab.acceptance import results
from tests.lab.acceptance.killing import Moment, check_quiet, kill_when
from tests.lab.acceptance.test_control_planes import (
    CONTROL,
    NODES,
    PATH,
    WATCHED_SECONDS,
    WORKER,
    address,
    brought_up,
    declare,
    healthy,
    holders,
    judged,
    members,
    node,
    told,
)
from tests.lab.acceptance.writing import Client, writing
from tests.lab.clients import curl
from tests.lab.site import Ended, Site

NAME = os.environ.get("CROSSMESH_API_ADDRESS_STACK", "test-address")
FIRST = CONTROL[0]
PORT = 6443
SILENT_SECONDS = 80.0
"""After which a node counts as lost whose kubelet reaches nobody (50 s), and then some."""
SANS = "openssl x509 -noout -ext subjectAltName -in /etc/kubernetes/pki/apiserver.crt 2>/dev/null || true"
LED = "grep -H 'server:' /etc/kubernetes/*.conf 2>/dev/null || true"
KEYS = "cd /etc/kubernetes/pki && sha256sum sa.pub front-proxy-ca.crt etcd/ca.crt"
_CLUSTER = (
    "for map in kube-public/cluster-info kube-system/kube-proxy kube-system/kubeadm-config; do echo $map; "
    "kubectl --kubeconfig=/etc/kubernetes/admin.conf --request-timeout=5s --namespace ${map%/*} get "
    "configmap ${map#*/} --output=yaml | grep -E 'server:|controlPlaneEndpoint'; done"
)
_MORE = (
    f"{LED}; {SANS}; head -c 300 /var/lib/crossmesh/*.finished; ls /var/lib/crossmesh; "
    "journalctl --no-pager --quiet --lines=15 --unit=crossmesh-api-address"
)


@pytest.fixture(scope="module")
def report() -> Iterator[dict[str, Any]]:
    """The result file, written however the suite ends."""
    yield from results.reported("api_address")


@pytest.fixture(scope="module")
def site(report: dict[str, Any]) -> Iterator[Site]:
    with brought_up(NAME, report, declared=one_alone) as found:
        yield found


def one_alone(site: Site) -> None:
    """Declare the region with one control plane, at its own address, as most begin."""
    declare(site)
    change(site, {"regions.eu.cluster.apiServerAddress": None, NODES: nodes(site, FIRST)})


def nodes(site: Site, *control: str) -> dict[str, Any]:
    return {name: node(site, name) for name in (*control, WORKER)}


def change(site: Site, changes: dict[str, Any]) -> None:
    """Change the declaration to stay; what becomes None goes out of it."""
    document = yaml.safe_load(site.stack_file.read_text())
    for path, value in changes.items():
        at = document["config"]["crossmesh:environment"]
        *parents, last = path.split(".")
        for key in parents:
            at = at[key]
        at[last] = value
        if value is None:
            del at[last]
    site.stack_file.write_text(yaml.safe_dump(document, sort_keys=False))


def said(site: Site) -> str:
    """What the machines and the cluster say of the address, for who reads a failure."""
    parts = [told(site)]
    for name in (*CONTROL, WORKER):
        parts.append(f"== {name}: where it asks\n{site.on(name, _MORE, check=False)[-4000:]}")
    parts.append(f"== what the cluster tells\n{site.on(FIRST, _CLUSTER, check=False)}")
    return "\n".join(parts)


def explained(site: Site, act: Callable[[], Ended]) -> Ended:
    """Do it; where it fails, say what the machines say too."""
    try:
        return act()
    except AssertionError as error:
        raise AssertionError(f"{error}\n{said(site)}") from None


def unchanged(site: Site) -> float:
    """See that nothing is left to do; return the seconds that it took."""
    again = explained(site, lambda: site.up("--skip-preview", "--expect-no-changes"))
    return round(again.seconds, 1)


def pods_of(site: Site, name: str) -> dict[str, tuple[str, int]]:
    """Pods of a node but for kube-proxy's and the doctor's own, which come and go: identifier, and how often
    their containers have started again."""
    found = {}
    with site.clusters() as clusters:
        listed = clusters["eu"].core.list_pod_for_all_namespaces(field_selector=f"spec.nodeName={name}").items
        for pod in listed:
            is_proxy = (pod.metadata.labels or {}).get("k8s-app") == "kube-proxy"
            if is_proxy or pod.metadata.namespace == probes.NAMESPACE:
                continue
            restarts = sum(status.restart_count for status in pod.status.container_statuses or ())
            found[f"{pod.metadata.namespace}/{pod.metadata.name}"] = (pod.metadata.uid, restarts)
    return found


@pytest.fixture(scope="module")
def before(site: Site) -> dict[str, Any]:
    """The platform before the change: the kubeconfig that people have, what runs, and what signs tokens."""
    healthy(site)
    return {
        "kubeconfig": site.outputs().kubeconfigs["eu"],
        "pods": pods_of(site, WORKER),
        "keys": site.on(FIRST, KEYS),
    }


def test_one_control_plane_without_an_address_is_well(
    site: Site, report: dict[str, Any], before: dict[str, Any]
) -> None:
    own = f"https://{site.machines[FIRST]}:{PORT}"
    assert own in before["kubeconfig"]
    assert before["pods"], "nothing runs on the worker that could be seen to go on"
    report["unchangedAtFirstSeconds"] = unchanged(site)


def test_the_gate_says_what_moves_and_refuses_nothing(
    site: Site, report: dict[str, Any], before: dict[str, Any]
) -> None:
    change(
        site,
        {"regions.eu.cluster.apiServerAddress": address(site), NODES: nodes(site, *CONTROL)},
    )
    site.crossmesh("ledger", "--write")
    gate = site.crossmesh("gate", check=False, timeout=600)
    words = " ".join(gate.words.split())
    for part in (
        "the API is reached at another address",
        "kubelet starts anew, and reaches the API at another",
    ):
        assert part in words, gate.words[-6000:]
    assert "which no member can change" not in words, gate.words[-6000:]
    report["gate"] = {"exitCode": gate.returncode, "seconds": round(gate.seconds, 1)}


def test_it_is_led_to_the_address_and_three_by_one_declaration_though_up_is_killed(
    site: Site, report: dict[str, Any], before: dict[str, Any]
) -> None:
    moment = Moment(phase="control-plane, with its new certificate")
    found: dict[str, Any] = {}
    report["oneToThree"] = found
    with writing(Client(before["kubeconfig"]), "led") as writes:
        time.sleep(2)
        began = time.monotonic()
        kill_when(site, moment, lambda: address(site) in site.on(FIRST, SANS, check=False))
        found["killedAfterSeconds"] = moment.killed_after_seconds
        found["atWork"] = moment.at_work
        try:
            check_quiet(site, moment)
        except AssertionError as error:
            raise AssertionError(f"{error}\n{said(site)}") from None
        led = site.on(FIRST, LED, check=False)
        found["ledAtTheKill"] = led.count(f"https://{address(site)}:{PORT}")
        site.crossmesh("lock", "clear")
        again = explained(site, lambda: site.up("--skip-preview"))
        found["upAgainSeconds"] = round(again.seconds, 1)
    # By the address before, all the time: it is served still.
    found |= judged(site, writes, began)
    assert members(site, FIRST) == set(CONTROL), said(site)
    assert len(holders(site)) == 1, said(site)


def test_everybody_is_led_there_and_nothing_of_the_worker_has_started_anew(
    site: Site, report: dict[str, Any], before: dict[str, Any]
) -> None:
    url = f"https://{address(site)}:{PORT}"
    assert url in site.outputs().kubeconfigs["eu"]
    assert url in site.on(WORKER, LED), said(site)
    for name in CONTROL:
        assert f"/etc/kubernetes/admin.conf:    server: {url}" in site.on(name, LED), said(site)
        assert site.on(name, KEYS) == before["keys"], f"{name} has other keys than the cluster\n{said(site)}"
    assert site.on(FIRST, _CLUSTER).count(address(site)) == 3, said(site)
    now = pods_of(site, WORKER)
    gone = {name: was for name, was in before["pods"].items() if now.get(name) != was}
    assert not gone, f"started anew, or gone: {gone}; now {now}"
    status, _ = Client(before["kubeconfig"]).ask("GET", "/api/v1/namespaces/default")
    assert status == 200, "the address before is served no more"
    report["secondsUntilWell"] = healthy(site)
    report["unchangedSeconds"] = unchanged(site)
    drift = site.crossmesh("drift", check=False)
    assert drift.returncode == 0, drift.words[-4000:]
    gateway = str(site.outputs().regions["eu"].gateway_addresses[0])
    assert curl(site.outputs(), gateway, PATH).status == 200


def test_the_machine_that_had_the_address_before_may_be_lost(site: Site, report: dict[str, Any]) -> None:
    """It made the cluster, which nobody could have reached without it."""
    with writing(Client(site.outputs().kubeconfigs["eu"]), "without-first") as writes:
        time.sleep(3)
        lost = time.monotonic()
        cgroups.kill(site.name, FIRST)
        time.sleep(WATCHED_SECONDS)
    found = judged(site, writes, lost)
    time.sleep(max(0.0, lost + SILENT_SECONDS - time.monotonic()))
    gateway = str(site.outputs().regions["eu"].gateway_addresses[0])
    assert curl(site.outputs(), gateway, PATH).status == 200, said(site)
    with site.clusters() as clusters:
        listed = {each.metadata.name: each for each in clusters["eu"].core.list_node().items}
        ready = {
            name: any(entry.type == "Ready" and entry.status == "True" for entry in each.status.conditions)
            for name, each in listed.items()
        }
    assert ready[WORKER], f"the worker's kubelet reaches nobody: {ready}\n{said(site)}"
    site.lab("start")
    found["secondsUntilWell"] = healthy(site)
    report["firstLost"] = found


def test_it_goes_back_to_one_that_keeps_the_address(site: Site, report: dict[str, Any]) -> None:
    change(site, {NODES: nodes(site, FIRST)})
    with writing(Client(site.outputs().kubeconfigs["eu"]), "to-one") as writes:
        time.sleep(1)
        began = time.monotonic()
        left = explained(site, lambda: site.up("--skip-preview"))
    report["threeToOne"] = judged(site, writes, began) | {"seconds": round(left.seconds, 1)}
    assert members(site, FIRST) == {FIRST}, said(site)
    assert holders(site) == [FIRST], said(site)
    healthy(site)
    report["unchangedAtLastSeconds"] = unchanged(site)


def test_the_address_stays_and_the_gate_says_so(site: Site) -> None:
    text = site.stack_file.read_text()
    try:
        change(site, {"regions.eu.cluster.apiServerAddress": None})
        gate = site.crossmesh("gate", check=False, timeout=600)
    finally:
        site.stack_file.write_text(text)
    words = " ".join(gate.words.split())
    assert gate.returncode != 0
    assert "endpoint of" in words and "which no member can change" in words, gate.words[-4000:]
