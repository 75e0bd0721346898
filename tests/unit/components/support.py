"""Runs the program against a monitor that records every registration, on small charts, not the real ones."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pulumi
from pulumi.runtime import mocks, rpc
from pulumi.runtime.settings import SETTINGS
from pulumi.runtime.stack import run_pulumi_func
from pulumi.runtime.sync_await import _ensure_event_loop, _sync_await

from report.provenance import Provenances
from stacks.load import Stack, load_stack

ROOT = Path(__file__).resolve().parents[3]
KUBECONFIG = """\
apiVersion: v1
kind: Config
current-context: there
contexts: [{name: there, context: {cluster: there, user: me}}]
clusters: [{name: there, cluster: {server: "https://192.0.2.1:6443", certificate-authority-data: Q0E=}}]
users: [{name: me, user: {token: none}}]
"""

# What the provider would answer, by type: enough to be told apart.
_ANSWERS: dict[str, Callable[[mocks.MockResourceArgs], dict[str, Any]]] = {
    "crossmesh:tls:CertificateAuthority": lambda args: {
        "private_key": f"key of {args.name}",
        "chain": f"certificate of {args.name}",
        "certificate": f"certificate of {args.name}",
        "root_certificate": f"root of {args.name}",
        "not_after": "2030-01-01T00:00:00Z",
        "public_key_hash": "sha256:00",
        **{key: value for key, value in args.inputs.items() if key == "private_key"},
    },
    "crossmesh:tls:Certificate": lambda args: {
        "private_key": f"key of {args.name}",
        "chain": f"chain of {args.name}",
        "certificate": f"certificate of {args.name}",
        "not_after": "2030-01-01T00:00:00Z",
    },
    "crossmesh:tls:GivenCertificate": lambda args: {"certificate": f"certificate of {args.name}"},
    "crossmesh:hosts:HostPhase": lambda args: {"digest": "0"},
    "crossmesh:network:TunnelKey": lambda args: {
        "private_key": f"private key of {args.name}",
        "public_key": f"public key of {args.name}",
    },
    "crossmesh:tls:SigningKey": lambda args: {
        "private_key": f"private key of {args.name}",
        "public_key": f"public key of {args.name}",
    },
    "crossmesh:kubernetes:EncryptionKey": lambda args: {
        "key_name": f"name of {args.name}",
        "secret": f"secret of {args.name}",
    },
    "crossmesh:kubernetes:ClusterIdentity": lambda args: {"uid": f"uid of {args.name}"},
    "crossmesh:kubernetes:ServiceAccountToken": lambda args: {
        "token": f"token of {args.name}",
        "expires_at": "",
    },
    "kubernetes:core/v1:Service": lambda args: {
        "status": {"loadBalancer": {"ingress": [{"ip": "198.51.100.1"}]}}
    },
}


@dataclass
class Registered:
    """One resource as it was registered."""

    urn: str
    type: str
    name: str
    inputs: dict[str, Any]
    parent: str
    provider: str
    depends_on: frozenset[str]
    deleted_with: str
    custom: bool
    secrets: frozenset[str]
    outputs: bool = False
    """Whether it registered its outputs (components do)."""

    region: str = ""
    """Of itself or its nearest ancestor that names one."""
    declared: tuple[str, ...] = ()
    """Path of its key in the declaration, likewise."""

    @property
    def kubernetes(self) -> bool:
        """Whether it is an object in a cluster."""
        return self.type.startswith("kubernetes:")


@dataclass
class Recording:
    """Everything that one run of a program registered."""

    resources: dict[str, Registered] = field(default_factory=dict)

    def one(self, type_: str, name: str) -> Registered:
        """The resource of that type and name."""
        found = [each for each in self.resources.values() if (each.type, each.name) == (type_, name)]
        assert len(found) == 1, f"{len(found)} resources are {type_} {name}"
        return found[0]

    def of(self, type_: str) -> list[Registered]:
        """All of a type."""
        return [each for each in self.resources.values() if each.type == type_]

    def ancestors(self, resource: Registered) -> list[Registered]:
        """The components that a resource is part of, from its parent up."""
        found = []
        while (parent := self.resources.get(resource.parent)) is not None:
            found.append(parent)
            resource = parent
        return found

    def needs(self, resource: Registered) -> set[str]:
        """URNs of everything that must be there before a resource, however indirectly."""
        found: set[str] = set()
        ahead = [resource.urn]
        while ahead:
            known = self.resources.get(ahead.pop())
            if known is None:
                continue
            provider = known.provider.rpartition("::")[0]
            new = (set(known.depends_on) | ({provider} if provider else set())) - found
            found |= new
            ahead += new
        return found

    def cluster_of(self, resource: Registered) -> str:
        """Name of the Kubernetes provider through which an object is written; empty when it has none."""
        return resource.provider.rpartition("::")[0].rpartition("::")[2]


class _Answers(mocks.Mocks):
    def __init__(self, *, preview: bool) -> None:
        self._preview = preview

    def new_resource(self, args: mocks.MockResourceArgs) -> tuple[str | None, dict[str, Any]]:
        answer = _ANSWERS.get(args.typ)
        # In a preview nothing exists, so only what the program gave is known.
        known = {} if self._preview or answer is None else answer(args)
        return ("" if self._preview else f"{args.name}-id"), {**args.inputs, **known}

    def call(self, args: mocks.MockCallArgs) -> tuple[dict[str, Any], None]:
        raise AssertionError(f"{args.token}: the program must ask nothing of a cluster")


class _Monitor(mocks.MockMonitor):
    def __init__(self, answers: mocks.Mocks, recording: Recording) -> None:
        super().__init__(answers)
        self._recording = recording

    def RegisterResource(self, request: Any) -> Any:
        response = super().RegisterResource(request)
        if request.type == "pulumi:pulumi:Stack":
            return response
        _ensure_event_loop()
        assert response.urn not in self._recording.resources, f"registered twice: {response.urn}"
        self._recording.resources[response.urn] = Registered(
            urn=response.urn,
            type=request.type,
            name=request.name,
            inputs=_plain(rpc.deserialize_properties(request.object)),
            parent=request.parent,
            provider=request.provider,
            depends_on=frozenset(request.dependencies),
            deleted_with=request.deletedWith,
            custom=request.custom,
            secrets=frozenset(request.additionalSecretOutputs),
        )
        return response

    def RegisterResourceOutputs(self, request: Any) -> Any:
        if request.urn in self._recording.resources:
            self._recording.resources[request.urn].outputs = True
        return super().RegisterResourceOutputs(request)


def _plain(value: Any) -> Any:
    """Without the marks of secrets."""
    if rpc.is_rpc_secret(value):
        return _plain(rpc.unwrap_rpc_secret(value))
    if isinstance(value, dict):
        return {key: _plain(entry) for key, entry in value.items()}
    return [_plain(entry) for entry in value] if isinstance(value, list) else value


def run(program: Callable[[], Any], *, preview: bool) -> Recording:
    """Run a program to its end and return what it registered."""
    # A test of another kind on the same worker may have closed its loop and left none.
    _ensure_event_loop()
    recording = Recording()
    answers = _Answers(preview=preview)
    mocks.set_mocks(
        answers, project="crossmesh", stack="lab", preview=preview, monitor=_Monitor(answers, recording)
    )
    SETTINGS.rpc_manager.clear()
    SETTINGS.outputs.clear()

    def whole() -> Any:
        return _sync_await(pulumi.Output.from_input(program()).future())

    try:
        _sync_await(run_pulumi_func(whole))
    except BaseException:
        _retrieve()
        raise
    provenances = Provenances({urn: vars(each) for urn, each in recording.resources.items()})
    for urn, each in recording.resources.items():
        each.region, each.declared = provenances[urn].region, provenances[urn].declared
    return recording


def _retrieve() -> None:
    """Take note of what became of every future of a program that failed.

    For each property of a resource that was not registered the SDK makes three of them fail, and awaits one:
    asyncio complains of each of the others, with a traceback, when it is gone.
    """
    if pending := asyncio.all_tasks(_ensure_event_loop()):
        _sync_await(asyncio.wait(pending, timeout=10))
    for found in gc.get_objects():
        if isinstance(found, asyncio.Future) and found.done() and not found.cancelled():
            found.exception()


def reference_stack() -> Stack:
    """The lab's stack, as it ships."""
    return load_stack(ROOT / "stacks" / "Pulumi.lab.yaml")


