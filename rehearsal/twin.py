"""The twin's declaration: the environment's own, but for what a lab has in another way or not at all.

Pure. What is not named here is the same: releases, mesh, policies, namespaces, exposure, names.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import releases
from rehearsal.crew import STANDS_FOR_CLUSTER, Crew
from rehearsal.place import Place, RegionPlace
from releases import built, default, numbers
from stacks.ledger import Ledger, assign
from stacks.model import AdoptedClusterSpec, Environment, UnlistedPair
from stacks.named_secrets import named_secrets
from stacks.pairs import pair_of, unlisted, written

PROFILE = "twin"
"""The profile of hosts that have none of their own."""
STAND_IN = "standIn"
"""The stack secret that stands for each text of an application that is secret."""
STAND_IN_IMAGE = "docker.io/crossmesh/asset-service:1.0.0"
"""The reference solution's image: it answers below the path that it is told, whatever it stands for."""
REPLICAS = 2
"""The most pods of an application in a region."""
_HOST_KEYS = ("ssh", "tunnel", "accept", "replaceablePackages")
"""Of a host: how a real one is reached, and what an operator knows of it."""
_APPLICATION_KEYS = ("imagePullSecret", "livenessPath", "readinessPath", "resources", "files", "environment")
"""Of an application: what belongs to its own image."""


@dataclass(frozen=True)
class Lab:
    """What a declaration of the lab's machines has: from the reference lab's own stack file."""

    sources: Mapping[str, Any]
    ssh: Mapping[str, Any]
    probe_image: str
    profile: Mapping[str, Any]
    router_asn: int


@dataclass(frozen=True)
class Twin:
    """A declaration that can be brought up in a lab."""

    environment: Environment
    config: Mapping[str, Any]
    """The stack file's `config`, without secrets."""
    secrets: tuple[str, ...]
    """Names of the stack secrets that it needs."""
    differences: tuple[str, ...]
    """What of the declaration it has not, in words."""


def lab_of(config: Mapping[str, Any]) -> Lab:
    """Read the reference lab's stack file. config: its content, with the lab's addresses and paths."""
    environment = config["config"]["crossmesh:environment"]
    (profile,) = environment["hostProfiles"].values()
    region = next(iter(environment["regions"].values()))
    return Lab(
        sources=environment["sources"],
        ssh=environment["ssh"],
        probe_image=environment["probeImage"],
        profile=profile,
        router_asn=region["fabric"]["peers"][0]["asn"],
    )


def twin(declared: Environment, ledger: Ledger, crew: Crew, where: Place, lab: Lab) -> Twin:
    """Make the twin's declaration. ledger: whose slices it keeps; who has none gets one."""
    document = declared.model_dump(mode="json", by_alias=True, exclude_unset=True, exclude_none=True)
    differences = [*crew.differences]
    document |= {"sources": copy.deepcopy(dict(lab.sources)), "ssh": dict(lab.ssh)}
    document["probeImage"] = lab.probe_image
    document["hostProfiles"] = _profiles(document.get("hostProfiles") or {}, lab.profile)
    document["mesh"]["stockEnvoy"] = True
    differences += _countries(document.get("globalLoadBalancer") or {})
    differences += _versions(document)
    for number, (region, spec) in enumerate(document["regions"].items()):
        differences += _region(region, spec, number, declared, crew, where.regions[region], lab)
    if document.pop("tunnels", None) is not None:
        differences.append("tunnels: nodes reach each other through the lab's router")
    differences += _applications(document, declared)
    differences += _routes(document)
    differences += _pairs(document)
    if names := document.pop("certificates", None):
        differences.append(
            f"certificates: the twin's own authority issues those in the place of {', '.join(names)}"
        )
    environment = Environment.model_validate(document)
    slices = assign(environment, ledger).model_dump(mode="json", by_alias=True)
    config = {
        "pulumi:disable-default-providers": ["kubernetes"],
        "crossmesh:environment": document,
        "crossmesh:ledger": slices,
    }
    secrets = {name for _, name, _ in named_secrets(environment)}
    return Twin(environment, config, tuple(sorted(secrets)), tuple(differences))


def differs_always() -> tuple[str, ...]:
    """What no twin has, whatever is declared."""
    return (
        "machines are containers that share this computer's kernel and processors: times are its own",
        "software comes from the lab's mirror; proxies, registries and their logins are not tried",
        "proxies of the mesh run stock Envoy, without Istio's own filters",
        "cloud load balancers, and whatever is not declared here, are not there",
    )


