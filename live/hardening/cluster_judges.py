"""Judgements over a cluster's facts that several points have in common."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from live.hardening.facts import ClusterFacts
from live.hardening.model import Verdict, apart, either, few, unknown
from policies.objects import containers
from stacks.system_namespaces import SYSTEM_NAMESPACES

Judge = Callable[[ClusterFacts], Verdict]
Object = Mapping[str, Any]
DEFAULT = "default"
_BUILT_IN = "kubernetes.io/bootstrapping"
_SYSTEM = frozenset(SYSTEM_NAMESPACES) - {DEFAULT}
_ALL_POWERFUL = "cluster-admin"
NO_PODS = "no pods run but the platform's own"


def needing(*kinds: str) -> Callable[[Judge], Judge]:
    """A judgement that is made only where these kinds could be listed."""

    def made(judge: Judge) -> Judge:
        def judged(facts: ClusterFacts) -> Verdict:
            missing = [facts.problems[kind] for kind in kinds if kind in facts.problems]
            return unknown("; ".join(missing)) if missing else judge(facts)

        return judged

    return made


# -- Names


def name_of(found: Object) -> str:
    """Namespace and name of an object, as far as it has them."""
    metadata = found["metadata"]
    namespace = metadata.get("namespace")
    return f"{namespace}/{metadata['name']}" if namespace else str(metadata["name"])


def built_in(found: Object) -> bool:
    """Whether it is one of Kubernetes' own roles or bindings, which the API server keeps as they are."""
    return _BUILT_IN in (found["metadata"].get("labels") or {})


def own_namespaces(facts: ClusterFacts) -> list[Object]:
    """Namespaces that are not the platform's; `default` is one where pods run in it."""
    used = {pod["metadata"]["namespace"] for pod in facts.of("pods")}
    return [
        found
        for found in facts.of("namespaces")
        if (name := found["metadata"]["name"]) not in _SYSTEM and (name != DEFAULT or name in used)
    ]


def own_pods(facts: ClusterFacts) -> list[Object]:
    """Pods outside of the platform's namespaces that have not ended."""
    return [
        pod
        for pod in facts.of("pods")
        if pod["metadata"]["namespace"] not in _SYSTEM
        and (pod.get("status") or {}).get("phase") not in ("Succeeded", "Failed")
    ]


# -- Rights


@dataclass(frozen=True)
class Right:
    """What a role may give."""

    group: str
    resource: str
    verbs: frozenset[str]

    def in_rule(self, rule: Object) -> bool:
        """Whether a rule gives it for more than objects that it names."""
        return (
            not rule.get("resourceNames")
            and bool({self.group, "*"} & set(rule.get("apiGroups") or ()))
            and bool({self.resource, "*"} & set(rule.get("resources") or ()))
            and bool({*self.verbs, "*"} & set(rule.get("verbs") or ()))
        )


def granted(facts: ClusterFacts, rights: Sequence[Right]) -> Iterator[tuple[str, str, str, str]]:
    """Who gets one of the rights: kind, namespace and name of the role, and the binding's name.

    Left out are Kubernetes' own bindings, and those of cluster-admin, which 5.1.1 is about.
    """
    roles = {
        (kind, role["metadata"].get("namespace") or "", role["metadata"]["name"]): role
        for kind, plural in (("ClusterRole", "clusterroles"), ("Role", "roles"))
        for role in facts.of(plural)
    }
    for binding in (*facts.of("clusterrolebindings"), *facts.of("rolebindings")):
        reference = binding["roleRef"]
        if built_in(binding) or not binding.get("subjects") or reference["name"] == _ALL_POWERFUL:
            continue
        kind = str(reference["kind"])
        namespace = binding["metadata"].get("namespace", "") if kind == "Role" else ""
        role = roles.get((kind, namespace, reference["name"])) or {}
        if any(right.in_rule(rule) for rule in role.get("rules") or () for right in rights):
            yield kind, namespace, str(reference["name"]), name_of(binding)


# -- Pods


def no_pod(what: Callable[[Object], Iterator[str]]) -> Judge:
    """No pod of an application does something. what: gives, of a pod's spec, in words how it does."""

    @needing("pods", "namespaces")
    def judge(facts: ClusterFacts) -> Verdict:
        pods = own_pods(facts)
        if not pods:
            return apart(NO_PODS)
        found: dict[str, list[str]] = {}
        for pod in pods:
            for words in what(pod["spec"]):
                found.setdefault(words, []).append(name_of(pod))
        there = [f"{words} ({few(names)})" for words, names in found.items()]
        return either(not there, few(there) if there else f"none of {len(pods)} pods does")

    return judge


def every_container(good: Callable[[Object, Object], bool], lacking: str) -> Judge:
    """Each container of applications' pods is as it should. good: of a pod's and a container's context."""

    def what(spec: Object) -> Iterator[str]:
        of_pod = spec.get("securityContext") or {}
        for words, container in containers(spec):
            if not good(of_pod, container.get("securityContext") or {}):
                yield f"{words} {lacking}"

    return no_pod(what)
