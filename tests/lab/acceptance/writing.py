"""A client that writes into a cluster at a steady rate, and knows which of its writes were acknowledged."""

from __future__ import annotations

import base64
import http.client
import json
import ssl
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import yaml

INTERVAL_SECONDS, ANSWER_SECONDS = 0.25, 2.0
"""Between two writes, and for one of them: one that hangs is asked again, as a client does."""
_LISTED_SECONDS = 30.0
NAMESPACE = "default"
_PATH = f"/api/v1/namespaces/{NAMESPACE}/configmaps"


@dataclass
class Writes:
    """What a run of the client came to."""

    run: str
    acknowledged: dict[str, float] = field(default_factory=dict)
    """When each write was acknowledged, seconds of the monotonic clock, by the object's name."""
    failures: list[tuple[float, str]] = field(default_factory=list)
    """When which attempt was not answered, and how."""
    ended: float = 0.0
    """When the client was told to end."""

    def gap(self, since: float) -> float:
        """The longest time without an acknowledgement from a moment on, seconds."""
        moments = [since, *(moment for moment in self.acknowledged.values() if moment > since), self.ended]
        return max((later - earlier for earlier, later in pairwise(moments)), default=0.0)

    def after(self, moment: float) -> int:
        """How many writes were acknowledged after a moment."""
        return sum(acknowledged > moment for acknowledged in self.acknowledged.values())

    def said(self) -> str:
        """What was answered instead, for who reads a failure."""
        return "; ".join(f"{words}" for _, words in self.failures[-5:]) or "every attempt was answered"


class Client:
    """Asks an API server by a kubeconfig, each time by a connection of its own: so does who comes anew."""

    def __init__(self, kubeconfig: str) -> None:
        document = yaml.safe_load(kubeconfig)
        cluster, user = document["clusters"][0]["cluster"], document["users"][0]["user"]
        self._server = urlsplit(cluster["server"])
        authority = base64.b64decode(cluster["certificate-authority-data"]).decode()
        self._context = ssl.create_default_context(cadata=authority)
        with tempfile.TemporaryDirectory(dir="/dev/shm") as directory:
            pair = Path(directory, "pair.pem")
            pair.touch(mode=0o600)
            keys = ("client-certificate-data", "client-key-data")
            pair.write_bytes(b"\n".join(base64.b64decode(user[key]) for key in keys))
            self._context.load_cert_chain(pair)

    def ask(self, method: str, path: str, body: dict[str, Any] | None = None) -> tuple[int, dict[str, Any]]:
        """Status and answer. Raises OSError and HTTPException where there is none."""
        assert self._server.hostname
        connection = http.client.HTTPSConnection(
            self._server.hostname, self._server.port or 443, timeout=ANSWER_SECONDS, context=self._context
        )
        try:
            connection.request(
                method, path, json.dumps(body) if body else None, {"Content-Type": "application/json"}
            )
            response = connection.getresponse()
            answer: dict[str, Any] = json.loads(response.read())
            return response.status, answer
        finally:
            connection.close()


def kept(client: Client, run: str) -> set[str]:
    """Names of the objects of a run that the cluster has; it is asked for half a minute."""
    deadline = time.monotonic() + _LISTED_SECONDS
    while True:
        try:
            status, answer = client.ask("GET", f"{_PATH}?labelSelector=crossmesh.test/run%3D{run}")
            if status == 200:
                return {item["metadata"]["name"] for item in answer["items"]}
            why = f"{status}: {answer.get('message')}"
        except (OSError, http.client.HTTPException, ValueError) as error:
            why = f"{type(error).__name__}: {error}"
        assert time.monotonic() < deadline, f"what was written cannot be listed: {why}"
        time.sleep(1)


@contextmanager
def writing(client: Client, run: str) -> Iterator[Writes]:
    """Write while the body runs; what was written is taken out at the end of the test by who wants to."""
    writes, ended = Writes(run), threading.Event()
    thread = threading.Thread(target=_write, args=(client, writes, ended), daemon=True)
    thread.start()
    try:
        yield writes
    finally:
        writes.ended = time.monotonic()
        ended.set()
        thread.join(ANSWER_SECONDS * 3)


def _write(client: Client, writes: Writes, ended: threading.Event) -> None:
    number = 0
    while not ended.wait(INTERVAL_SECONDS):
        name = f"{writes.run}-{number}"
        metadata = {"name": name, "labels": {"crossmesh.test/run": writes.run}}
        try:
            status, answer = client.ask(
                "POST", _PATH, {"metadata": metadata, "data": {"number": str(number)}}
            )
        except (OSError, http.client.HTTPException, ValueError) as error:
            writes.failures.append((time.monotonic(), f"{type(error).__name__}: {error}"))
            continue
        # Of one whose answer was lost, the next attempt is told that it is there.
        if status in (201, 409):
            writes.acknowledged[name] = time.monotonic()
            number += 1
        else:
            writes.failures.append((time.monotonic(), f"{status}: {answer.get('message')}"))
