"""Kubernetes objects as resources: one resource per object, in one given cluster, in an order that works."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterable, Sequence
from typing import Any

import pulumi
from pulumi import CustomTimeouts, Output, Resource, ResourceOptions

from components.cluster import Cluster
from components.component import late, named
from components.kinds import kinds
from components.manifests import Manifest
from playbooks import definitions
from playbooks.definitions import FIELD_MANAGER
from playbooks.provider.sdk import Admission, CustomResourceDefinition

_FIRST = frozenset({definitions.KIND, "Namespace"})
# Ready only when pods are: nothing of these is begun before there are nodes to run pods.
_AWAITED = frozenset({"DaemonSet", "Deployment", "StatefulSet"})
_TIMEOUTS = CustomTimeouts(create="5m", update="5m", delete="3m")


class KubernetesObject(pulumi.CustomResource):
    """Any Kubernetes object. Its type is the SDK's own of that kind, so the provider awaits it as such."""

    metadata: Output[Any]
    """Metadata as the cluster has it."""
    status: Output[Any]
    """Status as it was when the object was last awaited; unknown while the object does not exist."""

    def __init__(self, name: str, manifest: Manifest, opts: ResourceOptions, patch: bool = False) -> None:
        """Declare the object, or a part of one (`patch`). `opts` must name its cluster's provider."""
        if manifest["kind"] == "Secret":
            secrets = ResourceOptions(additional_secret_outputs=["data", "stringData"])
            opts = ResourceOptions.merge(opts, secrets)
        token = f"{type_token(manifest)}{'Patch' if patch else ''}"
        super().__init__(token, name, {**_owned(manifest), "status": None}, opts)


def _owned(manifest: Manifest) -> Manifest:
    """The object with one field manager for all runs.

    The provider makes up a name for every resource that it creates. After a run that was killed between
    an object's creation and the state, the next run would then be refused fields that it owns itself.
    """
    metadata = manifest["metadata"]
    annotations = {
        **(metadata.get("annotations") or {}),
        **_awaited(manifest),
        "pulumi.com/patchFieldManager": FIELD_MANAGER,
    }
    return {**_encoded(manifest), "metadata": {**metadata, "annotations": annotations}}


def _awaited(manifest: Manifest) -> dict[str, str]:
    """How the provider awaits a Service or an Ingress: until it has its address, and not for pods.

    By itself the provider waits, too, until the endpoints behind it have not changed for ten seconds. Who
    needs the pods waits for their workload, and who needs the way to them for an `Admission`.
    """
    kind, of = manifest["kind"], manifest.get("spec") or {}
    if kind == "Ingress" or (kind == "Service" and of.get("type") == "LoadBalancer"):
        return {"pulumi.com/waitFor": "jsonpath={.status.loadBalancer.ingress[0]}"}
    return {"pulumi.com/skipAwait": "true"} if kind == "Service" else {}


def _encoded(manifest: Manifest) -> Manifest:
    """A Secret's text under `data`: the provider moves it there only once it knows the cluster."""
    if manifest["kind"] != "Secret" or "stringData" not in manifest:
        return manifest
    texts = {key: late(base64_text, text=text) for key, text in manifest["stringData"].items()}
    kept = {key: value for key, value in manifest.items() if key != "stringData"}
    return {**kept, "data": {**manifest.get("data", {}), **texts}}


def base64_text(text: str) -> str:
    """A text as fields of type bytes want it."""
    return b64encode(text.encode()).decode()


def type_token(manifest: Manifest) -> str:
    """The type by which the Kubernetes provider knows a kind, for example `kubernetes:apps/v1:Deployment`."""
    version = manifest["apiVersion"]
    return f"kubernetes:{version if '/' in version else f'core/{version}'}:{manifest['kind']}"


def declare(
    manifest: Manifest,
    *,
    parent: Resource,
    cluster: Cluster,
    after: Iterable[Resource] = (),
    patch: bool = False,
) -> KubernetesObject:
    """Declare one object in a cluster, after other resources; it goes when the cluster does.

    patch: others make the object, and this is a part. Raises `kinds.UnknownFieldError`.
    """
    name, options = _placed(manifest, cluster.provider, parent, cluster, after)
    return KubernetesObject(name, manifest, options, patch)


