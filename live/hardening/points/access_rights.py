"""Section 5.1: who may do what in a cluster, and who has tokens."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from live.hardening.cluster_judges import (
    NO_PODS,
    Judge,
    Object,
    Right,
    built_in,
    granted,
    name_of,
    needing,
    own_pods,
)
from live.hardening.facts import ClusterFacts
from live.hardening.model import Decider, Point, Scope, State, Verdict, apart, either, fails, few, holds
from policies.roles import released_name, wildcards
from stacks.system_namespaces import ISTIO_INGRESS, ISTIO_SYSTEM, METALLB_SYSTEM

_RIGHTS = ("clusterroles", "clusterrolebindings", "roles", "rolebindings")
_MASTERS = "system:masters"
_ADMINISTRATORS = frozenset({"cluster-admin", "kubeadm:cluster-admins"})
"""The bindings of cluster-admin that Kubernetes and kubeadm make."""
_KUBELETS = "kubeadm:apiserver-kubelet-client"
"""The binding by which API servers ask kubelets, from kubeadm 1.36 on: by `kubeadm:cluster-admins` before."""
_READ = frozenset({"get", "list", "watch"})
_CREATE = frozenset({"create"})
_WRITE = _CREATE | {"update", "patch", "delete"}
_RBAC = "rbac.authorization.k8s.io"
_HOOKS = "admissionregistration.k8s.io"
_CERTIFICATES = "certificates.k8s.io"
NEEDED: Mapping[str, Mapping[tuple[str, str, str], str]] = {
    "5.1.2": {
        (
            "ClusterRole",
            "",
            "istiod-clusterrole-istio-system",
        ): "ways to other clusters, gateways' certificates",
        ("ClusterRole", "", "istio-reader-clusterrole-istio-system"): "istiod of another cluster reads by it",
        ("Role", ISTIO_SYSTEM, "istiod"): "what istiod signs by",
        ("Role", ISTIO_INGRESS, "istio-ingressgateway"): "certificates that the gateway presents",
        ("Role", METALLB_SYSTEM, "controller"): "the key by which MetalLB's speakers know each other",
        ("Role", METALLB_SYSTEM, "pod-lister"): "the same key",
    },
    "5.1.12": {
        (
            "ClusterRole",
            "",
            "istiod-clusterrole-istio-system",
        ): "istiod writes its authority into its webhooks",
        ("ClusterRole", "", "istio-reader-clusterrole-istio-system"): "istiod of another cluster does so",
        ("ClusterRole", "", "metallb-system:controller"): "MetalLB reads its own webhooks",
    },
}
"""Roles of the platform's parts that need such a right, by the point, with what for."""


def _rights(number: str, *rights: Right) -> Judge:
    """Nobody has one of the rights but the platform's parts that need it."""

    @needing(*_RIGHTS)
    def judge(facts: ClusterFacts) -> Verdict:
        needed = NEEDED.get(number, {})
        known, others = [], []
        for kind, namespace, name, binding in granted(facts, rights):
            if (kind, namespace, released_name(name)) in needed or binding == _KUBELETS:
                known.append(name)
            else:
                others.append(f"{binding} binds {name}")
        if others:
            return fails(few(sorted(others)))
        return holds(f"only what needs it: {few(sorted(set(known)))}" if known else "no binding gives it")

    return judge


@needing("clusterrolebindings")
def _administrators(facts: ClusterFacts) -> Verdict:
    bound = [
        name
        for binding in facts.of("clusterrolebindings")
        if binding["roleRef"]["name"] == "cluster-admin"
        and (name := binding["metadata"]["name"]) not in _ADMINISTRATORS
    ]
    return either(not bound, few(sorted(bound)) if bound else "Kubernetes' and kubeadm's own alone")


@needing(*_RIGHTS)
def _wildcards(facts: ClusterFacts) -> Verdict:
    found = [
        f"{name_of(role)}: {words}"
        for kind, plural in (("ClusterRole", "clusterroles"), ("Role", "roles"))
        for role in facts.of(plural)
        if not built_in(role) and not (kind == "ClusterRole" and role.get("aggregationRule"))
        for words in wildcards(kind, role)
    ]
    return either(not found, few(sorted(found)) if found else "none but those allowed in policies/roles.py")


@needing("serviceaccounts")
def _default_accounts(facts: ClusterFacts) -> Verdict:
    giving = [
        str(account["metadata"]["namespace"])
        for account in facts.of("serviceaccounts")
        if account["metadata"]["name"] == "default"
        and account.get("automountServiceAccountToken") is not False
    ]
    return either(not giving, f"in {few(sorted(giving))}" if giving else "none does")


@needing("pods", "namespaces")
def _tokens(facts: ClusterFacts) -> Verdict:
    """A token for an audience of its own, as a sidecar's, says nothing to the API server."""
    pods = own_pods(facts)
    if not pods:
        return apart(NO_PODS)
    having = [name_of(pod) for pod in pods if any(_mounted(pod["spec"]))]
    return either(not having, few(sorted(having)) if having else f"none of {len(pods)} pods has one")


def _mounted(spec: Object) -> Iterator[bool]:
    for volume in spec.get("volumes") or ():
        for source in (volume.get("projected") or {}).get("sources") or ():
            token: Any = source.get("serviceAccountToken")
            yield token is not None and not token.get("audience")


