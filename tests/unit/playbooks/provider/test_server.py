"""The provider as a process, as the engine starts it."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc
import pytest
from google.protobuf import empty_pb2, struct_pb2
from pulumi.runtime import rpc
from pulumi.runtime.proto import engine_pb2_grpc, provider_pb2, provider_pb2_grpc

from playbooks.provider.runs import PROJECT

AUTHORITY = "urn:pulumi:s::p::a:b:C$crossmesh:tls:CertificateAuthority::root"
PHASE = "urn:pulumi:s::p::crossmesh:hosts:HostPhase::h1-prepare"


class Log(engine_pb2_grpc.EngineServicer):  # type: ignore[misc]
    """Collects what the provider says."""

    def __init__(self) -> None:
        self.messages: list[str] = []

    def Log(self, request: Any, context: Any) -> empty_pb2.Empty:
        self.messages.append(request.message)
        return empty_pb2.Empty()


@pytest.fixture
def log() -> Iterator[tuple[Log, str]]:
    servicer, server = Log(), grpc.server(ThreadPoolExecutor(4))
    engine_pb2_grpc.add_EngineServicer_to_server(servicer, server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    yield servicer, f"127.0.0.1:{port}"
    server.stop(None)


def start(engine: str, *before: str) -> tuple[subprocess.Popen[bytes], Any]:
    """Start the provider, below the command `before`; return the process and a stub of its service."""
    process = subprocess.Popen(
        [*before, sys.executable, "-m", "playbooks.provider", engine],
        stdout=subprocess.PIPE,
        cwd=PROJECT,
        env={**os.environ, "PYTHONPATH": str(PROJECT)},
    )
    assert process.stdout
    assert select.select([process.stdout], [], [], 60)[0], "it tells its port"
    port = int(process.stdout.readline())
    # As the engine: it takes what is large.
    channel = grpc.insecure_channel(f"127.0.0.1:{port}", [("grpc.max_receive_message_length", -1)])
    return process, provider_pb2_grpc.ResourceProviderStub(channel)


@pytest.fixture
def provider(log: tuple[Log, str]) -> Iterator[Any]:
    process, stub = start(log[1])
    yield stub
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=20) == 0, "it ends quietly when the engine says so"


def struct(values: dict[str, Any]) -> struct_pb2.Struct:
    made = struct_pb2.Struct()
    made.update(values)
    return made


def secret(value: str) -> dict[str, str]:
    return {rpc._special_sig_key: rpc._special_secret_sig, "value": value}


ROOT = {"common_name": "root", "validity_days": 100, "renew_before_days": 10}


def test_a_resource_inside_a_component_is_checked_made_and_found_unchanged(provider: Any) -> None:
    checked = provider.Check(provider_pb2.CheckRequest(urn=AUTHORITY, news=struct(ROOT)))
    assert not checked.failures
    made = provider.Create(provider_pb2.CreateRequest(urn=AUTHORITY, properties=checked.inputs))
    assert made.id == "root"
    key = made.properties["private_key"]
    assert key[rpc._special_sig_key] == rpc._special_secret_sig, "the key leaves the provider as a secret"
    request = provider_pb2.DiffRequest(urn=AUTHORITY, id="root", olds=made.properties, news=checked.inputs)
    assert provider.Diff(request).changes == provider_pb2.DiffResponse.DIFF_NONE


def test_a_preview_gives_what_is_not_known_as_the_engine_expects_it(provider: Any) -> None:
    request = provider_pb2.CreateRequest(urn=AUTHORITY, properties=struct(ROOT), preview=True)
    made = provider.Create(request)
    assert made.id == ""
    assert made.properties["certificate"] == rpc.UNKNOWN


def test_an_error_for_people_has_no_traceback(provider: Any) -> None:
    issuer = {"certificate": "no PEM", "private_key": secret("x"), "chain": "", "root_certificate": ""}
    inputs = struct({**ROOT, "issuer": issuer})
    with pytest.raises(grpc.RpcError) as failed:
        provider.Create(provider_pb2.CreateRequest(urn=AUTHORITY, properties=inputs))
    assert failed.value.details().startswith("a certificate cannot be read")
    assert "Traceback" not in failed.value.details()


def test_failures_name_the_resource_and_the_property(provider: Any) -> None:
    checked = provider.Check(provider_pb2.CheckRequest(urn=AUTHORITY, news=struct({"common_nam": "x"})))
    reasons = {failure.property: failure.reason for failure in checked.failures}
    assert set(reasons) == {"common_nam", "common_name", "validity_days"}
    assert reasons["common_nam"].startswith("root: common_nam is not a property")


def test_the_provider_s_own_configuration_never_differs(provider: Any) -> None:
    request = provider_pb2.DiffRequest(urn="urn", olds=struct({"a": "1"}), news=struct({"a": "2"}))
    assert provider.DiffConfig(request).changes == provider_pb2.DiffResponse.DIFF_NONE


def test_what_is_known_of_the_run_reaches_the_provider_and_no_state(provider: Any) -> None:
    connection = {"address": "127.0.0.1", "user": "root", "privateKeyFile": "k", "knownHostsFile": "h"}
    inputs = {"host": "h1", "phase": "prepare", "connection": connection, "variables": {}}
    run = '{"preview": true, "hosts": {"h1": ["prepare"]}, "waves": [[["h1"], 1]]}'
    news = struct({**inputs, "run": run, "secret_variables": {"a": "b"}})
    checked = provider.Check(provider_pb2.CheckRequest(urn=PHASE, news=news))
    assert not checked.failures
    assert "run" not in checked.inputs
    assert checked.inputs["secret_variables"][rpc._special_sig_key] == rpc._special_secret_sig


def test_a_refresh_leaves_the_state_as_it_is(provider: Any) -> None:
    state, inputs = struct({"host": "h1"}), struct({"host": "h1", "phase": "prepare"})
    request = provider_pb2.ReadRequest(urn=PHASE, id="h1-prepare", properties=state, inputs=inputs)
    answer = provider.Read(request)
    assert (answer.id, answer.properties, answer.inputs) == ("h1-prepare", state, inputs)


def test_what_it_did_not_make_is_not_taken_over(provider: Any) -> None:
    with pytest.raises(grpc.RpcError) as refused:
        provider.Read(provider_pb2.ReadRequest(urn=PHASE, id="h1-prepare"))
    assert "h1-prepare cannot be taken over" in refused.value.details()


def test_a_state_may_be_larger_than_grpc_allows_by_itself(provider: Any) -> None:
    state = struct({"variables": {"text": "x" * 5 * 1024 * 1024}})
    request = provider_pb2.ReadRequest(urn=PHASE, id="h1-prepare", properties=state)
    assert provider.Read(request).properties == state


def test_it_ends_when_the_engine_was_killed(log: tuple[Log, str]) -> None:
    # `sh` stands between, as the engine that is killed.
    engine, stub = start(log[1], "sh", "-c", '"$@"; true', "sh")
    children = subprocess.run(["pgrep", "-P", str(engine.pid)], capture_output=True, text=True, check=True)
    pid = int(children.stdout)
    stub.GetPluginInfo(empty_pb2.Empty())
    engine.kill()
    engine.wait()
    deadline = time.monotonic() + 15
    while os.path.exists(f"/proc/{pid}") and _state(pid) != "Z":  # noqa: PTH110
        assert time.monotonic() < deadline, "the provider outlives its engine"
        time.sleep(0.05)


def _state(pid: int) -> str:
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8") as file:
            return file.read().rpartition(")")[2].split()[0]
    except OSError:
        return "Z"
