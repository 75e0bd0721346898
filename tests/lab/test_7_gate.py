"""The gate over a platform that runs: promises, seals, drift and faults, on real clusters and hosts."""

from __future__ import annotations

import json
import os
import re
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from playbooks.tokens import CLUSTER_IDENTITY
from tests.lab.conftest import BroughtUp
from tests.lab.promises import broken
from tests.lab.site import Ended, Site

NAMESPACE = "greencompute"
SERVICE = "asset-mgr-ms-svc"
NOTE = f"applications.{SERVICE}.environment"


def answer_of(path: Path) -> dict[str, Any]:
    """The one stack's entry of a JSON report."""
    (found,) = json.loads(path.read_text())["stacks"]
    return dict(found)


EDITED_HOST, EDITED_FILE = "us-worker-1", "/etc/sysctl.d/90-crossmesh.conf"


def gate(site: Site, *arguments: str, network: bool = True) -> tuple[Ended, dict[str, Any]]:
    """Run the gate; its end and its JSON answer."""
    report = site.directory / "gate.json"
    report.unlink(missing_ok=True)
    words = ("gate", "--report", f"json={report}", *arguments)
    ended = site.crossmesh(*words, check=False) if network else site.without_network(*words)
    return ended, answer_of(report)


def drift(site: Site, *arguments: str) -> tuple[Ended, dict[str, Any]]:
    """Run the comparison of what is live; its end and its JSON answer."""
    report = site.directory / "drift.json"
    report.unlink(missing_ok=True)
    ended = site.crossmesh("drift", "--report", f"json={report}", *arguments, check=False)
    return ended, answer_of(report)


@contextmanager
def note(site: Site, text: str) -> Iterator[None]:
    """A declaration in which one application has one more environment variable."""
    environment = site.declaration().environment.applications[SERVICE].environment
    with site.changed_declaration({NOTE: {**environment, "NOTE": text}}):
        yield


def test_the_gate_promised_before_anything_existed_what_up_then_did(platform: BroughtUp) -> None:
    """From a place without a network: the same resources, operation by operation and input by input."""
    assert set(platform.promised) == platform.created
    found = broken(platform.promised, platform.did)
    assert not found, "\n".join(found)


def test_where_nothing_changes_the_gate_says_so_with_and_without_a_network(platform: BroughtUp) -> None:
    for network in (True, False):
        ended, answer = gate(platform.site, "--expect-no-changes", network=network)
        assert ended.returncode == 0, ended.words
        assert answer["changes"] == []
        assert answer["counts"]["same"] == len(platform.created)


def test_check_mode_tells_which_tasks_would_change_a_host_that_answers(platform: BroughtUp) -> None:
    """And a host that does not answer is not measurable, not unchanged."""
    site = platform.site
    with site.changed_declaration({"globalLoadBalancer.ttl": 7}):
        ended, answer = gate(site)
        assert ended.returncode == 0, ended.words
        hosts = next(layer for layer in answer["layers"] if layer["id"] == "hosts")
        rows = {row["key"]: row for row in hosts["rows"]}
        assert "tasks would change it" in rows["eu-edge-1 edge"]["after"], rows
        dns = next(layer for layer in answer["layers"] if layer["id"] == "dns")
        assert any("TTL 7 s" in (row["after"] or "") for row in dns["rows"])
        away, answer = gate(site, "--strict", network=False)
    hosts = next(layer for layer in answer["layers"] if layer["id"] == "hosts")
    assert any("unreachable" in words for words in hosts["notMeasurable"]), hosts
    assert away.returncode == 11, away.words


def test_two_gates_at_once_say_the_same_bytes(platform: BroughtUp) -> None:
    site = platform.site
    reports = [site.directory / f"gate-{number}.json" for number in (1, 2)]
    with note(site, "twice"):
        started = [
            site.start("crossmesh", "gate", "--stack", site.name, "--report", f"json={report}")
            for report in reports
        ]
        codes = [process.wait(240) for process, _ in started]
    assert codes == [0, 0]
    assert reports[0].read_bytes() == reports[1].read_bytes()


def test_an_interrupted_gate_ends_at_once_and_leaves_nothing(platform: BroughtUp) -> None:
    site = platform.site
    temporary = site.directory / "interrupted"
    temporary.mkdir()
    site.environment["TMPDIR"] = str(temporary)
    try:
        process, log = site.start("crossmesh", "gate", "--stack", site.name)
    finally:
        del site.environment["TMPDIR"]
    deadline = time.monotonic() + 60
    while not list(temporary.glob("crossmesh-gate-*/head/.plan.json")) and time.monotonic() < deadline:
        if any(temporary.glob("crossmesh-gate-*/head/Pulumi.yaml")):
            break
        time.sleep(0.05)
    time.sleep(1.5)
    os.kill(process.pid, signal.SIGINT)
    began = time.monotonic()
    assert process.wait(60) == 8, log.with_suffix(".err").read_text()
    assert time.monotonic() - began < 20
    assert not list(temporary.glob("crossmesh-gate-*"))
    with pytest.raises(ProcessLookupError):
        os.killpg(process.pid, 0)


