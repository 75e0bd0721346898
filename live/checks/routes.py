"""Have gateways taken the routes, as istiod says of them, and do they answer as these are declared?"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any

from components.values.exposure import GATEWAY_API
from live.checks.answers import through
from live.doctor import foundations, keys
from live.doctor.model import Check, Evidence, Finding, Watch
from live.doctor.platform import Platform
from stacks.model import HTTPS_PORT, Exposed, RouteRule, RouteSpec
from stacks.system_namespaces import ISTIO_INGRESS

_API = f"/apis/{GATEWAY_API}/v1/namespaces"
_OF_GATEWAY = ("Accepted", "Programmed")
_OF_LISTENER = ("Accepted", "ResolvedRefs", "Programmed")
_OF_ROUTE = ("Accepted", "ResolvedRefs")


def taken(platform: Platform) -> Iterator[Check]:
    """A check of each route in each region: whether its gateway has taken it."""
    for name, spec in platform.routes:
        for region in platform.regions:
            yield Check(
                keys.route(region, name),
                "exposure",
                f"the gateway of {region} has taken route {name}",
                partial(check_taken, platform, region, name, spec),
                needs=(keys.api_server(region),),
                rests_on=(keys.istiod(region),),
                region=region,
                declared=("routes", name),
            )


def answered(platform: Platform, name: str, exposed: Exposed) -> Iterator[Check]:
    """A check of each rule that is for plain requests: those that ask for its path, and no more."""
    spec = platform.stack.environment.routes[name]
    said = set()
    for rule in spec.rules:
        if rule.headers or "GET" not in (rule.methods or ("GET",)) or rule.path in said:
            continue
        said.add(rule.path)
        what = "a redirect" if rule.redirect else " or ".join(_named(rule))
        yield Check(
            keys.https(exposed.host, rule.path),
            "exposure",
            f"https://{exposed.host}{rule.path} is answered by {what}",
            partial(check_answer, platform, exposed, rule),
            rests_on=(
                *foundations.answers(platform, dns=exposed.dns),
                *(keys.certificate(region, exposed.host) for region in platform.regions),
                *(keys.route(region, name) for region in platform.regions),
                *_applications(platform, rule),
            ),
            declared=("routes", name),
        )


def _named(rule: RouteRule) -> list[str]:
    return [str(backend.application or backend.service) for backend in rule.backends if backend.weight]


def _applications(platform: Platform, rule: RouteRule) -> tuple[keys.Key, ...]:
    names = sorted({backend.application for backend in rule.backends if backend.application})
    return foundations.all_applications(platform, *names) if names else ()


def check_taken(platform: Platform, region: str, name: str, spec: RouteSpec, watch: Watch) -> Finding:
    """istiod says of the route and its gateway that it has taken both, as they are now, with all backends."""
    evidence = Evidence("istiod takes the route and its gateway, with all backends and certificates")
    watch.at(f"the route {name} in {region}")
    cluster = platform.clusters[region]
    gateway = cluster.get(f"{_API}/{ISTIO_INGRESS}/gateways/{name}")
    route = cluster.get(f"{_API}/{spec.namespace}/httproutes/{name}")
    for what, found in (
        (f"Gateway {ISTIO_INGRESS}/{name}", gateway),
        (f"HTTPRoute {spec.namespace}/{name}", route),
    ):
        if found is None:
            evidence.problem(
                f"there is no {what}",
                "Run `pulumi up`; see whether the cluster has definitions of the Gateway API "
                f"(`kubectl get crd httproutes.{GATEWAY_API}`).",
            )
    for words in (*_of_gateway(gateway or {}), *_of_route(route or {})):
        evidence.problem(words, _mend(words, spec))
    return evidence.finding("taken" if not evidence.problems else f"{len(evidence.problems)} problems")


def _of_gateway(gateway: Mapping[str, Any]) -> Iterator[str]:
    if not gateway:
        return
    generation, status = gateway["metadata"].get("generation"), gateway.get("status") or {}
    yield from _unmet("the gateway", status.get("conditions"), _OF_GATEWAY, generation)
    for listener in status.get("listeners") or ():
        what = f"listener {listener.get('name')}"
        yield from _unmet(what, listener.get("conditions"), _OF_LISTENER, generation)


def _of_route(route: Mapping[str, Any]) -> Iterator[str]:
    if not route:
        return
    parents = (route.get("status") or {}).get("parents") or ()
    if not parents:
        yield "the route: no gateway has said anything of it yet"
    for parent in parents:
        generation = route["metadata"].get("generation")
        yield from _unmet("the route", parent.get("conditions"), _OF_ROUTE, generation)


def _unmet(what: str, conditions: Any, wanted: tuple[str, ...], generation: Any) -> Iterator[str]:
    """What is not so, in istiod's words. generation: of the object; older words are of an older one."""
    found = {condition.get("type"): condition for condition in conditions or ()}
    for kind in wanted:
        condition = found.get(kind)
        if condition is None:
            yield f"{what}: istiod has not said whether it is {kind}"
        elif generation is not None and condition.get("observedGeneration", generation) < generation:
            yield f"{what}: istiod has not read its last change"
            return
        elif condition.get("status") != "True":
            yield f"{what}: not {kind}: {condition.get('reason')}: {condition.get('message')}"


def _mend(words: str, spec: RouteSpec) -> str:
    if "BackendNotFound" in words and spec.services:
        named = ", ".join(spec.services)
        return f"See whether namespace {spec.namespace} has the Services that others are to bring: {named}."
    if "istiod has not" in words:
        return "Wait a moment; then see istiod's log."
    return "Compare the route with the stack file, and read istiod's log."


def check_answer(platform: Platform, exposed: Exposed, rule: RouteRule, watch: Watch) -> Finding:
    """Through every address that clients are led to, who asks for the path is answered as is declared.

    What an application answers is its own matter, but for the gateway's word that none does.
    """
    wanted = f"{rule.redirect.status}, a redirect" if rule.redirect else "an answer below 500"
    evidence = Evidence(f"{wanted}, through every answered address")
    asked = served = 0
    for where, answer in through(
        platform, exposed.example, rule.path, watch, dns=exposed.dns, port=HTTPS_PORT
    ):
        asked += 1
        said = answer.problem or f"HTTP {answer.status} {answer.location}".rstrip()
        right = answer.status == rule.redirect.status if rule.redirect else 0 < answer.status < 500
        if answer.problem or not right:
            evidence.problem(
                f"through {where}: {said}",
                "See the checks of the route in that region, and of what it leads to.",
            )
        else:
            evidence.note(f"through {where}: {said}")
            served += 1
    return evidence.finding(f"answered through {served} of {asked} addresses")
