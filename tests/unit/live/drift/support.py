"""Builders for the drift tests: states as the engine exports them, and clusters that answer from memory."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

from access.cluster import Cluster
from components.component import named
from components.tokens import REGION
from live.drift import judge
from live.drift.access import Clusters
from live.drift.inquiry import Inquiry
from live.drift.mask import Mask
from live.drift.model import Record
from live.state import State, Way, parse_state
from report.progress import Watch
from stacks.model import Ssh

STACK, PROJECT = "lab", "crossmesh"
IDENTITY = "crossmesh:kubernetes:ClusterIdentity"
HOST_PHASE = "crossmesh:hosts:HostPhase"
MANAGER = "crossmesh"


def secret(value: Any) -> dict[str, Any]:
    """A secret as `pulumi stack export --show-secrets` prints it."""
    return {
        "4dabf18193072939515e22adb298388d": "1b47061264138c4ac30d75fd1eb44270",
        "plaintext": json.dumps(value),
    }


def urn(type: str, name: str, parents: str = "") -> str:
    """A URN of the test's stack."""
    return f"urn:pulumi:{STACK}::{PROJECT}::{parents}{type}::{name}"


def resource(
    type: str,
    name: str,
    inputs: Mapping[str, Any] | None = None,
    outputs: Mapping[str, Any] | None = None,
    **rest: Any,
) -> dict[str, Any]:
    """An entry of a state."""
    return {
        "urn": urn(type, name),
        "type": type,
        "custom": True,
        "inputs": dict(inputs or {}),
        "outputs": dict(outputs or {}),
        **rest,
    }


def identity(region: str, uid: str = "uid-1", kubeconfig: str = "text") -> dict[str, Any]:
    """The entry that recorded a cluster's identity."""
    values = {"cluster": region, "kubeconfig": secret(kubeconfig)}
    outputs = {**values, "uid": uid}
    return resource(IDENTITY, f"{region}.identity", values, outputs, parent=urn(REGION, region))


def kubernetes_object(
    region: str, manifest: Mapping[str, Any], recorded: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """The entry of an object. recorded: as the server had it after it was applied."""
    version = manifest["apiVersion"]
    metadata = manifest["metadata"]
    parts = (region, metadata.get("namespace", ""), metadata["name"])
    provider = f"{urn('pulumi:providers:kubernetes', f'{region}.kubernetes')}::id"
    type = f"kubernetes:{version if '/' in version else f'core/{version}'}:{manifest['kind']}"
    name = named(*parts)
    return resource(type, name, manifest, recorded, provider=provider, parent=urn(REGION, region))


def host_phase(host: str, phase: str, variables: Mapping[str, Any], **inputs: Any) -> dict[str, Any]:
    """The entry of one phase of one host."""
    connection = {
        "address": "127.0.0.1",
        "port": 22,
        "user": "root",
        "privateKeyFile": "/nowhere/key",
        "knownHostsFile": "/nowhere/known_hosts",
    }
    values = {"host": host, "phase": phase, "connection": connection, "variables": dict(variables), **inputs}
    return resource(HOST_PHASE, named(host, phase), values)


def state_of(entries: Iterable[Mapping[str, Any]], outputs: Mapping[str, Any] | None = None) -> State:
    """A state with these entries. outputs: of the stack."""
    stack = resource("pulumi:pulumi:Stack", f"{PROJECT}-{STACK}", {}, outputs, custom=False)
    entries = list(entries)
    held = {entry["parent"] for entry in entries if "parent" in entry} - {entry["urn"] for entry in entries}
    holders = [holder(parent) for parent in sorted(held)]
    return parse_state(STACK, {"deployment": {"resources": [stack, *holders, *entries]}})


def holder(component: str) -> dict[str, Any]:
    """The entry of the component of a URN, which is in the region that its name begins with."""
    name = component.rpartition("::")[2]
    inputs = {"region": name.partition(".")[0], "declared": ""}
    return {"urn": component, "type": component.split("::")[2], "custom": False, "inputs": inputs}


Answer = tuple[int, Any] | BaseException


class FakeCluster(Cluster):
    """Answers from memory, by path without its query; what is not there is 404."""

    server = "https://eu.test:6443"
    client_certificate = None

    def __init__(self, answers: dict[str, Answer | Callable[[str], Answer]] | None = None) -> None:
        self.answers = answers or {}
        self.asked: list[str] = []

    def answer(self, method: str, path: str, body: Any = None, kind: str = "") -> tuple[int, str]:
        """As `Cluster` does it."""
        self.asked.append(path)
        found = self.answers.get(path.partition("?")[0], (404, "404 page not found"))
        answer = found(path) if callable(found) else found
        if isinstance(answer, BaseException):
            raise answer
        status, body = answer
        return status, body if isinstance(body, str) else json.dumps(body)

    def serve(
        self, api_version: str, kind: str, plural: str, objects: Iterable[Mapping[str, Any]] = ()
    ) -> None:
        """Serve a kind with these objects."""
        base = f"/apis/{api_version}" if "/" in api_version else f"/api/{api_version}"
        _, resources = self.answers.setdefault(base, (200, {"resources": []}))  # type: ignore[misc]
        resources["resources"].append({"kind": kind, "name": plural, "namespaced": True})
        self.answers[f"{base}/{plural}"] = (200, {"items": list(objects)})


class FakeClusters(Clusters):
    """Clusters that are open already."""

    def __init__(self, clusters: Mapping[str, FakeCluster]) -> None:
        found = {region: Way(region, urn(IDENTITY, f"{region}.identity"), "uid-1", "") for region in clusters}
        super().__init__(found)
        self._fakes = clusters

    def cluster(self, region: str) -> Cluster:
        """The cluster of a region."""
        return self._fakes[region]


def quiet(words: str) -> None:
    """Progress that nobody wants to read."""


def record(layer: str) -> Record:
    """An empty record of a layer."""
    (comparison,) = judge.comparisons([layer])
    return Record(comparison)


def inquiry(
    state: State,
    clusters: Clusters | None = None,
    *,
    regions: Iterable[str] = (),
    ssh: Ssh | None = None,
    watch: Watch | None = None,
    now: datetime | None = None,
) -> Inquiry:
    """About a state whose clusters are declared, as are other regions."""
    ways = clusters or FakeClusters({})
    environment = SimpleNamespace(regions=dict.fromkeys([*ways.ways, *regions]), ssh_of=lambda host: ssh)
    return Inquiry(
        state=state,
        stack=SimpleNamespace(environment=environment),  # type: ignore[arg-type]
        clusters=ways,
        watch=watch or Watch(60),
        mask=Mask(state.secrets()),
        now=now or datetime.now(UTC),
    )
