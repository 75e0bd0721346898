"""Rules over what is passed on to kubelet and kube-proxy: it is what the declared release takes."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

import releases
from stacks.advice import Keys, of_type
from stacks.errors import ENVIRONMENT, KeyPath
from stacks.model import HostProfile
from stacks.quantities import amount
from stacks.rules.check import Check
from stacks.wording import BOUNDS, show, suggestion, with_type

_KINDS = {"kubelet": "KubeletConfiguration", "kubeProxy": "KubeProxyConfiguration"}
_TYPES: dict[str, tuple[type | tuple[type, ...], str]] = {
    "array": (list, "a list"),
    "boolean": (bool, "true or false"),
    "integer": (int, "a whole number"),
    "number": ((int, float), "a number"),
    "object": (dict, "a mapping"),
    "string": (str, "text"),
}
_DURATION = re.compile(r"^(0|(\d+(\.\d+)?(ns|us|µs|ms|s|m|h))+)$")
_FORMS = {
    "duration": ("a duration: numbers with the units h, m, s, ms", "write for example 30s or 1h30m"),
    "quantity": ("a quantity of Kubernetes, not negative", "write for example 200m or 500Mi"),
    "threshold": ("a quantity above zero, or a percentage up to 100%", 'write for example 500Mi or "10%"'),
}
_OWN: dict[str, dict[str, str]] = {
    "kubelet": {
        "clusterDNS": "it follows from the cluster's services",
        "clusterDomain": "it is cluster.local everywhere",
        "containerRuntimeEndpoint": "containerd is where the platform put it",
        "podCIDR": "each node's slice is in the ledger",
        "staticPodPath": "kubeadm puts the control plane there",
    },
    "kubeProxy": {
        "clientConnection": "kubeadm makes kube-proxy's way to the API server",
        "clusterCIDR": "it is the pod pool",
        "detectLocalMode": "it is ClusterCIDR: pods of all clusters keep their addresses",
        "hostnameOverride": "it is the node's name",
    },
}
"""Fields that follow from the declaration: another value would contradict the rest of it."""

_GATES = "featureGates"

Fault = tuple[KeyPath, str, str, str]
"""Where in a configuration, what was found, the rule, and the fix."""


def configurations_are_those_of_the_release(check: Check) -> None:
    """kubelet and kube-proxy take what a profile gives them: a host would come up without its kubelet else.

    Fields, types, choices, limits and feature gates are those of the declared release's own source; of an
    unknown field nothing would come, without a word.
    """
    for name, profile in check.environment.host_profiles.items():
        for version in _versions(check, name):
            for kind, at, fields in _configurations(name, profile):
                known = releases.configurations(version)
                rule = f"{_KINDS[kind]} of Kubernetes {releases.minor(version)}"
                for path, got, wanted, fix in faults(fields, known[kind], known["$defs"]):
                    written = check.document.texts.get((*ENVIRONMENT, *at, *path), got)
                    got = written if got == written else got
                    wanted, fix = _of_releases(version, kind, path) or (wanted, fix)
                    _say(check, (*at, *path), got, f"{rule}: {wanted}", fix)


def _of_releases(version: str, kind: str, path: KeyPath) -> tuple[str, str] | None:
    """Rule and fix where it is the release that decides: a field of others, a gate that is locked."""
    is_gate, own = path[:1] == (_GATES,), releases.minor(version)
    what = "feature gate" if is_gate else "field"
    if (found := _schema(own, kind, path)) is not None:
        locked = found.get("enum") if is_gate else None
        # What it is locked to would be taken, until a later release has no such gate.
        return (f"the feature gate is locked to {show(locked[0])}", _removal(found)) if locked else None
    having = {
        name: known for name in releases.configured() if (known := _schema(name, kind, path)) is not None
    }
    if before := [name for name in having if releases.numbers(name) < releases.numbers(own)]:
        rule = f"no such {what}; Kubernetes {before[-1]} was the last that has it"
        return rule, _removal(having[before[-1]]) if is_gate else "remove it"
    if first := next(iter(having), ""):
        rule = f"no such {what}; Kubernetes {first} is the first that has it"
        return rule, f"remove it, or go to {first} first"
    return None


def _removal(gate: Mapping[str, Any]) -> str:
    """What to do about a gate, of which some release may have had no choice."""
    outcome = {True: ": what it turns on is always on", False: ": what it turned on is gone"}
    return f"remove it{outcome[gate['enum'][0]] if 'enum' in gate else ''}"


def _schema(version: str, kind: str, path: KeyPath) -> Mapping[str, Any] | None:
    """The schema of a field of a minor version's configuration; None where it has no such field."""
    known = releases.configurations(version)
    found: Mapping[str, Any] = known[kind]
    for key in path:
        if reference := found.get("$ref"):
            found = known["$defs"][reference.rpartition("#/$defs/")[2]]
        fields = found.get("items") if isinstance(key, int) else found.get("properties", {}).get(key)
        inner = fields or found.get("additionalProperties")
        if not isinstance(inner, Mapping):
            return None
        found = inner
    return found


def _say(check: Check, path: KeyPath, got: str, rule: str, fix: str) -> None:
    """Note a problem once: the releases of two regions may both say it."""
    if all(problem.path != (*ENVIRONMENT, *path) for problem in check.document.problems):
        check.problem(path, got, rule, fix)


