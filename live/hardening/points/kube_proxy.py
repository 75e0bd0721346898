"""Section 4.3: kube-proxy's configuration, which is one for all nodes of a cluster."""

from __future__ import annotations

from live.hardening.cluster_judges import needing
from live.hardening.facts import PROXY, ClusterFacts
from live.hardening.model import Decider, Point, Scope, State, Verdict, apart, either

_ADDRESS = "metricsBindAddress"
_LOOPBACK = ("127.", "[::1]", "localhost:")


@needing(PROXY)
def _metrics(facts: ClusterFacts) -> Verdict:
    if facts.proxy is None:
        return apart("there is no ConfigMap kube-system/kube-proxy: its owner runs another one, or none")
    value = str(facts.proxy.get(_ADDRESS) or "")
    if not value:
        return either(True, f"no {_ADDRESS} (by default 127.0.0.1:10249)")
    return either(value.startswith(_LOOPBACK), f"{_ADDRESS}: {value}")


POINTS: tuple[Point[ClusterFacts], ...] = (
    Point(
        number="4.3.1",
        title="kube-proxy tells its measurements to its own host only",
        scope=Scope.CLUSTER,
        wanted=f"{_ADDRESS}: 127.0.0.1:10249, or not set",
        decided_by=Decider.KUBERNETES,
        judge=_metrics,
        fix=f"take `{_ADDRESS}` out of `hostProfiles.NAME.kubeProxy` in the stack file, and run `pulumi up`",
        default=State.HOLDS,
        today="nobody sets it; a profile of hosts in the declaration can",
    ),
)
