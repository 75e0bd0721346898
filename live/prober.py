"""What an edge host's prober sees of the gateways, how old that is, and what its name server makes of it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from access import ssh
from access.errors import AccessError
from live.logins import login
from playbooks.work.names import HEALTH_SERVICE as SERVICE
from stacks.load import Stack
from stacks.model import Environment, Host

PROGRAM = "/usr/local/lib/crossmesh/gateway_health.py"
_SHOW = ["/usr/bin/python3", "-I", PROGRAM, "show", "/etc/crossmesh/health.json"]
ADMIN_STATE = "/var/lib/gdnsd/admin_state"
SETTLED = 10.0
"""Seconds in which gdnsd takes over what its prober hands to it; it needs about one."""


@dataclass(frozen=True)
class View:
    """What one edge host holds of a gateway."""

    region: str
    answered: bool
    """Whether clients are sent there: what the prober sees, unless an operator forces it."""
    seen_up: bool
    """What the prober sees."""
    forced: bool
    age: float | None
    """Seconds since the last probe that counts; None where there was none."""
    said: str
    """What that probe got."""
    taken: bool = True
    """Whether gdnsd has what its prober sees."""
    against: int = 0
    """Probes in a row that said otherwise, and are too few yet."""
    held: bool = False
    """Whether its region failed and is held out."""
    left: float | None = None
    """Seconds until that ends by itself; None where somebody ends it."""

    @property
    def last(self) -> str:
        """What the last probe got, and how far it is from being believed where it said otherwise."""
        return f"{self.said}: {self.against} in a row" if self.against else self.said

    def __str__(self) -> str:
        words = "UP" if self.answered else "DOWN"
        if self.forced:
            words += f" (forced; seen {'UP' if self.seen_up else 'DOWN'})"
        if self.held:
            until = "until it is returned" if self.left is None else f"for {self.left:.0f} s more"
            words += f" (held out {until}; seen {'UP' if self.seen_up else 'DOWN'})"
        return f"{words}, seen {self.age:.0f} s ago" if self.age is not None else f"{words}, never seen"


@dataclass(frozen=True)
class Health:
    """All that one edge host holds."""

    views: Mapping[str, View]
    """By address or name of the gateway."""
    bound: float
    """Seconds that a view may be old while the prober is alive, or is replaced."""
    problem: str = ""
    """Why the prober or gdnsd says nothing."""
    malformed: tuple[str, ...] = ()
    """What gdnsd says against its file of forced states."""
    unmatched: tuple[str, ...] = ()
    """Keys in that file that force nothing."""
    stats: Mapping[str, Any] = field(default_factory=dict)
    """What gdnsd counts since it was started: `gdnsdctl stats`, of its manual."""

    @property
    def counted(self) -> str:
        """Its counters in words; empty where it does not tell them, as one of an earlier release."""
        if not self.stats:
            return ""
        kinds, udp, tcp = (self.stats.get(name) or {} for name in ("stats", "udp", "tcp"))
        questions = int(udp.get("reqs", 0)) + int(tcp.get("reqs", 0))
        hours = int(self.stats.get("uptime", 0)) / 3600
        refused, dropped = kinds.get("refused", 0), kinds.get("dropped", 0)
        return (
            f"{questions} questions in {hours:.1f} h ({tcp.get('reqs', 0)} by TCP): "
            f"{kinds.get('nxdomain', 0)} for unknown names, {refused} refused, {dropped} dropped"
        )

    def stale(self, view: View) -> bool:
        """Whether nobody has looked for longer than a prober that hangs would be left alone."""
        return view.age is None or view.age > self.bound

    def place(self, target: str) -> str:
        """A gateway's region, and where it is reached if that is one of several."""
        region = self.views[target].region
        alone = sum(view.region == region for view in self.views.values()) == 1
        return region if alone else f"{region} at {target}"

    def complaints(self) -> list[tuple[str, str]]:
        """What an operator is to know: what is wrong, and what to do."""
        return [*self.blind(), *self.misled()]

    def blind(self) -> list[tuple[str, str]]:
        """Where the name server does not go by what is so now."""
        found = [(self.problem, _RESTORE)] if self.problem else []
        found += [
            (
                f"its view of {view.region} ({target}) is {_old(view)}: it answers by what it saw last",
                f"`systemctl status {SERVICE}` and its journal on that host say why nobody looks.",
            )
            for target, view in sorted(self.views.items())
            if self.stale(view)
        ]
        found += [
            (
                f"gdnsd does not take from its prober that {view.region} ({target}) is "
                f"{'UP' if view.seen_up and not view.held else 'DOWN'}",
                "`journalctl -u gdnsd` on that host says why; `systemctl reload gdnsd` reads the file anew.",
            )
            for target, view in sorted(self.views.items())
            if not view.taken
        ]
        return found

    def misled(self) -> list[tuple[str, str]]:
        """Where it is not forced as somebody meant it to be."""
        found = []
        if self.malformed:
            words = f"{ADMIN_STATE} is malformed: {'; '.join(self.malformed)}"
            fix = "Mend it: gdnsd passes over all of it while it runs, and does not start with it."
            found.append((words, fix))
        if self.unmatched:
            words = f"{ADMIN_STATE} forces {', '.join(self.unmatched)}, which is no gateway: it has no effect"
            fix = "Write the gateway's present address there, or take the line out."
            found.append((words, fix))
        return found


