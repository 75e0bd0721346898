"""Where nodes ask the API, and what the cluster tells of it, beside what is declared."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from access import ssh
from access.errors import Unanswered
from access.programs import Executed
from live.checks import endpoint
from live.doctor.model import Finding, NotMeasurable
from report.model import Status
from tests.unit.live.checks.test_etcd import ADDRESS, NAMES, three
from tests.unit.operations.support import make_platform, run

ENDPOINT, WORKER = f"{ADDRESS}:6443", "eu-worker-1"
OWN = {name: f"10.101.1.{11 + 10 * number}:6443" for number, name in enumerate(NAMES)}
BEFORE = OWN["eu-cp-1"]


def maps(at: str = ENDPOINT) -> dict[str, tuple[int, str]]:
    """What the cluster tells, by path."""
    kubeconfig = f"clusters:\n- cluster:\n    server: https://{at}\n"
    told = {
        "kube-public/configmaps/cluster-info": {"kubeconfig": kubeconfig},
        "kube-system/configmaps/kube-proxy": {"config.conf": "mode: iptables", "kubeconfig.conf": kubeconfig},
        "kube-system/configmaps/kubeadm-config": {
            "ClusterConfiguration": f"clusterName: eu\ncontrolPlaneEndpoint: {at}\n"
        },
    }
    return {f"/api/v1/namespaces/{path}": (200, json.dumps({"data": data})) for path, data in told.items()}


def says(**files: str) -> Executed:
    return Executed(0, "".join(f"{name} {at}\n" for name, at in files.items()) + "asked\n", "")


def nodes(**others: Executed | None) -> dict[str, Executed | None]:
    return {
        WORKER: says(kubelet=ENDPOINT),
        **{name: says(kubelet=OWN[name], admin=ENDPOINT) for name in NAMES},
        **{name.replace("_", "-"): said for name, said in others.items()},
    }


def found(
    monkeypatch: pytest.MonkeyPatch,
    answers: dict[str, Executed | None],
    told: dict[str, tuple[int, str]] | None = None,
) -> Finding:
    def answer(host: str, connection: object, command: object) -> Executed:
        said = answers[host]
        if said is None:
            raise Unanswered(f"{host} does not answer")
        return said

    monkeypatch.setattr(ssh, "run", answer)
    platform = three()
    platform.clusters["eu"].answers.paths = maps() if told is None else told  # type: ignore[attr-defined]
    return run(endpoint.check_endpoint, platform, "eu", ENDPOINT)


def test_there_is_one_for_each_cluster_whose_api_has_an_address() -> None:
    assert endpoint.checks(make_platform()) == []
    (check,) = endpoint.checks(three())
    assert check.id == "api-address/eu"
    assert {"api-server/eu", f"services/{WORKER}"} <= set(check.rests_on)


def test_all_that_lead_there_are_well_and_a_control_plane_s_kubelet_asks_beside_itself(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    finding = found(monkeypatch, nodes(eu_cp_2=says(kubelet=ENDPOINT, admin=ENDPOINT)))
    assert finding.status is Status.PASS
    assert finding.measured == f"4 nodes and the cluster lead to {ENDPOINT}"


def test_a_node_that_still_asks_at_the_address_before_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    finding = found(monkeypatch, nodes(eu_worker_1=says(kubelet=BEFORE)))
    assert finding.status is Status.FAIL
    assert (
        f"{WORKER} asks the API at {BEFORE}, not at {ENDPOINT}: /etc/kubernetes/kubelet.conf"
        in finding.message
    )
    assert "pulumi up" in finding.fix and "systemctl restart kubelet" in finding.fix


@pytest.mark.parametrize("files", [{"kubelet": OWN["eu-cp-2"], "admin": ENDPOINT}, {"admin": BEFORE}])
def test_a_control_plane_asks_beside_itself_and_no_other(
    monkeypatch: pytest.MonkeyPatch, files: dict[str, str]
) -> None:
    """Another one may be lost; its administrators ask the cluster."""
    finding = found(monkeypatch, nodes(eu_cp_1=says(**files)))
    assert finding.status is Status.FAIL
    assert "eu-cp-1 asks the API at" in finding.message


@pytest.mark.parametrize(
    ("path", "who"),
    [("cluster-info", "who joins"), ("kube-proxy", "kube-proxy"), ("kubeadm-config", "kubeadm")],
)
def test_what_the_cluster_tells_of_the_address_before_is_named(
    monkeypatch: pytest.MonkeyPatch, path: str, who: str
) -> None:
    told = {key: maps(BEFORE)[key] if key.endswith(path) else said for key, said in maps().items()}
    finding = found(monkeypatch, nodes(), told)
    assert finding.status is Status.FAIL
    assert f"by which {who} finds the API of eu, leads to {BEFORE}, not to {ENDPOINT}" in finding.message
    assert f"edit configmap {path}`" in finding.fix
    missing = {key: (404, "{}") if key.endswith(path) else said for key, said in maps().items()}
    assert "says nothing (404)" in found(monkeypatch, nodes(), missing).message


def test_of_a_machine_that_is_silent_nothing_is_known_but_what_is_wrong_elsewhere_is_said(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with pytest.raises(NotMeasurable, match="eu-cp-3 does not answer"):
        found(monkeypatch, nodes(eu_cp_3=None))
    with pytest.raises(NotMeasurable, match="eu-cp-3 does not say where it asks the API"):
        found(monkeypatch, nodes(eu_cp_3=Executed(1, "", "")))
    assert WORKER in found(monkeypatch, nodes(eu_cp_3=None, eu_worker_1=says(kubelet=BEFORE))).message


def test_a_machine_tells_it_of_its_files(tmp_path: Path) -> None:
    (tmp_path / "kubelet.conf").write_text(f"clusters:\n- cluster:\n    server: https://{ENDPOINT}\n")
    script = endpoint.question().replace("/etc/kubernetes", str(tmp_path))
    said = subprocess.run(["sh", "-c", script], capture_output=True, text=True, check=True).stdout
    assert dict(endpoint.read(said)) == {"kubelet": ENDPOINT}
    assert said.endswith("asked\n")
