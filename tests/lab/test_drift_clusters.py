"""Drift in a cluster, against a real API server: what counts, and what must never be taken for it."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from live.drift import clusters
from live.drift.access import Clusters
from live.drift.model import Record
from live.state import State
from report.model import SECRET, Op, PropertyChange, Status
from tests.lab.api_server import ApiServer, encoded
from tests.unit.live.drift.support import (
    identity,
    inquiry,
    kubernetes_object,
    record,
    secret,
    state_of,
)

NAMESPACE = "drift"
DEPLOYMENTS = f"/apis/apps/v1/namespaces/{NAMESPACE}/deployments"
CONFIG_MAPS = f"/api/v1/namespaces/{NAMESPACE}/configmaps"
SECRETS = f"/api/v1/namespaces/{NAMESPACE}/secrets"
INGRESSES = f"/apis/networking.k8s.io/v1/namespaces/{NAMESPACE}/ingresses"
DEFINITIONS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
WIDGETS = f"/apis/example.test/v1/namespaces/{NAMESPACE}/widgets"


def manifest(api_version: str, kind: str, name: str, namespaced: bool = True, **rest: Any) -> dict[str, Any]:
    metadata = {"name": name, "labels": {"app.kubernetes.io/name": name}}
    if namespaced:
        metadata["namespace"] = NAMESPACE
    return {"apiVersion": api_version, "kind": kind, "metadata": metadata, **rest}


DEPLOYMENT = manifest(
    "apps/v1",
    "Deployment",
    "app",
    spec={
        "replicas": 2,
        "selector": {"matchLabels": {"app": "app"}},
        "template": {
            "metadata": {"labels": {"app": "app"}},
            "spec": {
                "containers": [
                    {
                        "name": "app",
                        "image": "app:1",
                        "env": [{"name": "EMPTY", "value": ""}, {"name": "MODE", "value": "a"}],
                        "ports": [{"containerPort": 8080}],
                        "resources": {"limits": {"cpu": "1000m", "memory": "1024Mi"}},
                    }
                ],
                "volumes": [{"name": "scratch", "emptyDir": {}}],
            },
        },
    },
)
INGRESS = manifest(
    "networking.k8s.io/v1",
    "Ingress",
    "app",
    spec={
        "rules": [
            {
                "host": "app.test",
                "http": {
                    "paths": [
                        {
                            "path": "/",
                            "pathType": "Prefix",
                            "backend": {"service": {"name": "app", "port": {"number": 80}}},
                        }
                    ]
                },
            }
        ]
    },
)
TEXT = manifest("v1", "ConfigMap", "text", data={"a": "1", "b": "1000m"})
KEY = manifest("v1", "Secret", "key", stringData={"tls.key": "hunter2"})
DEFINITION = manifest(
    "apiextensions.k8s.io/v1",
    "CustomResourceDefinition",
    "widgets.example.test",
    namespaced=False,
    spec={
        "group": "example.test",
        "names": {"kind": "Widget", "plural": "widgets"},
        "scope": "Namespaced",
        "versions": [
            {
                "name": "v1",
                "served": True,
                "storage": True,
                "schema": {
                    "openAPIV3Schema": {
                        "type": "object",
                        "properties": {
                            "spec": {
                                "type": "object",
                                "properties": {
                                    "size": {"type": "integer"},
                                    "colour": {"type": "string", "default": "red"},
                                },
                            }
                        },
                    }
                },
            }
        ],
    },
)
WIDGET = manifest("example.test/v1", "Widget", "w", spec={"size": 3})


@dataclass
class Site:
    """A cluster with what was applied to it, and the state that this left."""

    server: ApiServer
    uid: str
    applied: list[dict[str, Any]] = field(default_factory=list)

    def apply(self, path: str, declared: dict[str, Any]) -> None:
        """Apply an object and remember it as the engine does."""
        name = declared["metadata"]["name"]
        recorded = self.server.apply(f"{path}/{name}", declared)
        inputs = dict(declared)
        if declared["kind"] == "Secret":
            inputs["stringData"] = secret(declared["stringData"])
            recorded = {**recorded, "data": secret(recorded["data"])}
        self.applied.append(kubernetes_object("eu", inputs, recorded))

    def state(self, kubeconfig: str = "", uid: str = "") -> State:
        """The state, as `pulumi stack export --show-secrets` prints it."""
        known = identity("eu", uid or self.uid, kubeconfig or self.server.kubeconfig)
        return state_of([known, *self.applied])

    def look(self, state: State | None = None) -> Record:
        """Compare it with the cluster."""
        found, state = record("clusters"), state or self.state()
        with Clusters(state.ways()) as opened:
            clusters.look(inquiry(state, opened), found)
        return found


@pytest.fixture(scope="module")
def server() -> Iterator[ApiServer]:
    with ApiServer("eu") as started:
        yield started


@pytest.fixture
def site(server: ApiServer) -> Iterator[Site]:
    """The server with every object as it was applied; edits of one test are none of the next one's."""
    where = f"/api/v1/namespaces/{NAMESPACE}"
    server.apply(
        where, {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}}, manager="t"
    )
    found = Site(server, server.uid)
    for path, declared in (
        (DEPLOYMENTS, DEPLOYMENT),
        (INGRESSES, INGRESS),
        (CONFIG_MAPS, TEXT),
        (SECRETS, KEY),
        (DEFINITIONS, DEFINITION),
    ):
        found.apply(path, declared)
    server.wait_for(WIDGETS)
    found.apply(WIDGETS, WIDGET)
    yield found
    for path in (DEPLOYMENTS, INGRESSES, CONFIG_MAPS, SECRETS):
        server.delete(path)
    if server.exists(f"{DEFINITIONS}/widgets.example.test"):
        server.delete(f"{DEFINITIONS}/widgets.example.test")
        server.wait_for(WIDGETS, there=False)