def chart(
    chart_: str,
    release: str,
    namespace: str,
    values: Mapping[str, Any],
    *,
    version: str,
    kubernetes: str | None,
) -> list[Any]:
    """In place of `charts.istio`: of each chart the objects that the components name or treat apart."""

    def found(
        api_version: str, kind: str, name: str, in_namespace: bool = True, **rest: Any
    ) -> dict[str, Any]:
        metadata = {"name": name, **({"namespace": namespace} if in_namespace else {})}
        return {"apiVersion": api_version, "kind": kind, "metadata": metadata, **rest}

    def webhook(kind: str, name: str) -> dict[str, Any]:
        webhooks = [{"name": "w", "clientConfig": {"service": {"name": "istiod"}}, "failurePolicy": "Ignore"}]
        return found("admissionregistration.k8s.io/v1", kind, name, False, webhooks=webhooks)

    def service(value: Mapping[str, Any]) -> dict[str, Any]:
        made = found("v1", "Service", release, spec={**value})
        made["metadata"]["annotations"] = made["spec"].pop("annotations")
        return made

    definition = "apiextensions.k8s.io/v1", "CustomResourceDefinition"
    versions: dict[str, Any] = {"versions": []}
    if chart_ == "base":
        return [
            found(*definition, "peerauthentications.security.istio.io", False, spec=versions),
            found("v1", "ServiceAccount", "istio-reader-service-account"),
            webhook("ValidatingWebhookConfiguration", "istiod-default-validator"),
        ]
    if chart_ == "gateway":
        return [
            found("apps/v1", "Deployment", release, spec={"replicas": values["replicaCount"]}),
            service(values["service"]),
        ]
    return [
        found("v1", "ServiceAccount", "istiod"),
        found("v1", "ConfigMap", "istio", data={"trustDomain": values["meshConfig"]["trustDomain"]}),
        found("apps/v1", "Deployment", "istiod", spec={"replicas": values["replicaCount"]}),
        found("v1", "Service", "istiod", spec={}),
        webhook("MutatingWebhookConfiguration", "istio-sidecar-injector"),
        webhook("ValidatingWebhookConfiguration", "istio-validator-istio-system"),
    ]


