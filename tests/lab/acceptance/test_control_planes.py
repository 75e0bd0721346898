"""Three control planes: each machine is ended while a client writes, and nodes come and go by declaration.

Run by `make acceptance SUITE=control_planes`; takes about half an hour and writes
`docs/acceptance/control_planes-<date>.json`. A failure says what the machines said: who holds the address,
what kubelet runs, and the last words of etcd and the API server.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import pytest
import yaml

from lab import cgroups
from lab.spec import REFERENCE
from live.checks.etcd import question
from tests.lab.acceptance import results
from tests.lab.acceptance.writing import Client, Writes, kept, writing
from tests.lab.clients import curl
from tests.lab.conftest import log_directory
from tests.lab.site import Ended, Site

NAME = os.environ.get("CROSSMESH_CONTROL_PLANES_STACK", "test-ha")
CONTROL = ("eu-cp-1", "eu-cp-2", "eu-cp-3")
WORKER = "eu-worker-1"
LAST_BYTE = 100
APPLICATION, PATH = "asset-dashboard-bff-svc", "/assetdashboard"
RESOURCES = {"requests": {"cpu": "20m", "memory": "48Mi"}, "limits": {"memory": "96Mi"}}
NODES = "regions.eu.cluster.nodes"
BOUND_SECONDS = 10.0
"""So soon the API answers again, whatever machine is lost (the project's issue on clusters' lives)."""
WATCHED_SECONDS, BACK_SECONDS = 25.0, 420.0
"""For so long the client writes on after a loss; so soon a machine that is started takes part again, on two
processors that run all of them."""
_TOLD = (
    "systemctl --no-pager --lines=15 status crossmesh-api-address kubelet; ip -4 -brief address; "
    "ls /etc/kubernetes/manifests /var/lib/crossmesh; for part in etcd kube-apiserver; do "
    "tail -n 8 /var/log/pods/kube-system_$part-*/*/*.log; done"
)


@pytest.fixture(scope="module")
def report() -> Iterator[dict[str, Any]]:
    """The result file, written however the suite ends."""
    yield from results.reported("control_planes")


@pytest.fixture(scope="module")
def site(report: dict[str, Any]) -> Iterator[Site]:
    with brought_up(NAME, report) as found:
        yield found


@contextmanager
def brought_up(
    name: str,
    report: dict[str, Any],
    spare: Sequence[str] = (),
    declared: Callable[[Site], None] | None = None,
) -> Iterator[Site]:
    """A region of three control planes and a worker, brought up; nothing of it is left at the end.

    spare: machines of the region that nobody declares. declared: declares something else of these machines.
    """
    found = Site(name, log_directory())
    described = yaml.safe_load(REFERENCE.read_text())
    described["regions"] = {"eu": [*CONTROL, WORKER, *spare]}
    try:
        file = found.directory / "lab.yaml"
        file.write_text(yaml.safe_dump(described))
        found.prepare(file)
        (declared or declare)(found)
        found.crossmesh("ledger", "--write")
        report["upSeconds"] = round(explained(found, lambda: found.up("--skip-preview")).seconds, 1)
        yield found
        found.destroy()
    finally:
        found.stop()


def declare(site: Site) -> None:
    """Declare the region with its routers, three control planes behind one address, and one application."""
    document = yaml.safe_load(site.stack_file.read_text())
    environment = document["config"]["crossmesh:environment"]
    del environment["regions"]["us"], environment["globalLoadBalancer"]
    eu = environment["regions"]["eu"]
    del eu["edges"]
    eu["cluster"]["apiServerAddress"] = address(site)
    eu["cluster"]["nodes"] = {name: node(site, name) for name in (*CONTROL, WORKER)}
    environment["applications"] = {
        APPLICATION: environment["applications"][APPLICATION] | {"resources": RESOURCES}
    }
    (ingress,) = environment["ingresses"].values()
    ingress["paths"] = [{"path": PATH, "application": APPLICATION}]
    site.stack_file.write_text(yaml.safe_dump(document, sort_keys=False))


def node(site: Site, name: str) -> dict[str, Any]:
    role = "control-plane" if name in CONTROL else "worker"
    return {"address": site.machines[name], "role": role, "profile": "container"}


def address(site: Site) -> str:
    """The address of the API: free, of the machines' network."""
    return f"{site.machines[WORKER].rpartition('.')[0]}.{LAST_BYTE}"


