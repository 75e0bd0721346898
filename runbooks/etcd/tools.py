"""etcd's own programs, and a way to a member of a cluster for them."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import toolchain
from access import ssh
from access.errors import AccessError, Unanswered
from access.ssh import Connection
from report.errors import OperationsError

_PKI = "/etc/kubernetes/pki/etcd"
_CLIENT = ("ca.crt", "healthcheck-client.crt", "healthcheck-client.key")
"""kubeadm's certificate for whoever asks etcd how it is."""
_PORT = 2379
_CONNECT_SECONDS = 15.0
_SECONDS = 300.0


@dataclass(frozen=True)
class Tools:
    """etcdctl and etcdutl of one version."""

    version: str

    def utility(self, *arguments: str) -> str:
        """What `etcdutl` says. Raises OperationsError with its words when it fails."""
        return self._run("etcdutl", arguments)

    def control(self, *arguments: str, member: Member) -> str:
        """What `etcdctl` says of a member."""
        with _memory(member.files) as paths:
            ca, certificate, key = paths
            options = ("--endpoints", member.endpoint, "--cacert", ca, "--cert", certificate, "--key", key)
            return self._run(
                "etcdctl", (*options, *arguments), descriptors=[int(Path(p).name) for p in paths]
            )

    @contextmanager
    def aside(self, directory: Path, *more: str) -> Iterator[Callable[..., str]]:
        """An etcd on the data directory `data` in a directory, on sockets there that nobody else reaches.

        more: further options. Yields what asks it by etcdctl. Raises OperationsError when it does not serve.
        """
        program = toolchain.program("etcd", self.version)
        urls = {"client": "unix://localhost:1", "peer": "unix://localhost:2"}
        options = [
            *("--data-dir", "data", "--listen-client-urls", urls["client"]),
            *("--advertise-client-urls", urls["client"], "--listen-peer-urls", urls["peer"]),
            *("--initial-advertise-peer-urls", urls["peer"], "--initial-cluster", f"default={urls['peer']}"),
            *more,
        ]
        log = directory / "etcd.log"
        with (
            log.open("wb") as out,
            subprocess.Popen(
                [str(program), *options], cwd=directory, stdin=subprocess.DEVNULL, stdout=out, stderr=out
            ) as process,
        ):
            try:
                ask = partial(self._asked, directory, urls["client"])
                _until_it_serves(process, ask, log)
                yield ask
            finally:
                process.terminate()
                try:
                    process.wait(10)
                except subprocess.TimeoutExpired:
                    process.kill()

    def _asked(self, directory: Path, endpoint: str, *arguments: str) -> str:
        return self._run("etcdctl", ("--endpoints", endpoint, *arguments), directory=directory)

    def _run(
        self,
        name: str,
        arguments: tuple[str, ...],
        descriptors: list[int] | None = None,
        directory: Path | None = None,
    ) -> str:
        program = toolchain.program(name, self.version)
        try:
            done = subprocess.run(
                [str(program), *arguments],
                capture_output=True,
                text=True,
                timeout=_SECONDS,
                check=False,
                pass_fds=descriptors or (),
                cwd=directory,
                stdin=subprocess.DEVNULL,
            )
        except subprocess.TimeoutExpired:
            raise OperationsError(f"{name} {arguments[0]} did not end within {_SECONDS:.0f} s") from None
        if done.returncode:
            raise OperationsError(f"{name} failed: {_words(done.stderr or done.stdout)}")
        return done.stdout


@dataclass(frozen=True)
class Member:
    """A member of etcd that answers here."""

    endpoint: str
    files: Mapping[str, str]
    """Certificates and key by name, in memory only."""


@contextmanager
def member(host: str, connection: Connection) -> Iterator[Member]:
    """A way to the member on a host, through ssh. Raises AccessError.

    Its port on this machine is open to whoever is on it; without the client's key nobody gets in.
    """
    files = {}
    for name in _CLIENT:
        done = ssh.run(host, connection, ["cat", f"{_PKI}/{name}"])
        if done.returncode:
            raise AccessError(
                f"{host}: {_PKI}/{name} cannot be read: {_words(done.stderr)}",
                fix="see that this is a host of the control plane that kubeadm made",
            )
        files[name] = done.stdout
    port = _free_port()
    forward = f"127.0.0.1:{port}:127.0.0.1:{_PORT}"
    command = ["ssh", *ssh.options(connection), "-o", "ExitOnForwardFailure=yes", "-N", "-L", forward]
    with subprocess.Popen(
        [*command, connection.address],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    ) as process:
        try:
            _await(host, port, process)
            yield Member(f"https://127.0.0.1:{port}", files)
        finally:
            process.terminate()


def data(text: str) -> Any:
    """What a program wrote as JSON."""
    try:
        return json.loads(text)
    except ValueError:
        raise OperationsError(f"etcd's program said what nobody understands: {text[:200]}") from None


@contextmanager
def _memory(files: Mapping[str, str]) -> Iterator[list[str]]:
    """Paths of files that are in memory only, in their order."""
    descriptors = []
    try:
        for content in files.values():
            descriptor = os.memfd_create("crossmesh")
            descriptors.append(descriptor)
            os.write(descriptor, content.encode())
        yield [f"/proc/self/fd/{descriptor}" for descriptor in descriptors]
    finally:
        for descriptor in descriptors:
            os.close(descriptor)


def _until_it_serves(process: subprocess.Popen[bytes], ask: Callable[..., str], log: Path) -> None:
    deadline = time.monotonic() + _CONNECT_SECONDS
    while process.poll() is None and time.monotonic() < deadline:
        with contextlib.suppress(OperationsError):
            ask("endpoint", "health", "--command-timeout=1s")
            return
    words = log.read_text(errors="replace").strip().splitlines()[-1:]
    raise OperationsError(f"etcd does not serve what was restored: {' '.join(words)[:300]}")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _await(host: str, port: int, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + _CONNECT_SECONDS
    while time.monotonic() < deadline:
        if process.poll() is not None:
            assert process.stderr is not None
            words = process.stderr.read().decode(errors="replace").strip()
            raise Unanswered(f"{host}: ssh leads to no etcd: {words}", fix="see that ssh reaches the host")
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        time.sleep(0.1)
    raise Unanswered(f"{host}: ssh leads to no etcd within {_CONNECT_SECONDS:.0f} s")


def _words(text: str) -> str:
    """The last line that says something: these programs log JSON before it."""
    lines = [line for line in text.strip().splitlines() if line and not line.startswith("{")]
    panics = [line for line in lines if line.startswith("panic:")]
    if panics:
        return panics[0]
    return lines[-1] if lines else text.strip()[-300:]
