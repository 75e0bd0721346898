"""The reference platform in memory, from machines to clients: what checks read follows from what is broken.

A test breaks one thing (a machine, a service, a workload, a certificate); whatever rests on it then answers
as it would, so a check that fails does so because of what it reads.
"""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import partial
from ipaddress import IPv4Address
from types import SimpleNamespace
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from kubernetes import client

from access import network, ssh
from access.errors import Unanswered
from access.network import NameAnswer, WebAnswer
from access.programs import Executed
from components.manifests.mesh import GATEWAY_LABELS
from components.manifests.network import NAMESPACE as METALLB
from live.checks import control_planes, hosts, names
from live.doctor.model import CheckResult, NotMeasurable, Watch
from live.doctor.platform import Platform
from live.doctor.probes import Answer
from live.examine import examine
from live.expiry.model import Entry
from tests.unit.operations.support import HOST, STACK, Issued, issue, make_platform, node, pod, raw_outputs

REGIONS = ("eu", "us")
ROOT = issue("root", ca=True, days=3650)
INTERMEDIATES = {region: issue(f"Istio CA of {region}", ROOT, ca=True) for region in REGIONS}
CA = issue("gateway CA", ca=True)
CERTIFICATE = issue("system:node:x", ROOT, days=200)
KUBELET = "/var/lib/kubelet/pki/kubelet-client-current.pem"
LEAF = issue(HOST, CA, sans=(x509.DNSName(HOST),))
SINCE = "Sat 2026-11-28 10:00:00 UTC"
ENVIRONMENT = STACK.environment


@dataclass
class Machine:
    """One machine; an edge host has no parts."""

    name: str
    address: str
    on: bool = True
    admits: bool = True
    """Whether ssh takes the operator's key."""
    stopped: set[str] = field(default_factory=set)
    """Units that do not run."""
    missing: set[str] = field(default_factory=set)
    """Manifests that are not there."""
    ended: set[str] = field(default_factory=set)
    """Parts of the control plane that do not run though their manifests are there."""
    data: bool = True
    skew: float = 0.0
    session: str = "Established"
    certificate: Issued = CERTIFICATE
    """The one that it shows to its cluster."""
    pressure: str = ""

    @property
    def trusted(self) -> bool:
        """Whether the time of its certificate is not over."""
        return self.certificate.certificate.not_valid_after_utc > datetime.now(UTC)

    def runs(self, unit: str) -> bool:
        if unit == "kubelet" and not self.trusted:
            return False
        return self.on and f"{unit}.service" not in self.stopped

    def has(self, part: str) -> bool:
        return self.on and part not in self.missing | self.ended


@dataclass
class Workload:
    """A Deployment, or a DaemonSet, with a pod on each of some nodes."""

    namespace: str
    name: str
    labels: dict[str, str]
    nodes: tuple[str, ...]
    daemon: bool = False
    replicas: int | None = None
    """Other than one on each node."""
    waits: tuple[str, str] | None = None
    """Why its containers do not start."""
    sidecar: bool = False
    address: str | None = None

    @property
    def wanted(self) -> int:
        return len(self.nodes) if self.replicas is None else self.replicas