def client(site: Site) -> Client:
    return Client(site.outputs().kubeconfigs["eu"])


def running(site: Site) -> list[str]:
    """Control-plane machines that answer."""
    return [
        name
        for name in CONTROL
        if site.lab("exec", name, "--", "true", timeout=60, check=False).returncode == 0
    ]


def asked(site: Site, name: str) -> list[str]:
    """What a control plane says of etcd and of the API's address, as the doctor asks it."""
    return site.on(name, question(address(site)), check=False).splitlines()


def holders(site: Site) -> list[str]:
    """Machines that have the address of the API."""
    return [name for name in running(site) if "holds" in asked(site, name)]


def members(site: Site, on: str) -> set[str]:
    """Names of the members of etcd that serve, as one of them says."""
    said = [json.loads(line) for line in asked(site, on) if line.startswith("{")]
    return {member["name"] for member in said[0].get("members", ()) if member["well"]} if said else set()


def told(site: Site) -> str:
    """What the control planes say of themselves, for who reads a failure."""
    return "\n".join(f"== {name}\n{site.on(name, _TOLD, check=False)[-3500:]}" for name in running(site))


def explained(site: Site, act: Callable[[], Ended]) -> Ended:
    """Do it; where it fails, say what the machines say too."""
    try:
        return act()
    except AssertionError as error:
        raise AssertionError(f"{error}\n{told(site)}") from None


def healthy(site: Site) -> float:
    """Wait until the doctor finds nothing; return the seconds that it took."""
    began = time.monotonic()
    while True:
        doctor = site.crossmesh("doctor", check=False)
        if doctor.returncode == 0:
            return round(time.monotonic() - began, 1)
        if time.monotonic() - began > BACK_SECONDS:
            raise AssertionError(
                f"not well after {BACK_SECONDS:.0f} s:\n{doctor.words[-4000:]}\n{told(site)}"
            )
        time.sleep(5)


def judged(site: Site, writes: Writes, since: float) -> dict[str, Any]:
    """See that nothing acknowledged was lost and that the API answered soon; what was measured."""
    there = kept(client(site), writes.run)
    lost = sorted(set(writes.acknowledged) - there)
    gap = writes.gap(since)
    found = {
        "acknowledged": len(writes.acknowledged),
        "lost": len(lost),
        "failedAttempts": len(writes.failures),
        "secondsWithoutAnswer": round(gap, 2),
    }
    assert not lost, f"acknowledged, and not there: {lost[:10]}; {found}"
    assert writes.after(since) > 0, f"nothing was acknowledged any more: {writes.said()}\n{told(site)}"
    assert gap <= BOUND_SECONDS, f"{found}: {writes.said()}\n{told(site)}"
    return found


def test_three_control_planes_are_well_and_nothing_is_left_to_do(site: Site, report: dict[str, Any]) -> None:
    assert members(site, CONTROL[0]) == set(CONTROL), told(site)
    assert len(holders(site)) == 1, told(site)
    report["doctorSeconds"] = healthy(site)
    gateway = str(site.outputs().regions["eu"].gateway_addresses[0])
    assert curl(site.outputs(), gateway, PATH).status == 200
    again = explained(site, lambda: site.up("--skip-preview", "--expect-no-changes"))
    report["secondUpSeconds"] = round(again.seconds, 1)
    drift = site.crossmesh("drift", check=False)
    assert drift.returncode == 0, drift.words[-4000:]


@pytest.mark.parametrize("name", CONTROL)
def test_the_loss_of_any_one_machine_loses_nothing_and_the_api_answers_within_ten_seconds(
    site: Site, report: dict[str, Any], name: str
) -> None:
    held = holders(site)
    with writing(client(site), f"without-{name}") as writes:
        time.sleep(3)
        lost = time.monotonic()
        cgroups.kill(site.name, name)
        time.sleep(WATCHED_SECONDS)
    found = judged(site, writes, lost)
    said = site.crossmesh("doctor", check=False)
    assert said.returncode != 0
    assert name in said.words, said.words[-3000:]
    site.lab("start")
    found |= {"heldTheAddress": name in held, "secondsUntilWell": healthy(site)}
    report.setdefault("machinesEnded", {})[name] = found
    assert members(site, name) == set(CONTROL), told(site)


