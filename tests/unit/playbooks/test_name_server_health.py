"""The module name_server_health, with a server that is a script: what was answered is so again, or named."""

from __future__ import annotations

import json
import socket
import socketserver
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from types import ModuleType
from typing import Any

import dns.flags
import dns.message
import dns.rcode
import dns.rrset
import pytest
import yaml

from playbooks.phase import PLAYBOOKS
from playbooks.work.machines import PREPARE
from playbooks.work.names import EDGE
from tests.unit.playbooks.conftest import ModuleFailed

Run = Callable[..., dict[str, Any]]
ZONE, HOST, ALIAS, TTL = "example.org", "shop.example.org", "any.example.org", 5


class Server:
    """A name server for one zone; what it does wrong is told by attributes."""

    def __init__(self) -> None:
        self.ttl, self.flags, self.code = TTL, dns.flags.QR | dns.flags.AA, dns.rcode.NOERROR
        self.silent: set[str] = set()
        """Names of which it says nothing."""
        self.unknown: set[str] = set()
        """Names that it denies."""

    def answer(self, wire: bytes, *, cut: bool = False) -> bytes | None:
        question = dns.message.from_wire(wire)
        assert not question.flags & dns.flags.RD, "nobody is to be asked in its place"
        answer = dns.message.make_response(question)
        name = question.question[0].name.to_text().removesuffix(".")
        if name in self.silent:
            return None
        answer.flags = self.flags | (dns.flags.TC if cut else 0)
        answer.set_rcode(dns.rcode.NXDOMAIN if name in self.unknown else self.code)
        records = {
            ZONE: ("SOA", "ns.example.org. hostmaster.example.org. 1 2 3 4 5"),
            HOST: ("A", "192.0.2.1"),
            ALIAS: ("CNAME", "lb.example.net."),
        }
        if answer.rcode() == dns.rcode.NOERROR and not cut:
            kind, text = records[name]
            answer.answer.append(dns.rrset.from_text(f"{name}.", self.ttl, "IN", kind, text))
        return answer.to_wire()


@pytest.fixture
def server() -> Server:
    return Server()


@pytest.fixture
def port(server: Server) -> Iterator[int]:
    """Where it answers, over UDP and TCP; over UDP the alias is cut off."""

    class Datagram(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            wire, sock = self.request
            if answer := server.answer(wire, cut=b"\x03any" in wire):
                sock.sendto(answer, self.client_address)

    class Stream(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            length = int.from_bytes(self.rfile.read(2), "big")
            if answer := server.answer(self.rfile.read(length)):
                self.wfile.write(len(answer).to_bytes(2, "big") + answer)

    with ExitStack() as stack:
        stream = stack.enter_context(socketserver.ThreadingTCPServer(("127.0.0.1", 0), Stream))
        port = stream.server_address[1]
        datagram = stack.enter_context(socketserver.ThreadingUDPServer(("127.0.0.1", port), Datagram))
        for each in (stream, datagram):
            threading.Thread(target=each.serve_forever, kwargs={"poll_interval": 0.05}).start()
            stack.callback(each.shutdown)
        yield port


@pytest.fixture
def module(
    ansible_module: Callable[[str], ModuleType], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, port: int
) -> ModuleType:
    """The module on a host that is a name server."""
    found = ansible_module("name_server_health")
    monkeypatch.setattr(found, "QUESTIONS", tmp_path / "name-server.json")
    monkeypatch.setattr(found, "MEMORY", tmp_path / "state" / "answered-before.json")
    monkeypatch.setattr(found, "_PORT", port)
    monkeypatch.setattr(found, "_POLL", 0.05)
    monkeypatch.setattr(found, "_SECONDS", 0.3)
    declared = {"address": "127.0.0.1", "names": [HOST, ALIAS], "ttl": TTL, "zones": [ZONE]}
    found.QUESTIONS.write_text(json.dumps(declared))
    return found


def asked(run_module: Run, module: ModuleType, state: str, timeout: int = 0) -> dict[str, Any]:
    return run_module(module, state=state, timeout=timeout, settle=0)


def test_a_server_that_answers_as_declared_is_proven(run_module: Run, module: ModuleType) -> None:
    assert asked(run_module, module, "as_declared") == {"changed": False, "questions": 6}


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (
            {"code": dns.rcode.SERVFAIL},
            r"example.org SOA \(UDP\): SERVFAIL; example.org SOA \(TCP\): SERVFAIL",
        ),
        ({"code": dns.rcode.REFUSED}, "REFUSED"),
        ({"flags": dns.flags.QR}, "an answer without authority"),
        ({"flags": dns.flags.AA}, "an answer to another question"),
        ({"ttl": 60}, r"shop.example.org A \(UDP\): TTL 60 s, declared 5 s"),
        ({"unknown": {HOST}}, r"after 0 s: shop.example.org A \(UDP\): NXDOMAIN"),
        ({"silent": {ALIAS}}, r"any.example.org A \(UDP\): no answer within 0.3 s"),
    ],
)
def test_what_a_server_does_not_answer_as_declared_is_named(
    run_module: Run, module: ModuleType, server: Server, wrong: dict[str, Any], words: str
) -> None:
    vars(server).update(wrong)
    with pytest.raises(ModuleFailed, match=words):
        asked(run_module, module, "as_declared")