_RESTORE = (
    f"`systemctl status gdnsd {SERVICE}` and `journalctl` say what became of them; `pulumi up` sets them up "
    "on a host of an earlier release."
)


def _old(view: View) -> str:
    return "none" if view.age is None else f"{view.age:.0f} s old"


def probing(environment: Environment) -> Iterator[tuple[str, str, Host]]:
    """The edge hosts that look at gateways, each with its region and name; none without name servers."""
    if environment.global_load_balancer is not None:
        for region, spec in sorted(environment.regions.items()):
            yield from ((region, name, host) for name, host in sorted(spec.edges.items()))


def read(stack: Stack, edge: str, address: str) -> Health:
    """Ask an edge host. Raises `AccessError` where it is not reached, or nobody becomes root there.

    address: where it is reached, unless its `ssh` declares another one.
    """
    done = ssh.run(edge, login(stack, edge, address), _SHOW, timeout=20)
    if done.returncode and "sudo:" in done.stderr:
        fix = (
            "See that the login may become root, by the password that is declared or without one: what gdnsd "
            "holds, it tells root alone."
        )
        raise AccessError(f"{edge}: {' '.join(done.stderr.split())[:300]}", fix=fix)
    try:
        return _health(json.loads(done.stdout))
    except (ValueError, KeyError, TypeError, AttributeError):
        words = " ".join((done.stderr or done.stdout).split())[:300]
        return Health({}, 0.0, f"its prober cannot be asked: {words}")


def _health(document: Mapping[str, object]) -> Health:
    gateways, states = document["gateways"], document["states"]
    assert isinstance(gateways, dict) and isinstance(states, dict)
    # gdnsd calls what it watches by full names, with the dot at their end.
    by_target = {key.rpartition("/")[0].removesuffix("."): state for key, state in states.items()}
    return Health(
        views={
            target: _view(seen, by_target.get(target, {}), document, target)
            for target, seen in gateways.items()
        },
        bound=float(str(document["bound"])),
        problem=f"gdnsd does not say its states: {document['problem']}" if document["problem"] else "",
        malformed=tuple(document["malformed"]),  # type: ignore[arg-type]
        unmatched=tuple(document["unmatched"]),  # type: ignore[arg-type]
        stats=document.get("stats") or {},  # type: ignore[arg-type]
    )


def _view(
    seen: Mapping[str, object], state: Mapping[str, str], document: Mapping[str, Any], target: str
) -> View:
    """From what the prober keeps, and gdnsd's entry of it: `UP/5`; `DOWN!` where an operator forces it.

    document: in which, where regions are held out, is what gdnsd was given instead of what is seen.
    """
    up, age, region = bool(seen["up"]), float(str(seen["age"])), str(seen["region"])
    given, since = (document.get("handed") or {}).get(target) or (up, float(str(seen["since"])))
    held = region in (document.get("held") or {})
    said = state.get("state", "UP" if up else "DOWN")
    real = state.get("real_state", said)
    return View(
        region=region,
        answered=said.startswith("UP"),
        seen_up=up,
        forced="!" in said,
        age=age if seen["said"] else None,
        said=str(seen["said"]),
        taken=real.startswith("UP") == given or since < SETTLED,
        against=int(str(seen["against"])),
        held=held,
        left=document["left"].get(region) if held else None,
    )
