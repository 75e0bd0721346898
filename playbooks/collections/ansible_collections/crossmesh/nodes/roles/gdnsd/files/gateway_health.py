"""The health of gateways, for gdnsd: looks as clients do, and writes what it sees into a file that gdnsd has.

    gateway_health.py probe CONFIG     look until it is ended (the service crossmesh-health)
    gateway_health.py show CONFIG      print as JSON what is seen, how old it is, what gdnsd makes of it
    gateway_health.py check DIRECTORY  let gdnsd check a directory of configuration; keep what is forced

A probe is a new connection, TLS verified for a name, and a request for one of its paths. A gateway that
answers serves its clients, unless it says (502, 503, 504) that nobody answers behind it; one name and path
that it serves are enough. Python 3.10 or later, standard library only.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import socket
import ssl
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import TimeoutError as LookupTimeout
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

NOBODY_BEHIND = {502, 503, 504}
"""Answers of a gateway that reaches no application."""
REPLACED = 15.0
"""Seconds in which systemd kills one that hangs (its watchdog: 10) and starts the next."""
LOOKUPS = 8
"""Of one gateway's name at a time: a resolver that is silent holds each for some ten seconds."""
_GDNSD, _CONFIGURATION = "/usr/sbin/gdnsd", "/etc/gdnsd"
_UNMATCHED = re.compile(r"admin_state: glob '(.*)' did not match anything")
_WRONG = re.compile(r"^(?:error|fatal|warning): (.*admin_state.*)$", re.MULTILINE)


def now() -> float:
    """Seconds since the machine was started: no clock that is set changes an age."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


def write(path: Path, text: str) -> None:
    """Whoever reads it sees the old text or the new one."""
    new = path.with_name(f".{path.name}.new")
    new.write_text(text)
    new.replace(path)


def notify(words: str) -> None:
    """Tell systemd, where it is the one that runs this."""
    if address := os.environ.get("NOTIFY_SOCKET"):
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
            sock.connect(f"\0{address[1:]}" if address.startswith("@") else address)
            sock.send(words.encode())


@dataclass
class View:
    """What is seen of a gateway. Times are of `now`."""

    region: str
    up: bool | None = None
    """None until the first probe, which decides: nothing before it speaks against it."""
    against: int = 0
    """Probes in a row that said otherwise."""
    seen: float = 0.0
    """When the last probe that counts ended."""
    since: float = 0.0
    """When `up` changed last."""
    said: str = ""
    """What that probe got."""

    def count(self, well: bool, said: str, thresholds: tuple[int, int]) -> bool:
        """Take in a probe; whether `up` has changed. thresholds: probes in a row until it is down, and up."""
        self.seen, self.said = now(), said
        self.against = 0 if well == self.up else self.against + 1
        if self.up is not None and self.against < thresholds[0 if self.up else 1]:
            return False
        self.up, self.against, self.since = well, 0, self.seen
        return True


class Holds:
    """Regions that failed and are held out, until their time is over or somebody returns them.

    None is held while no other one is there to be answered: whatever a name server cannot see from where it
    is, it takes all regions for down together, and what comes back from that comes back at once.
    """

    def __init__(self, config: dict[str, Any], up: dict[str, bool | None]) -> None:
        """config: `seconds`, `by_hand`, `returned` and `drained`, as the role has them, and the `directory`
        that outlives a boot. up: of each region whether one of its gateways is seen up; None for unknown."""
        self.seconds, self.by_hand = float(config["seconds"]), bool(config["by_hand"])
        self.returned: dict[str, int] = config["returned"]
        self.drained = set(config["drained"])
        self.path = Path(config["directory"]) / "held.json"
        self.was = dict(up)
        self.since: dict[str, float] = {}
        """When each region that is held failed, of `now`."""
        self.numbers: dict[str, int] = {}
        """Of each, its number in `returned` then."""

    def remember(self, held: dict[str, tuple[float, int]]) -> None:
        """Take over who is held. held: as it was kept beside the views, in this boot."""
        for region in held.keys() & self.was.keys():
            self.since[region], self.numbers[region] = held[region]
        with contextlib.suppress(OSError, ValueError, TypeError, AttributeError):
            kept = json.loads(self.path.read_text()) if self.by_hand else {}
            self.numbers.update(
                {region: int(number) for region, number in kept.items() if region in self.was}
            )
            self.since = {region: self.since.get(region, now()) for region in self.numbers}

    def look(self, up: dict[str, bool | None], when: float) -> dict[str, str]:
        """Take in what is seen of regions; of each whose hold begins or ends, what is to be said of it."""
        before = set(self.since)
        for region, is_up in up.items():
            if is_up is False and self.was.get(region):
                self.since[region], self.numbers[region] = when, self.returned.get(region, 0)
            self.was[region] = self.was.get(region) if is_up is None else is_up
        over = {region: self._over(region, when) for region in self.since}
        said = {region: words for region, words in over.items() if words}
        left = set(self.since) - set(said)
        if None not in up.values() and not self._answered(up, left):
            said.update(dict.fromkeys(left, "no other one is left"))
        for region in said:
            del self.since[region], self.numbers[region]
        ended = {name: f"is held out no longer: {words}" for name, words in said.items() if name in before}
        return {**ended, **{name: f"is held out {self._until()}" for name in set(self.since) - before}}

    def _over(self, region: str, when: float) -> str:
        """Why a hold is over; empty while it is not."""
        if self.by_hand:
            return "" if self.returned.get(region, 0) == self.numbers[region] else "it was returned"
        return "" if when - self.since[region] < self.seconds else "its time is over"

    def _answered(self, up: dict[str, bool | None], held: set[str]) -> bool:
        return any(is_up and region not in held | self.drained for region, is_up in up.items())

    def _until(self) -> str:
        return "until it is returned by hand" if self.by_hand else f"for {self.seconds:g} s since it failed"

    def left(self, region: str, when: float) -> float | None:
        """Seconds until a region's hold ends by itself; None where it does not."""
        return None if self.by_hand else max(0.0, self.since[region] + self.seconds - when)

    def keep(self) -> None:
        """Write who waits for a hand, where a boot does not take it."""
        if self.by_hand:
            write(self.path, json.dumps(self.numbers))