def gateway_api(version: str) -> list[Any]:
    """In place of `charts.gateway_api`: a definition of each kind that routes are made of."""
    return [
        {
            "apiVersion": "apiextensions.k8s.io/v1",
            "kind": "CustomResourceDefinition",
            "metadata": {
                "name": f"{plural}.gateway.networking.k8s.io",
                "annotations": {"gateway.networking.k8s.io/bundle-version": f"v{version}"},
            },
            "spec": {"versions": []},
        }
        for plural in ("gateways", "httproutes")
    ]


def metallb(version: str) -> list[Any]:
    """In place of `charts.metallb`: one object of each kind that is treated apart."""
    namespace = "metallb-system"
    probe = {
        "httpGet": {"path": "/readyz", "port": 17472},
        "initialDelaySeconds": 10,
        "periodSeconds": 10,
    }

    def pods(name: str) -> dict[str, Any]:
        return {
            "template": {
                "spec": {"containers": [{"name": name, "args": ["--port=9120"], "readinessProbe": probe}]}
            }
        }

    def found(api_version: str, kind: str, name: str, namespaced: bool = True, **rest: Any) -> dict[str, Any]:
        metadata = {"name": name, **({"namespace": namespace} if namespaced else {})}
        return {"apiVersion": api_version, "kind": kind, "metadata": metadata, **rest}

    conversion = {
        "strategy": "Webhook",
        "webhook": {"clientConfig": {"service": {"name": "metallb-webhook-service"}}},
    }
    definition = "apiextensions.k8s.io/v1", "CustomResourceDefinition"
    versions: dict[str, Any] = {"versions": []}
    webhooks = [
        {
            "name": "w",
            "clientConfig": {"service": {"name": "metallb-webhook-service"}},
            "failurePolicy": "Fail",
        }
    ]
    return [
        found("v1", "Namespace", namespace, False),
        found(*definition, "bgppeers.metallb.io", False, spec={"conversion": conversion, **versions}),
        found(*definition, "ipaddresspools.metallb.io", False, spec=versions),
        found("v1", "Secret", "metallb-webhook-cert"),
        found("v1", "Service", "metallb-webhook-service", spec={}),
        found("apps/v1", "Deployment", "controller", spec=pods("controller")),
        found("apps/v1", "DaemonSet", "speaker", spec=pods("speaker")),
        found(
            "admissionregistration.k8s.io/v1",
            "ValidatingWebhookConfiguration",
            "metallb-webhook-configuration",
            False,
            webhooks=webhooks,
        ),
    ]
