"""Which checks a platform needs, in the order in which a request meets what they check."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from itertools import permutations

from live.checks import api_servers, health_views, mesh, names, nodes, requests, traffic, trust, workloads
from live.doctor.model import Check, Finding, Watch
from live.doctor.platform import Platform
from live.doctor.probes import Probes

PROBE_SECONDS = 75.0
"""Checks that look from pods wait until those are there."""

Run = Callable[[Watch], Finding]


def checks_of(platform: Platform, probes: Mapping[str, Probes]) -> list[Check]:
    """All checks of a platform. Ids are unique and stable; whatever a check needs comes before it."""
    return [
        *_clusters(platform),
        *_parts(platform),
        *_applications(platform),
        *_trust(platform),
        *_mesh(platform, probes),
        *_clients(platform),
    ]


def _clusters(platform: Platform) -> list[Check]:
    found = [
        _check(
            f"api-server/{r}",
            "clusters",
            f"the API server of {r} answers and is the managed one",
            partial(api_servers.check_api_server, platform, r),
        )
        for r in platform.regions
    ]
    for r in platform.regions:
        needs = (f"api-server/{r}",)
        found.append(
            _check(
                f"nodes/{r}",
                "clusters",
                f"nodes of {r} are Ready",
                partial(nodes.check_nodes, platform, r),
                needs,
            )
        )
    found.append(
        _check("slices", "addresses", "ranges overlap nowhere", partial(nodes.check_slices, platform))
    )
    for r in platform.regions:
        run = partial(nodes.check_pod_addresses, platform, r)
        title = f"pods of {r} have addresses of their nodes' slices"
        found.append(_check(f"pod-addresses/{r}", "addresses", title, run, (f"api-server/{r}",)))
    return found


def _parts(platform: Platform) -> list[Check]:
    parts = [workloads.COREDNS, workloads.KUBE_PROXY, workloads.METALLB, workloads.ISTIOD, workloads.GATEWAY]
    found = []
    for part in parts:
        for r in platform.regions:
            region = platform.stack.environment.regions[r]
            # An adopted cluster brings its own proxy and load balancer, whatever they are.
            if part is workloads.METALLB and region.load_balancer is None:
                continue
            if part is workloads.KUBE_PROXY and region.cluster.kind == "adopted":
                continue
            run = partial(workloads.check_part, platform, r, part)
            title = f"{part.name} of {r} is ready"
            found.append(_check(f"{part.name}/{r}", "platform", title, run, (f"api-server/{r}",)))
    return found


def _applications(platform: Platform) -> list[Check]:
    return [
        _check(
            f"application/{r}/{name}",
            "applications",
            f"{name} is ready in {r}",
            partial(workloads.check_application, platform, r, name),
            (f"api-server/{r}",),
        )
        for name in sorted(platform.stack.environment.applications)
        for r in platform.regions
    ]


def _trust(platform: Platform) -> list[Check]:
    servers = tuple(f"api-server/{r}" for r in platform.regions)
    title = "one root, an intermediate of its own per region"
    found = [_check("mesh-authorities", "trust", title, partial(trust.check_authorities, platform), servers)]
    for r in platform.regions:
        run = partial(trust.check_identities, platform, r)
        title = f"sidecars of {r} have SPIFFE identities from its intermediate"
        found.append(_check(f"identities/{r}", "trust", title, run, (f"api-server/{r}",)))
    return found


def _mesh(platform: Platform, probes: Mapping[str, Probes]) -> list[Check]:
    found = []
    for r in platform.regions:
        if len(platform.regions) < 2:
            break
        needs = (f"istiod/{r}",)
        run = partial(mesh.check_remote_clusters, platform, r)
        found.append(
            _check(f"remote-clusters/{r}", "mesh", f"istiod of {r} reads the other clusters", run, needs)
        )
    for r in platform.regions:
        run = partial(mesh.check_endpoints, platform, r)
        title = f"sidecars of {r} know endpoints in every region"
        found.append(_check(f"endpoints/{r}", "mesh", title, run, (f"api-server/{r}",)))
    for r in platform.regions:
        run = partial(traffic.check_strict, platform, probes, r)
        title = f"plain text from outside the mesh is refused in {r}"
        found.append(_check(f"strict-mtls/{r}", "mesh", title, run, (f"istiod/{r}",), PROBE_SECONDS))
    networks = {r: platform.stack.environment.regions[r].mesh_network for r in platform.regions}
    for source, target in permutations(platform.regions, 2):
        if networks[source] != networks[target]:
            continue
        run = partial(traffic.check_flat, platform, probes, source, target)
        both = (f"api-server/{source}", f"api-server/{target}")
        title = f"a pod of {source} reaches one of {target} by its address"
        found.append(_check(f"flat/{source}/{target}", "network", title, run, both, PROBE_SECONDS))
    return found


def _clients(platform: Platform) -> list[Check]:
    found = []
    for r in platform.regions:
        run = partial(workloads.check_gateway_address, platform, r)
        title = f"the gateway of {r} has its load-balancer address"
        found.append(_check(f"gateway-address/{r}", "gateways", title, run, (f"api-server/{r}",)))
    for r in platform.regions:
        run = partial(names.check_gateway_readiness, platform, r)
        found.append(
            _check(f"gateway-readiness/{r}", "gateways", f"the gateway of {r} says that it is ready", run)
        )
    found.append(
        _check(
            "published-ca", "certificates", "the CA is valid", partial(requests.check_published_ca, platform)
        )
    )
    for spec in platform.ingresses:
        for r in platform.regions:
            run = partial(requests.check_served_certificate, platform, r, spec)
            title = f"the gateway of {r} has a valid certificate for {spec.host}"
            found.append(_check(f"certificate/{r}/{spec.host}", "certificates", title, run))
    for server in platform.outputs.nameservers:
        run = partial(names.check_name_server, platform, server)
        title = f"{server} answers with healthy gateways"
        found.append(_check(f"name-server/{server}", "names", title, run))
    for r in platform.regions if platform.stack.environment.global_load_balancer else ():
        for name, edge in sorted(platform.stack.environment.regions[r].edges.items()):
            run = partial(health_views.check_health_view, platform, name, edge)
            found.append(_check(f"health-view/{name}", "names", f"{name} sees the gateways as they are", run))
    for spec in platform.ingresses:
        for entry in spec.paths:
            run = partial(requests.check_path, platform, spec, entry)
            title = f"https://{spec.host}{entry.path} is answered by {entry.application}"
            found.append(_check(f"https/{spec.host}{entry.path}", "requests", title, run))
    return found


def _check(
    id_: str, link: str, title: str, run: Run, needs: tuple[str, ...] = (), seconds: float = 25.0
) -> Check:
    return Check(id_, link, title, run, needs, seconds)