class Prober:
    """Looks at all gateways, each in a thread of its own, and keeps what it saw for who runs next."""

    def __init__(self, config: dict[str, Any]) -> None:
        self.interval, self.timeout = float(config["interval"]), float(config["timeout"])
        self.thresholds = (config["down_threshold"], config["up_threshold"])
        self.port, self.directory = config["port"], Path(config["directory"])
        self.requests = [(host, path) for host, paths in sorted(config["hosts"].items()) for path in paths]
        self.context = _trusting(config["ca_certificate"])
        trust = config.get("trust", {})
        self.contexts = {host: _trusting(authorities) for host, authorities in trust.items()}
        """Of hosts whose certificates are of other authorities."""
        self.bound = self.interval + self.timeout + REPLACED
        self.views = {
            target: View(region) for region, told in sorted(config["gateways"].items()) for target in told
        }
        self.ended = dict.fromkeys(self.views, now())
        """When the last probe of each ended, be it one that does not count."""
        self.lookups = ThreadPoolExecutor(LOOKUPS * len(self.views) or 1)
        self.lock = threading.Lock()
        """Over views and files."""
        kept = self._remember()
        self.holds = Holds(config["hold"], self._regions()) if config.get("hold") else None
        self.handed: dict[str, tuple[bool, float]] = {}
        """What gdnsd was given of each gateway, and since when: of one that is held out, not what is seen."""
        if self.holds:
            self.holds.remember(kept.get("held", {}))
            self.handed = {
                target: (bool(up), since) for target, (up, since) in kept.get("handed", {}).items()
            }

    def _remember(self) -> dict[str, Any]:
        """Take over what another one saw; of what is too old to go on with, only who was up."""
        try:
            document: dict[str, Any] = json.loads((self.directory / "state.json").read_text())
            kept = document["gateways"]
        except (OSError, ValueError, KeyError):
            return {}
        for target in self.views.keys() & kept.keys():
            view = View(**{**kept[target], "region": self.views[target].region})
            if now() - view.seen > self.bound:
                view.against = 0
            self.views[target] = view
        return document

    def _regions(self) -> dict[str, bool | None]:
        """Whether one gateway of each region is seen up; None while that is not known of one that may be."""
        found: dict[str, bool | None] = {}
        for view in self.views.values():
            told = (found.get(view.region, False), view.up)
            found[view.region] = True if True in told else None if None in told else False
        return found

    def hold(self) -> bool:
        """Hold regions out that failed, and let go of them; whether gdnsd is to be told."""
        said = self.holds.look(self._regions(), now()) if self.holds else {}
        for region, words in sorted(said.items()):
            print(f"{region} {words}", flush=True)
        if said and self.holds:
            self.holds.keep()
        return bool(said)

    def keep(self) -> None:
        """Write what is seen, and with it how old it may get."""
        seen = {target: asdict(view) for target, view in self.views.items()}
        document = {"bound": self.bound, "gateways": seen}
        if self.holds:
            numbers = self.holds.numbers
            held = {region: (since, numbers[region]) for region, since in self.holds.since.items()}
            left = {region: self.holds.left(region, now()) for region in held}
            document.update(held=held, left=left, handed=self.handed)
        write(self.directory / "state.json", json.dumps(document))

    def hand_over(self) -> None:
        """Write who is up for gdnsd, after `keep`: whoever comes next hands over the same."""
        held = self.holds.since if self.holds else {}
        known = {
            target: view.up and view.region not in held
            for target, view in self.views.items()
            if view.up is not None
        }
        before, self.handed = self.handed, {}
        for target, up in known.items():
            is_same = target in before and before[target][0] == up
            self.handed[target] = before[target] if is_same else (up, now())
        self.keep()
        # gdnsd calls what it watches by full names.
        keys = {target: target if _is_address(target) else f"{target}." for target in known}
        lines = [f"{keys[target]} => {'UP' if up else 'DOWN'}\n" for target, up in known.items()]
        write(self.directory / "gateways", "".join(lines))

    def run(self) -> None:
        """Look until something breaks. systemd hears when all are seen, then that all are looked at."""
        self.hold()
        self.hand_over()
        for target in self.views:
            threading.Thread(target=self._watch, args=(target,), daemon=True).start()
        while any(view.up is None for view in self.views.values()):
            time.sleep(0.1)
        notify("READY=1")
        late = self.interval + self.timeout + 5
        while True:
            with self.lock:
                self.keep()
            if all(now() - ended < late for ended in self.ended.values()):
                notify("WATCHDOG=1")
            time.sleep(min(self.interval, 3.0))

    def _watch(self, target: str) -> None:
        """Look at one gateway, once in every interval."""
        first = 0
        while True:
            begun = now()
            first, said, well = self._probe(target, first, begun + self.timeout)
            # Who was not let run in time has not heard the answer that may have been there.
            if well or now() - begun < 1.5 * self.timeout:
                self._take(target, well, said)
            self.ended[target] = now()
            time.sleep(max(0.0, begun + self.interval - now()))

    def _take(self, target: str, well: bool, said: str) -> None:
        with self.lock:
            view = self.views[target]
            changed = view.count(well, said, self.thresholds)
            if changed:
                print(f"{view.region} ({target}) is {'UP' if view.up else 'DOWN'}: {said}", flush=True)
            if self.hold() or changed:
                self.hand_over()

    def _probe(self, target: str, first: int, deadline: float) -> tuple[int, str, bool]:
        """Which request was answered well, what was answered, and that; or what the first one met."""
        if not self.requests:
            return 0, "no name is declared that it could be asked for", True
        met = ""
        for offset in range(len(self.requests)):
            index = (first + offset) % len(self.requests)
            host, path = self.requests[index]
            try:
                status = self._ask(target, host, path, deadline)
            except (TimeoutError, LookupTimeout):
                # Another one the next time: one application that hangs is not its gateway.
                met = met or f"no answer within {self.timeout:g} s from https://{host}{path}"
                return index + 1, met, False
            except (OSError, ValueError) as error:
                words = getattr(error, "verify_message", "") or str(error)
                met = met or f"{words}, asked for https://{host}{path}"
                continue
            said = f"{status} from https://{host}{path}"
            if status not in NOBODY_BEHIND:
                return index, said, True
            met = met or said
        return first, met, False

    def _ask(self, target: str, host: str, path: str, deadline: float) -> int:
        address = (self._resolve(target, deadline), self.port)
        with socket.create_connection(address, timeout=_left(deadline)) as plain:
            plain.settimeout(_left(deadline))
            with self.contexts.get(host, self.context).wrap_socket(plain, server_hostname=host) as secured:
                request = f"GET {path} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: crossmesh-health\r\n"
                secured.settimeout(_left(deadline))
                secured.sendall(f"{request}Accept: */*\r\nConnection: close\r\n\r\n".encode())
                return _status(secured, deadline)

    def _resolve(self, target: str, deadline: float) -> str:
        """An address of a target, which may be a name; a resolver knows no deadline of ours."""
        if _is_address(target):
            return target
        lookup = self.lookups.submit(
            socket.getaddrinfo, target, self.port, socket.AF_INET, socket.SOCK_STREAM
        )
        return str(lookup.result(_left(deadline))[0][4][0])


