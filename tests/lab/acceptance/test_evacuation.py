"""A region out of what names lead to and back, under clients that heed the TTL, killed at every step.

Run by `make acceptance SUITE=evacuation`; takes about half an hour on two processors, writes
`docs/acceptance/evacuation-<date>.json`. Two regions of one node each, and an edge host in each. Clients ask
by name all the time; that one request of theirs fails, fails the suite. A failure says what clients met, and
what declaration, journal, name servers and gateways say.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import yaml

from access import network
from lab.spec import REFERENCE
from live.doctor.pods import is_ready
from live.gateways import gateways_of, owners
from runbooks.journal import What
from runbooks.regions import traffic
from stacks.edit import set_value
from stacks.system_namespaces import ISTIO_INGRESS
from tests.lab.acceptance import results
from tests.lab.acceptance.resolving import Load, clients, stubborn
from tests.lab.acceptance.test_runbooks import killed, run, well
from tests.lab.acceptance.walking import Walk, entries, walk_runbook
from tests.lab.conftest import log_directory
from tests.lab.site import Ended, Site

NAME = os.environ.get("CROSSMESH_EVACUATION_STACK", "test-evac")
REGION, OTHER = "eu", "us"
MACHINES = {REGION: ["eu-cp-1", "eu-edge-1"], OTHER: ["us-cp-1", "us-edge-1"]}
PATH, SERVICE = "/assetconsumer", "asset-consumer-svc.greencompute"
TTL = 20
"""Longer than an `up` goes on after it has changed the last name server: so there is a wait."""
RESOURCES = {"requests": {"cpu": "20m", "memory": "48Mi"}, "limits": {"memory": "96Mi"}}
"""One node has room for all of it only when each application asks for what it needs."""
GATEWAY = f"/apis/apps/v1/namespaces/{ISTIO_INGRESS}/deployments"
OUT = ("evacuate-region", f"region={REGION}", "seconds=120")
BACK = ("return-region", f"region={REGION}", "seconds=10")
STEPS_SECONDS = 900.0
ASKED = 2000
"""Questions by which shares of answers are told: 5 % are more than four standard deviations."""
SETTLED_SECONDS = 60.0


@pytest.fixture(scope="module")
def report() -> Iterator[dict[str, Any]]:
    """The result file, written however the suite ends."""
    yield from results.reported("evacuation", seconds={}, clients={}, walks={})


@pytest.fixture(scope="module")
def site(report: dict[str, Any]) -> Iterator[Site]:
    """Two regions of one node and one edge host each."""
    made = Site(NAME, log_directory())
    try:
        description = yaml.safe_load(REFERENCE.read_text())
        description["regions"] = MACHINES
        lab = made.directory / "lab.yaml"
        lab.write_text(yaml.safe_dump(description))
        made.prepare(lab)
        document = yaml.safe_load(made.stack_file.read_text())
        environment = document["config"]["crossmesh:environment"]
        for region, spec in environment["regions"].items():
            nodes = spec["cluster"]["nodes"]
            del nodes[f"{region}-worker-1"]
            nodes[f"{region}-cp-1"]["workload"] = True
            for name, host in {**nodes, **spec["edges"]}.items():
                host["address"] = made.machines[name]
        environment["globalLoadBalancer"]["ttl"] = TTL
        for application in environment["applications"].values():
            application["resources"] = RESOURCES
        made.stack_file.write_text(yaml.safe_dump(document, sort_keys=False))
        report["seconds"]["up"] = round(made.up("--skip-preview").seconds, 1)
        well(made)
        yield made
        made.destroy()
    finally:
        made.stop()


@contextmanager
def asking(site: Site, report: dict[str, Any], name: str) -> Iterator[Load]:
    """Clients at work, none of whose requests may fail."""
    with clients(site.outputs(), PATH) as load:
        time.sleep(3)
        yield load
    report["clients"][name] = load.told()
    assert len(load.requests) > 20, f"clients sent {len(load.requests)} requests alone"
    if problems := load.problems():
        raise AssertionError(
            f"{len(problems)} of {len(load.requests)} requests failed: {problems[:10]}\n{explained(site)}"
        )
    oldest = max(request.age for request in load.requests)
    assert oldest <= TTL + 0.5, f"a client went by an answer of {oldest:.1f} s ago, and the TTL is {TTL} s"


def balancer(site: Site) -> dict[str, Any]:
    """What the stack file declares of names."""
    document = yaml.safe_load(site.stack_file.read_text())
    return dict(document["config"]["crossmesh:environment"]["globalLoadBalancer"])


def gateways(site: Site) -> dict[str, str]:
    """The region of each gateway's address."""
    return owners(gateways_of(site.outputs()))


def answers(site: Site) -> dict[str, Any]:
    """What each name server answers: regions, or why none."""
    outputs, known = site.outputs(), gateways(site)
    told: dict[str, Any] = {}
    for server in outputs.nameservers:
        answer = network.ask(server, outputs.host)
        told[str(server)] = answer.problem or sorted(known.get(one, one) for one in answer.records)
    return told