def prefixes(declarations: tuple[Environment, ...]) -> list[str]:
    """What the lab's router must accept of its machines: pods, and addresses for load balancers by BGP."""
    found = {one.addresses.pod_pool for one in declarations}
    found |= {net for one in declarations for spec in one.regions.values() for net in spec.routed_services}
    return [str(network) for network in sorted(found)]


def _profiles(declared: Mapping[str, Any], needed: Mapping[str, Any]) -> dict[str, Any]:
    """Each declared profile with what the lab's machines need, and one for hosts without."""
    return {name: _over(profile, needed) for name, profile in {PROFILE: {}, **declared}.items()}


def _over(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(below)
    for key, value in above.items():
        there = merged.get(key)
        if isinstance(value, Mapping) and isinstance(there, Mapping):
            merged[key] = _over(there, value)
        elif isinstance(value, list | tuple) and isinstance(there, list | tuple):
            merged[key] = [*there, *(one for one in value if one not in there)]
        else:
            merged[key] = copy.deepcopy(value)
    return merged


def _versions(document: dict[str, Any]) -> Iterator[str]:
    """Releases that are built here, in place of others: the next later one, or else the default."""
    places = [("versions", document.get("versions") or {})]
    regions = document["regions"].items()
    places += [(f"region {name}", spec["versions"]) for name, spec in regions if "versions" in spec]
    for at, versions in places:
        for program, version in versions.items():
            there = _built(program, version)
            if there != version:
                versions[program] = there
                yield f"{at}: {program} {there}, as {version} is not built here"


def _pairs(document: dict[str, Any]) -> Iterator[str]:
    """The pairs of releases that the twin has, and that no list has, in the place of those that are declared:
    another release than the declared one may be in the twin.
    """
    declared = {pair for at in (document, *document["regions"].values()) for pair in _unlisted(at)}
    environment = Environment.model_validate(document)
    met = (pair_of(clash) for region in environment.regions for clash, _ in unlisted(environment, region))
    pairs = sorted({pair for pair in met if pair}, key=str)
    if pairs:
        document["unlistedPairs"] = [pair.model_dump() for pair in pairs]
    yield from (
        f"unlistedPairs: {written(pair)}, of which no list speaks" for pair in pairs if pair not in declared
    )


def _unlisted(holder: dict[str, Any]) -> list[UnlistedPair]:
    """Take out the pairs of an environment, or of a region."""
    return [UnlistedPair.model_validate(pair) for pair in holder.pop("unlistedPairs", ())]


def _built(program: str, version: str) -> str:
    known = built(program)
    if version in known or version == "distribution":
        return version
    later = [one for one in known if numbers(one) > numbers(version)]
    return min(later, key=numbers, default=default(program))


def _region(
    region: str,
    spec: dict[str, Any],
    number: int,
    declared: Environment,
    crew: Crew,
    where: RegionPlace,
    lab: Lab,
) -> Iterator[str]:
    """Put a region on the lab's machines."""
    its = declared.regions[region]
    if its.fabric is None:
        yield f"region {region}: its nodes speak BGP with the lab's router"
    asn = its.fabric.asn if its.fabric else _free_asn(number)
    spec["fabric"] = {"asn": asn, "peers": [{"address": str(where.router), "asn": lab.router_asn}]}
    if isinstance(its.cluster, AdoptedClusterSpec):
        name = f"{region}-{STANDS_FOR_CLUSTER}"
        node = {"address": str(where.machines[name]), "role": "control-plane", "workload": True}
        spec["cluster"] = {"kind": "bareMetal", "nodes": {name: node | {"profile": PROFILE}}}
    else:
        spec["cluster"]["nodes"] = _hosts(spec["cluster"]["nodes"], where, PROFILE)
        spec["cluster"].pop("apiServerNames", None)
        if its.cluster.api_server_address is not None:
            spec["cluster"]["apiServerAddress"] = str(where.virtual)
        if "maxUnavailable" in spec["cluster"]:
            spec["cluster"]["maxUnavailable"] = 1
    if "edges" in spec:
        spec["edges"] = _hosts(spec["edges"], where)
    if its.load_balancer is not None and not its.routed_services:
        size = int(its.load_balancer.last) - int(its.load_balancer.first) + 1
        spec["loadBalancer"] = where.load_balancer(size)
    elif its.load_balancer is None and not its.gateway_nodes:
        spec["loadBalancer"] = where.load_balancer(1)
    spec["machineNetwork"] = str(where.network)
    spec.pop("ssh", None)


def _hosts(hosts: Mapping[str, Any], where: RegionPlace, profile: str = "") -> dict[str, Any]:
    """The hosts that the twin has, at their addresses there. profile: of those that name none."""
    found = {}
    for name, host in hosts.items():
        if name in where.machines:
            kept = {key: value for key, value in host.items() if key not in _HOST_KEYS}
            default = {"profile": profile} if profile else {}
            found[name] = {**default, **kept, "address": str(where.machines[name])}
    return found


def _free_asn(number: int) -> int:
    # RFC 6996: 64512 to 65534 are for private use; 65000 is the lab's router.
    return 65501 + number


def _applications(document: dict[str, Any], declared: Environment) -> Iterator[str]:
    """Let the reference solution's image stand for those that no lab has."""
    paths: dict[str, str] = {}
    for rule in (rule for route in declared.routes.values() for rule in route.rules):
        asked = rule.rewrite and (rule.rewrite.path or rule.rewrite.prefix)
        for backend in rule.backends:
            if backend.application and backend.weight:
                paths.setdefault(backend.application, asked or rule.path)
    for ingress in declared.ingresses.values():
        paths |= {path.application: path.path for path in ingress.paths}
    stand_ins, fewer = [], []
    for name, spec in (document.get("applications") or {}).items():
        if int(spec.get("replicas", 1)) > REPLICAS:
            fewer.append(f"{name} {REPLICAS} of {spec['replicas']}")
            spec["replicas"] = REPLICAS
        if spec["image"] == STAND_IN_IMAGE:
            _without_secrets(spec)
            continue
        stand_ins.append(name)
        for key in _APPLICATION_KEYS:
            spec.pop(key, None)
        prefix = paths.get(name, "/").rstrip("/") or f"/{name}"
        port = declared.applications[name].port
        spec["image"] = STAND_IN_IMAGE
        spec["environment"] = {"PATH_PREFIX": prefix, "LISTEN_ADDRESS": f":{port}"}
    if stand_ins:
        yield f"the reference solution's image stands for those of {', '.join(stand_ins)}"
    if fewer:
        yield f"fewer pods of applications: {', '.join(fewer)}"


def _routes(document: dict[str, Any]) -> Iterator[str]:
    """Leave out what leads to Services of others, and bring definitions in their place: no twin has them."""
    routes, left_out = document.get("routes") or {}, set()
    for name, route in list(routes.items()):
        for rule in route["rules"]:
            backends = rule.get("backends") or ()
            left_out |= {backend["service"] for backend in backends if "service" in backend}
            if backends:
                rule["backends"] = [backend for backend in backends if "service" not in backend]
        route["rules"] = [rule for rule in route["rules"] if "redirect" in rule or _answers(rule)]
        if not route["rules"]:
            del routes[name]
    if left_out:
        yield f"routes: what leads to Services of others is left out: {', '.join(sorted(left_out))}"
    if routes and document.get("gatewayApi") in (None, releases.OWNER):
        istio = (document.get("versions") or {}).get("istio") or releases.default("istio")
        document["gatewayApi"] = next(
            version
            for version in releases.versions("gateway-api")
            if not any(releases.clashes({"istio": istio, "gateway-api": version}))
        )
        yield f"definitions of the Gateway API {document['gatewayApi']} in the place of their owner's"


def _answers(rule: Mapping[str, Any]) -> bool:
    return any(backend.get("weight", 1) for backend in rule.get("backends") or ())


def _countries(balancer: dict[str, Any]) -> Iterator[str]:
    """Leave out countries and continents, whose database is on the real edge hosts alone, and delegation."""
    if balancer.pop("delegated", False):
        yield "no parent delegates its domains: they are the real name servers'"
    if balancer.pop("geoipDatabase", None) is None:
        return
    yield "no database of countries: clients of countries and continents are led as everybody else"
    own = balancer.get("hostPolicies") or {}
    for policy in (balancer.get("policy") or {}, *own.values()):
        places = policy.pop("geography", None) or {}
        for place in places.values():
            place.pop("countries", None)
            place.pop("continents", None)
        if kept := {name: place for name, place in places.items() if place.get("prefixes")}:
            policy["geography"] = kept
        elif all((policy.get("weights") or {"": 0}).values()):
            # It was for those of a place: the declaration would not be taken with what changes nothing.
            policy.pop("failover", None)
    if not balancer.get("policy", True):
        del balancer["policy"]


def _without_secrets(spec: dict[str, Any]) -> None:
    spec.pop("imagePullSecret", None)
    for key in ("environment", "files"):
        for entry, text in (spec.get(key) or {}).items():
            if isinstance(text, Mapping):
                spec[key][entry] = {"secret": STAND_IN}