def _trusting(authorities: str) -> ssl.SSLContext:
    """What a client verifies by that trusts these (PEM); those of the system's store where there are none."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    if authorities:
        context.load_verify_locations(cadata=authorities)
    else:
        context.load_default_certs()
    return context


def _is_address(target: str) -> bool:
    return target.replace(".", "").isdigit()


def _left(deadline: float) -> float:
    """Seconds to it. Raises TimeoutError when it is over: a time-out of 0 would mean none."""
    if (left := deadline - now()) <= 0:
        raise TimeoutError
    return left


def _status(connection: ssl.SSLSocket, deadline: float) -> int:
    """The status of an answer. Raises ValueError for what is none of HTTP."""
    line = b""
    while b"\n" not in line and len(line) < 1024:
        connection.settimeout(_left(deadline))
        if not (part := connection.recv(1024)):
            break
        line += part
    version, _, rest = line.partition(b" ")
    if not version.startswith(b"HTTP/1.") or not rest[:3].isdigit():
        raise ValueError("no answer of HTTP")
    return int(rest[:3])


def _broken(broken: threading.ExceptHookArgs) -> None:
    """A gateway that nobody looks at any more is not to be found out by its age."""
    sys.excepthook(broken.exc_type, broken.exc_value or broken.exc_type(), broken.exc_traceback)
    os._exit(1)


def probe(path: str) -> None:
    """The service."""
    threading.excepthook = _broken
    Prober(json.loads(Path(path).read_text())).run()


def _run(*command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, capture_output=True, text=True, timeout=10, check=False)


def show(path: str) -> None:
    """Print what is seen with its age in seconds, gdnsd's states, and what it says of admin_state."""
    directory = Path(json.loads(Path(path).read_text())["directory"])
    document: dict[str, Any] = {"bound": 0.0, "gateways": {}, "states": {}, "problem": ""}
    with contextlib.suppress(OSError, ValueError):
        document.update(json.loads((directory / "state.json").read_text()))
    for view in document["gateways"].values():
        view.update(age=round(now() - view.pop("seen"), 1), since=round(now() - view["since"], 1))
    for target, (up, since) in document.get("handed", {}).items():
        document["handed"][target] = [up, round(now() - since, 1)]
    states = _run("/usr/bin/gdnsdctl", "states")
    try:
        document["states"] = json.loads(states.stdout)
    except ValueError:
        document["problem"] = (states.stderr or states.stdout).strip()
    with contextlib.suppress(ValueError):
        document["stats"] = json.loads(_run("/usr/bin/gdnsdctl", "stats").stdout)
    checked = _run(_GDNSD, "-c", _CONFIGURATION, "checkconf")
    said = checked.stdout + checked.stderr
    document["unmatched"] = _UNMATCHED.findall(said)
    wrong = [words for words in _WRONG.findall(said) if not _UNMATCHED.search(words)]
    document["malformed"] = wrong if checked.returncode else []
    print(json.dumps(document))