def settings_of_the_platform_are_its_own(check: Check) -> None:
    """A profile sets nothing that follows from the declaration: nodes would do other than what it says."""
    for name, profile in check.environment.host_profiles.items():
        for kind, at, fields in _configurations(name, profile):
            for field in fields:
                if why := _OWN[kind].get(field):
                    check.problem(
                        (*at, field), f"the field {field}", f"the platform sets it: {why}", "remove it"
                    )


def images_are_collected_in_order(check: Check) -> None:
    """kubelet stops to collect images below where it begins: it refuses to start otherwise.

    Counted with the release's defaults, which hold where one of the two is not declared.
    """
    low, high = "imageGCLowThresholdPercent", "imageGCHighThresholdPercent"
    for name, profile in check.environment.host_profiles.items():
        path = ("hostProfiles", name, "kubelet")
        for version in _versions(check, name):
            values = {**releases.configurations(version)["defaults"]["kubelet"], **profile.kubelet}
            if all(type(values[key]) is int for key in (low, high)) and values[low] >= values[high]:
                declared = high if high in profile.kubelet else low
                other, better = (
                    (low, f"{low}: {values[high] - 5}")
                    if declared == high
                    else (high, f"{high}: {min(values[low] + 5, 100)}")
                )
                _say(
                    check,
                    (*path, declared),
                    f"{values[declared]}, where {other} is {values[other]}",
                    f"{low} is less than {high}",
                    f"write {better} beside it",
                )


def _versions(check: Check, profile: str) -> Iterator[str]:
    """The versions of Kubernetes of nodes with a profile; the environment's for one that none has."""
    used = {node.region for node in check.nodes() if node.spec.profile == profile}
    versions = {check.environment.versions_of(region).kubernetes for region in used}
    versions = versions or {check.environment.versions.kubernetes}
    yield from (version for version in releases.versions("kubernetes") if version in versions)


def _configurations(name: str, profile: HostProfile) -> Iterator[tuple[str, KeyPath, Mapping[str, Any]]]:
    """Kind, path and fields of each configuration of a profile."""
    for kind, fields in (("kubelet", profile.kubelet), ("kubeProxy", profile.kube_proxy)):
        yield kind, ("hostProfiles", name, kind), fields


def faults(
    value: Any, schema: Mapping[str, Any], known: Mapping[str, Any], path: KeyPath = ()
) -> Iterator[Fault]:
    """What of a value its schema does not take. known: the schemas that others refer to, by name."""
    if reference := schema.get("$ref"):
        schema = known[reference.rpartition("#/$defs/")[2]]
    kind, word = _TYPES.get(schema.get("type", ""), (object, ""))
    if (
        value is None
        or not isinstance(value, kind)
        or (isinstance(value, bool) and word not in ("", "true or false"))
    ):
        keys = Keys(list(schema.get("properties", ()))[:8], schema.get("required", ()))
        yield path, with_type(value, show(value)), word, of_type([word], value, show(value), keys)
    elif "enum" in schema and value not in schema["enum"]:
        taken = [show(one) if one != "" else '""' for one in schema["enum"]]
        rule = f"one of: {', '.join(taken)}"
        yield path, show(value), rule, suggestion(show(value), taken, f"write {' or '.join(taken)}")
    elif isinstance(value, dict):
        yield from _faults_of_fields(value, schema, known, path)
    elif isinstance(value, list):
        for index, entry in enumerate(value):
            yield from faults(entry, schema.get("items", {}), known, (*path, index))
    elif isinstance(value, str):
        form = schema.get("format", "")
        if form in _FORMS and not _reads(form, value):
            yield path, show(value), *_FORMS[form]
    else:
        bounds = ("greater_than_equal", "ge", "minimum", min), ("less_than_equal", "le", "maximum", max)
        for name, letter, limit, worse in bounds:
            if limit in schema and worse(value, schema[limit]) != schema[limit]:
                bound = BOUNDS[name].format(**{letter: schema[limit]})
                yield path, show(value), bound, f"write a value that is {bound}"


def _faults_of_fields(
    value: Mapping[str, Any], schema: Mapping[str, Any], known: Mapping[str, Any], path: KeyPath
) -> Iterator[Fault]:
    fields, others = schema.get("properties", {}), schema.get("additionalProperties", {})
    for key in schema.get("required", ()):
        if key not in value:
            yield path, f"a mapping without `{key}`", f"`{key}` must be there", f"add `{key}: …`"
    for key, entry in value.items():
        inner = fields.get(key, others)
        if inner is False:
            near = suggestion(key, fields, "remove it")
            yield (*path, key), f"the unknown field '{key}'", "no such field", near
        else:
            yield from faults(entry, inner, known, (*path, key))


def _reads(form: str, text: str) -> bool:
    """Whether a text is a duration, a quantity or a threshold."""
    if form == "duration":
        return bool(_DURATION.match(text))
    if form == "threshold" and text.endswith("%"):
        return bool(re.fullmatch(r"\d+(\.\d+)?", text[:-1])) and float(text[:-1]) <= 100
    try:
        return amount(text) > 0 if form == "threshold" else amount(text) >= 0
    except ValueError:
        return False


RULES = (
    configurations_are_those_of_the_release,
    settings_of_the_platform_are_its_own,
    images_are_collected_in_order,
)