class World:
    """All of it. Tests change attributes before they look."""

    def __init__(self) -> None:
        specs = ENVIRONMENT.regions
        self.machines = {
            name: Machine(name, str(host.address))
            for spec in specs.values()
            for name, host in spec.hosts.items()
        }
        self.workloads = {region: self._workloads(region) for region in REGIONS}
        self.cordoned: set[str] = set()
        self.undeclared: dict[str, list[str]] = {region: [] for region in REGIONS}
        self.uids = dict.fromkeys(REGIONS, "uid-1")
        self.versions = dict.fromkeys(REGIONS, f"v{ENVIRONMENT.versions.kubernetes}")
        self.leaves = dict.fromkeys(REGIONS, LEAF)
        self.ca = CA
        self.roots = dict.fromkeys(REGIONS, ROOT)
        self.intermediates = dict(INTERMEDIATES)
        self.sync = dict.fromkeys(REGIONS, "synced")
        self.plain_text = dict.fromkeys(REGIONS, False)
        self.masquerades = dict.fromkeys(REGIONS, False)
        self.balanced = dict.fromkeys(REGIONS, True)
        self.ttl = 5
        self.malformed: dict[str, list[str]] = {}
        self.forced_down: dict[str, set[str]] = {}
        self.issued: list[Entry] = []
        self.changes: dict[str, Any] = {}
        """Of the stack's outputs."""

    @staticmethod
    def _workloads(region: str) -> dict[str, Workload]:
        control, worker = f"{region}-cp-1", f"{region}-worker-1"
        listed = [
            Workload("kube-system", "coredns", {"k8s-app": "kube-dns"}, (worker,)),
            Workload("kube-system", "kube-proxy", {"k8s-app": "kube-proxy"}, (control, worker), True),
            Workload("istio-system", "istiod", {"app": "istiod"}, (worker,)),
            Workload("istio-ingress", "istio-ingressgateway", dict(GATEWAY_LABELS), (worker,)),
            Workload(METALLB, "controller", {"app": "metallb", "component": "controller"}, (worker,)),
            Workload(METALLB, "speaker", {"app": "metallb", "component": "speaker"}, (control, worker), True),
            *(
                Workload(spec.namespace, name, {"app": name}, (worker,), sidecar=True)
                for name, spec in sorted(ENVIRONMENT.applications.items())
            ),
        ]
        return {workload.name: workload for workload in listed}

    # -- What follows from it

    def node_is_ready(self, name: str) -> bool:
        machine = self.machines[name]
        return machine.runs("kubelet") and machine.runs("containerd")

    def api_serves(self, region: str) -> bool:
        machine = self.machines[f"{region}-cp-1"]
        return machine.has("kube-apiserver") and machine.has("etcd") and machine.data

    def runs_on(self, workload: Workload, name: str) -> bool:
        """Containers run on without kubelet and containerd, not without their machine."""
        return self.machines[name].on and not workload.waits

    def serves(self, region: str, name: str) -> bool:
        """Whether a pod of a workload is at work."""
        workload = self.workloads[region][name]
        return workload.wanted > 0 and all(self.runs_on(workload, where) for where in workload.nodes)

    def gateway_answers(self, region: str) -> bool:
        parts = ("istio-ingressgateway", "speaker", "kube-proxy")
        return self.balanced[region] and all(self.serves(region, part) for part in parts)

    def serves_clients(self, region: str) -> bool:
        """Whether a gateway's certificate is taken, too."""
        over = self.leaves[region].certificate.not_valid_after_utc < datetime.now(UTC)
        return self.gateway_answers(region) and not over

    def routed(self, name: str) -> bool:
        """Whether the router has the way to a node's pods."""
        machine = self.machines[name]
        return machine.runs("bird") and machine.session == "Established"

    def region_at(self, address: str) -> str:
        outputs = raw_outputs()["regions"]
        return next(region for region in REGIONS if outputs[region]["gatewayAddresses"] == [address])

    # -- What checks read

    def platform(self) -> Platform:
        made = make_platform(probes={region: Pods(self, region) for region in REGIONS}, **self.outputs())
        clusters = {region: Cluster(self, region) for region in REGIONS}
        return replace(
            made, clusters=clusters, issued=self.issued, identities=dict.fromkeys(REGIONS, "uid-1")
        )  # type: ignore[arg-type]

    def outputs(self) -> dict[str, Any]:
        return {"caCertificate": self.ca.pem, **self.changes}

    def ssh(self, host: str, connection: Any, command: list[str], *, timeout: float = 10) -> Executed:
        machine = self.machines[host]
        if not machine.on or not machine.admits:
            raise Unanswered(
                f"{host}: root@{machine.address} port 22 cannot be reached: timed out", fix="wake it"
            )
        script = command[-1]
        if "date" in script:
            return Executed(0, f"now {int(time.time() + machine.skew)}\n", "")
        if "systemctl show" in script:
            return Executed(0, self._units(host), "")
        if "echo asked" in script:
            return Executed(0, self._parts(machine), "")
        if "birdc" in script:
            return Executed(0, self._sessions(host), "")
        if "route show" in script:
            return Executed(0, self._routes(host), "")
        return Executed(0, json.dumps(self._views(host)), "")

    def ask_program(self, host: str, connection: Any, *_: Any, **__: Any) -> dict[str, Any]:
        """What a host says of its certificates."""
        self.ssh(host, connection, ["date"])
        machine = self.machines[host]
        return {"found": [{"path": KUBELET, "public": machine.certificate.pem, "problem": ""}]}

    def _units(self, host: str) -> str:
        machine, blocks = self.machines[host], []
        for unit in hosts.services_of(ENVIRONMENT, host):
            running = machine.runs(unit.removesuffix(".service"))
            state = ("active", "running") if running else ("inactive", "dead")
            blocks.append(
                f"Id={unit}\nLoadState=loaded\nActiveState={state[0]}\nSubState={state[1]}\nResult=success\n"
                f"StateChangeTimestamp={SINCE}"
            )
        return "\n\n".join(blocks) + "\n"

    @staticmethod
    def _parts(machine: Machine) -> str:
        lines = [f"declared {part}" for part in control_planes.PARTS if part not in machine.missing]
        lines += [f"running {part}" for part in control_planes.PARTS if machine.has(part)]
        return "\n".join([*lines, *(["data"] if machine.data else []), "asked"]) + "\n"

    def _sessions(self, host: str) -> str:
        machine = self.machines[host]
        said = f"fabric1\n  BGP state:   {machine.session}\n    Neighbor address: {self.router(host)}\n"
        said += "    Neighbor capabilities\n      Graceful restart\n    Session: external\n"
        return said if machine.runs("bird") else ""

    def _routes(self, host: str) -> str:
        ways = [
            {"dst": str(slice_), "gateway": self.router(host)}
            for nodes in STACK.ledger.nodes.values()
            for name, slice_ in nodes.items()
            if name != host and self.routed(host) and self.routed(name)
        ]
        return json.dumps(ways)

    @staticmethod
    def router(host: str) -> str:
        """The address of a machine's router."""
        fabric = ENVIRONMENT.regions[host.partition("-")[0]].fabric
        assert fabric is not None
        return str(fabric.peers[0].address)

    def _views(self, edge: str) -> dict[str, Any]:
        machine = self.machines[edge]
        fresh = machine.runs("crossmesh-health")
        gateways, states = {}, {}
        for region, target in self.gateways().items():
            up = self.serves_clients(region) if fresh else True
            gateways[target] = {
                "region": region,
                "up": up,
                "age": 1.0 if fresh else 900.0,
                "said": "200",
                "since": 60.0,
                "against": 0,
            }
            states[f"{target}/ingress_gateway"] = {"state": "UP" if up else "DOWN"}
        problem = "" if machine.runs("gdnsd") else "cannot connect to control socket"
        malformed = self.malformed.get(edge, [])
        return {
            "gateways": gateways,
            "states": states,
            "bound": 18.0,
            "problem": problem,
            "malformed": malformed,
            "unmatched": [],
        }

    def gateways(self) -> dict[str, str]:
        told = raw_outputs()["regions"]
        return {region: told[region]["gatewayAddresses"][0] for region in REGIONS}

    def ask(
        self, server: Any, name: str, kind: str = "A", *, tcp: bool = False, seconds: float = 4
    ) -> NameAnswer:
        machine = next(each for each in self.machines.values() if each.address == str(server.address))
        if not machine.runs("gdnsd"):
            return NameAnswer((), None, f"no answer from {server} within 4 s")
        views = self._views(machine.name)["gateways"]
        up = sorted(target for target, view in views.items() if view["up"]) or sorted(views)
        return NameAnswer(tuple(up), self.ttl)

    def get_https(self, address: str, host: str, path: str, context: Any, **_: Any) -> WebAnswer:
        region = self.region_at(address)
        if not self.gateway_answers(region):
            return WebAnswer(0, problem=f"ConnectTimeout: {address}")
        leaf = self.leaves[region].certificate
        if leaf.not_valid_after_utc < datetime.now(UTC):
            return WebAnswer(0, problem="its certificate is refused: certificate has expired")
        spec = next(iter(ENVIRONMENT.ingresses.values()))
        application = next(entry.application for entry in spec.paths if entry.path == path)
        serving = [other for other in (region, *REGIONS) if self.serves(other, application)]
        if not serving:
            return WebAnswer(503, "no healthy upstream")
        return WebAnswer(200, json.dumps({"service": application, "pod": "p", "region": serving[0]}))

    def served_chain(self, address: str, host: str, context: Any, *, port: int = 443) -> list[bytes]:
        region = self.region_at(address)
        if not self.gateway_answers(region):
            raise TimeoutError("timed out")
        leaf = self.leaves[region].certificate
        if leaf.not_valid_after_utc < datetime.now(UTC):
            raise OSError("certificate verify failed: certificate has expired")
        return [leaf.public_bytes(Encoding.DER)]


