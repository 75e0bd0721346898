"""Pods to look from. What wget says was recorded with busybox 1.35 against sockets that behaved so."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from kubernetes import client

from access.programs import Executed
from live.doctor.model import NotMeasurable, Watch
from live.doctor.probes import Answer, Probe, Probes, job
from tests.unit.operations.support import pod

IMAGE = "registry.test/busybox:1"
ASKED = "Connecting to 172.30.1.10:8080 (172.30.1.10:8080)\n"


def answer(code: int, stdout: str = "", stderr: str = "") -> Answer:
    done = Executed(code, stdout, ASKED + stderr)
    cluster = SimpleNamespace(execute=lambda *arguments, timeout: done)
    return Probe(cluster, "outside-1", "172.30.1.9", IMAGE).get("http://172.30.1.10:8080/a")  # type: ignore[arg-type]


def test_an_answer_has_its_status_and_body() -> None:
    assert answer(0, "abc", "  HTTP/1.1 200 OK\nwritten to stdout\n") == Answer(200, "abc")


def test_an_error_status_is_an_answer_too() -> None:
    words = "wget: server returned error: HTTP/1.1 503 Service Unavailable"
    found = answer(1, "", f"  HTTP/1.1 503 Service Unavailable\n{words}\n")
    assert (found.status, found.problem, found.closed) == (503, words, False)


@pytest.mark.parametrize(
    "words", ["wget: error getting response", "wget: error getting response: Connection reset by peer"]
)
def test_a_connection_that_is_made_and_then_closed_is_told_apart(words: str) -> None:
    assert answer(1, "", f"{words}\n") == Answer(0, problem=words, closed=True)


@pytest.mark.parametrize(
    ("code", "stderr", "words"),
    [
        (1, "wget: can't connect to remote host (172.30.1.10): Connection refused\n", "Connection refused"),
        (1, "wget: bad address 'a.b'\n", "bad address"),
        (143, "", "no answer within 5 s"),
        (124, "", "no answer within 5 s"),
    ],
)
def test_what_was_not_reached_counts_as_nothing_else(code: int, stderr: str, words: str) -> None:
    found = answer(code, "", stderr)
    assert (found.status, found.closed) == (0, False)
    assert words in found.problem


def test_an_image_that_lacks_a_program_is_named_with_what_it_lacks() -> None:
    with pytest.raises(NotMeasurable, match=r"registry\.test/busybox:1.*'wget': No such file") as raised:
        answer(127, "", "timeout: can't execute 'wget': No such file or directory\n")
    assert "probeImage" in raised.value.fix


def probes(ended: client.V1Pod) -> Probes:
    core = SimpleNamespace(
        create_namespace=lambda body, **_: None,
        list_namespaced_pod=lambda namespace, **_: SimpleNamespace(items=[ended]),
    )
    batch = SimpleNamespace(create_namespaced_job=lambda namespace, manifest, **_: None)
    return Probes(SimpleNamespace(region="eu", core=core, batch=batch), IMAGE)  # type: ignore[arg-type]


def test_a_probe_that_ended_is_not_waited_for_and_says_why() -> None:
    ended = pod("outside-1", ready=False)
    ended.status.phase = "Failed"
    ended.status.container_statuses[0].state = client.V1ContainerState(
        terminated=client.V1ContainerStateTerminated(exit_code=127, message="sh: httpd: not found")
    )
    watch = Watch(60)
    with pytest.raises(NotMeasurable, match="httpd: not found") as raised:
        probes(ended).ready("outside", watch)
    assert watch.remaining > 50
    assert IMAGE in raised.value.fix
    assert "httpd" in raised.value.fix


def test_a_probe_that_no_node_has_room_for_asks_for_room_and_not_for_an_image() -> None:
    waiting = pod("inside-1", ready=False)
    waiting.status.phase = "Failed"
    waiting.status.container_statuses = []
    waiting.status.conditions = [
        client.V1PodCondition(
            type="PodScheduled", status="False", reason="Unschedulable", message="1 Insufficient cpu"
        )
    ]
    with pytest.raises(NotMeasurable, match="Insufficient cpu") as raised:
        probes(waiting).ready("inside", Watch(60))
    assert "Add room or a node" in raised.value.fix
    assert IMAGE not in raised.value.fix


def test_probes_look_from_the_declared_image_and_keep_what_they_said_last() -> None:
    for role in ("outside", "inside"):
        (container,) = job(role, "abc", IMAGE)["spec"]["template"]["spec"]["containers"]
        assert container["image"] == IMAGE
        assert container["terminationMessagePolicy"] == "FallbackToLogsOnError"


def test_probe_jobs_end_and_vanish_by_themselves() -> None:
    for role in ("outside", "inside"):
        spec = job(role, "abc", IMAGE)["spec"]
        assert 0 < spec["activeDeadlineSeconds"] <= 600
        assert 0 < spec["ttlSecondsAfterFinished"] <= 600
        assert spec["backoffLimit"] == 0


def test_only_the_probe_inside_the_mesh_asks_for_a_sidecar() -> None:
    def label(role: str) -> str:
        metadata = job(role, "abc", IMAGE)["spec"]["template"]["metadata"]
        return str(metadata["labels"]["sidecar.istio.io/inject"])

    assert (label("outside"), label("inside")) == ("false", "true")
