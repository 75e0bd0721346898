"""Name servers: real questions to servers on loopback that answer as they are told."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import dns.flags
import dns.message
import dns.rcode
import dns.rdatatype
import dns.rrset
import pytest

from access import network
from access.network import NameAnswer
from access.outputs import GatewayAddress
from access.programs import Executed
from components.tokens import GLOBAL_LOAD_BALANCER
from live import prober
from live.drift import names
from live.drift.model import Record
from report.model import Op, PropertyChange, Severity, Status
from stacks.answers import INPUT, Answers, Server
from stacks.model import HealthCheck
from stacks.routing import DEFAULT, Routing, Tier
from tests.unit.live.drift.support import inquiry, record, resource, state_of
from tests.unit.live.support import shown
from tests.unit.operations.support import STACK

ZONE, HOST = "lab.test", "app.lab.test"
EU, US = "10.0.0.1", "10.0.0.2"
SEEN = shown({EU: "UP", US: "UP"})
GOOD = {
    ("lab.test.", "SOA"): (5, ["eu-edge-1.lab.test. hostmaster.lab.test. 1 2 3 4 5"]),
    ("lab.test.", "NS"): (3600, ["eu-edge-1.lab.test."]),
    (f"{HOST}.", "A"): (5, [EU, US]),
}


@dataclass
class NameServer:
    """Answers on a UDP port, and on TCP only if it listens there."""

    records: dict[tuple[str, str], Any] = field(default_factory=lambda: dict(GOOD))
    silent: bool = False
    authoritative: bool = True
    recursive: bool = False
    unknown: dns.rcode.Rcode = dns.rcode.NXDOMAIN
    """What it answers to names that it does not know."""
    silent_after: int = 1000
    port: int = 0

    def serve(self, sock: socket.socket) -> None:
        asked = 0
        while True:
            try:
                data, client = sock.recvfrom(4096)
            except OSError:
                return
            asked += 1
            if self.silent or asked > self.silent_after:
                continue
            sock.sendto(self.answer(dns.message.from_wire(data)).to_wire(), client)

    def answer(self, question: dns.message.Message) -> dns.message.Message:
        (wanted,) = question.question
        answer = dns.message.make_response(question)
        if self.authoritative:
            answer.flags |= dns.flags.AA
        if self.recursive:
            answer.flags |= dns.flags.RA
        name, kind = wanted.name.to_text(), dns.rdatatype.to_text(wanted.rdtype)
        if (name, kind) not in self.records:
            answer.set_rcode(self.unknown)
            return answer
        ttl, texts, *other = self.records[name, kind]
        kind = other[0] if other else kind
        if texts:
            answer.answer.append(dns.rrset.from_text(name, ttl, "IN", kind, *texts))
        return answer


def both() -> tuple[socket.socket, socket.socket]:
    """A TCP and a UDP socket on the same free port."""
    for _ in range(20):
        listener = socket.create_server(("127.0.0.1", 0))
        sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        try:
            sock.bind(listener.getsockname())
        except OSError:
            listener.close()
            sock.close()
        else:
            return listener, sock
    raise AssertionError("no port is free for both")


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., NameServer]]:
    """Start a name server on loopback."""
    monkeypatch.setattr(names, "SECONDS", 0.4)
    sockets: list[socket.socket] = []

    def start(*, listen_on_tcp: bool = True, **changes: object) -> NameServer:
        found = NameServer(**changes)  # type: ignore[arg-type]
        listener, sock = both()
        found.port = sock.getsockname()[1]
        sockets.append(sock)
        if listen_on_tcp:
            sockets.append(listener)
        else:
            listener.close()
        threading.Thread(target=found.serve, args=(sock,), daemon=True).start()
        return found

    yield start
    for sock in sockets:
        sock.close()


def look(
    port: int,
    targets: Mapping[str, str | list[str]] | None = None,
    said: Executed = SEEN,
    routings: tuple[Routing, ...] = (),
) -> Record:
    answers = Answers(
        zone=ZONE,
        names=(HOST,),
        ttl=5,
        targets=targets or {"eu": EU, "us": US},
        servers={"eu-edge-1": Server("127.0.0.1", "eu")},
        health=HealthCheck(interval=2, timeout=1, down_threshold=2, up_threshold=2),
        routings=routings,
    )
    balancer = resource(
        GLOBAL_LOAD_BALANCER, "global-load-balancer", {INPUT: answers.to_inputs()}, custom=False
    )
    found = record("dns")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(names, "DNS_PORT", port)
        patch.setattr(prober.ssh, "run", lambda *_, **__: said)
        names.look(inquiry(state_of([balancer]), ssh=STACK.environment.ssh), found)
    return found


def test_a_server_that_answers_as_it_was_set_up_is_no_finding(server: Callable[..., NameServer]) -> None:
    found = look(server().port)
    assert found.findings == []
    assert found.rows == {
        "lab.test NS (eu-edge-1)": ("eu-edge-1.lab.test.",) * 2,
        "lab.test SOA (eu-edge-1)": ("eu-edge-1.lab.test.",) * 2,
        "app.lab.test A (eu-edge-1)": (f"{EU}, {US}",) * 2,
        "gateway of eu (eu-edge-1)": ("UP, seen 1 s ago",) * 2,
        "gateway of us (eu-edge-1)": ("UP, seen 1 s ago",) * 2,
    }


def test_a_view_that_nobody_renews_is_told_with_its_age(server: Callable[..., NameServer]) -> None:
    found = look(server().port, said=shown({EU: "UP", US: "UP"}, age=400))
    assert [finding.status for finding in found.findings] == [Status.FAIL] * 2
    assert f"eu-edge-1: its view of eu ({EU}) is 400 s old" in found.findings[0].message
    assert found.rows["gateway of eu (eu-edge-1)"] == ("seen less than 18 s ago", "UP, seen 400 s ago")


NAME = "us.elb.example.com"


@pytest.mark.parametrize(
    ("kind", "records", "drifts"),
    [
        ("A", [EU, US], False),
        ("A", [EU], False),
        ("CNAME", [f"{NAME}."], False),
        ("A", [EU, "10.9.9.9"], True),
        ("CNAME", ["x.y."], True),
    ],
)
def test_a_gateway_s_host_name_is_compared_by_what_it_resolves_to(
    server: Callable[..., NameServer],
    monkeypatch: pytest.MonkeyPatch,
    kind: str,
    records: list[str],
    drifts: bool,
) -> None:
    def resolve(address: GatewayAddress) -> NameAnswer:
        return NameAnswer((US if address.is_name else str(address),), 60)

    monkeypatch.setattr(network, "resolve", resolve)
    answered = {**GOOD, (f"{HOST}.", "A"): (5, records, kind)}
    found = look(server(records=answered).port, {"eu": EU, "us": NAME})
    assert bool(found.drifted) is drifts, found.findings
    assert bool(found.findings) is drifts


def test_a_gateway_s_host_name_that_leads_nowhere_makes_its_answers_not_measurable(
    server: Callable[..., NameServer], monkeypatch: pytest.MonkeyPatch
) -> None:
    answer = NameAnswer((), None, f"{NAME} resolves to no address")
    monkeypatch.setattr(network, "resolve", lambda address: answer)
    found = look(server().port, {"us": NAME})
    assert [finding.status for finding in found.findings] == [Status.NOT_MEASURABLE]
    assert found.drifted == []


def test_a_gateway_that_is_left_out_is_health_and_no_drift(server: Callable[..., NameServer]) -> None:
    found = look(server(records={**GOOD, (f"{HOST}.", "A"): (5, [EU])}).port)
    (finding,) = found.findings
    assert finding.severity is Severity.NOTE
    assert "leaves the gateway of us out" in finding.message
    assert found.drifted == []
    assert found.rows["app.lab.test A (eu-edge-1)"] == (f"{EU}, {US}",) * 2


def test_of_a_region_with_several_addresses_each_is_told_by_itself(server: Callable[..., NameServer]) -> None:
    answers = server(records={**GOOD, (f"{HOST}.", "A"): (5, [EU])})
    held = shown({EU: "UP", US: "DOWN"})
    found = look(answers.port, {"hoster": [EU, US]}, Executed(0, held.stdout.replace('"us"', '"eu"'), ""))
    (finding,) = found.findings
    assert f"leaves the gateway of hoster at {US} out" in finding.message
    assert found.drifted == []
    rows = [key for key in found.rows if key.startswith("gateway of")]
    assert rows == [f"gateway of eu at {EU} (eu-edge-1)", f"gateway of eu at {US} (eu-edge-1)"]


@pytest.mark.parametrize(
    ("key", "records", "path", "expected", "given"),
    [
        (
            (f"{HOST}.", "A"),
            (5, [EU, "10.9.9.9"]),
            'answers.eu-edge-1["app.lab.test"].A',
            f"{EU}, {US}",
            f"{EU}, 10.9.9.9",
        ),
        ((f"{HOST}.", "A"), (600, [EU, US]), 'answers.eu-edge-1["app.lab.test"].TTL', "5 s", "600 s"),
        ((f"{HOST}.", "A"), (3, [EU, US]), 'answers.eu-edge-1["app.lab.test"].TTL', "5 s", "3 s"),
        ((f"{HOST}.", "A"), (5, []), 'answers.eu-edge-1["app.lab.test"].A', f"{EU}, {US}", "no record"),
        (
            ("lab.test.", "NS"),
            (5, ["us-edge-1.lab.test."]),
            'answers.eu-edge-1["lab.test"].NS',
            "eu-edge-1.lab.test.",
            "us-edge-1.lab.test.",
        ),
    ],
)
def test_other_answers_are_drift(
    key: tuple[str, str],
    records: tuple[int, list[str]],
    path: str,
    expected: str,
    given: str,
    server: Callable[..., NameServer],
) -> None:
    found = look(server(records={**GOOD, key: records}).port)
    (drifted,) = found.drifted
    assert drifted.op is Op.UPDATE
    assert drifted.properties == (PropertyChange(path, expected, given),)
    assert [finding.status for finding in found.findings if finding.severity is Severity.ERROR] == [
        Status.FAIL
    ]


def test_a_name_that_the_server_does_not_know_is_drift(server: Callable[..., NameServer]) -> None:
    records = {key: value for key, value in GOOD.items() if key[1] != "A"}
    (finding,) = look(server(records=records).port).findings
    assert "app.lab.test A is NXDOMAIN" in finding.message


def test_an_answer_without_authority_is_drift(server: Callable[..., NameServer]) -> None:
    (finding,) = look(server(authoritative=False).port).findings
    assert "without authority" in finding.message


def test_a_zone_that_the_server_no_longer_has_is_drift(server: Callable[..., NameServer]) -> None:
    """gdnsd refuses it, and says neither that it has authority nor that it asks others."""
    found = look(server(records={}, authoritative=False, unknown=dns.rcode.REFUSED).port)
    (finding,) = found.findings
    assert finding.status is Status.FAIL
    assert "lab.test SOA is REFUSED" in finding.message


@pytest.mark.parametrize(
    ("records", "recursive", "unknown"),
    [
        ({}, True, dns.rcode.NXDOMAIN),
        ({}, True, dns.rcode.SERVFAIL),
        ({}, True, dns.rcode.REFUSED),
        ({}, False, dns.rcode.NXDOMAIN),
        (GOOD, True, dns.rcode.NXDOMAIN),
    ],
)
def test_what_a_resolver_in_between_answers_says_nothing_of_the_server(
    records: dict[tuple[str, str], Any],
    recursive: bool,
    unknown: dns.rcode.Rcode,
    server: Callable[..., NameServer],
) -> None:
    port = server(records=records, authoritative=False, recursive=recursive, unknown=unknown).port
    found = look(port)
    (finding,) = found.findings
    assert finding.status is Status.NOT_MEASURABLE
    expected = f"something else answers for 127.0.0.1:{port}: a resolver in between"
    assert finding.message == f"eu-edge-1: {expected}"
    assert "route" not in finding.fix
    assert found.drifted == []
    assert found.rows == {}


def test_a_host_without_a_name_server_is_drift(server: Callable[..., NameServer]) -> None:
    found = look(server(silent=True, listen_on_tcp=False).port)
    (finding,) = found.findings
    assert finding.status is Status.FAIL
    assert "nothing listens" in finding.message
    assert [drifted.op for drifted in found.drifted] == [Op.UPDATE]


def test_a_server_that_is_silent_is_not_measurable(server: Callable[..., NameServer]) -> None:
    found = look(server(silent=True).port)
    (finding,) = found.findings
    assert finding.status is Status.NOT_MEASURABLE
    assert "no answer" in finding.message
    assert found.drifted == []


def test_what_was_seen_before_a_server_fell_silent_counts(server: Callable[..., NameServer]) -> None:
    found = look(server(records={**GOOD, ("lab.test.", "NS"): (5, ["x."])}, silent_after=2).port)
    assert sorted(finding.status for finding in found.findings) == [Status.FAIL, Status.NOT_MEASURABLE]


def test_a_policy_s_answer_has_not_every_healthy_region_and_never_a_drained_one(
    server: Callable[..., NameServer],
) -> None:
    eu, us = Tier.of(["eu"], {}), Tier.of(["us"], {})
    one = server(records=GOOD | {(f"{HOST}.", "A"): (5, [EU])})
    for tiers in ((eu, us), (eu,)):
        found = look(one.port, routings=(Routing(DEFAULT, (HOST,), tiers),))
        assert [each for each in found.findings if each.status is Status.FAIL] == []
    drained = look(one.port, routings=(Routing(DEFAULT, (HOST,), (us,)),))
    assert f"{HOST} A is {EU}, expected {US}" in "".join(each.message for each in drained.findings)
