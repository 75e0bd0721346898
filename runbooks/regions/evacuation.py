"""Take a region out of what names lead to, and see its traffic end."""

from __future__ import annotations

import time

from access.errors import AccessError
from report.errors import OperationsError
from report.problem import Problem
from runbooks.apply import lacking
from runbooks.model import Blast, Facts, Parameter, Runbook, Step
from runbooks.regions import judging, traffic
from runbooks.regions.site import REGION, RegionSite, opened
from runbooks.regions.traffic import Window

NAMES, TRAFFIC = "names", "traffic"
WINDOW_SECONDS = 10.0
"""For which requests are counted before it is said that none come."""
_AGAIN_SECONDS = 2.0
"""After which a name server is asked once more."""
_FRESH_SECONDS = 15.0
"""What was counted so lately is not counted again."""
_SECONDS = Parameter("seconds", "how long traffic is given to end, from when no answer leads there", "300")
_ACCEPT = Parameter(
    "accept",
    f"what may be so, by commas: {NAMES} (the doctor finds something about name servers), {TRAFFIC} "
    "(requests that still come at the end)",
    "",
)


def _led_there(site: RegionSite) -> str:
    if not site.drained:
        return f"names lead to {site.region}"
    if words := lacking(site):
        return words
    if words := site.still_answered():
        # A question or its answer may have been lost.
        site.rest(_AGAIN_SECONDS, words)
        return site.still_answered()
    return ""


def _leave_out(site: RegionSite) -> None:
    site.declare(drained=True, weights={})


def _given_out(site: RegionSite) -> str:
    """Which answers with the region may still be kept; empty once none may."""
    return _kept(site)[1] if site.drained else f"names lead to {site.region}"


def _kept(site: RegionSite) -> tuple[float, str]:
    """For how many seconds answers with the region may still be kept, and why; nothing once none may."""
    bound = site.bound
    needed = bound.taken + bound.cached
    late = site.late(needed)
    if not late:
        return 0.0, ""
    left = needed - min(late.values())
    told = ", ".join(f"{edge} has left it out for {seconds:.0f} s" for edge, seconds in late.items())
    return left, (
        f"answers with {site.region} may be kept for {left:.0f} s more: {told}; it takes {bound.taken:.1f} s "
        f"until a name server answers by a change, and the TTL is {bound.cached:.0f} s"
    )


def _outlast(site: RegionSite) -> None:
    left, words = _kept(site)
    if words:
        site.rest(left + 0.5, words)


def _counted(site: RegionSite) -> Window:
    """What comes to the region now. Raises AccessError."""
    first = site.sample()
    site.rest(WINDOW_SECONDS, f"requests that come to {site.region} are counted")
    return traffic.between(first, site.sample(), site.probers)


def _coming(site: RegionSite) -> str:
    """What clients still ask of the region; empty for nothing, and for what the operator accepts."""
    if not site.drained:
        return f"names lead to {site.region}"
    if site.ended and time.monotonic() - site.ended < _FRESH_SECONDS:
        return ""
    try:
        window = _counted(site)
    except AccessError as error:
        return f"what comes cannot be counted: {error.message}"
    return "" if window.quiet else f"still coming: {window}"


def _watch(site: RegionSite) -> None:
    """Count until nothing comes, or the time is over."""
    deadline = time.monotonic() + site.seconds
    while words := _coming(site):
        site.tell(words)
        if time.monotonic() > deadline:
            if TRAFFIC not in site.accepted:
                raise OperationsError(
                    f"after {site.seconds:.0f} s: {words}",
                    fix="find these clients: they keep answers longer than the TTL, keep connections, or ask "
                    f"the gateway's address itself. Then `crossmesh runbook resume`; `accept={TRAFFIC}` of a "
                    "new run lets them be",
                )
            site.tell(f"accepted: {words}")
            break
    site.ended = time.monotonic()


def _spared(site: RegionSite) -> list[Problem]:
    """What stands against it by what is seen now."""
    try:
        seen = site.seen()
    except AccessError as error:
        fix = error.fix or "every name server has to take the change"
        return [Problem(f"what a name server sees is not known: {error.message}", fix)]
    return judging.sparing(site.environment, site.region, seen)


def _against(site: RegionSite) -> list[Problem]:
    if not site.hosts:
        return [Problem("no name is answered: nothing leads clients to a region", "expose something first")]
    names = judging.of_doctor(site.names_checked(), NAMES)
    return [*_spared(site), *site.judged(names), *site.awaiting()]


def _blast(site: RegionSite) -> Blast:
    balancer, bound = site.balancer, site.bound
    if site.drained:
        return Blast(site.region, [f"nothing of the declaration: {site.region} is drained already"])
    drained = [*balancer.drained, site.region]
    if not site.environment.regions.keys() - set(drained):
        return Blast(site.region, [f"{site.region} is the last region in service"])
    after = judging.with_drained(site.environment, drained)
    return Blast(
        site.region,
        [
            f"the declaration: globalLoadBalancer.drained goes from {list(balancer.drained)} to {drained}, "
            "to be committed",
            *judging.led_elsewhere(site.environment, after),
            f"{bound.taken + bound.cached:.1f} s are waited for answers that were given out, and up to "
            f"{site.seconds:.0f} s for requests to end",
            f"pods of {site.region} run on; other regions ask them where none of their own is healthy",
        ],
    )


def _elsewhere(site: RegionSite) -> list[Problem]:
    """That clients are served where they are led to; and what comes next."""
    found = _spared(site)
    site.tell(
        f"commit the stack file. {site.region} is probed on; `crossmesh runbook run return-region "
        f"region={site.region}` brings it back"
    )
    return found


def _lead_back(site: RegionSite, before: Facts) -> None:
    # Drained by somebody before this run, it stays so.
    site.declare(drained=bool(before["drained"]), weights={})


def _nothing(site: RegionSite, before: Facts) -> None:
    """Time that has passed and requests that have ended need no way back."""


EVACUATE: Runbook[RegionSite] = Runbook(
    name="evacuate-region",
    title="Take a region out of what names lead to",
    says="Before work on a whole region. Names lead elsewhere, by `drained` of the stack file and a "
    "`pulumi up`; then answers that were given out are waited for, and requests at the region's gateways are "
    "counted until none come but those of probers. It is refused where a host would be left without a "
    "healthy region. What failed or was killed stands: the region goes on to serve whoever asks it. "
    "`return-region` brings it back.",
    parameters=(REGION, _SECONDS, _ACCEPT),
    opened=opened,
    blast=_blast,
    preconditions=_against,
    takes_back=False,
    steps=(
        Step(
            "dns",
            "have no name lead to the region",
            do=_leave_out,
            verify=_led_there,
            check=_spared,
            before=lambda site: {"drained": site.drained},
            undo=_lead_back,
        ),
        Step(
            "ttl",
            "wait until answers that were given out have ended",
            do=_outlast,
            verify=_given_out,
            undo=_nothing,
        ),
        Step(
            "traffic",
            "count requests at the region's gateways until none come but those of probers",
            do=_watch,
            verify=_coming,
            undo=_nothing,
        ),
    ),
    postconditions=_elsewhere,
)