def test_a_server_that_does_not_run_is_waited_for_and_then_named(
    run_module: Run, module: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        monkeypatch.setattr(module, "_PORT", other.getsockname()[1])
    with pytest.raises(ModuleFailed, match=r"does not answer, after 0 s: .*Connection refused.*gdnsd"):
        asked(run_module, module, "as_declared")


def test_what_speaks_no_dns_is_no_name_server(run_module: Run, module: ModuleType, server: Server) -> None:
    server.answer = lambda wire, **_: b"HTTP"  # type: ignore[method-assign]
    with pytest.raises(ModuleFailed, match="no answer of DNS"):
        asked(run_module, module, "as_declared")


def test_after_a_change_of_its_packages_a_server_answers_what_it_did_before(
    run_module: Run, module: ModuleType, server: Server
) -> None:
    server.unknown = {HOST}
    asked(run_module, module, "remembered")
    # What was wrong before, also its TTL, is for the phase that sets it up.
    server.ttl = 60
    asked(run_module, module, "as_before")
    assert not module.MEMORY.exists()
    asked(run_module, module, "remembered")
    server.code = dns.rcode.SERVFAIL
    with pytest.raises(ModuleFailed, match=r"after 0 s: example.org SOA \(UDP\): SERVFAIL"):
        asked(run_module, module, "as_before")
    server.unknown = {HOST, ZONE}
    asked(run_module, module, "remembered")
    assert ["UDP", ZONE, "SOA"] in json.loads(module.MEMORY.read_text()), "the next run knows it still"


def test_a_host_that_is_no_name_server_yet_is_left_alone(
    run_module: Run, module: ModuleType, server: Server
) -> None:
    module.QUESTIONS.unlink()
    server.code = dns.rcode.SERVFAIL
    for state in ("remembered", "as_before", "as_declared"):
        assert asked(run_module, module, state)["questions"] == 0
    assert not module.MEMORY.exists()


def test_both_phases_of_an_edge_host_end_with_the_proof_that_it_answers() -> None:
    def states(play: Path, when: str) -> list[str]:
        (found,) = yaml.safe_load((PLAYBOOKS / play).read_text())
        called = [task.get("crossmesh.nodes.name_server_health") for task in found.get(when, ())]
        return [task["state"] for task in called if task]

    assert states(PREPARE.playbook, "pre_tasks") == ["remembered"]
    assert states(PREPARE.playbook, "post_tasks") == ["as_before"]
    assert states(EDGE.playbook, "post_tasks") == ["as_declared"]