def led(site: Site, *regions: str) -> None:
    """Fail unless every name server answers these regions."""
    told = answers(site)
    assert all(each == sorted(regions) for each in told.values()), f"{told}\n{explained(site)}"


def share(site: Site) -> float:
    """How often the region is in an answer, over all name servers."""
    outputs, known = site.outputs(), gateways(site)
    found = 0
    for number in range(ASKED):
        server = outputs.nameservers[number % len(outputs.nameservers)]
        answer = network.ask(server, outputs.host)
        assert not answer.problem, f"{server}: {answer.problem}"
        found += REGION in {known[one] for one in answer.records}
    return found / ASKED


def counters(site: Site) -> dict[str, Any]:
    """What the region's gateways have passed on, by service."""
    with site.clusters() as found:
        counts = traffic.sample(found[REGION]).counts
    told: dict[str, int] = {}
    for (_, service, _), passed in counts.items():
        told[service] = told.get(service, 0) + passed.requests
    return told


def explained(site: Site) -> str:
    """What all sides say, for a failure."""
    parts: dict[str, Any] = {
        "declared": balancer(site),
        "journal": [f"{entry.what} {entry.step}" for entry in entries(site)[-12:]],
    }
    asked: dict[str, Callable[[Site], Any]] = {
        "answers": answers,
        "counters": counters,
        "status": lambda site: site.crossmesh("status", check=False).words[-3000:],
    }
    for name, ask in asked.items():
        try:
            parts[name] = ask(site)
        # One that cannot be asked is told of like the others.
        except Exception as error:
            parts[name] = f"{type(error).__name__}: {error}"
    return "\n".join(f"{name}: {words}" for name, words in parts.items())


def walked(site: Site, report: dict[str, Any], name: str, *wanted: str) -> Walk:
    """A runbook that is killed at each of its steps, and gone on with."""
    walk = Walk(name)
    try:
        walk_runbook(site, walk, *wanted)
    except AssertionError as error:
        raise AssertionError(f"{error}\n{explained(site)}") from error
    finally:
        report["walks"][name] = walk.told()
    return walk


def done(site: Site, *wanted: str, check: bool = True) -> Ended:
    """A runbook that nobody kills."""
    ended: Ended = run(site, "run", *wanted, "--yes", check=False, timeout=STEPS_SECONDS)
    if check:
        assert ended.returncode == 0, f"{ended.words[-4000:]}\n{explained(site)}"
    return ended


def test_a_dry_run_says_whom_it_moves_and_changes_nothing(site: Site, report: dict[str, Any]) -> None:
    before = site.stack_file.read_text()
    told = run(site, "run", *OUT, "--dry-run").words
    assert f"globalLoadBalancer.drained goes from [] to ['{REGION}']" in told, told
    assert f"{site.outputs().host}: eu, us -> us" in told, told
    for step in ("dns", "ttl", "traffic"):
        assert f"step {step}: " in told and f"step {step}: so already" not in told, told
    assert site.stack_file.read_text() == before
    led(site, REGION, OTHER)


def test_a_region_is_evacuated_under_load_killed_at_every_step(site: Site, report: dict[str, Any]) -> None:
    with asking(site, report, "evacuated") as load:
        walk = walked(site, report, "evacuated", *OUT)
        ended = time.monotonic()
        led(site, OTHER)
        time.sleep(10)
        late = load.led_to(ended)
    # That no request comes is seen without anything being done where clients heed the TTL.
    assert {step.partition(" ")[0] for step in walk.visited} >= {"dns", "ttl"}, walk.visited
    assert load.led_to()[REGION] > 20, f"nobody was led there before: {load.led_to()}"
    assert set(late) == {OTHER}, f"after it had ended, clients were led to {late}\n{explained(site)}"
    assert balancer(site)["drained"] == [REGION]
    site.up("--skip-preview", "--expect-no-changes")


def test_the_last_region_is_refused(site: Site) -> None:
    refused = done(site, "evacuate-region", f"region={OTHER}", check=False)
    assert refused.returncode == 1, refused.words
    assert f"{OTHER} is the last region in service" in refused.words, refused.words
    led(site, OTHER)


def test_work_on_the_region_reaches_no_client(site: Site, report: dict[str, Any]) -> None:
    with asking(site, report, "worked on"), site.clusters() as found:
        cluster = found[REGION]
        for pod in cluster.core.list_namespaced_pod(ISTIO_INGRESS).items:
            cluster.core.delete_namespaced_pod(pod.metadata.name, ISTIO_INGRESS, grace_period_seconds=0)
        time.sleep(5)
        deadline = time.monotonic() + SETTLED_SECONDS
        while not all(is_ready(pod) for pod in cluster.core.list_namespaced_pod(ISTIO_INGRESS).items):
            assert time.monotonic() < deadline, "its gateway does not come back"
            time.sleep(1)
    well(site)


