from __future__ import annotations

from types import SimpleNamespace

from kubernetes import client

from live.checks import workloads
from live.doctor import pods
from live.doctor.model import Status
from tests.unit.operations.support import Answers, deployment, make_platform, pod, run

APPLICATION = "asset-mgr-ms-svc"


def warning(name: str, reason: str, message: str) -> object:
    return SimpleNamespace(reason=reason, message=message, involved_object=SimpleNamespace(name=name))


def test_a_part_with_all_pods_ready_is_ok() -> None:
    platform = make_platform({"eu": Answers(deployments={"istiod": deployment("istiod")})})
    finding = run(workloads.check_part, platform, "eu", workloads.ISTIOD)
    assert finding.status is Status.OK
    assert finding.measured == "istiod 1/1"


def test_a_part_that_is_not_there_at_all_fails() -> None:
    finding = run(workloads.check_part, make_platform(), "eu", workloads.ISTIOD)
    assert finding.status is Status.FAILED
    assert "istio-system" in finding.explanation


def test_a_part_that_is_not_ready_says_why_in_its_pods_own_words() -> None:
    broken = pod(
        "istiod-1", "istio-system", ready=False, waiting=("ImagePullBackOff", "no such image pilot:1.28.3")
    )
    answers = Answers(deployments={"istiod": deployment("istiod", ready=0)}, pods=[broken])
    finding = run(workloads.check_part, make_platform({"eu": answers}), "eu", workloads.ISTIOD)
    assert finding.status is Status.FAILED
    assert "no such image pilot:1.28.3" in finding.explanation
    assert "image" in finding.fix


def test_a_workload_whose_pods_cannot_be_made_says_what_its_events_say() -> None:
    event = warning("istiod-5c", "FailedCreate", "violates PodSecurity baseline")
    answers = Answers(deployments={"istiod": deployment("istiod", ready=0)}, events=[event])  # type: ignore[list-item]
    finding = run(workloads.check_part, make_platform({"eu": answers}), "eu", workloads.ISTIOD)
    assert "violates PodSecurity baseline" in finding.explanation
    assert "admission" in finding.fix


def test_an_application_with_its_pods_and_sidecars_is_ok() -> None:
    answers = Answers(deployments={APPLICATION: deployment(APPLICATION)}, pods=[pod("a")])
    finding = run(workloads.check_application, make_platform({"eu": answers}), "eu", APPLICATION)
    assert finding.status is Status.OK
    assert "with a sidecar" in finding.measured


def test_an_application_without_sidecars_fails_where_injection_is_declared() -> None:
    answers = Answers(deployments={APPLICATION: deployment(APPLICATION)}, pods=[pod("a", sidecar=False)])
    finding = run(workloads.check_application, make_platform({"eu": answers}), "eu", APPLICATION)
    assert finding.status is Status.FAILED
    assert "no sidecar" in finding.explanation


def test_an_application_that_somebody_scaled_is_found() -> None:
    answers = Answers(deployments={APPLICATION: deployment(APPLICATION, wanted=0, ready=0)})
    finding = run(workloads.check_application, make_platform({"eu": answers}), "eu", APPLICATION)
    assert finding.status is Status.FAILED
    assert "scaled to 0, declared is 1" in finding.explanation


def service(address: str | None) -> client.V1Service:
    ingress = [client.V1LoadBalancerIngress(ip=address)] if address else None
    return client.V1Service(
        metadata=client.V1ObjectMeta(name="istio-ingressgateway"),
        status=client.V1ServiceStatus(load_balancer=client.V1LoadBalancerStatus(ingress=ingress)),
    )


def test_the_gateway_s_service_must_have_the_address_of_the_outputs() -> None:
    for address, status in (
        ("10.101.1.200", Status.OK),
        ("10.101.1.201", Status.FAILED),
        (None, Status.FAILED),
    ):
        platform = make_platform({"eu": Answers(services=[service(address)])})
        assert run(workloads.check_gateway_address, platform, "eu").status is status


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
