"""Policies called as the engine's SDK calls them, and as the gate does; both must say the same."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import pulumi_policy
from pulumi_policy.proxy import UnknownValueError, unknown_checking_proxy

from components.component import named
from components.kubernetes_object import type_token
from components.manifests import Manifest, applications
from gate.rules.own_pack import Props
from stacks.model import ApplicationSpec

EU = "urn:pulumi:lab::crossmesh::pulumi:providers:kubernetes::eu.kubernetes"
US = "urn:pulumi:lab::crossmesh::pulumi:providers:kubernetes::us.kubernetes"
NOT_KNOWN = "not known"
"""Stands among violations for the error that ends a policy that met a value that is not known."""

_OPTIONS = pulumi_policy.PolicyResourceOptions(
    False, [], None, [], pulumi_policy.PolicyCustomTimeouts(0, 0, 0), [], None
)


def web(replicas: int = 2, **more: Any) -> list[Manifest]:
    """The objects of an application called `web` in the namespace `shop`, as the platform makes them."""
    spec = ApplicationSpec(
        namespace="shop", image="registry.example.com/web:1.2.3", replicas=replicas, **more
    )
    return applications.objects("web", spec, region="eu")


def pod_of(manifests: Sequence[Manifest]) -> Manifest:
    """The pod's spec in the deployment among objects."""
    found = next(entry for entry in manifests if entry["kind"] == "Deployment")
    spec: Manifest = found["spec"]["template"]["spec"]
    return spec


def changed(manifest: Manifest, value: Any, *path: str | int) -> Manifest:
    """A copy of an object with one value set; None removes it."""
    made = copy.deepcopy(manifest)
    holder: Any = made
    for key in path[:-1]:
        holder = holder[key] if isinstance(key, int) else holder.setdefault(key, {})
    if value is None:
        del holder[path[-1]]
    else:
        holder[path[-1]] = value
    return made


def urn_of(manifest: Mapping[str, Any], cluster: str = EU) -> str:
    """The URN that an object gets here."""
    region = cluster.rpartition("::")[2].partition(".")[0]
    metadata = manifest["metadata"]
    name = named(region, metadata.get("namespace", ""), metadata["name"])
    return f"urn:pulumi:lab::crossmesh::{type_token(dict(manifest))}::{name}"


def violations(policy: Any, *manifests: Manifest, clusters: Iterable[str] = (EU,)) -> list[str]:
    """What a policy says of objects: messages; those of policies over stacks begin with the name."""
    by_sdk = _say(policy, manifests, clusters, unknown_checking_proxy)
    by_gate = _say(policy, manifests, clusters, lambda props: Props(props, "urn"))
    assert by_sdk == by_gate
    return by_sdk


def _say(policy: Any, manifests: Sequence[Manifest], clusters: Iterable[str], proxy: Any) -> list[str]:
    said: list[str] = []

    def report(message: str, urn: str | None = None) -> None:
        said.append(f"{urn.rpartition('::')[2]}: {message}" if urn else message)

    try:
        if isinstance(policy, pulumi_policy.ResourceValidationPolicy):
            for manifest in manifests:
                policy.validate(_alone(manifest, proxy), report)
        else:
            found = [_in_stack(manifest, proxy, cluster) for cluster in clusters for manifest in manifests]
            policy.validate(pulumi_policy.StackValidationArgs(found), report)
    except UnknownValueError:
        said.append(NOT_KNOWN)
    return said


def _alone(manifest: Manifest, proxy: Any) -> Any:
    urn = urn_of(manifest)
    return pulumi_policy.ResourceValidationArgs(
        type_token(manifest), proxy(copy.deepcopy(manifest)), urn, urn.rpartition("::")[2], _OPTIONS, None
    )


def _in_stack(manifest: Manifest, proxy: Any, cluster: str) -> Any:
    urn = urn_of(manifest, cluster)
    provider = pulumi_policy.PolicyProviderResource("pulumi:providers:kubernetes", {}, cluster, "kubernetes")
    return pulumi_policy.PolicyResource(
        type_token(manifest),
        proxy(copy.deepcopy(manifest)),
        urn,
        urn.rpartition("::")[2],
        _OPTIONS,
        provider,
        None,
        [],
        {},
    )
