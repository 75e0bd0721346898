"""Sections 5.3 to 5.6: network policies, secrets, provenance of images, namespaces."""

from __future__ import annotations

from collections.abc import Iterator

from live.hardening import judges
from live.hardening.cluster_judges import (
    DEFAULT,
    NO_PODS,
    Judge,
    Object,
    every_container,
    name_of,
    needing,
    no_pod,
    own_namespaces,
    own_pods,
)
from live.hardening.facts import ClusterFacts
from live.hardening.judges import API_SERVER, flags
from live.hardening.mends import in_manifest
from live.hardening.model import Decider, Point, Scope, State, Verdict, apart, either, fails, few
from policies.objects import containers

_STORES = frozenset({"secrets-store.csi.x-k8s.io", "external-secrets.io"})
"""API groups of what brings secrets from a store outside: the Secrets Store CSI driver, External Secrets."""
_PLUGIN = "ImagePolicyWebhook"
_FILTERS = ("RuntimeDefault", "Localhost")
FLAGS = ("enable-admission-plugins",)
"""Flags of the API server that these sections look at."""


def _enforces(facts: ClusterFacts) -> Verdict:
    if facts.adopted:
        return apart(
            "the cluster is adopted: what its network enforces is its owner's, and no object says it"
        )
    return fails("the pods' network of Crossmesh routes, and enforces no NetworkPolicy")


@needing("networkpolicies", "namespaces", "pods")
def _policies(facts: ClusterFacts) -> Verdict:
    names = [str(found["metadata"]["name"]) for found in own_namespaces(facts)]
    if not names:
        return apart("there are no namespaces but the platform's own")
    having = {policy["metadata"]["namespace"] for policy in facts.of("networkpolicies")}
    without = sorted(set(names) - having)
    return either(not without, f"none in {few(without)}" if without else f"in all of {len(names)}")


def _in_variables(spec: Object) -> Iterator[str]:
    for words, container in containers(spec):
        named = [
            str(variable["name"])
            for variable in container.get("env") or ()
            if (variable.get("valueFrom") or {}).get("secretKeyRef")
        ]
        named += [f"all of {source['secretRef'].get('name')}" for source in _sources(container)]
        if named:
            yield f"{words} has {few(named)}"


def _sources(container: Object) -> Iterator[Object]:
    for source in container.get("envFrom") or ():
        if source.get("secretRef"):
            yield source


def _stored(facts: ClusterFacts) -> Verdict:
    known = sorted(_STORES & facts.groups)
    return either(
        bool(known), few(known) if known else "Secrets come from the stack's state into the cluster"
    )


@needing("pods", "namespaces")
def _apart(facts: ClusterFacts) -> Verdict:
    spaces = {str(pod["metadata"]["namespace"]) for pod in own_pods(facts)}
    if not spaces:
        return apart(NO_PODS)
    return either(spaces != {DEFAULT}, f"pods are in {few(sorted(spaces))}")


@needing("pods", "services")
def _nothing_in_default(facts: ClusterFacts) -> Verdict:
    there = [
        f"{kind} {name_of(found)}"
        for kind, plural in (("pod", "pods"), ("service", "services"))
        for found in facts.of(plural)
        if found["metadata"]["namespace"] == DEFAULT and found["metadata"]["name"] != "kubernetes"
    ]
    return either(not there, few(sorted(there)) if there else "nothing is in it")


def _filtered(of_pod: Object, own: Object) -> bool:
    profile = own.get("seccompProfile") or of_pod.get("seccompProfile") or {}
    return profile.get("type") in _FILTERS


def _point(
    number: str,
    title: str,
    wanted: str,
    judge: Judge,
    *,
    decided_by: Decider,
    today: str,
    fix: str,
    default: State = State.HOLDS,
) -> Point[ClusterFacts]:
    return Point(
        number=number,
        title=title,
        scope=Scope.CLUSTER,
        wanted=wanted,
        decided_by=decided_by,
        judge=judge,
        fix=fix,
        default=default,
        today=today,
    )


_NETWORK = (
    _point(
        "5.3.1",
        "The pods' network keeps to NetworkPolicies",
        "a network that enforces them",
        _enforces,
        decided_by=Decider.ROLE,
        default=State.FAILS,
        today="the role `pod_network` makes plain routes; between pods of the mesh, mTLS and Istio's "
        "authorization policies decide",
        fix="let Istio's authorization policies decide between pods of the mesh; another network is not "
        "built yet",
    ),
    _point(
        "5.3.2",
        "Each namespace of applications says which connections it takes",
        "a NetworkPolicy in each",
        _policies,
        decided_by=Decider.OPERATOR,
        default=State.FAILS,
        today="Crossmesh makes none, for its network enforces none (5.3.1)",
        fix="where the network enforces them, add a NetworkPolicy to the namespaces that are named",
    ),
)
_SECRETS = (
    _point(
        "5.4.1",
        "Secrets are files and no variables of the environment",
        "no secretKeyRef and no secretRef in variables",
        no_pod(_in_variables),
        decided_by=Decider.DECLARATION,
        today="a secret of the declaration is where `files` or `environment` puts it",
        fix="declare the secret below `files` of the application, and not below `environment`",
    ),
    _point(
        "5.4.2",
        "Secrets are kept in a store outside of the cluster",
        "the Secrets Store CSI driver, or External Secrets",
        _stored,
        decided_by=Decider.OPERATOR,
        default=State.FAILS,
        today="secrets are kept in the stack, encrypted by its provider, and `up` makes Secrets of them",
        fix="install one of them, and let applications take their secrets from it",
    ),
)
_GENERAL = (
    _point(
        "5.6.1",
        "Applications have namespaces of their own",
        "pods in other namespaces than default",
        _apart,
        decided_by=Decider.DECLARATION,
        today="each application of the declaration names its namespace, and `default` is refused",
        fix="declare a namespace, and the applications in it",
    ),
    _point(
        "5.6.2",
        "Each container has a filter of system calls",
        "seccompProfile: {type: RuntimeDefault}",
        every_container(_filtered, "has no filter"),
        decided_by=Decider.COMPONENT,
        today="applications of the declaration have it for all of their pod, the sidecar among it",
        fix="set seccompProfile: {type: RuntimeDefault} in the pods that are named",
    ),
    _point(
        "5.6.3",
        "Each container says what it may",
        "a securityContext of the pod or the container",
        every_container(lambda of_pod, own: bool(of_pod or own), "says nothing"),
        decided_by=Decider.COMPONENT,
        today="applications of the declaration have both",
        fix="set a securityContext in the pods that are named",
    ),
    _point(
        "5.6.4",
        "Nothing is in the namespace default",
        "no pod and no service but kubernetes",
        _nothing_in_default,
        decided_by=Decider.DECLARATION,
        today="the declaration refuses it for applications",
        fix="move what is named into a namespace of its own",
    ),
)
PROVENANCE = Point(
    number="5.5.1",
    title="Where images come from is asked before they run",
    scope=Scope.CONTROL_PLANE,
    wanted=f"--enable-admission-plugins=…,{_PLUGIN}",
    decided_by=Decider.OPERATOR,
    judge=flags(API_SERVER, judges.includes("enable-admission-plugins", _PLUGIN)),
    fix=in_manifest(API_SERVER, f"--enable-admission-plugins=…,{_PLUGIN}"),
    default=State.FAILS,
    today="it needs a service that judges images, which is the operator's; image bundles of hosts are "
    "checked by their signature",
)
"""Of the API server's flags, and so of hosts."""
POINTS = (*_NETWORK, *_SECRETS, PROVENANCE, *_GENERAL)