def test_a_stack_that_a_run_holds_is_not_gated_against_a_state_that_moves(platform: BroughtUp) -> None:
    site = platform.site
    with note(site, "held"):
        process, log = site.start("pulumi", "up", "--yes", "--skip-preview", "--stack", site.name)
        locks = Path(site.environment["PULUMI_BACKEND_URL"].removeprefix("file://")) / ".pulumi" / "locks"
        deadline = time.monotonic() + 60
        while not list(locks.rglob("*.json")):
            assert time.monotonic() < deadline and process.poll() is None, log.read_text()
            time.sleep(0.02)
        ended = site.crossmesh("gate", check=False)
        assert process.wait(300) == 0, log.read_text()
    assert ended.returncode == 13, ended.words
    assert str(process.pid) in ended.words
    site.up("--skip-preview")


def test_a_sealed_plan_is_applied_as_it_was_reviewed_and_only_once(platform: BroughtUp) -> None:
    site = platform.site
    plan = site.directory / "plan"
    with note(site, "sealed"):
        ended, answer = gate(site, "--seal", str(plan))
        assert ended.returncode == 0, ended.words
        report = site.directory / "up.json"
        up = site.crossmesh("up", "--plan", str(plan), "--yes", "--report", f"json={report}", timeout=600)
        assert up.returncode == 0, up.words
        promised = {change["urn"]: change["op"] for change in answer["changes"]}
        did = {change["urn"]: change["op"] for change in answer_of(report)["changes"]}
        assert did == promised and promised
        after, answer = gate(site)
        assert answer["changes"] == [], after.words
        again = site.crossmesh("up", "--plan", str(plan), "--yes", check=False)
        assert again.returncode == 12, again.words
        assert "state" in again.words
    with note(site, "another"):
        mutated = site.crossmesh("up", "--plan", str(plan), "--yes", check=False)
    assert mutated.returncode == 12, mutated.words
    assert f"Pulumi.{site.name}.yaml" in mutated.words
    site.up("--skip-preview")


def test_drift_is_none_at_first(platform: BroughtUp) -> None:
    ended, answer = drift(platform.site)
    assert ended.returncode == 0, json.dumps(answer, indent=1)[-6000:]
    assert answer["changes"] == []


def test_drift_names_what_was_changed_by_hand_a_sealed_plan_notices_and_a_refresh_puts_it_back(
    platform: BroughtUp,
) -> None:
    """Between seal and `up` somebody changed a cluster: nothing is applied on top of that."""
    site = platform.site
    plan = site.directory / "plan-drifted"
    with note(site, "drifted"):
        sealed, _ = gate(site, "--seal", str(plan))
        assert sealed.returncode == 0, sealed.words
        with site.clusters() as clusters:
            patch = {
                "spec": {"template": {"spec": {"containers": [{"name": "application", "image": "x:1"}]}}}
            }
            clusters["eu"].apps.patch_namespaced_deployment(SERVICE, NAMESPACE, patch, _request_timeout=10)
            clusters["us"].core.delete_namespaced_service(SERVICE, NAMESPACE, _request_timeout=10)
        noticed = site.crossmesh("up", "--plan", str(plan), "--yes", check=False, timeout=600)
        assert noticed.returncode == 12, noticed.words
        assert SERVICE in noticed.words
    ended, answer = drift(site, "--layer", "clusters")
    assert ended.returncode == 7, ended.words
    found = {(change["name"], change["op"]) for change in answer["changes"]}
    assert (f"us.{NAMESPACE}.{SERVICE}", "delete") in found, found
    edited = [change for change in answer["changes"] if change["op"] == "update"]
    assert any("image" in entry["path"] for change in edited for entry in change["properties"]), edited
    settings = site.on(EDITED_HOST, f"cat {EDITED_FILE}")
    site.on(EDITED_HOST, f"echo '# by hand' >> {EDITED_FILE}")
    reviewed, beside = gate(site, "--drift")
    assert reviewed.returncode == 0, reviewed.words
    hosts = [found["message"] for found in beside["findings"] if found["rule"] == "drift/hosts"]
    assert [words.startswith(f"{EDITED_HOST} prepare: 1 of ") for words in hosts] == [True], hosts
    told = [found for found in beside["findings"] if found["rule"] == "drift/clusters"]
    assert {found["severity"] for found in told} == {"warning"}
    assert any(f"us.{NAMESPACE}.{SERVICE}" in found["urn"] for found in told), told
    (live,) = [layer for layer in beside["layers"] if layer["id"] == "drift-clusters"]
    assert sum(row["changed"] for row in live["rows"]) >= 2
    # What was edited by another hand is taken back only by force.
    site.environment["PULUMI_K8S_ENABLE_PATCH_FORCE"] = "true"
    try:
        refreshed = site.up("--skip-preview", "--refresh")
    finally:
        del site.environment["PULUMI_K8S_ENABLE_PATCH_FORCE"]
    # A host that drifted is brought back with them, and no other is touched.
    ran = set(re.findall(r"(\S+ \S+): \d+ of \d+ tasks changed it", refreshed.words))
    assert ran == {f"{EDITED_HOST} prepare"}, refreshed.words
    assert site.on(EDITED_HOST, f"cat {EDITED_FILE}") == settings
    ended, _ = drift(site)
    assert ended.returncode == 0, ended.words


