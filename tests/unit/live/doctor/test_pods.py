from __future__ import annotations

from kubernetes import client

from live.doctor import pods
from tests.unit.operations.support import (
    pod,
)


def test_a_ready_pod_has_nothing_to_explain() -> None:
    assert pods.why(pod("a")) == []


def test_a_pod_that_cannot_be_scheduled_gives_the_scheduler_s_words() -> None:
    waiting = pod("a", node=None, ready=False)
    waiting.status.container_statuses = None
    waiting.status.conditions = [
        client.V1PodCondition(
            type="PodScheduled", status="False", reason="Unschedulable", message="0/2 nodes are available"
        )
    ]
    assert pods.why(waiting) == [("Unschedulable", "0/2 nodes are available")]


def test_a_container_that_ended_gives_its_exit_code() -> None:
    broken = pod("a", ready=False)
    broken.status.container_statuses[0].last_state.terminated = client.V1ContainerStateTerminated(
        exit_code=137, reason="OOMKilled"
    )
    assert pods.why(broken)[0] == ("OOMKilled", "container application ended with 137")
