"""Builders for the operations' tests: a platform of the reference stack, clusters that answer from memory,
PKI.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from kubernetes import client

from access.outputs import parse_outputs
from access.programs import Executed
from live.doctor.model import Finding, Watch
from live.doctor.platform import Platform
from stacks.load import load_stack
from stacks.model import BareMetalClusterSpec


def without_secrets(text: str) -> str:
    """A stack file's text without what `pulumi config set --secret` adds."""
    return re.sub(r"(?m)^ *crossmesh:meshRootKey:\n +secure: .*\n|^encryptionsalt: .*\n", "", text)


ROOT = Path(__file__).resolve().parents[3]
STACK_FILE = ROOT / "stacks" / "Pulumi.lab.yaml"
STACK = load_stack(STACK_FILE)
# The reference as it is committed, whatever secrets a developer's copy holds at the moment.
STACK_TEXT = without_secrets(STACK_FILE.read_text())
APPLICATIONS = ("asset-consumer-svc", "asset-dashboard-bff-svc", "asset-mgr-ms-svc")
HOST = "assetmanagement.greencompute.lab.crossmesh.test"


@dataclass(frozen=True)
class Issued:
    """A certificate with its key."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey

    @property
    def pem(self) -> str:
        """The certificate."""
        return self.certificate.public_bytes(Encoding.PEM).decode()

    @property
    def key_pem(self) -> str:
        """The key."""
        return self.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


def issue(
    name: str,
    issuer: Issued | None = None,
    *,
    ca: bool = False,
    days: float = 90,
    age: float = 1,
    sans: tuple[x509.GeneralName, ...] = (),
) -> Issued:
    """A certificate that began `age` days ago and lasts `days` from now; self-signed without an issuer."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    public = key.public_key()
    signer = issuer.key if issuer else key
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer.certificate.subject if issuer else subject)
        .public_key(public)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=age))
        .not_valid_after(now + timedelta(days=days))
        .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()), critical=False
        )
    )
    if ca:
        usage = x509.KeyUsage(False, False, False, False, False, True, True, False, False)
        builder = builder.add_extension(usage, critical=True)
    else:
        usages = [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]
        builder = builder.add_extension(x509.ExtendedKeyUsage(usages), critical=False)
    if sans:
        builder = builder.add_extension(x509.SubjectAlternativeName(sans), critical=False)
    return Issued(builder.sign(signer, hashes.SHA256()), key)


def pod(
    name: str,
    namespace: str = "greencompute",
    *,
    ip: str | None = "172.30.1.10",
    node: str | None = "eu-worker-1",
    ready: bool = True,
    sidecar: bool = True,
    account: str = "default",
    host_network: bool = False,
    waiting: tuple[str, str] | None = None,
    message: str | None = None,
) -> client.V1Pod:
    """A pod as the API server lists it."""
    containers = [client.V1Container(name="application")]
    if sidecar:
        containers.append(client.V1Container(name="istio-proxy"))
    state = client.V1ContainerState(
        waiting=client.V1ContainerStateWaiting(reason=waiting[0], message=waiting[1]) if waiting else None,
        running=None if waiting else client.V1ContainerStateRunning(),
    )
    status = client.V1ContainerStatus(
        name="application",
        ready=ready,
        restart_count=0,
        image="i",
        image_id="i",
        state=state,
        last_state=client.V1ContainerState(),
    )
    condition = client.V1PodCondition(
        type="Ready", status="True" if ready else "False", message=message, reason="ContainersNotReady"
    )
    return client.V1Pod(
        metadata=client.V1ObjectMeta(name=name, namespace=namespace),
        spec=client.V1PodSpec(
            containers=containers,
            node_name=node,
            host_network=host_network,
            service_account_name=account,
        ),
        status=client.V1PodStatus(
            pod_ip=ip, phase="Running", conditions=[condition], container_statuses=[status]
        ),
    )


def node(
    name: str,
    address: str,
    *,
    ready: str = "True",
    message: str = "kubelet is posting",
    runtime: str = "containerd://1.6.20~ds1",
) -> client.V1Node:
    """A node as the API server lists it."""
    condition = client.V1NodeCondition(type="Ready", status=ready, reason="KubeletReady", message=message)
    return client.V1Node(
        metadata=client.V1ObjectMeta(name=name),
        spec=client.V1NodeSpec(),
        status=client.V1NodeStatus(
            addresses=[client.V1NodeAddress(type="InternalIP", address=address)],
            conditions=[condition],
            node_info=client.V1NodeSystemInfo.model_construct(container_runtime_version=runtime),
        ),
    )


def deployment(name: str, wanted: int = 1, ready: int = 1) -> client.V1Deployment:
    """A Deployment as the API server lists it."""
    labels = {"app": name}
    return client.V1Deployment(
        metadata=client.V1ObjectMeta(name=name),
        spec=client.V1DeploymentSpec(
            replicas=wanted,
            selector=client.V1LabelSelector(match_labels=labels),
            template=client.V1PodTemplateSpec(),
        ),
        status=client.V1DeploymentStatus(ready_replicas=ready),
    )