class Cluster:
    """A cluster that answers what is so in the world, or nothing."""

    def __init__(self, world: World, region: str) -> None:
        self.world, self.region = world, region
        self.server = raw_outputs()["regions"][region]["apiServer"]
        self.client_certificate: str | None = None
        asked = partial(partial, self._answered)
        self.core = SimpleNamespace(
            list_node=asked(self._nodes),
            list_pod_for_all_namespaces=asked(self._pods),
            list_namespaced_pod=asked(self._pods),
            list_namespaced_event=asked(lambda namespace, **_: []),
            list_namespaced_service=asked(self._services),
            read_namespaced_service=lambda name, namespace, **_: self._one(
                SimpleNamespace(spec=SimpleNamespace(selector={"app": name}, cluster_ip="172.31.0.10"))
            ),
        )
        self.apps = SimpleNamespace(
            list_namespaced_deployment=asked(self._sets(daemon=False)),
            list_namespaced_daemon_set=asked(self._sets(daemon=True)),
            read_namespaced_deployment=lambda name, namespace, **_: self._one(
                self._deployment(self.world.workloads[region][name])
            ),
        )

    def _one(self, item: Any) -> Any:
        if not self.world.api_serves(self.region):
            raise Unanswered(f"{self.server} gives no answer: connection refused", fix="see its log")
        return item

    def _answered(self, found: Callable[..., Iterable[Any]], *given: Any, **named: Any) -> Any:
        return self._one(SimpleNamespace(items=list(found(*given, **named))))

    def uid(self) -> str:
        return str(self._one(self.world.uids[self.region]))

    def answer(self, method: str, path: str) -> tuple[int, str]:
        version = {"gitVersion": self.world.versions[self.region]}
        return self._one((200, "ok" if "readyz" in path else json.dumps(version)))  # type: ignore[no-any-return]

    def served_certificate(self) -> bytes:
        return self._one(CERTIFICATE.certificate.public_bytes(Encoding.DER))  # type: ignore[no-any-return]

    def get(self, path: str) -> dict[str, Any] | None:
        if not path.endswith("/cacerts"):
            return self._one({"items": [], "metadata": {}})  # type: ignore[no-any-return]
        pems = {
            "ca-cert.pem": self.world.intermediates[self.region].pem,
            "root-cert.pem": self.world.roots[self.region].pem,
        }
        data = {key: base64.b64encode(text.encode()).decode() for key, text in pems.items()}
        return self._one({"data": data})  # type: ignore[no-any-return]

    def _nodes(self, **_: Any) -> Iterable[client.V1Node]:
        declared = ENVIRONMENT.regions[self.region].nodes
        for name in declared:
            machine = self.world.machines[name]
            ready, words = "True", "kubelet is posting"
            if not machine.runs("kubelet"):
                ready, words = "Unknown", "Kubelet stopped posting node status."
            elif not machine.runs("containerd"):
                ready, words = "False", "container runtime is down"
            found = node(name, machine.address, ready=ready, message=words)
            if machine.pressure:
                condition = client.V1NodeCondition(
                    type=machine.pressure, status="True", reason="R", message="full"
                )
                found.status.conditions.append(condition)
            found.spec.unschedulable = name in self.world.cordoned or None
            yield found
        yield from (node(name, "10.101.1.99") for name in self.world.undeclared[self.region])

    def _matching(self, namespace: str, selector: str) -> Iterable[Workload]:
        wanted = dict(pair.split("=", 1) for pair in selector.split(",") if pair)
        for workload in self.world.workloads[self.region].values():
            if namespace in ("", workload.namespace) and wanted.items() <= workload.labels.items():
                yield workload

    def _pods(self, namespace: str = "", label_selector: str = "", **_: Any) -> Iterable[client.V1Pod]:
        slices = STACK.ledger.nodes[self.region]
        for workload in self._matching(namespace, label_selector):
            for number, where in enumerate(workload.nodes[: workload.wanted]):
                ready = self.world.runs_on(workload, where) and self.world.node_is_ready(where)
                seat = 10 + sorted(self.world.workloads[self.region]).index(workload.name)
                yield pod(
                    f"{workload.name}-{number}",
                    workload.namespace,
                    ip=workload.address or str(slices[where][seat]),
                    node=where,
                    ready=ready,
                    sidecar=workload.sidecar,
                    account=workload.name,
                    waiting=workload.waits,
                    message=None if ready or workload.waits else f"node {where} is not ready",
                )

    def _deployment(self, workload: Workload) -> client.V1Deployment:
        ready = [each for each in self._pods(workload.namespace, _selector(workload)) if _is_ready(each)]
        return client.V1Deployment(
            metadata=client.V1ObjectMeta(name=workload.name),
            spec=client.V1DeploymentSpec(
                replicas=workload.wanted,
                selector=client.V1LabelSelector(match_labels=workload.labels),
                template=client.V1PodTemplateSpec(),
            ),
            status=client.V1DeploymentStatus(ready_replicas=len(ready)),
        )

    def _sets(self, *, daemon: bool) -> Callable[..., Iterable[Any]]:
        def found(namespace: str, label_selector: str = "", **_: Any) -> Iterable[Any]:
            for workload in self._matching(namespace, label_selector):
                if workload.daemon is daemon:
                    made = self._deployment(workload)
                    if daemon:
                        made = client.V1DaemonSet(
                            metadata=made.metadata,
                            spec=client.V1DaemonSetSpec(
                                selector=made.spec.selector, template=made.spec.template
                            ),
                            status=client.V1DaemonSetStatus(
                                current_number_scheduled=workload.wanted,
                                desired_number_scheduled=workload.wanted,
                                number_misscheduled=0,
                                number_ready=made.status.ready_replicas,
                            ),
                        )
                    yield made

        return found

    def _services(self, namespace: str, **_: Any) -> Iterable[client.V1Service]:
        told = self.world.gateways()[self.region] if self.world.balanced[self.region] else None
        ingress = [client.V1LoadBalancerIngress(ip=told)] if told else None
        yield client.V1Service(
            metadata=client.V1ObjectMeta(name="istio-ingressgateway"),
            spec=client.V1ServiceSpec(),
            status=client.V1ServiceStatus(load_balancer=client.V1LoadBalancerStatus(ingress=ingress)),
        )

    def execute(
        self, namespace: str, name: str, container: str, command: list[str], timeout: float = 8
    ) -> Executed:
        if "/debug/clusterz" in command:
            others = [other for other in REGIONS if other != self.region]
            said: Any = [{"id": other, "syncStatus": self.world.sync[self.region]} for other in others]
        elif "clusters?format=json" in command:
            said = {"cluster_statuses": [self._endpoints(name) for name in sorted(ENVIRONMENT.applications)]}
        else:
            said = self._certificates(name.rpartition("-")[0])
        return self._one(Executed(0, json.dumps(said), ""))  # type: ignore[no-any-return]

    def _endpoints(self, name: str) -> dict[str, Any]:
        spec = ENVIRONMENT.applications[name]
        known = [
            region
            for region in REGIONS
            if self.world.serves(region, name)
            and (region == self.region or self.world.sync[self.region] == "synced")
        ]
        addresses = [str(STACK.ledger.nodes[region][f"{region}-worker-1"][20]) for region in known]
        return {
            "name": f"outbound|{spec.port}||{name}.{spec.namespace}.svc.cluster.local",
            "host_statuses": [{"address": {"socket_address": {"address": each}}} for each in addresses],
        }

    def _certificates(self, account: str) -> dict[str, Any]:
        domain, issuer = ENVIRONMENT.mesh.trust_domain, INTERMEDIATES[self.region]
        name = x509.UniformResourceIdentifier(f"spiffe://{domain}/ns/greencompute/sa/{account}")
        leaf = issue("workload", issuer, days=1, age=0, sans=(name,))

        def inline(pem: str) -> dict[str, str]:
            return {"inline_bytes": base64.b64encode(pem.encode()).decode()}

        own = {"tls_certificate": {"certificate_chain": inline(leaf.pem + issuer.pem)}}
        trusted = {"validation_context": {"trusted_ca": inline(ROOT.pem)}}
        return {"configs": [{"name": "default", "secret": own}, {"name": "ROOTCA", "secret": trusted}]}


