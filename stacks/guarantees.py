"""What names promise under each fault, with the seconds that follow from what is declared.

The bounds are those of `stacks.simulation`, and nothing else is counted here: what has no bound says why.
"""

from __future__ import annotations

from dataclasses import dataclass

from stacks.model import GlobalLoadBalancerSpec, HealthCheck
from stacks.simulation import convergence

REPLACED = 15.0
"""Seconds in which a prober that hangs is killed (its watchdog: 10) and the next one looks: `REPLACED` of the
program on edge hosts."""
RESTARTED = 2.0
"""Seconds after which systemd starts a name server that ended: `RestartSec` of the role's drop-in."""


@dataclass(frozen=True)
class Guarantee:
    """One fault, and what holds while it lasts."""

    fault: str
    promised: str
    not_promised: str
    seconds: float | None = None
    """At most, until it holds for all clients that honour the TTL; None where nothing changes, or nothing is
    promised in time."""


def guarantees(balancer: GlobalLoadBalancerSpec) -> tuple[Guarantee, ...]:
    """For each fault; each by itself, and with two edge hosts or more in different regions."""
    check, ttl = balancer.health_check, balancer.ttl
    lost = convergence(check, ttl).total
    return (
        Guarantee(
            "a single probe is lost",
            "no answer changes" if check.down_threshold > 1 else "nothing: `downThreshold` is 1",
            "that a gateway which loses every other probe is taken for bad: probes are counted in a row",
        ),
        Guarantee(
            "a gateway is dead",
            "no name server answers with it; its region stays in answers while it has another gateway",
            "connections that are open to it; clients and resolvers that keep answers longer than the TTL",
            lost,
        ),
        Guarantee(
            "a region is dead, its edge hosts with it",
            "the others are answered, by the order that is declared, while one of them is healthy",
            "the first question to a name server that is gone: resolvers try the next one after their own "
            "time-out",
            lost,
        ),
        Guarantee(
            "all regions are dead",
            "the first tier is answered whole: an answer may be wrong, and no answer certainly is",
            "that anybody is served",
        ),
        Guarantee(
            "a region comes back",
            _comeback(check),
            "that all edge hosts bring it back in the same second: each counts for itself",
            convergence(check, ttl, up=True).total,
        ),
        Guarantee(
            "an edge host is dead",
            "no answer of the others changes; they share nothing",
            "answers, where it is the only one; the time that resolvers take to try the next one",
        ),
        Guarantee(
            "a partition between edge hosts",
            "nothing changes: no edge host asks another one for anything",
            "nothing more",
        ),
        Guarantee(
            "a partition between an edge host and a region",
            "this edge host leads clients to the other regions; the others go on as before",
            "that all clients are answered alike: which name server is asked decides, and each is right for "
            "what it sees. The doctor says which of them differ",
            lost,
        ),
        Guarantee(
            "an edge host is cut off from all regions, not from clients",
            "it answers the first tier whole, and holds nothing out when it sees regions again; drained "
            "regions stay out",
            "that it leaves out a region that dies meanwhile: it cannot know",
        ),
        Guarantee(
            "the prober ends or hangs",
            "answers stay what was seen last; it is started anew, or killed and started anew, and a fault "
            "that came meanwhile is seen after that",
            "that anything is seen while the host cannot run it at all: doctor, drift and status say how old "
            "each view is",
            lost + REPLACED,
        ),
        Guarantee(
            "the name server ends",
            f"it is started anew {RESTARTED:g} s later, with what the prober has seen; the others answer",
            "answers from it until then",
        ),
        Guarantee(
            "a zone file or the configuration is corrupt",
            "one that `up` would write is refused before it is put in place; one that is spoilt on the host "
            "is not read by the gdnsd that runs, and names stay answered",
            "that this gdnsd starts anew with it: then the others answer, until `pulumi up` writes it anew",
        ),
        Guarantee(
            "the file of views is corrupt, or gone",
            "what gdnsd read last stays in force; the prober writes it anew with the next change",
            "a view of a gateway that changes in the same moment",
        ),
        Guarantee(
            "the clock of an edge host is wrong",
            "probes, ages and holds do not notice: they count by the time since the boot",
            "that certificates are taken for valid: with a clock outside of their time all gateways seem "
            "down, which is as if it were cut off. Preflight refuses a clock that is off by five minutes, "
            "and the doctor tells it",
        ),
        Guarantee(
            "the database of countries is broken",
            "one that is replaced by a broken file is not taken over by the gdnsd that runs",
            "that this gdnsd starts anew with it: doctor and preflight tell it before",
        ),
        Guarantee(
            "a region is drained",
            "no name server that has the declaration answers it, whatever is healthy",
            "that clients leave it: what is open stays open. An edge host that `up` did not reach answers as "
            "before",
            float(ttl),
        ),
    )


def _comeback(check: HealthCheck) -> str:
    if check.comeback == "byHand":
        return (
            "it stays out until it is returned by hand, unless no other region is left; then within the bound"
        )
    if check.hold_down:
        return f"it is answered {check.hold_down} s after it failed at the earliest, unless no other is left"
    return "it is answered again, after as many good probes in a row as are declared"


HEAD = """\
# What names promise under each fault

Made from code by `make docs`; `crossmesh simulate --stack NAME --guarantees` shows it with the seconds of
your own declaration. They come from the same code as the simulator's bounds: how long until the prober
counts a change, gdnsd answers by it, and the TTL of the last answer from before is over
([why](global-load-balancing.md#before-it-is-applied)). Below they are those of a declaration that says
nothing (`interval` {interval} s, `timeout` {timeout} s, thresholds {down} and {up}, TTL {ttl} s).

They hold for each fault by itself, with edge hosts in two regions or more, on hosts that have processor
time for the prober, and for clients and resolvers that honour the TTL.

| fault | what is promised | within | what is not |
|---|---|---|---|
"""


def render() -> str:
    """The page, for a declaration that says nothing."""
    balancer = GlobalLoadBalancerSpec()
    check = balancer.health_check
    head = HEAD.format(
        interval=check.interval,
        timeout=check.timeout,
        down=check.down_threshold,
        up=check.up_threshold,
        ttl=balancer.ttl,
    )
    rows = [
        f"| {each.fault} | {each.promised} | {within(each)} | {each.not_promised} |\n"
        for each in guarantees(balancer)
    ]
    return head + "".join(rows)


def within(guarantee: Guarantee) -> str:
    """The bound in words; empty where there is none."""
    return "" if guarantee.seconds is None else f"{guarantee.seconds:.1f} s"
