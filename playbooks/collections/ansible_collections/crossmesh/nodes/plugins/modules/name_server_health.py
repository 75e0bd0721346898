"""Ansible module: whether a name server answers after a change of its host.

It is asked as clients ask it, at its own address, over UDP and TCP. What it shall answer lies on the host, in
a file that the role gdnsd writes, so a change of the host's packages can be followed by the same questions.
"""

from __future__ import annotations

import json
import os
import socket
import struct
import time
from itertools import islice
from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.crossmesh.nodes.plugins.module_utils.host import wait_until_well, write

DOCUMENTATION = r"""
module: name_server_health
short_description: See that a change of a name server's host left it answering
description:
  - Called before a change with O(state=remembered), it keeps which questions the server of this host answers.
    Called after it with O(state=as_before), it waits until all of these are answered again, and with
    O(state=as_declared), until every zone and name that the role C(gdnsd) has set up is, with authority and
    the declared TTL, for O(settle) seconds without a break. On a host that is no name server it does nothing.
author: Crossmesh (@crossmesh)
options:
  state:
    description: Which of the three.
    type: str
    choices: [remembered, as_before, as_declared]
    required: true
  timeout:
    description: Seconds to wait.
    type: int
    default: 60
  settle:
    description: Seconds for which all has to be answered.
    type: int
    default: 3
"""

EXAMPLES = r"""
- name: Keep in mind what this name server answers
  crossmesh.nodes.name_server_health:
    state: remembered

- name: See that it answers as before, within a minute
  crossmesh.nodes.name_server_health:
    state: as_before
"""

RETURN = r"""
questions:
  description: How many questions there are.
  type: int
  returned: success
  sample: 6
"""

QUESTIONS = Path("/etc/crossmesh/name-server.json")
MEMORY = Path("/var/lib/crossmesh/answered-before.json")
_PORT = 53
_POLL = 1.0
_SECONDS = 2.0
_SHOWN = 5
# DNS: RFC 1035, section 4.1.
_KINDS = {"A": 1, "CNAME": 5, "SOA": 6}
_IS_ANSWER, _HAS_AUTHORITY, _IS_CUT = 0x8000, 0x0400, 0x0200
_CODES = {1: "FORMERR", 2: "SERVFAIL", 3: "NXDOMAIN", 4: "NOTIMP", 5: "REFUSED"}

Question = tuple[str, str, str]
"""Transport, name and kind of record."""


def declared() -> tuple[dict[str, Any], list[Question]]:
    """What the role has written, and what is asked for it; nothing where there is no name server yet."""
    try:
        server = json.loads(QUESTIONS.read_text())
    except FileNotFoundError:
        return {}, []
    asked = [(zone, "SOA") for zone in server["zones"]] + [(name, "A") for name in server["names"]]
    return server, [(transport, *what) for what in asked for transport in ("UDP", "TCP")]


def complaint(server: dict[str, Any], question: Question, ttl: int | None = None) -> str:
    """What is not as it should be of an answer; empty where it is. ttl: seconds that it must say."""
    transport, name, kind = question
    number = os.urandom(2)
    labels = b"".join(bytes([len(label)]) + label for label in name.encode().split(b"."))
    query = number + struct.pack("!5H", 0, 1, 0, 0, 0) + labels + struct.pack("!BHH", 0, _KINDS[kind], 1)
    try:
        ask = over_udp if transport == "UDP" else over_tcp
        words = judge(ask((server["address"], _PORT), query), number, _KINDS[kind], ttl)
    except TimeoutError:
        words = f"no answer within {_SECONDS:g} s"
    except OSError as error:
        words = error.strerror or str(error)
    except (struct.error, IndexError):
        words = "no answer of DNS"
    return f"{name} {kind} ({transport}): {words}" if words else ""


def over_udp(place: tuple[str, int], query: bytes) -> bytes:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.settimeout(_SECONDS)
        # Only a connected socket hears that nothing listens there.
        sock.connect(place)
        sock.send(query)
        return sock.recv(4096)