class Pods:
    """Pods to look from: they come up where a node takes them."""

    def __init__(self, world: World, region: str) -> None:
        self.world, self.region = world, region

    def ready(self, role: str, watch: Watch) -> SimpleNamespace:
        worker = f"{self.region}-worker-1"
        if not self.world.node_is_ready(worker) or worker in self.world.cordoned:
            raise NotMeasurable(f"the probe pod {role} the mesh in {self.region} does not become ready")
        own = str(STACK.ledger.nodes[self.region][worker][9])
        return SimpleNamespace(address=own, get=partial(self._get, role, own))

    def _get(self, role: str, own: str, url: str) -> Answer:
        if "/cgi-bin/peer" in url:
            called = IPv4Address(url.split("/")[2].partition(":")[0])
            nodes = {name: slice_ for each in STACK.ledger.nodes.values() for name, slice_ in each.items()}
            there = next(name for name, slice_ in nodes.items() if called in slice_)
            if not self.world.routed(there) or not self.world.routed(f"{self.region}-worker-1"):
                return Answer(0, problem="no answer within 5 s")
            seen = self.world.machines[f"{self.region}-worker-1"].address
            return Answer(200, f"{seen if self.world.masquerades[self.region] else own}\n")
        if role == "outside":
            open_ = self.world.plain_text[self.region]
            return Answer(200, "{}") if open_ else Answer(0, problem="reset", closed=True)
        if not self.world.serves(self.region, "coredns"):
            return Answer(0, problem="wget: bad address")
        return Answer(200, "{}")

    def remove(self) -> None:
        """Nothing was made."""


def _selector(workload: Workload) -> str:
    return ",".join(f"{key}={value}" for key, value in workload.labels.items())


def _is_ready(one: client.V1Pod) -> bool:
    return any(each.type == "Ready" and each.status == "True" for each in one.status.conditions)


def look(world: World, monkeypatch: pytest.MonkeyPatch) -> list[CheckResult]:
    """What the doctor finds in a world: all of its checks, by the real runner."""
    for name in ("ask", "get_https", "served_chain"):
        monkeypatch.setattr(network, name, getattr(world, name))
    monkeypatch.setattr(ssh, "run", world.ssh)
    monkeypatch.setattr(ssh, "ask", world.ask_program)
    # Views in a world are settled.
    monkeypatch.setattr(names, "_counting", lambda platform: 0.0)
    results, leftovers = examine(world.platform(), lambda words: None)
    assert not leftovers
    return results


def expired(leaf: Issued = CA) -> Issued:
    """A gateway's certificate whose time is over."""
    return issue(HOST, leaf, days=-1, age=90, sans=(x509.DNSName(HOST),))