def define(
    manifest: Manifest, *, parent: Resource, cluster: Cluster, after: Iterable[Resource] = ()
) -> CustomResourceDefinition:
    """Declare a custom resource definition, as `declare` does objects."""
    return _defined(*_placed(manifest, cluster.crossmesh, parent, cluster, after), manifest, cluster)


def _defined(
    name: str, options: ResourceOptions, manifest: Manifest, cluster: Cluster
) -> CustomResourceDefinition:
    return CustomResourceDefinition(
        name,
        options,
        kubeconfig=cluster.kubeconfig,
        cluster=cluster.provider.urn,
        definition=definitions.folded(manifest),
    )


def admitted(
    manifest: Manifest,
    plural: str,
    *,
    server: str,
    parent: Resource,
    cluster: Cluster,
    after: Iterable[Resource] = (),
) -> Admission:
    """What objects wait for that a webhook which fails closed is asked about: that it answers.

    manifest: a valid object, of a namespace; another of its kind is offered in its place, and never kept.
    plural: its kind in paths. server: who is asked, with its version.
    """
    metadata = manifest["metadata"]
    name, options = _placed(manifest, cluster.crossmesh, parent, cluster, after)
    return Admission(
        named(name, "admission"),
        options,
        kubeconfig=cluster.kubeconfig,
        server=server,
        collection=f"/apis/{manifest['apiVersion']}/namespaces/{metadata['namespace']}/{plural}",
        probe={
            **manifest,
            "metadata": {"generateName": f"{metadata['name']}-", "namespace": metadata["namespace"]},
        },
    )


def _placed(
    manifest: Manifest,
    provider: pulumi.ProviderResource,
    parent: Resource,
    cluster: Cluster,
    after: Iterable[Resource],
) -> tuple[str, ResourceOptions]:
    """Name and options of the resource that stands for an object."""
    if cluster.version and (known := kinds(cluster.version)):
        known.require_known_fields(manifest)
    options = ResourceOptions(
        parent=parent,
        provider=provider,
        depends_on=list(after),
        deleted_with=cluster.deleted_with,
        custom_timeouts=_TIMEOUTS,
    )
    metadata = manifest["metadata"]
    return named(cluster.region, metadata.get("namespace", ""), metadata["name"]), options


class Objects(dict[tuple[str, str], KubernetesObject | CustomResourceDefinition]):
    """Objects that were declared together, by kind and name."""

    def of(self, *kinds: str) -> list[Resource]:
        """Those of certain kinds."""
        return [resource for (kind, _), resource in self.items() if kind in kinds]


def retained(
    manifests: Sequence[Manifest], *, parent: Resource, cluster: Cluster
) -> list[CustomResourceDefinition]:
    """Declare definitions that stay in the cluster when they are declared no more: with them all objects of
    their kinds would go, those of others too.
    """
    made = []
    for manifest in manifests:
        name, options = _placed(manifest, cluster.crossmesh, parent, cluster, ())
        options.retain_on_delete = True
        made.append(_defined(name, options, manifest, cluster))
    return made


def declare_all(
    manifests: Sequence[Manifest], *, parent: Resource, cluster: Cluster, after: Iterable[Resource] = ()
) -> Objects:
    """Declare objects: namespaces and definitions first, then what starts no pod, then workloads.

    Workloads also wait for the cluster's nodes. `after`: what all of them wait for.
    """
    objects, after = Objects(), list(after)

    def stage(manifest: Manifest) -> int:
        return 0 if manifest["kind"] in _FIRST else 2 if manifest["kind"] in _AWAITED else 1

    for number, nodes in enumerate(((), (), cluster.nodes_ready)):
        waits = [*after, *objects.values(), *nodes]
        objects |= {
            (manifest["kind"], manifest["metadata"]["name"]): (
                define if manifest["kind"] == definitions.KIND else declare
            )(manifest, parent=parent, cluster=cluster, after=waits)
            for manifest in manifests
            if stage(manifest) == number
        }
    return objects