def drifted(found: Record) -> dict[str, tuple[Op, tuple[PropertyChange, ...]]]:
    return {entry.urn.rpartition("::")[2]: (entry.op, entry.properties) for entry in found.drifted}


def test_what_was_just_applied_has_not_drifted(site: Site) -> None:
    found = site.look()
    assert found.findings == []
    assert found.rows == {"eu": ("6 objects as applied", "6 objects as applied")}


def test_fields_that_somebody_edited_are_named_with_who_did_it(site: Site) -> None:
    site.server.edit(f"{DEPLOYMENTS}/app", {"spec": {"replicas": 5}}, manager="kubectl-scale")
    site.server.edit(f"{CONFIG_MAPS}/text", {"data": {"a": None, "b": "1"}})
    site.server.edit(f"{WIDGETS}/w", {"spec": {"size": 4, "colour": "blue"}})
    found = site.look()
    assert drifted(found) == {
        "eu.drift.app": (Op.UPDATE, (PropertyChange("spec.replicas", 2, 5),)),
        "eu.drift.text": (
            Op.UPDATE,
            (PropertyChange("data.a", "1", None), PropertyChange("data.b", "1000m", "1")),
        ),
        "eu.drift.w": (Op.UPDATE, (PropertyChange("spec.size", 3, 4),)),
    }
    assert any("(set by kubectl-scale)" in finding.message for finding in found.findings)


def test_a_list_that_is_one_value_may_hold_nothing_besides(site: Site) -> None:
    rule = {"host": "other.test", "http": INGRESS["spec"]["rules"][0]["http"]}
    site.server.edit(f"{INGRESSES}/app", {"spec": {"rules": [rule, *INGRESS["spec"]["rules"]]}})
    ((op, (change,)),) = drifted(site.look()).values()
    assert (op, change.path, change.old) == (Op.UPDATE, "spec.rules[1]", None)
    assert change.new["host"] == "other.test"


def test_a_changed_secret_is_noticed_and_not_shown(site: Site) -> None:
    site.server.edit(f"{SECRETS}/key", {"data": {"tls.key": encoded("hunter3")}})
    found = site.look()
    assert drifted(found) == {
        "eu.drift.key": (Op.UPDATE, (PropertyChange('data["tls.key"]', SECRET, SECRET),))
    }
    text = repr((found, [entry.live and entry.live.inputs for entry in found.drifted]))
    assert "hunter" not in text
    assert encoded("hunter3") not in text


def test_an_object_that_was_deleted_is_gone(site: Site) -> None:
    site.server.delete(f"{CONFIG_MAPS}/text")
    site.server.delete(f"{DEFINITIONS}/widgets.example.test")
    site.server.wait_for(WIDGETS, there=False)
    found = site.look()
    assert {name: op for name, (op, _) in drifted(found).items()} == {
        "eu.drift.text": Op.DELETE,
        "eu.drift.w": Op.DELETE,
        "eu.widgets.example.test": Op.DELETE,
    }
    assert any("is gone, with the definition of Widget" in finding.message for finding in found.findings)


