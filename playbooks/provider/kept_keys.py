"""What all control planes of a cluster have in common, taken over from the host of one that has run with one
control plane alone: kubeadm made it there.

It is read over ssh, once for each host and run, and goes nowhere but into the state, where it is encrypted.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from access import ssh
from access.errors import Unanswered
from access.ssh import Connection
from playbooks.provider import tls
from playbooks.provider.look import LOGIN_SECONDS, REACH_TIMEOUT
from playbooks.work.clusters import ETCD, FRONT_PROXY, SERVICE_ACCOUNTS
from report.errors import OperationsError

_FILES = {
    FRONT_PROXY: (f"{FRONT_PROXY}.crt", f"{FRONT_PROXY}.key"),
    ETCD: (f"{ETCD}.crt", f"{ETCD}.key"),
    SERVICE_ACCOUNTS: (f"{SERVICE_ACCOUNTS}.pub", f"{SERVICE_ACCOUNTS}.key"),
}
SCRIPT = Path(__file__).parent / "run" / "kept_keys_script.py"


class KeptKeys:
    """The hosts that were asked in one run."""

    def __init__(self) -> None:
        self._asked: dict[str, asyncio.Task[dict[str, Any]]] = {}

    async def of(self, kept_on: Mapping[str, Any], password: str | None) -> tuple[str, str] | None:
        """A pair of keys as the host has it: certificate or public key, and private key, PEM; None where the
        host carries no cluster yet.

        kept_on: `host`, its `connection`, and `name`, that of kubeadm's files. password: what sudo asks for.
        Raises OperationsError, which quotes no key: keys that are made instead would be of another cluster.
        """
        host, name = kept_on["host"], kept_on["name"]
        if host not in self._asked:
            connection = Connection.of(kept_on["connection"], password)
            self._asked[host] = asyncio.create_task(_told(host, connection))
        told = await asyncio.shield(self._asked[host])
        if not told["carries"]:
            return None
        public, private = (told["files"].get(file, "") for file in _FILES[name])
        if missing := [file for file in _FILES[name] if not told["files"].get(file)]:
            msg = f"{host}: its control plane has no {', '.join(missing)} in /etc/kubernetes/pki"
            fix = "put back what further control planes need of it, and run again"
            raise OperationsError(msg, fix=fix)
        _see_that_they_belong_together(host, name, public, private)
        return public, private


def _see_that_they_belong_together(host: str, name: str, public: str, private: str) -> None:
    key = tls.load_key(private).public_key()
    if name != SERVICE_ACCOUNTS and tls.load_certificate(public).public_key() != key:
        msg = f"{host}: in /etc/kubernetes/pki, {_FILES[name][1]} is not the key of {_FILES[name][0]}"
        raise OperationsError(msg, fix="put back the one that belongs to the other, and run again")


async def _told(host: str, connection: Connection) -> dict[str, Any]:
    """What a host says; one that boots is given the time."""
    deadline = time.monotonic() + REACH_TIMEOUT
    order = {"root": "", "files": [file for pair in _FILES.values() for file in pair]}
    while True:
        try:
            return await asyncio.to_thread(
                ssh.ask,
                *(host, connection, SCRIPT.read_bytes(), order),
                what="what its control plane shares with others",
                timeout=LOGIN_SECONDS,
            )
        except Unanswered:
            if time.monotonic() + ssh.CONNECT_TIMEOUT > deadline:
                raise
            await asyncio.sleep(1)