@contextmanager
def cut_off(site: Site, machine: str) -> Iterator[None]:
    """No API server at that machine for whoever asks from outside of it."""
    rule = "INPUT ! -i lo -p tcp --dport 6443 -j DROP"
    site.on(machine, f"iptables -I {rule}")
    try:
        yield
    finally:
        site.on(machine, f"iptables -D {rule}")


def test_a_cluster_that_cannot_be_reached_is_never_read_as_deleted(platform: BroughtUp) -> None:
    site = platform.site
    plan = site.directory / "plan-unreachable"
    before = {resource["urn"] for resource in site.resources()}
    with note(site, "unreachable"):
        sealed, _ = gate(site, "--seal", str(plan))
        assert sealed.returncode == 0, sealed.words
        with cut_off(site, "us-cp-1"):
            seen, answer = gate(site)
            assert not [change for change in answer["changes"] if change["op"] == "delete"]
            assert seen.returncode == 0, seen.words
            ended, live = drift(site, "--layer", "clusters")
            assert not [change for change in live["changes"] if change["op"] == "delete"], live["changes"]
            statuses = {found["status"] for found in live["findings"] if found["rule"] == "drift/clusters"}
            assert "not-measurable" in statuses, live["findings"]
            assert ended.returncode == 0, ended.words
            refused = site.crossmesh("up", "--plan", str(plan), "--yes", check=False, timeout=600)
        assert refused.returncode == 4, refused.words
        assert "us" in refused.words
    assert {resource["urn"] for resource in site.resources()} == before


def test_another_cluster_under_the_same_name_is_refused_before_a_write(platform: BroughtUp) -> None:
    """The state remembers another identity than the one that answers, as after a wrong kubeconfig."""
    site = platform.site
    exported = json.loads(site.pulumi("stack", "export").stdout)
    urn = None
    for resource in exported["deployment"]["resources"]:
        if resource["type"] == CLUSTER_IDENTITY and resource["inputs"]["cluster"] == "us":
            right, resource["outputs"]["uid"] = (
                resource["outputs"]["uid"],
                "00000000-0000-0000-0000-000000000000",
            )
            urn = resource["urn"]
    assert urn
    swapped = site.directory / "swapped.json"
    swapped.write_text(json.dumps(exported))
    original = site.directory / "original.json"
    original.write_text(site.pulumi("stack", "export").stdout)
    try:
        site.pulumi("stack", "import", "--file", str(swapped))
        with note(site, "wrong-cluster"):
            ended, _ = gate(site)
            up = site.up("--skip-preview", check=False)
        live, answer = drift(site, "--layer", "clusters")
    finally:
        site.pulumi("stack", "import", "--file", str(original))
    assert ended.returncode == 4, ended.words
    assert up.returncode != 0
    for words in (ended.words, up.words):
        assert "another cluster answers" in words and right in words
    assert live.returncode == 7, live.words
    assert not [change for change in answer["changes"] if change["op"] == "delete"]
    with site.clusters() as clusters:
        deployment = clusters["us"].apps.read_namespaced_deployment(SERVICE, NAMESPACE, _request_timeout=10)
    names = {entry.value for entry in deployment.spec.template.spec.containers[0].env}
    assert "wrong-cluster" not in names


def test_a_corrupt_state_is_refused_with_the_way_back(platform: BroughtUp) -> None:
    site = platform.site
    backend = Path(site.environment["PULUMI_BACKEND_URL"].removeprefix("file://"))
    (checkpoint,) = (backend / ".pulumi" / "stacks").rglob(f"{site.name}.json")
    good = checkpoint.read_bytes()
    try:
        checkpoint.write_bytes(good[: len(good) // 2])
        ended = site.crossmesh("gate", check=False)
    finally:
        checkpoint.write_bytes(good)
    assert ended.returncode == 4, ended.words
    assert "STACK.json.bak" in ended.words and "Traceback" not in ended.words
