"""What is done to an edge host while its answers are watched: gateways and prober are killed and stopped."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

from tests.lab.edge_host import GATEWAYS, INTERVAL, PROBER, THRESHOLD, TIMEOUT, EdgeHost

SETTLED = 2.0
"""Seconds in which gdnsd takes over what its prober sees; it waits one itself."""
WATCHDOG = 10.0
RESTART = 5.0
"""Seconds until another prober looks: systemd waits one, the rest is Python's start on a loaded machine."""
SLACK = 5.0
"""Seconds that a loaded machine and the questions of the test themselves take."""
BOUND = THRESHOLD * INTERVAL + TIMEOUT + SETTLED + SLACK
"""Seconds until answers are right, after a gateway has changed."""
BLIND_BOUND = BOUND + WATCHDOG + RESTART
"""The same while the prober is stopped, too, at the same moment."""
BUSY = 0.05
"""Share of a processor that nothing of a name server may use over the whole time."""


@dataclass
class Seen:
    """What was measured."""

    rounds: int = 0
    longest: dict[str, float] = field(default_factory=dict)
    """Seconds until answers were right, by what had been done."""
    probers: set[int] = field(default_factory=set)
    """Process ids of all probers that ran."""
    busy: dict[str, float] = field(default_factory=dict)
    """Largest share of a processor that a process used between two looks, by unit."""

    def took(self, what: str, seconds: float) -> None:
        self.longest[what] = round(max(seconds, self.longest.get(what, 0.0)), 1)


def load(host: EdgeHost, processes: int) -> None:
    """That many processes that always want a processor, until `unload`."""
    loop = f"for i in $(seq {processes}); do while :; do :; done & done; wait"
    host.run(f"systemd-run --quiet --collect --unit=load sh -c '{loop}'")


def unload(host: EdgeHost) -> None:
    host.run("systemctl kill --signal=KILL load.service || true")


def rounds(host: EdgeHost, seconds: float) -> Seen:
    """Do all of it again and again, for that long."""
    seen, ends = Seen(), time.monotonic() + seconds
    gdnsd = host.pid("gdnsd.service")
    used = (time.monotonic(), host.seconds_of_processor(gdnsd))
    while time.monotonic() < ends or not seen.rounds:
        _gateways(host, seen)
        _prober(host, seen)
        _both(host, seen)
        used = _spins(host, gdnsd, used, seen)
        seen.rounds += 1
    assert host.pid("gdnsd.service") == gdnsd, "gdnsd ended"
    return seen


def _gateways(host: EdgeHost, seen: Seen) -> None:
    """Probes that time out, then ones that are refused."""
    host.signal("gateway-eu", "STOP")
    seen.took("gateway stopped", host.wait("us", seconds=BOUND))
    host.signal("gateway-eu", "CONT")
    seen.took("gateway continued", host.wait(*GATEWAYS, seconds=BOUND))
    host.signal("gateway-us", "KILL")
    seen.took("gateway killed", host.wait("eu", seconds=BOUND))
    host.start_gateway("us")
    seen.took("gateway started", host.wait(*GATEWAYS, seconds=BOUND))


def _prober(host: EdgeHost, seen: Seen) -> None:
    """Nothing changes but who looks: answers stay, and another one looks."""
    for name in ("KILL", "STOP"):
        before, began = host.pid(PROBER), time.monotonic()
        host.signal(PROBER, name)
        while (now := host.pid(PROBER)) in (0, before) or not host.active(PROBER):
            assert time.monotonic() - began < WATCHDOG + RESTART + SLACK, f"nobody looks after SIG{name}"
            time.sleep(0.5)
        seen.took(f"prober: SIG{name}", time.monotonic() - began)
        seen.probers |= {before, now}
        host.wait(*GATEWAYS, seconds=SLACK)


def _both(host: EdgeHost, seen: Seen) -> None:
    """The prober is stopped, and in that moment a gateway dies."""
    host.signal(PROBER, "STOP")
    host.signal("gateway-us", "KILL")
    seen.took("gateway killed while the prober is stopped", host.wait("eu", seconds=BLIND_BOUND))
    host.start_gateway("us")
    host.wait(*GATEWAYS, seconds=BLIND_BOUND)
    host.signal(PROBER, "KILL")
    host.signal("gateway-eu", "STOP")
    seen.took("gateway stopped while the prober is killed", host.wait("us", seconds=BOUND + RESTART))
    host.signal("gateway-eu", "CONT")
    host.wait(*GATEWAYS, seconds=BOUND + RESTART)


def _spins(host: EdgeHost, gdnsd: int, used: tuple[float, float], seen: Seen) -> tuple[float, float]:
    """That nothing uses more of a processor than its work is; the next look begins with what is returned."""
    now, seconds = time.monotonic(), host.seconds_of_processor(gdnsd)
    shares = {"gdnsd": (seconds - used[1]) / (now - used[0])}
    prober, began = host.pid(PROBER), time.monotonic()
    before = host.seconds_of_processor(prober)
    time.sleep(2 * INTERVAL)
    shares["prober"] = (host.seconds_of_processor(prober) - before) / (time.monotonic() - began)
    for unit, share in shares.items():
        assert share < BUSY, f"{unit} uses {share:.0%} of a processor"
        seen.busy[unit] = round(max(share, seen.busy.get(unit, 0.0)), 4)
    return now, seconds
