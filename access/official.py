"""The official client on a cluster's connection: its typed APIs, and commands in containers.

A module of its own: loading its hundreds of models takes longer than most of what is asked of a cluster.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from kubernetes import client
from kubernetes.client import Configuration
from kubernetes.client.exceptions import ApiException
from kubernetes.stream import stream
from urllib3.exceptions import HTTPError

from access.errors import AccessError
from access.programs import Executed

__all__ = ["NO_ANSWER", "Client", "Configuration", "execute"]
NO_ANSWER = (ApiException, HTTPError, OSError)
"""What the client raises when no answer comes at all: it reports a failed TLS handshake as its own error."""


class Client(client.ApiClient):  # type: ignore[misc]
    """The official client, with a bound on each request and with errors of ours."""

    def __init__(
        self,
        configuration: Configuration,
        seconds: float,
        no_answer: Callable[[BaseException], AccessError],
        refusal: Callable[[str, int, str], AccessError],
    ) -> None:
        super().__init__(configuration)
        self._seconds = seconds
        self._no_answer = no_answer
        self._refusal = refusal

    def call_api(self, *arguments: Any, _request_timeout: Any = None, **more: Any) -> Any:
        """As the official client does it. Raises `AccessError` when no answer comes."""
        try:
            return super().call_api(*arguments, _request_timeout=_request_timeout or self._seconds, **more)
        except NO_ANSWER as error:
            raise self._no_answer(error) from error

    def response_deserialize(self, response_data: Any, response_types_map: Any = None) -> Any:
        """As the official client does it. Raises `AccessError` for an answer that is a refusal."""
        try:
            return super().response_deserialize(response_data, response_types_map)
        except ApiException as error:
            path = str(response_data.response.url).partition("?")[0]
            data = response_data.data
            body = data.decode(errors="replace") if isinstance(data, bytes) else str(data or "")
            raise self._refusal(
                path.removeprefix(self.configuration.host), int(error.status or 0), body
            ) from error


def execute(
    configuration: Configuration,
    namespace: str,
    pod: str,
    container: str,
    command: list[str],
    timeout: float,
) -> Executed:
    """Run a command in a container. Raises what `NO_ANSWER` names; `TimeoutError` after `timeout` seconds."""
    # `stream` swaps the request method of its client while it runs: a client of its own keeps threads apart.
    session = stream(
        client.CoreV1Api(client.ApiClient(configuration)).connect_get_namespaced_pod_exec,
        pod,
        namespace,
        container=container,
        command=command,
        stdin=False,
        stdout=True,
        stderr=True,
        tty=False,
        _preload_content=False,
        _request_timeout=timeout,
    )
    try:
        session.run_forever(timeout=timeout)
        if session.is_open():
            raise TimeoutError
        return Executed(
            int(session.returncode or 0), session.read_stdout() or "", session.read_stderr() or ""
        )
    finally:
        session.close()