def over_tcp(place: tuple[str, int], query: bytes) -> bytes:
    with socket.create_connection(place, timeout=_SECONDS) as sock, sock.makefile("rb") as stream:
        sock.sendall(struct.pack("!H", len(query)) + query)
        return stream.read(struct.unpack("!H", stream.read(2))[0])


def judge(message: bytes, number: bytes, kind: int, ttl: int | None) -> str:
    """What an answer lacks, in words. Raises `struct.error` or `IndexError` where it is none of DNS."""
    flags, _, count = struct.unpack("!3H", message[2:8])
    code = flags & 0xF
    if message[:2] != number or not flags & _IS_ANSWER:
        return "an answer to another question"
    if code:
        return _CODES.get(code, f"RCODE {code}")
    if not flags & _HAS_AUTHORITY:
        return "an answer without authority"
    if flags & _IS_CUT:
        # The rest is asked for over TCP.
        return ""
    found = [seconds for type_, seconds in records(message, count) if type_ in (kind, _KINDS["CNAME"])]
    if not found:
        return "no record"
    return f"TTL {max(found)} s, declared {ttl} s" if ttl is not None and set(found) != {ttl} else ""


def records(message: bytes, count: int) -> list[tuple[int, int]]:
    """Type and TTL of each record of the answer."""
    at = after_name(message, 12) + 4
    found = []
    for _ in range(count):
        at = after_name(message, at)
        type_, _, ttl, length = struct.unpack("!HHIH", message[at : at + 10])
        found.append((type_, ttl))
        at += 10 + length
    return found


def after_name(message: bytes, at: int) -> int:
    """Where what follows a name begins."""
    while length := message[at]:
        if length >= 0xC0:
            return at + 2
        at += 1 + length
    return at + 1


def remember(server: dict[str, Any], questions: list[Question]) -> None:
    """Write down what is answered, unless an earlier change has, and was not proven."""
    if not MEMORY.exists():
        # One that is silent is not asked for each of its names.
        deadline = time.monotonic() + _SHOWN * _SECONDS
        answered = [
            question
            for question in questions
            if time.monotonic() < deadline and not complaint(server, question)
        ]
        write(MEMORY, json.dumps(answered), 0o600)


def remembered(questions: list[Question]) -> list[Question]:
    """What was answered before, of what is asked still."""
    try:
        kept = {(*question,) for question in json.loads(MEMORY.read_text())}
    except FileNotFoundError:
        return []
    return [question for question in questions if question in kept]


def prove(
    server: dict[str, Any], questions: list[Question], ttl: int | None, timeout: float, settle: float
) -> list[str]:
    """Wait until all is answered; return some of what is not, when the time is over."""

    def complaints() -> list[str]:
        found = (complaint(server, question, ttl) for question in questions)
        return list(islice(filter(None, found), _SHOWN))

    words: list[str] = wait_until_well(complaints, timeout=timeout, settle=settle, poll=_POLL)
    return words


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "state": {
                "type": "str",
                "choices": ["remembered", "as_before", "as_declared"],
                "required": True,
            },
            "timeout": {"type": "int", "default": 60},
            "settle": {"type": "int", "default": 3},
        },
        supports_check_mode=True,
    )
    server, questions = declared()
    state, seconds = module.params["state"], module.params["timeout"]
    if questions and not module.check_mode:
        if state == "remembered":
            remember(server, questions)
        else:
            by_declaration = state == "as_declared"
            due = questions if by_declaration else remembered(questions)
            ttl = server["ttl"] if by_declaration else None
            if words := prove(server, due, ttl, seconds, module.params["settle"]):
                told = "; ".join(words)
                look = "systemctl status gdnsd; journalctl -u gdnsd"
                msg = f"the name server at {server['address']} does not answer, after {seconds} s: {told}"
                module.fail_json(msg=f"{msg}. Look at it ({look}), mend it, and run again.")
            MEMORY.unlink(missing_ok=True)
    module.exit_json(changed=False, questions=len(questions))


if __name__ == "__main__":
    main()
