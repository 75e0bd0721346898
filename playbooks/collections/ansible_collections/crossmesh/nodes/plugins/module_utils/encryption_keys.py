"""Keys by which API servers encrypt Secrets: in which order one has them, and whether another order may come.

Secrets are written by the first and read by all. So each API server has to have a key before any of them
writes by it, and none may write by one that any of them lacks; nothing may be stored by a key that is taken
out. What others have is written on their nodes.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from ansible_collections.crossmesh.nodes.plugins.module_utils import etcd
from ansible_collections.crossmesh.nodes.plugins.module_utils.host import run

PLAIN = etcd.PLAIN
READ, WRITTEN = "crossmesh/secrets-read-by", "crossmesh/secrets-written-by"
"""Annotations of a control-plane node: names of all keys by which its API server surely reads Secrets, and of
those by which it may write them. While that changes, it surely has what it has before and after, and may
write by either."""
_KUBECTL = ("kubectl", "--kubeconfig=/etc/kubernetes/admin.conf", "--request-timeout=10s")
_CONTROL_PLANES = "node-role.kubernetes.io/control-plane"
_CONFIGURED = re.compile(r"encryption-provider-config(?:, value: \"?|=)([^\s\"}]+)")
_PROVIDER = re.compile(r"^\s*- (?:(identity): *{}|{name: ([^,\s]+), secret: )", re.MULTILINE)


@dataclass(frozen=True)
class Said:
    """What the API server of a node does, as the node says."""

    reads: frozenset[str] = frozenset()
    writes: frozenset[str] = frozenset()

    @classmethod
    def of(cls, *orders: Sequence[str]) -> Said:
        """Of one that has keys in this order, or in one of these."""
        reads = frozenset(orders[0]).intersection(*orders[1:])
        return cls(reads, frozenset(key for order in orders for key in order[:1]))


class EncryptionKeysError(Exception):
    """The order must not come, or nobody says whether it may; says why, and what to do."""


def order(content: str) -> list[str]:
    """Names of the keys in an encryption configuration as the role writes it, and `identity`, in their
    order."""
    return [plain or key for plain, key in _PROVIDER.findall(content)]


def of_file(path: str) -> list[str]:
    """The order of a file; nothing where there is none."""
    try:
        return order(Path(path).read_text()) if path else []
    except FileNotFoundError:
        return []


def others(node: str) -> dict[str, Said]:
    """What the other control planes say, by their nodes; nothing of one that does not."""
    done = run(*_KUBECTL, "get", "nodes", f"--selector={_CONTROL_PLANES}", "--output=json")
    if done.returncode:
        raise EncryptionKeysError(
            f"nobody says which keys of Secrets the other control planes have: {done.stderr.strip()}"
        )
    found = {}
    for each in json.loads(done.stdout)["items"]:
        said = each["metadata"].get("annotations") or {}
        reads, writes = (frozenset(said.get(name, "").split(",")) - {""} for name in (READ, WRITTEN))
        found[each["metadata"]["name"]] = Said(reads, writes)
    found.pop(node, None)
    return found


def see_that_it_may_come(before: Sequence[str], after: Sequence[str], there: Mapping[str, Said]) -> None:
    """Raise EncryptionKeysError where an order would leave Secrets that some API server cannot read.

    there: what the other control planes say.
    """
    if after and after[0] not in (PLAIN, *before[:1]):
        lacking = sorted(node for node, said in there.items() if after[0] not in said.reads)
        if lacking:
            raise EncryptionKeysError(
                f"Secrets would be written by {after[0]}, and {', '.join(lacking)} could not read them. "
                "Bring the key to all control planes first: as the second of `encryptionKeys` (where there "
                "is one alone, with `encryptionAtRest: false`), and `pulumi up`"
            )
    gone = set(before) - set(after) - {PLAIN}
    writers = {"this host": Said.of(before), **there}
    writing = sorted(node for node, said in writers.items() if gone & said.writes)
    if writing:
        raise EncryptionKeysError(
            f"{', '.join(sorted(gone))} would be taken out, and {', '.join(writing)} writes Secrets by it. "
            "Have another key as the first of `encryptionKeys` first, and `pulumi up`; the runbook "
            "rotate-encryption-key does all of it in its order"
        )


def needed(before: Iterable[Sequence[str]], after: Sequence[str]) -> dict[str, int]:
    """How many Secrets etcd has by keys that an order takes out, by key. Raises EtcdError."""
    gone = {key for order in before for key in order} - set(after) - {PLAIN}
    return (
        {key: number for key, number in sorted(etcd.secrets_by_key().items()) if key in gone} if gone else {}
    )


def publish(node: str, *orders: Sequence[str]) -> None:
    """Say on this host's node which keys its API server has, and in which order; of several, in one of these.
    Raises EncryptionKeysError."""
    said = Said.of(*orders)
    words = [
        f"{name}={','.join(sorted(keys))}" for name, keys in ((READ, said.reads), (WRITTEN, said.writes))
    ]
    done = run(*_KUBECTL, "annotate", "--overwrite", f"node/{node}", *words)
    if done.returncode:
        raise EncryptionKeysError(
            f"which keys of Secrets {node} has is not written on its node: {done.stderr.strip()}"
        )


def configured(config: str) -> str:
    """Path of the encryption configuration that a configuration of kubeadm's names, or arguments do; empty
    for none."""
    found = _CONFIGURED.search(config)
    return found[1] if found else ""


def orders(config: str, manifest: str) -> list[list[str]]:
    """The keys that the API server has: in the order of kubeadm's configuration that was proven, and in that
    of the manifest by which it was started since, where a run broke off in between."""
    found = [of_file(configured(text)) for text in (config, manifest)]
    return [order for number, order in enumerate(found) if order not in found[:number]]


def prepare(
    node: str, before: Sequence[Sequence[str]], after: Sequence[str], rewrite: Callable[[], object]
) -> None:
    """See that another order may come, have Secrets written anew that only a key could read which is taken
    out, and say on the node that it may be at any of them from now on: nobody counts on more while it
    changes.

    Raises EncryptionKeysError, and what `rewrite` does.
    """
    there = others(node)
    for order in before:
        see_that_it_may_come(order, after, there)
    if needed(before, after):
        rewrite()
    if left := needed(before, after):
        words = ", ".join(f"{number} by {key}" for key, number in left.items())
        raise EncryptionKeysError(
            f"etcd still has Secrets that only a key can read which would be taken out: {words}. Run again; "
            "where that does not help, see in the audit log who writes them"
        )
    publish(node, *before, after)


def say(node: str, config: str) -> None:
    """Say on the node by which keys its API server reads Secrets, where that can be said: who would change
    them asks for it, and is refused without."""
    keys = of_file(configured(config))
    with suppress(EncryptionKeysError):
        if keys:
            publish(node, keys)