def test_a_region_is_returned_under_load_killed_at_every_step(site: Site, report: dict[str, Any]) -> None:
    with asking(site, report, "returned") as load:
        walk = walked(site, report, "returned", *BACK)
        ended = time.monotonic()
        led(site, REGION, OTHER)
        time.sleep(10)
        late = load.led_to(ended)
    # Without weights there is one step alone.
    assert {step.partition(" ")[0] for step in walk.visited} == {"whole"}, walk.visited
    assert late[REGION] > 10 and late[OTHER] > 10, late
    assert balancer(site)["drained"] == []
    site.up("--skip-preview", "--expect-no-changes")


def test_an_evacuation_that_was_killed_is_taken_back(site: Site, report: dict[str, Any]) -> None:
    with asking(site, report, "taken back") as load:
        killed(site, "ttl", *OUT)
        led(site, OTHER)
        taken = run(site, "abort", timeout=STEPS_SECONDS)
        report["seconds"]["takenBack"] = round(taken.seconds, 1)
        led(site, REGION, OTHER)
        ended = time.monotonic()
        time.sleep(TTL + 10)
        assert load.led_to(ended)[REGION] > 10, load.led_to(ended)
    (last,) = json.loads(run(site, "history", "--json").stdout)[-1:]
    assert last["outcome"] == "taken back", last
    site.up("--skip-preview", "--expect-no-changes")


def weighted(site: Site) -> None:
    """Have clients be divided by weights."""
    document = yaml.safe_load(site.stack_file.read_text())
    names = document["config"]["crossmesh:environment"]["globalLoadBalancer"]
    names["policy"] = {"weights": {REGION: 70, OTHER: 30}}
    site.stack_file.write_text(yaml.safe_dump(document, sort_keys=False))
    site.up("--skip-preview")


def weight(site: Site) -> int:
    """The region's weight, as it is declared now."""
    return int(balancer(site)["policy"]["weights"][REGION])


def test_a_region_with_a_weight_is_returned_in_steps_of_it(site: Site, report: dict[str, Any]) -> None:
    shares: dict[str, float] = {}
    with asking(site, report, "weights"):
        weighted(site)
        with stubborn(site.outputs(), REGION, PATH):
            failed = done(site, *OUT[:2], "seconds=0", check=False)
        assert failed.returncode == 1, failed.words
        assert "still coming: " in failed.words and SERVICE in failed.words, failed.words
        assert "stands where it is" in failed.words, failed.words
        gone = run(site, "resume", timeout=STEPS_SECONDS, check=False)
        assert gone.returncode == 0, f"{gone.words[-3000:]}\n{explained(site)}"
        assert weight(site) == 70 and balancer(site)["drained"] == [REGION], explained(site)
        killed(site, "half", *BACK)
        # The quarter is brought about, and the half is begun, or not yet: the file says how far it is.
        steps = {entry.step for entry in entries(site)[-8:] if entry.what is What.REACHED}
        assert "quarter" in steps, explained(site)
        assert weight(site) in (18, 35), weight(site)
        resumed = run(site, "resume", timeout=STEPS_SECONDS)
        report["seconds"]["resumedAtHalf"] = round(resumed.seconds, 1)
        assert weight(site) == 70 and balancer(site)["drained"] == [], explained(site)
        shares["whole"] = share(site)
        # The share that belongs to the first step, declared as the runbook declares it.
        assert set_value(site.stack_file, ("globalLoadBalancer", "policy", "weights", REGION), 18)
        site.up("--skip-preview")
        shares["quarter"] = share(site)
    report["shares"] = shares
    assert shares["whole"] == pytest.approx(0.70, abs=0.05), shares
    assert shares["quarter"] == pytest.approx(18 / 48, abs=0.05), shares


def scaled(site: Site, region: str, replicas: int) -> None:
    """Have a region's gateways be so many."""
    with site.clusters() as found:
        listed = (found[region].get(GATEWAY) or {})["items"]
        for deployment in listed:
            path = f"{GATEWAY}/{deployment['metadata']['name']}"
            found[region].patch(path, {"spec": {"replicas": replicas}})


def test_a_region_is_not_evacuated_when_no_other_one_is_healthy(site: Site) -> None:
    scaled(site, OTHER, 0)
    try:
        deadline = time.monotonic() + SETTLED_SECONDS
        while any(each != [REGION] for each in answers(site).values()):
            assert time.monotonic() < deadline, explained(site)
            time.sleep(1)
        refused = done(site, *OUT, check=False)
        assert refused.returncode == 1, refused.words
        assert f"{REGION} is the last healthy region in the eyes of" in refused.words, refused.words
        assert balancer(site)["drained"] == []
        led(site, REGION)
    finally:
        scaled(site, OTHER, 1)
    well(site)
