"""What is said to be served is what the release's own API server serves."""

from __future__ import annotations

import json
import socket
import ssl
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

import releases
import toolchain
from releases import served
from releases.served import Served

PATIENCE = 60.0
TOKEN = "of-this-test"
_FORM = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def _keys(directory: Path) -> list[str]:
    key = ec.generate_private_key(ec.SECP256R1())
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    public = key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    (directory / "key").write_bytes(private)
    (directory / "public").write_bytes(public)
    return [
        "--service-account-issuer=https://issuer.test",
        f"--service-account-signing-key-file={directory / 'key'}",
        f"--service-account-key-file={directory / 'public'}",
    ]


@contextmanager
def _running(*command: str, log: Path) -> Iterator[subprocess.Popen[bytes]]:
    with log.open("wb") as words, subprocess.Popen(command, stdout=words, stderr=words) as process:
        try:
            yield process
        finally:
            process.kill()


@contextmanager
def api_server(directory: Path, *options: str) -> Iterator[int]:
    """The port of an API server of the toolchain, on an etcd of its own."""
    store, peers, port = _free_port(), _free_port(), _free_port()
    clients = f"http://127.0.0.1:{store}"
    etcd = [
        str(toolchain.program("etcd")),
        f"--data-dir={directory / 'etcd'}",
        f"--listen-client-urls={clients}",
        f"--advertise-client-urls={clients}",
        f"--listen-peer-urls=http://127.0.0.1:{peers}",
        "--unsafe-no-fsync",
    ]
    (directory / "tokens.csv").write_text(f'{TOKEN},test,test,"system:masters"\n')
    server = [
        str(toolchain.program("kube-apiserver")),
        "--bind-address=127.0.0.1",
        "--advertise-address=192.0.2.1",
        f"--secure-port={port}",
        f"--etcd-servers={clients}",
        f"--cert-dir={directory / 'certificates'}",
        f"--token-auth-file={directory / 'tokens.csv'}",
        "--authorization-mode=AlwaysAllow",
        "--service-cluster-ip-range=198.51.100.0/24",
        *_keys(directory),
        *options,
    ]
    with (
        _running(*etcd, log=directory / "etcd.log"),
        _running(*server, log=directory / "server.log") as process,
    ):
        until = time.monotonic() + PATIENCE
        while _asked(directory, port, "/readyz") is None:
            log = (directory / "server.log").read_text(errors="replace")
            assert process.poll() is None, log
            assert time.monotonic() < until, log
            time.sleep(0.2)
        yield port


def _asked(directory: Path, port: int, path: str) -> bytes | None:
    """What the server answers; None where it does not yet."""
    certificate = directory / "certificates" / "apiserver.crt"
    if not certificate.exists():
        return None
    trust = ssl.create_default_context(cafile=str(certificate))
    asked = urllib.request.Request(
        f"https://127.0.0.1:{port}{path}", headers={"Authorization": f"Bearer {TOKEN}", "Accept": _FORM}
    )
    try:
        with urllib.request.urlopen(asked, timeout=5, context=trust) as answer:
            found: bytes = answer.read()
            return found
    except (urllib.error.URLError, OSError):
        return None


def _kinds(group: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """API version and kind of everything in a group, and of what is below it and of another group."""
    for version in group["versions"]:
        own = f"{group['metadata'].get('name', '')}/{version['version']}".lstrip("/")
        for resource in version["resources"]:
            yield own, resource["responseKind"]["kind"]
            for below in resource.get("subresources", ()):
                kind = below["responseKind"]
                if kind["version"] and not kind["kind"].endswith("Options"):
                    yield f"{kind['group']}/{kind['version']}".lstrip("/"), kind["kind"]


def _standing(version: str, api_version: str, kind: str) -> Served | None:
    found = served.standing(version, api_version, kind)
    return found.served if found else None


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ((), {Served.BY_DEFAULT}),
        (
            ("--runtime-config=api/all=true", "--feature-gates=AllAlpha=true,AllBeta=true"),
            {Served.BY_DEFAULT, Served.ON_REQUEST},
        ),
    ],
)
def test_the_api_server_serves_what_is_said_by_default_and_the_rest_on_request(
    options: tuple[str, ...], expected: set[Served], tmp_path: Path
) -> None:
    version = toolchain.version("kubernetes")
    with api_server(tmp_path, *options) as port:
        answers = [_asked(tmp_path, port, path) for path in ("/api", "/apis")]
    groups = [group for answer in answers if answer for group in json.loads(answer)["items"]]
    assert len(groups) > 10
    found = {entry for group in groups for entry in _kinds(group)}
    assert releases.minor(version) in served.described()
    assert found == {entry for entry in served.known(version) if _standing(version, *entry) in expected}