def test_an_api_server_that_ends_gives_the_address_to_another_machine(
    site: Site, report: dict[str, Any]
) -> None:
    (holder,) = holders(site)
    manifest, apart = "/etc/kubernetes/manifests/kube-apiserver.yaml", "/root/kube-apiserver.yaml"
    with writing(client(site), "without-api-server") as writes:
        time.sleep(3)
        lost = time.monotonic()
        # Ended at once: kubelet would let it serve for a while, and so would the address stay.
        site.on(holder, f"mv {manifest} {apart} && pkill -KILL -x kube-apiserver")
        time.sleep(WATCHED_SECONDS)
    after = holders(site)
    site.on(holder, f"mv {apart} {manifest}")
    report["apiServerEnded"] = judged(site, writes, lost)
    assert after and holder not in after, told(site)
    healthy(site)


def test_two_of_three_leave_by_declaration_the_one_that_made_the_cluster_too(
    site: Site, report: dict[str, Any]
) -> None:
    """Clients write all the time; then both come back under their names, and join what is there."""
    stays = CONTROL[1]
    one = {name: node(site, name) for name in (stays, WORKER)}
    text = site.stack_file.read_text()
    with site.changed_declaration({NODES: one}):
        with writing(client(site), "to-one") as writes:
            time.sleep(1)
            began = time.monotonic()
            left = explained(site, lambda: site.up("--skip-preview"))
        report["threeToOne"] = judged(site, writes, began) | {"seconds": round(left.seconds, 1)}
        assert members(site, stays) == {stays}, told(site)
        assert holders(site) == [stays]
        with site.clusters() as clusters:
            assert {each.metadata.name for each in clusters["eu"].core.list_node().items} == {stays, WORKER}
        for name in (CONTROL[0], CONTROL[2]):
            rest = site.on(name, "ls /var/lib/etcd/member /var/lib/crossmesh/*.finished 2>/dev/null || true")
            assert not rest.strip(), f"{name} was not reset: {rest}"
        healthy(site)
        explained(site, lambda: site.up("--skip-preview", "--expect-no-changes"))
    assert site.stack_file.read_text() == text
    with writing(client(site), "to-three") as writes:
        time.sleep(1)
        began = time.monotonic()
        back = explained(site, lambda: site.up("--skip-preview"))
    report["oneToThree"] = judged(site, writes, began) | {"seconds": round(back.seconds, 1)}
    assert members(site, stays) == set(CONTROL), told(site)
    healthy(site)
    explained(site, lambda: site.up("--skip-preview", "--expect-no-changes"))


def test_a_change_of_all_control_planes_goes_one_by_one_and_the_api_answers(
    site: Site, report: dict[str, Any]
) -> None:
    names = {"regions.eu.cluster.apiServerNames": ["api.eu.example.test"]}
    with site.changed_declaration(names), writing(client(site), "changed") as writes:
        time.sleep(1)
        began = time.monotonic()
        explained(site, lambda: site.up("--skip-preview"))
    report["changedOneByOne"] = judged(site, writes, began)
    shown = "openssl x509 -noout -ext subjectAltName -in /etc/kubernetes/pki/apiserver.crt"
    for name in CONTROL:
        assert "api.eu.example.test" in site.on(name, shown), told(site)
    explained(site, lambda: site.up("--skip-preview"))
    healthy(site)


def test_an_even_number_is_refused_before_anything_is_touched(site: Site) -> None:
    two = {name: node(site, name) for name in (*CONTROL[:2], WORKER)}
    with site.changed_declaration({NODES: two}):
        refused = site.up("--skip-preview", check=False)
    assert refused.returncode != 0
    assert "of 2 it survives the loss of 0, as of 1" in refused.words
