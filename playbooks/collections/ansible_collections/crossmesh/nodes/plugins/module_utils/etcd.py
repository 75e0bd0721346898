"""etcd on a control-plane node: who its members are, whether they are well, and how one of them leaves.

Asked by etcd's own HTTP (its gRPC gateway), with kubeadm's certificate for whoever asks etcd how it is. So
hosts need no etcdctl. Members are known by their addresses: each is asked at port 2379, and asks others at
2380.
"""

from __future__ import annotations

import http.client
import json
import re
import ssl
import time
from base64 import b64decode, b64encode
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

PKI = Path("/etc/kubernetes/pki/etcd")
MANIFEST = Path("/etc/kubernetes/manifests/etcd.yaml")
CLIENT_PORT = 2379
_SECONDS = 5.0
_PATIENCE = 30.0
_POLL = 1.0
_SPARES_ONE = 3
"""So many members at least go on without one of them."""
_PEERS = re.compile(r"--initial-cluster=(\S+)")
_OWN = re.compile(r"--initial-advertise-peer-urls=(\S+)")
_ADDRESS = re.compile(r"^https?://(.+):\d+$")
PLAIN = "identity"
"""The provider of an encryption configuration that does not encrypt."""
PAGE = 100
"""Secrets that are asked for at once: some megabytes at the most that each may have."""
_SECRETS = ("/registry/secrets/", "/registry/secrets0")
_ENCRYPTED = re.compile(rb"k8s:enc:secretbox:v1:([^:]+):")


T = TypeVar("T")


class EtcdError(Exception):
    """A member does not answer, or what was asked for must not be done; says why, and what to do."""


@dataclass(frozen=True)
class Member:
    """A member as the others know it."""

    identifier: str
    name: str
    """Empty for one that was never started."""
    address: str
    learner: bool
    """Whether it has no vote yet."""


def is_here() -> bool:
    """Whether this host has a member, or is about to."""
    return MANIFEST.exists() and (PKI / "healthcheck-client.key").exists()


def own_address() -> str:
    """The address of this host's member. Raises EtcdError where its manifest does not say it."""
    found = _OWN.search(MANIFEST.read_text())
    if not found:
        raise EtcdError(
            f"{MANIFEST} does not say at which address its member is (--initial-advertise-peer-urls)"
        )
    return address_of(found[1])


def known_addresses() -> list[str]:
    """Addresses of members: those that this host's member was made with, and those that it knows of now."""
    found = _PEERS.search(MANIFEST.read_text())
    made = [address_of(entry.partition("=")[2]) for entry in found[1].split(",")] if found else []
    try:
        now = [member.address for member in members(["127.0.0.1"])]
    except EtcdError:
        now = []
    return sorted({*made, *now})


def members(addresses: Iterable[str]) -> list[Member]:
    """The members, as a majority has agreed on them, by the first address that answers. Raises EtcdError."""
    words = []
    for address in addresses:
        try:
            answer = ask(address, "/v3/cluster/member/list", {"linearizable": True})
        except EtcdError as error:
            words.append(str(error))
            continue
        return [
            Member(
                str(entry["ID"]),
                entry.get("name", ""),
                address_of(entry["peerURLs"][0]),
                bool(entry.get("isLearner")),
            )
            for entry in answer["members"]
        ]
    raise EtcdError("; ".join(words) or "no address of a member of etcd is known")


def is_well(address: str) -> bool:
    """Whether the member there serves: it has a leader, and no alarm."""
    try:
        return str(ask(address, "/health", None).get("health")) == "true"
    except EtcdError:
        return False


def complaints() -> list[str]:
    """What is not well with etcd, as this host's member sees it; nothing where it has none."""
    if not is_here():
        return []
    try:
        there = members(["127.0.0.1"])
    except EtcdError as error:
        return [f"etcd does not answer: {error}"]
    words = [f"{named(member)} of etcd has no vote yet" for member in there if member.learner]
    return words + [
        f"{named(member)} of etcd is not healthy"
        for member in there
        if not member.learner and not is_well(member.address)
    ]


def endangered() -> str:
    """Why etcd would serve nobody while this host's member is out; empty where it goes on, or is out anyway.

    Of fewer than three members each is needed, and nothing could ever be changed.
    """
    try:
        own = own_address()
        there = members(["127.0.0.1", *(address for address in known_addresses() if address != own)])
    except EtcdError:
        return ""
    voters = [member for member in there if not member.learner]
    if len(voters) < _SPARES_ONE or not is_well(own):
        return ""
    others = [member for member in voters if member.address != own]
    ill = [member for member in others if not is_well(member.address)]
    if len(others) - len(ill) > len(voters) // 2:
        return ""
    return (
        f"{', '.join(map(named, ill))} of etcd is not healthy: without this host's, "
        f"{len(others) - len(ill)} of {len(voters)} would be left, and etcd would serve nobody. Bring it "
        "back first, or take it out of etcd; `crossmesh doctor` says what it lacks"
    )


def withdraw(told: Callable[[], Iterable[str]] = tuple) -> bool:
    """Take this host's member out of etcd, and see that each other one knows. Returns whether it was in it.

    told: says further addresses of members, asked where this host's is dead and was made alone: it cannot say
    then whom it has come to know since. Raises EtcdError where those that remain would be no majority of
    healthy ones, or do not answer.
    """
    own = own_address()
    others = [address for address in known_addresses() if address != own]
    if not others and not is_well(own):
        others = [address for address in told() if address != own]
    if not others:
        return False
    mine, rest = _apart(own, others)
    if mine is None:
        return False
    _take_out(mine, rest)
    return True


