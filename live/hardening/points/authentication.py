"""Section 3: how people log in, and what is written of what they do."""

from __future__ import annotations

from typing import Any

from live.hardening import judges
from live.hardening.cluster_judges import name_of, needing
from live.hardening.facts import ClusterFacts, HostFacts
from live.hardening.judges import API_SERVER, flags
from live.hardening.mends import by_up, in_manifest
from live.hardening.model import (
    Decider,
    Point,
    Scope,
    State,
    Verdict,
    apart,
    either,
    fails,
    few,
    holds,
    unknown,
)

_PROVIDER = ("oidc-issuer-url", "authentication-token-webhook-config-file")
_CONFIGURATION = "authentication-config"
_POLICY = "audit-policy-file"
FLAGS = (*_PROVIDER, _CONFIGURATION, _POLICY)
"""Flags that this section looks at."""
AUDITED = (
    "secrets",
    "configmaps",
    "tokenreviews",
    "pods",
    "deployments",
    "pods/exec",
    "pods/portforward",
    "pods/proxy",
    "services/proxy",
)
"""What an audit policy has to be about: what is secret, what runs, and ways into what runs."""
_WANTED = "an identity provider: --oidc-issuer-url, --authentication-config or a webhook"
_NO_PROVIDER = "no key of the declaration names one yet; `crossmesh kubeconfig` gives a client certificate"


def _identity_provider(facts: HostFacts) -> Verdict:
    arguments = facts.arguments.get(API_SERVER)
    if arguments is None:
        return unknown(judges.absent(API_SERVER))
    known = [name for name in _PROVIDER if arguments.last(name)]
    if (file := arguments.last(_CONFIGURATION)) and not known:
        if facts.authentication is None:
            return unknown(f"{file} may name one, and cannot be read on the host", f"see `jwt` in {file}")
        return either(
            facts.authentication.issuers > 0, f"{file} names {facts.authentication.issuers} issuers"
        )
    there = "; ".join(judges.told(arguments, name) for name in known)
    return either(bool(known), there or "no identity provider: people have certificates or tokens")


def _covers(facts: HostFacts) -> Verdict:
    """By its names: a policy that ends with a rule for everything is about all of them."""
    arguments = facts.arguments.get(API_SERVER)
    if arguments is None:
        return unknown(judges.absent(API_SERVER))
    path = arguments.last(_POLICY)
    if path is None:
        return apart("there is no audit policy, which 3.2.1 says")
    if facts.audit is None:
        return unknown(f"{path} cannot be read on the host", f"see {path} on the host")
    if "*" in facts.audit:
        return holds(f"{path} ends with a rule for everything")
    missing = [name for name in AUDITED if name not in facts.audit]
    return fails(f"{path} does not name {few(missing)}") if missing else holds(f"{path} names them")


_JOINING = "system:bootstrappers"
_NEEDED_TO_JOIN = frozenset(
    {
        ("ClusterRole", "kubeadm:get-nodes"),
        ("ClusterRole", "system:certificates.k8s.io:certificatesigningrequests:nodeclient"),
        ("ClusterRole", "system:node-bootstrapper"),
        ("Role", "kube-proxy"),
        ("Role", "kubeadm:kubelet-config"),
        ("Role", "kubeadm:nodes-kubeadm-config"),
    }
)
"""Roles that kubeadm binds to who joins by a token (its phases addons/proxy, bootstraptoken/node, kubelet and
uploadconfig); those of `kube-system` let it read how the cluster is configured.
"""


@needing("clusterrolebindings", "rolebindings")
def _bootstrap(facts: ClusterFacts) -> Verdict:
    others = sorted(
        f"{name_of(binding)} binds {binding['roleRef']['name']}"
        for binding in (*facts.of("clusterrolebindings"), *facts.of("rolebindings"))
        if (binding["roleRef"].get("kind"), binding["roleRef"]["name"]) not in _NEEDED_TO_JOIN
        and any(_is_joining(subject) for subject in binding.get("subjects") or ())
    )
    return either(not others, few(others) if others else "they may join, and nothing else")


def _is_joining(subject: Any) -> bool:
    return subject.get("kind") == "Group" and str(subject.get("name")).startswith(_JOINING)


POINTS: tuple[Point[Any], ...] = (
    Point(
        number="3.1.1",
        title="People have another way in than client certificates, which cannot be withdrawn",
        scope=Scope.CONTROL_PLANE,
        wanted=_WANTED,
        decided_by=Decider.OPERATOR,
        judge=_identity_provider,
        fix=in_manifest(API_SERVER, _WANTED),
        default=State.FAILS,
        today=_NO_PROVIDER,
    ),
    Point(
        number="3.1.2",
        title="People have another way in than tokens of service accounts",
        scope=Scope.CONTROL_PLANE,
        wanted=_WANTED,
        decided_by=Decider.OPERATOR,
        judge=_identity_provider,
        fix=in_manifest(API_SERVER, _WANTED),
        default=State.FAILS,
        today=_NO_PROVIDER,
    ),
    Point(
        number="3.1.3",
        title="Tokens that nodes join by let nobody do anything else",
        scope=Scope.CLUSTER,
        wanted=f"no role for {_JOINING} but those that joining needs",
        decided_by=Decider.KUBEADM,
        judge=_bootstrap,
        fix="take away the bindings that are named",
        default=State.HOLDS,
        today="kubeadm binds what joining needs; `up` makes a token for each join, which lasts for minutes",
    ),
    Point(
        number="3.2.1",
        title="A policy says what the audit log is about",
        scope=Scope.CONTROL_PLANE,
        wanted=f"--{_POLICY}=…",
        decided_by=Decider.ROLE,
        judge=flags(API_SERVER, judges.given(_POLICY)),
        fix=by_up("audit.enabled: true"),
        default=State.HOLDS,
        today="the role `control_plane` has one, or has that of `audit.policyFile`",
    ),
    Point(
        number="3.2.2",
        title="The audit policy is about secrets, what runs, and ways into it",
        scope=Scope.CONTROL_PLANE,
        wanted="rules for " + ", ".join(AUDITED) + ", or a last rule for everything",
        decided_by=Decider.ROLE,
        judge=_covers,
        fix="add the missing rules to the file that `audit.policyFile` names, and run `pulumi up`",
        default=State.HOLDS,
        today="the role's policy ends with a rule for everything",
    ),
)