@needing("clusterrolebindings", "rolebindings")
def _masters(facts: ClusterFacts) -> Verdict:
    bound = [
        name_of(binding)
        for binding in (*facts.of("clusterrolebindings"), *facts.of("rolebindings"))
        if not built_in(binding)
        and any(subject.get("name") == _MASTERS for subject in binding.get("subjects") or ())
    ]
    if bound:
        return fails(f"bound by {few(sorted(bound))}")
    if _MASTERS in facts.organizations:
        return fails("the environment's own kubeconfig is of that group")
    return holds("no binding and no kubeconfig of ours is of it")


def _point(
    number: str,
    title: str,
    wanted: str,
    judge: Judge,
    *,
    decided_by: Decider = Decider.OPERATOR,
    default: State = State.HOLDS,
    today: str = "nothing that Crossmesh installs has it",
    fix: str = "",
) -> Point[ClusterFacts]:
    return Point(
        number=number,
        title=title,
        scope=Scope.CLUSTER,
        wanted=wanted,
        decided_by=decided_by,
        judge=judge,
        fix=fix or "take the binding away, or bind a role that gives no more than is needed",
        default=default,
        today=today,
    )


_ONLY = "nobody but parts of the platform that need it"
_IN_CHARTS = (
    "Istio's and MetalLB's roles have it, each for a reason; nothing else that Crossmesh installs does"
)
POINTS: tuple[Point[ClusterFacts], ...] = (
    _point(
        "5.1.1",
        "Nobody may do everything who need not",
        "no binding of cluster-admin but Kubernetes' and kubeadm's",
        _administrators,
        today="Crossmesh binds it to nobody, and the gate refuses who does",
    ),
    _point(
        "5.1.2",
        "Few may read Secrets",
        _ONLY,
        _rights("5.1.2", Right("", "secrets", _READ)),
        decided_by=Decider.COMPONENT,
        today=_IN_CHARTS,
    ),
    _point(
        "5.1.3",
        "Roles name what they give",
        "no * in roles",
        _wildcards,
        decided_by=Decider.COMPONENT,
        today="Istio's and MetalLB's are in policies/roles.py with why; the gate refuses others",
        fix="list groups, resources and verbs in the role",
    ),
    _point("5.1.4", "Few may make pods", _ONLY, _rights("5.1.4", Right("", "pods", _CREATE))),
    _point(
        "5.1.5",
        "The default accounts give no tokens",
        "automountServiceAccountToken: false of each account `default`",
        _default_accounts,
        decided_by=Decider.KUBERNETES,
        default=State.FAILS,
        today="Kubernetes makes these accounts, and Crossmesh leaves them as they are unless "
        "`defaultAccountToken: false` of a namespace is declared: its applications have accounts of their "
        "own",
        fix="give pods that need a token an account of their own, then declare `defaultAccountToken: false` "
        "of the namespace; of one that is not declared, `kubectl patch serviceaccount default "
        "--namespace NAME --patch 'automountServiceAccountToken: false'`",
    ),
    _point(
        "5.1.6",
        "Pods of applications have no token that they do not need",
        "automountServiceAccountToken: false",
        _tokens,
        decided_by=Decider.COMPONENT,
        today="applications of the declaration have none; a sidecar's token is for istiod alone",
        fix="set automountServiceAccountToken: false in the pod, or in its account",
    ),
    _point(
        "5.1.7",
        "Nobody is of the group that no role bounds (system:masters)",
        "no binding and no kubeconfig of it",
        _masters,
        decided_by=Decider.COMPONENT,
        default=State.FAILS,
        today="the kubeconfig that `up` makes is of it, for it has to get in when roles are broken; `up` and "
        "`crossmesh` use it",
        fix="keep the environment's kubeconfig for `up`, and give people accounts with roles of their own",
    ),
    _point(
        "5.1.8",
        "Nobody can give himself more rights (bind, escalate, impersonate)",
        _ONLY,
        _rights(
            "5.1.8",
            *(
                Right(_RBAC, resource, frozenset({"bind", "escalate"}))
                for resource in ("roles", "clusterroles")
            ),
            *(
                Right("", resource, frozenset({"impersonate"}))
                for resource in ("users", "groups", "serviceaccounts")
            ),
        ),
    ),
    _point(
        "5.1.9",
        "Few may make volumes of hosts' directories",
        _ONLY,
        _rights("5.1.9", Right("", "persistentvolumes", _CREATE)),
    ),
    _point(
        "5.1.10",
        "Few reach kubelets through the API server",
        _ONLY,
        _rights("5.1.10", Right("", "nodes/proxy", _READ | _WRITE)),
    ),
    _point(
        "5.1.11",
        "Few may approve certificates",
        _ONLY,
        _rights(
            "5.1.11",
            Right(_CERTIFICATES, "certificatesigningrequests/approval", frozenset({"update", "patch"})),
        ),
    ),
    _point(
        "5.1.12",
        "Few may change or see what admission asks",
        _ONLY,
        _rights(
            "5.1.12",
            *(
                Right(_HOOKS, f"{kind}webhookconfigurations", _READ | _WRITE)
                for kind in ("validating", "mutating")
            ),
        ),
        decided_by=Decider.COMPONENT,
        today=_IN_CHARTS,
    ),
    _point(
        "5.1.13",
        "Few may make tokens of accounts",
        _ONLY,
        _rights("5.1.13", Right("", "serviceaccounts/token", _CREATE)),
    ),
)