@dataclass
class Answers:
    """What a fake cluster answers; tests change what concerns them."""

    nodes: list[client.V1Node] = field(default_factory=list)
    pods: list[client.V1Pod] = field(default_factory=list)
    deployments: dict[str, client.V1Deployment] = field(default_factory=dict)
    services: list[client.V1Service] = field(default_factory=list)
    secrets: dict[str, dict[str, str]] = field(default_factory=dict)
    events: list[client.CoreV1Event] = field(default_factory=list)
    paths: dict[str, tuple[int, str]] = field(default_factory=dict)
    uid: str = "uid-1"
    execute: Callable[[str, str, list[str]], Executed] = lambda pod, container, command: Executed(1, "", "")


class FakeCluster:
    """Stands in for `access.cluster.Cluster` and answers from memory."""

    def __init__(self, region: str, answers: Answers, server: str) -> None:
        self.region = region
        self.answers = answers
        self.server = server
        self.client_certificate: str | None = None
        items = SimpleNamespace
        self.core = SimpleNamespace(
            list_node=lambda **_: items(items=answers.nodes),
            list_pod_for_all_namespaces=lambda **_: items(items=answers.pods),
            list_namespaced_pod=lambda namespace, **_: items(
                items=[pod for pod in answers.pods if pod.metadata.namespace == namespace]
            ),
            list_namespaced_event=lambda namespace, **_: items(items=answers.events),
            list_namespaced_service=lambda namespace, **_: items(items=answers.services),
            read_namespaced_service=lambda name, namespace, **_: items(
                spec=items(selector={"app": name}, cluster_ip="172.31.0.10")
            ),
        )
        self.apps = SimpleNamespace(
            list_namespaced_deployment=lambda namespace, **_: items(items=list(answers.deployments.values())),
            list_namespaced_daemon_set=lambda namespace, **_: items(items=[]),
            read_namespaced_deployment=lambda name, namespace, **_: answers.deployments[name],
        )

    def uid(self) -> str:
        """The UID of `kube-system`."""
        return self.answers.uid

    def answer(self, method: str, path: str) -> tuple[int, str]:
        """An answer of the API server."""
        return self.answers.paths[path]

    def get(self, path: str) -> dict[str, Any] | None:
        """A secret, as the API server has it."""
        texts = self.answers.secrets.get(path.rpartition("/")[2])
        if texts is None:
            return None
        return {"data": {key: base64.b64encode(text.encode()).decode() for key, text in texts.items()}}

    def execute(
        self, namespace: str, pod: str, container: str, command: list[str], timeout: float = 8
    ) -> Executed:
        """An answer of a container."""
        return self.answers.execute(pod, container, command)


def raw_outputs() -> dict[str, Any]:
    """Outputs of the reference stack as `pulumi stack output --json --show-secrets` prints them."""
    stack = STACK
    regions = {}
    for region, spec in stack.environment.regions.items():
        assert isinstance(spec.cluster, BareMetalClusterSpec)
        assert spec.load_balancer is not None
        nodes = {
            name: {"address": str(node.address), "podCidr": str(stack.ledger.nodes[region][name])}
            for name, node in spec.cluster.nodes.items()
        }
        first = next(iter(spec.cluster.nodes.values()))
        regions[region] = {
            "apiServer": f"https://{first.address}:6443",
            "gatewayAddresses": [str(spec.load_balancer.first)],
            "podCidr": str(stack.ledger.clusters[region].pods),
            "serviceCidr": str(stack.ledger.clusters[region].services),
            "nodes": nodes,
        }
    edges = [edge for spec in stack.environment.regions.values() for edge in spec.edges.values()]
    return {
        "url": f"https://{HOST}",
        "caCertificate": issue("gateway CA", ca=True).pem,
        "nameservers": [f"{edge.address}:53" for edge in edges],
        "regions": regions,
        "kubeconfigs": dict.fromkeys(regions, "kubeconfig text"),
    }


def make_platform(answers: dict[str, Answers] | None = None, probes: Any = None, **changes: Any) -> Platform:
    """The reference platform, over clusters that answer from memory. `changes` replace raw outputs."""
    stack = STACK
    outputs = parse_outputs("lab", {**raw_outputs(), **changes})
    given = answers or {}
    clusters = {
        region: FakeCluster(region, given.get(region, Answers()), outputs.regions[region].api_server)
        for region in sorted(stack.environment.regions)
    }
    identities = {region: cluster.answers.uid for region, cluster in clusters.items()}
    return Platform(stack, outputs, clusters, identities, (), probes or {})  # type: ignore[arg-type]


def run(check: Callable[..., Finding], *arguments: Any, seconds: float = 5) -> Finding:
    """What a check finds."""
    return check(*arguments, Watch(seconds))


def loopback(region: int) -> IPv4Address:
    """A loopback address that stands for a region's gateway."""
    return IPv4Address(f"127.0.{region}.1")
