"""What policies read of Kubernetes objects.

Values may be the SDK's proxies: mappings and sequences that are no `dict` and no `list`, and that raise
`pulumi_policy.proxy.UnknownValueError` where a value is known only when the change is applied.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from pulumi_policy.proxy import UNKNOWN_ARRAY_VALUE, UNKNOWN_OBJECT_VALUE, UnknownValueError

Object = Mapping[str, Any]

MALFORMED = (AttributeError, KeyError, TypeError, ValueError)
"""What policies meet in objects that are not of the form that their kind has. Schemas say what is wrong."""

_PREFIX = "kubernetes:"

_POD_TEMPLATES: Mapping[str, tuple[str, ...]] = {
    "CronJob": ("spec", "jobTemplate", "spec", "template"),
    "DaemonSet": ("spec", "template"),
    "Deployment": ("spec", "template"),
    "Job": ("spec", "template"),
    "Pod": (),
    "PodTemplate": ("template",),
    "ReplicaSet": ("spec", "template"),
    "ReplicationController": ("spec", "template"),
    "StatefulSet": ("spec", "template"),
}
"""Where each kind that makes pods keeps what they are made from."""


def kind_of(resource_type: str) -> str:
    """The kind of a Kubernetes object by its resource's type; empty for anything else."""
    return resource_type.rpartition(":")[2] if resource_type.startswith(_PREFIX) else ""


def group_of(resource_type: str) -> str:
    """The API group of a Kubernetes object by its resource's type; empty for the core group."""
    group, slash, _ = resource_type.removeprefix(_PREFIX).rpartition(":")[0].partition("/")
    return group if slash and group != "core" else ""


def pod_template(resource_type: str, props: Object) -> Object:
    """What pods are made from: `metadata` and `spec`. Empty for objects that make no pods."""
    path = _POD_TEMPLATES.get(kind_of(resource_type))
    return {} if path is None else at(props, *path)


def at(value: Object, *path: str) -> Object:
    """The mapping at a path; an empty one where there is none.

    Raises `UnknownValueError` for anything else: it is a secret, which hides what it holds, or malformed.
    """
    for index, key in enumerate(path):
        value = value.get(key) or {}
        if not isinstance(value, Mapping):
            raise UnknownValueError(UNKNOWN_OBJECT_VALUE, list(path[: index + 1]))
    return value


def items(value: Object, key: str) -> Sequence[Any]:
    """The list at a key; an empty one where there is none. Raises `UnknownValueError` as `at` does."""
    found = value.get(key) or ()
    if isinstance(found, str) or not isinstance(found, Sequence):
        raise UnknownValueError(UNKNOWN_ARRAY_VALUE, [key])
    return found


def containers(pod: Object, *, ephemeral: bool = True) -> Iterator[tuple[str, Object]]:
    """Every container of a pod's spec with words for what it is, init and ephemeral ones included."""
    for kind in ("init ", "", "ephemeral ") if ephemeral else ("init ", ""):
        for container in items(pod, f"{kind.strip()}Containers" if kind else "containers"):
            yield f"{kind}container {container.get('name')}", container


def metadata(props: Object) -> tuple[str, str]:
    """Namespace (empty for objects without one) and name of an object."""
    found = at(props, "metadata")
    return str(found.get("namespace") or ""), str(found.get("name") or "")


@dataclass(frozen=True)
class Declared:
    """A Kubernetes object of a stack."""

    urn: str
    kind: str
    group: str
    namespace: str
    name: str
    props: Object

    def __str__(self) -> str:
        return f"{self.kind} {self.namespace}/{self.name}" if self.namespace else f"{self.kind} {self.name}"


class Unknowns:
    """Lets a policy over many objects go on with the others when one cannot be looked at.

    What was met is raised in the end, so that the policy does not count as passed.
    """

    def __init__(self) -> None:
        self._met: list[Exception] = []

    @contextmanager
    def put_off(self) -> Iterator[None]:
        """Keep the error of what is in the block."""
        try:
            yield
        except (UnknownValueError, *MALFORMED) as error:
            self._met.append(error)

    def raise_any(self) -> None:
        """Raise the first error that was kept."""
        if self._met:
            raise self._met[0]


def by_cluster(
    resources: Sequence[Any], kinds: Collection[str], unknowns: Unknowns
) -> dict[str, list[Declared]]:
    """A stack's Kubernetes objects of some kinds by cluster, in the order of the SDK's `PolicyResource`s.

    The engine hands out outputs here. Those of a cluster that does not exist yet are empty, which is to be
    told apart from objects with nothing wrong in them.
    """
    found: dict[str, list[Declared]] = {}
    for resource in resources:
        kind = kind_of(resource.resource_type)
        if kind not in kinds or resource.provider is None:
            continue
        with unknowns.put_off():
            if not len(resource.props):
                raise UnknownValueError(UNKNOWN_OBJECT_VALUE, [resource.name])
            group, names = group_of(resource.resource_type), metadata(resource.props)
            declared = Declared(resource.urn, kind, group, *names, resource.props)
            found.setdefault(resource.provider.urn, []).append(declared)
    return found


def selects(selector: Object, labels: Object) -> bool:
    """Whether a label selector (`matchLabels` and `matchExpressions`) selects something with these labels."""
    wanted = selector.get("matchLabels") or {}
    if any(labels.get(key) != value for key, value in wanted.items()):
        return False
    return all(_meets(expression, labels) for expression in items(selector, "matchExpressions"))


def _meets(expression: Object, labels: Object) -> bool:
    key, values = str(expression.get("key")), list(items(expression, "values"))
    match expression.get("operator"):
        case "In":
            return key in labels and labels[key] in values
        case "NotIn":
            return key not in labels or labels[key] not in values
        case "Exists":
            return key in labels
        case _:
            return key not in labels
