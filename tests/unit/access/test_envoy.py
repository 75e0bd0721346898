"""What an Envoy says of the endpoints that it knows, and of what it passed on to them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from access import envoy
from access.envoy import Passed
from access.errors import AccessError
from access.programs import Executed


class Pod:
    """Stands for a cluster with one pod."""

    def __init__(self, said: str, error: str = "") -> None:
        self.said, self.error, self.asked = said, error, ()

    def execute(self, *asked: Any) -> Executed:
        self.asked = asked
        return Executed(0, self.said, self.error)


def host(address: str, **counts: str) -> dict[str, Any]:
    stats = [{"name": name, **({"value": value} if value else {})} for name, value in counts.items()]
    return {"address": {"socket_address": {"address": address, "port_value": 8080}}, "stats": stats}


DOCUMENT = {
    "cluster_statuses": [
        {
            "name": "outbound|8080||shop.web.svc.cluster.local",
            "host_statuses": [
                host("172.30.0.5", rq_total="12", rq_error="2", cx_active="1"),
                # Counters that are 0 have no value, and numbers are texts, as protobuf writes JSON.
                host("172.30.0.6", rq_total="", rq_error=""),
            ],
        },
        {"name": "xds-grpc", "host_statuses": [host("127.0.0.1", rq_total="9")]},
        {"name": "outbound|443||api.example.org", "host_statuses": [host("192.0.2.1", rq_total="9")]},
        {"name": "inbound|8080||", "host_statuses": [host("127.0.0.6", rq_total="9")]},
        {"name": "outbound|80||empty.web.svc.cluster.local"},
    ]
}


def test_requests_are_counted_by_service_and_endpoint() -> None:
    pod: Any = Pod(json.dumps(DOCUMENT))
    document = envoy.clusters(pod, "istio-ingress", "gateway-a")
    assert pod.asked[:3] == ("istio-ingress", "gateway-a", "istio-proxy")
    cluster = DOCUMENT["cluster_statuses"][0]["name"]
    assert envoy.passed_on(document) == {
        ("shop.web", f"172.30.0.5:8080 {cluster}"): Passed(12, 2),
        ("shop.web", f"172.30.0.6:8080 {cluster}"): Passed(0, 0),
    }


@pytest.mark.parametrize("said", ["", "upstream connect error", "3"])
def test_one_that_says_nothing_of_use_is_named(said: str) -> None:
    pod: Any = Pod(said, "connection refused")
    with pytest.raises(AccessError, match="gateway-a does not say its endpoints: connection refused"):
        envoy.clusters(pod, "istio-ingress", "gateway-a")