def test_what_others_add_is_no_drift(site: Site) -> None:
    site.server.edit(
        f"{DEPLOYMENTS}/app",
        {"metadata": {"labels": {"team": "blue"}, "annotations": {"note": "x"}}},
        manager="somebody",
    )
    container = {"name": "sidecar", "image": "sidecar:1"}
    spec = {
        "selector": DEPLOYMENT["spec"]["selector"],
        "template": {"metadata": {"labels": {"app": "app"}}, "spec": {"containers": [container]}},
    }
    added = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "app"}, "spec": spec}
    site.server.apply(f"{DEPLOYMENTS}/app", added, manager="injector")
    site.server.edit(f"{DEPLOYMENTS}/app/status", {"status": {"replicas": 2}}, manager="controller")
    assert site.look().findings == []


def test_an_object_that_the_state_does_not_know_is_left_over(site: Site) -> None:
    old = manifest("v1", "ConfigMap", "old", data={"a": "1"})
    site.server.apply(f"{CONFIG_MAPS}/old", old)
    site.server.apply(f"{CONFIG_MAPS}/theirs", manifest("v1", "ConfigMap", "theirs"), manager="somebody")
    assert drifted(site.look()) == {"eu.drift.old": (Op.CREATE, ())}


def test_an_edit_that_was_taken_back_is_no_drift(site: Site) -> None:
    site.server.edit(f"{DEPLOYMENTS}/app", {"spec": {"replicas": 5}})
    site.server.edit(f"{DEPLOYMENTS}/app", {"spec": {"replicas": 2}})
    assert site.look().findings == []


def test_another_clusters_identity_stops_the_comparison(site: Site) -> None:
    site.server.delete(f"{CONFIG_MAPS}/text")
    found = site.look(site.state(uid="00000000-0000-0000-0000-000000000000"))
    assert [(finding.rule, finding.status) for finding in found.findings] == [
        ("drift/identity", Status.FAIL),
        ("drift/clusters", Status.NOT_MEASURABLE),
    ]
    assert "another cluster answers" in found.findings[0].message
    assert found.drifted == []


def test_another_authority_stops_the_comparison(site: Site) -> None:
    other = ApiServer("other")
    kubeconfig = site.server.kubeconfig.replace(encoded(site.server.authority), encoded(other.authority))
    found = site.look(site.state(kubeconfig))
    assert found.findings[0].rule == "drift/identity"
    assert "not of the kubeconfig's CA" in found.findings[0].message
    assert not found.refused
    assert found.drifted == []


@pytest.mark.parametrize("credential", ["a wrong token", "an expired certificate", "another certificate"])
def test_refused_credentials_stop_the_comparison(credential: str, site: Site) -> None:
    server = site.server
    kubeconfig = {
        "a wrong token": lambda: server.kubeconfig_with_token("wrong"),
        "an expired certificate": lambda: server.kubeconfig_of(
            "a", "system:masters", age_days=9, validity_days=1
        ),
        "another certificate": lambda: ApiServer("other").kubeconfig_of("a", "system:masters"),
    }[credential]()
    if credential == "another certificate":
        kubeconfig = server.kubeconfig_with_user_of(kubeconfig)
    site.server.delete(f"{CONFIG_MAPS}/text")
    found = site.look(site.state(kubeconfig))
    assert found.findings[0].rule == "drift/identity"
    assert found.findings[0].status is Status.FAIL
    assert found.refused
    assert found.drifted == []


def test_a_user_without_rights_measures_nothing_and_loses_nothing(site: Site) -> None:
    found = site.look(site.state(site.server.kubeconfig_of("nobody")))
    assert [finding.status for finding in found.findings] == [Status.NOT_MEASURABLE]
    assert found.drifted == []


def test_an_unreachable_cluster_is_not_measurable(site: Site) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        closed = f"https://127.0.0.1:{server.getsockname()[1]}"
    kubeconfig = site.server.kubeconfig.replace(site.server.url, closed)
    found = site.look(site.state(kubeconfig))
    (finding,) = found.findings
    assert (finding.rule, finding.status) == ("drift/clusters", Status.NOT_MEASURABLE)
    assert "does not answer" in finding.message
    assert found.drifted == []
