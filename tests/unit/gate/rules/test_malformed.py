"""Nothing that an object may hold stops the gate."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from components.manifests import Manifest, exposure, mesh, named, namespaces, network
from gate.rules import change, own_pack, schema
from releases import default, release
from report.model import SECRET, UNKNOWN, Status
from stacks.model import ApplicationSpec, IngressPath, IngressSpec, NamespaceSpec
from tests.unit.components import support as components
from tests.unit.gate.rules.support import changes, kubernetes, region, subject, update
from tests.unit.gate.rules.test_schema import definition, shop
from tests.unit.policies.support import web
from tests.unit.policies.test_exposed import route, virtual_service
from tests.unit.policies.test_exposure import ANYBODY, gateway, policy, tokens


def platform() -> list[Manifest]:
    """An object of each kind that any rule looks at."""
    spec = IngressSpec(
        namespace="shop", host="a.example.com", paths=(IngressPath(path="/", application="web"),)
    )
    scaler = {"scaleTargetRef": {"kind": "Deployment", "name": "web"}, "minReplicas": 2}
    return [
        *web(2),
        *gateway(),
        *network.release(
            components.metallb(default("metallb")),
            images=release("metallb", default("metallb")).images,
            ca_bundle="",
            certificate="",
            private_key="",
            ca_certificate="",
        ),
        exposure.ingress("shop", spec, {"web": ApplicationSpec(namespace="shop", image="web:1")}),
        route("Gateway"),
        virtual_service("main"),
        tokens("shop"),
        policy("shop", ANYBODY),
        mesh.peer_authentication("shop", "STRICT"),
        mesh.locality_failover("shop"),
        namespaces.application("shop", NamespaceSpec(pod_security="privileged")),
        network.slices("eu", "172.30.0.0/20", "172.31.0.0/20", {"eu-cp-1": "172.30.0.0/24"}),
        named("autoscaling/v2", "HorizontalPodAutoscaler", "web", "shop", spec=scaler),
        named("rbac.authorization.k8s.io/v1", "Role", "r", "shop", rules=[{"verbs": ["get"]}]),
        named("rbac.authorization.k8s.io/v1", "RoleBinding", "r", "shop", roleRef={"name": "view"}),
        definition(),
        shop(),
    ]


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Paths of all parts of an object but what makes it a resource."""
    if path and path[0] not in ("apiVersion", "kind") and path != ("metadata",):
        yield path
    entries = (
        value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    )
    for key, entry in entries:
        yield from places(entry, (*path, key))


def spoilt(manifest: Manifest, path: tuple[Any, ...], junk: Any) -> Manifest:
    """A copy with junk in one place."""
    made = copy.deepcopy(manifest)
    holder: Any = made
    for key in path[:-1]:
        holder = holder[key]
    holder[path[-1]] = junk
    return made


@pytest.mark.parametrize("junk", ["x", 7, None, [], ["x"], {}, {"x": "y"}, True, UNKNOWN, SECRET], ids=repr)
def test_rules_survive_junk_anywhere(junk: Any) -> None:
    good = [kubernetes(manifest) for manifest in platform()]
    changed = [
        update(old, replace(old, urn=f"{old.urn}-{index}", inputs=spoilt(dict(old.inputs), path, junk)))
        for old in good
        for index, path in enumerate(places(dict(old.inputs)))
    ]
    everything = subject(changes(*changed, same=[*good, region("eu")]))
    findings = [*own_pack.findings(everything), *schema.findings(everything)]
    for check in change.CHECKS:
        findings += check.findings(everything)
    assert any(found.status is not Status.PASS for found in findings)