def check(directory: str) -> int:
    """gdnsd's verdict on its configuration in a directory; and no state that is forced is lost with it."""
    if not Path(_GDNSD).exists():
        return 0  # Nothing is installed yet that could tell.
    checked = _run(_GDNSD, "-c", directory, "checkconf")
    said = checked.stdout + checked.stderr
    print(said)
    if checked.returncode:
        if "admin_state has errors" in said:
            print("Mend it: a gdnsd that runs passes over all of the file, and none starts with it.")
        return 1
    in_place = _run(_GDNSD, "-c", _CONFIGURATION, "checkconf")
    before = set(_UNMATCHED.findall(in_place.stdout + in_place.stderr))
    after = set(_UNMATCHED.findall(said))
    lost, gained = sorted(after - before), before - after
    if in_place.returncode or len(lost) <= len(gained):
        return 0
    print(
        f"/var/lib/gdnsd/admin_state forces {', '.join(lost)}, which is no gateway any longer: clients would "
        "be sent to it again. Write its new address there beside the old one, or take the line out; then run "
        "again."
    )
    return 1


if __name__ == "__main__":
    verbs = {"probe": probe, "show": show, "check": check}
    if len(sys.argv) != 3 or sys.argv[1] not in verbs:
        sys.exit(__doc__)
    sys.exit(verbs[sys.argv[1]](sys.argv[2]))
