"""What holds an earlier bundle of authorities and asks the API server: found by its pods, and started
anew."""

from __future__ import annotations

from typing import Any

import pytest

from runbooks.rotation import holders
from runbooks.rotation.holders import Holder

EARLY, BETWEEN, LATE = "2026-11-30T10:00:00Z", "2026-11-30T11:00:00Z", "2026-11-30T12:00:00Z"


def pod(
    namespace: str,
    owner: tuple[str, str] | None,
    *,
    created: str = EARLY,
    account: str = "own",
    container: str = "main",
    mounts: bool = True,
) -> dict[str, Any]:
    owners = [{"kind": owner[0], "name": owner[1]}] if owner else []
    source = {"configMap": {"name": holders.BUNDLE}}
    volume = {"name": "api", "projected": {"sources": [{"serviceAccountToken": {}}, source]}}
    return {
        "metadata": {"namespace": namespace, "creationTimestamp": created, "ownerReferences": owners},
        "spec": {
            "serviceAccountName": account,
            "volumes": [volume, {"name": "data", "emptyDir": {}}],
            "containers": [{"name": container, "volumeMounts": [{"name": "api"}] if mounts else []}],
        },
    }


def with_(of: dict[str, Any], part: str, **more: str) -> dict[str, Any]:
    """A pod with more in a part of it."""
    return {**of, part: {**of.get(part, {}), **more}}


class Api:
    """Answers what it was given, and takes patches."""

    def __init__(self, pods: list[dict[str, Any]]) -> None:
        self.pods = pods
        self.patches: list[tuple[str, Any]] = []
        self.objects: dict[str, Any] = {
            "/apis/apps/v1/namespaces/kube-system/replicasets/coredns-1": {
                "metadata": {"ownerReferences": [{"kind": "Deployment", "name": "coredns"}]}
            }
        }

    def get(self, path: str) -> Any:
        if path == "/api/v1/pods":
            return {"items": self.pods}
        if path.startswith("/api/v1/configmaps?fieldSelector=metadata.name%3Dkube-root-ca.crt"):
            times = [{"time": EARLY}, {"time": BETWEEN}]
            return {
                "items": [
                    {"metadata": {"namespace": name, "creationTimestamp": EARLY, "managedFields": times}}
                    for name in ("kube-system", "istio-system", "metallb-system", "shop")
                ]
            }
        return self.objects.get(path)

    def patch(self, path: str, body: Any) -> None:
        self.patches.append((path, body))


def test_what_is_of_the_platform_or_has_an_account_of_its_own_is_found_the_platform_first() -> None:
    api: Any = Api(
        [
            pod("shop", ("StatefulSet", "operator")),
            pod("istio-system", ("DaemonSet", "node-agent"), account="default"),
            pod("kube-system", ("ReplicaSet", "coredns-1")),
            pod("kube-system", ("DaemonSet", "kube-proxy")),
            pod("kube-system", ("DaemonSet", "kube-proxy"), created=LATE),
        ]
    )
    assert list(map(str, holders.stale(api))) == [
        "DaemonSet kube-system/kube-proxy",
        "Deployment kube-system/coredns",
        "DaemonSet istio-system/node-agent",
        "StatefulSet shop/operator",
    ]


@pytest.mark.parametrize(
    "other",
    [
        pod("kube-system", ("DaemonSet", "kube-proxy"), created=LATE),
        pod("kube-system", ("DaemonSet", "kube-proxy"), mounts=False),
        pod("shop", ("DaemonSet", "web"), account="default"),
        pod("shop", ("DaemonSet", "gateway"), container="istio-proxy"),
        pod("shop", ("Job", "once")),
        pod("shop", None),
        pod("elsewhere", ("DaemonSet", "without-a-bundle")),
        with_(pod("kube-system", ("DaemonSet", "kube-proxy")), "metadata", deletionTimestamp=LATE),
        with_(pod("kube-system", ("DaemonSet", "kube-proxy")), "status", phase="Failed"),
    ],
    ids=[
        "later",
        "no bundle",
        "default account",
        "proxy",
        "job",
        "nobody's",
        "no config map",
        "about to go",
        "ended",
    ],
)
def test_what_asks_nobody_or_is_made_by_nobody_is_left(other: dict[str, Any]) -> None:
    api: Any = Api([other])
    assert holders.stale(api) == []


def test_its_pods_are_made_anew_as_by_kubectl() -> None:
    api: Any = Api([])
    holders.restart(api, Holder("Deployment", "shop", "operator"))
    ((path, body),) = api.patches
    assert path == "/apis/apps/v1/namespaces/shop/deployments/operator"
    annotations = body["spec"]["template"]["metadata"]["annotations"]
    assert list(annotations) == ["kubectl.kubernetes.io/restartedAt"]


@pytest.mark.parametrize(
    ("kind", "status", "lacks"),
    [
        ("Deployment", {"observedGeneration": 1}, "not seen yet"),
        (
            "Deployment",
            {"observedGeneration": 2, "updatedReplicas": 1, "availableReplicas": 2, "replicas": 3},
            "1 of 2",
        ),
        (
            "Deployment",
            {"observedGeneration": 2, "updatedReplicas": 2, "availableReplicas": 2, "replicas": 2},
            "",
        ),
        ("DaemonSet", {"observedGeneration": 2, "desiredNumberScheduled": 3, "numberAvailable": 3}, "0 of 3"),
        (
            "DaemonSet",
            {
                "observedGeneration": 2,
                "desiredNumberScheduled": 3,
                "updatedNumberScheduled": 3,
                "numberAvailable": 3,
            },
            "",
        ),
    ],
)
def test_it_is_waited_for_until_all_are_new_and_available(
    kind: str, status: dict[str, Any], lacks: str
) -> None:
    api: Any = Api([])
    holder = Holder(kind, "shop", "operator")
    api.objects[holder.path] = {"metadata": {"generation": 2}, "spec": {"replicas": 2}, "status": status}
    words = holders.unfinished(api, holder)
    assert lacks in words if lacks else not words
    assert holders.unfinished(api, Holder(kind, "shop", "gone")) == ""