def expel(name: str) -> bool:
    """Take the member of another host, which is lost, out of etcd, and see that each other one knows. Returns
    whether it was in it.

    Raises EtcdError where it serves, and where those that remain would be no majority of healthy ones.
    """
    there = members(["127.0.0.1"])
    lost = next((member for member in there if member.name == name), None)
    if lost is None:
        return False
    if is_well(lost.address):
        raise EtcdError(f"{named(lost)} of etcd serves: its host is not lost")
    _take_out(lost, [member for member in there if member is not lost and not member.learner])
    return True


def _take_out(member: Member, rest: list[Member]) -> None:
    if not member.learner:
        _see_that_it_may_leave(rest)
    _remove(member, rest)
    for other in rest:
        # One that does not answer learns of it when it is back: the majority has agreed.
        if is_well(other.address):
            left, _ = _persistently(partial(_apart, member.address, [other.address]))
            if left is not None:
                raise EtcdError(
                    f"{named(other)} of etcd still knows {member.address}, which was taken out; run again"
                )


def _apart(own: str, addresses: list[str]) -> tuple[Member | None, list[Member]]:
    """The member at an address, and the others that have a vote, by what one of them says."""
    there = members(addresses)
    mine = next((member for member in there if member.address == own), None)
    return mine, [member for member in there if member is not mine and not member.learner]


def _remove(mine: Member, rest: list[Member]) -> None:
    """Have the others take a member out; by whoever of them answers."""

    def ask_one() -> None:
        if _apart(mine.address, [member.address for member in rest])[0] is not None:
            ask(rest[0].address, "/v3/cluster/member/remove", {"ID": mine.identifier}, rest[1:])

    _persistently(ask_one)


def _persistently(step: Callable[[], T]) -> T:
    """Take a step, and again while etcd refuses: it changes its members only when all have been connected for
    five seconds, and answers nobody while it elects a leader. Raises the last EtcdError.
    """
    deadline = time.monotonic() + _PATIENCE
    while True:
        try:
            return step()
        except EtcdError:
            if time.monotonic() > deadline:
                raise
        time.sleep(_POLL)


def _see_that_it_may_leave(rest: list[Member]) -> None:
    needed = len(rest) // 2 + 1
    ill = [member for member in rest if not is_well(member.address)]
    if len(rest) - len(ill) < needed:
        raise EtcdError(
            f"of the members of etcd that remain, {', '.join(map(named, ill)) or 'none'} is not healthy, and "
            f"{needed} of {len(rest)} have to be: without this one, etcd would serve nobody. Bring them back "
            "first; `crossmesh doctor` says what they lack."
        )


def secrets_by_key() -> Counter[str]:
    """How many Secrets this host's member has by which key, `identity` for those that are not encrypted by
    secretbox. Of one moment, however long it takes. Raises EtcdError.
    """
    found: Counter[str] = Counter()
    first, end = (b64encode(key.encode()).decode() for key in _SECRETS)
    revision = 0
    while True:
        asked = {"key": first, "range_end": end, "limit": PAGE, "revision": revision}
        answer = ask("127.0.0.1", "/v3/kv/range", asked)
        pairs = answer.get("kvs", ())
        for pair in pairs:
            held = _ENCRYPTED.match(b64decode(pair["value"]))
            found[held[1].decode() if held else PLAIN] += 1
        if not answer.get("more"):
            return found
        first = b64encode(b64decode(pairs[-1]["key"]) + b"\0").decode()
        revision = revision or int(answer["header"]["revision"])


def named(member: Member) -> str:
    """A member in words."""
    return f"the member {member.name or 'that was never started'} at {member.address}"


def ask(
    address: str, path: str, body: dict[str, Any] | None, others: Iterable[Member] = ()
) -> dict[str, Any]:
    """What a member answers, or else one of others. Raises EtcdError with the first's words."""
    try:
        return _ask(address, path, body)
    except EtcdError as error:
        for other in others:
            try:
                return _ask(other.address, path, body)
            except EtcdError:
                continue
        raise error from None


def _ask(address: str, path: str, body: dict[str, Any] | None) -> dict[str, Any]:
    try:
        context = ssl.create_default_context(cafile=str(PKI / "ca.crt"))
        context.load_cert_chain(PKI / "healthcheck-client.crt", PKI / "healthcheck-client.key")
        connection = http.client.HTTPSConnection(address, CLIENT_PORT, timeout=_SECONDS, context=context)
        try:
            connection.request(
                "GET" if body is None else "POST", path, None if body is None else json.dumps(body)
            )
            response = connection.getresponse()
            said = response.read().decode(errors="replace")
        finally:
            connection.close()
    except (OSError, http.client.HTTPException) as error:
        raise EtcdError(f"etcd at {address}: {error}") from None
    # One that is not well says so with 503, in the same words.
    if response.status != 200 and path != "/health":
        raise EtcdError(f"etcd at {address} answered {response.status}: {' '.join(said.split())[:200]}")
    try:
        answer: dict[str, Any] = json.loads(said)
    except ValueError:
        raise EtcdError(f"etcd at {address} answered {' '.join(said.split())[:200]!r}") from None
    return answer


def address_of(url: str) -> str:
    found = _ADDRESS.match(url)
    if not found:
        raise EtcdError(f"{url!r} is no URL of a member of etcd")
    return found[1]
