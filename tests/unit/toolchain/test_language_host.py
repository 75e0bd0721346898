"""The language host, over its real protocol and without an engine."""

from __future__ import annotations

import asyncio
import inspect
import os
import runpy
import signal
import subprocess
import sys
import time
from collections.abc import Coroutine, Iterator
from pathlib import Path
from typing import Any

import grpc
import pulumi
import pytest
from google.protobuf import empty_pb2
from pulumi.runtime.proto import language_pb2, language_pb2_grpc
from pulumi.runtime.settings import SETTINGS

import toolchain
from toolchain.manifest import ROOT

HOST = ROOT / "language_host"


@pytest.fixture
def host() -> Iterator[subprocess.Popen[str]]:
    """A running host; the first line of its output is its port."""
    process = subprocess.Popen(
        [sys.executable, str(HOST), "127.0.0.1:1"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    yield process
    if process.poll() is None:
        process.kill()
    process.wait(timeout=60)


@pytest.fixture
def client(host: subprocess.Popen[str]) -> Iterator[Any]:
    """A client of the host."""
    assert host.stdout is not None
    with grpc.insecure_channel(f"127.0.0.1:{int(host.stdout.readline())}") as channel:
        yield language_pb2_grpc.LanguageRuntimeStub(channel)  # type: ignore[no-untyped-call]


def program_info(directory: Path) -> Any:
    """A program in a directory."""
    return language_pb2.ProgramInfo(
        root_directory=str(directory), program_directory=str(directory), entry_point="."
    )


def children(pid: int) -> list[int]:
    """The processes that a process started."""
    listing = subprocess.run(
        ["ps", "-o", "pid=", "--ppid", str(pid)], capture_output=True, text=True, check=False
    )
    return [int(line) for line in listing.stdout.split()]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_ends_quietly_when_it_is_interrupted(
    host: subprocess.Popen[str], client: Any, number: int
) -> None:
    client.GetPluginInfo(empty_pb2.Empty(), timeout=60)
    reserve = children(host.pid)
    assert reserve, "a process must be in reserve"
    host.send_signal(number)
    _, errors = host.communicate(timeout=60)
    assert host.returncode == 0
    assert errors == ""
    assert not any(Path(f"/proc/{pid}").exists() for pid in reserve)


def test_it_ends_when_the_engine_is_gone(tmp_path: Path) -> None:
    # An engine in between starts the host, says its number and dies without a word.
    code = (
        "import os, signal, subprocess, sys\n"
        f"host = subprocess.Popen([sys.executable, {str(HOST)!r}, '127.0.0.1:1'], stdout=subprocess.PIPE)\n"
        "host.stdout.readline(); print(host.pid, flush=True); os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    engine = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False
    )
    pid = int(engine.stdout)
    deadline = time.monotonic() + 60
    while Path(f"/proc/{pid}").exists() and "Z" not in Path(f"/proc/{pid}/stat").read_text().split()[2]:
        assert time.monotonic() < deadline, "the host is still there"
        time.sleep(0.1)


def test_it_says_the_version_of_its_sdk(client: Any) -> None:
    assert client.GetPluginInfo(empty_pb2.Empty(), timeout=60).version == toolchain.version("pulumi-python")


def test_it_names_the_plugins_of_the_installed_sdks(client: Any, tmp_path: Path) -> None:
    answer = client.GetRequiredPackages(
        language_pb2.GetRequiredPackagesRequest(info=program_info(tmp_path)), timeout=60
    )
    plugins = {package.name: package.version for package in answer.packages}
    assert plugins == {"kubernetes": toolchain.version("pulumi-kubernetes")}


def test_it_tells_direct_from_transitive_dependencies(client: Any, tmp_path: Path) -> None:
    def names(transitive: bool) -> set[str]:
        request = language_pb2.GetProgramDependenciesRequest(
            info=program_info(tmp_path), transitiveDependencies=transitive
        )
        return {entry.name for entry in client.GetProgramDependencies(request, timeout=60).dependencies}

    assert "pulumi-kubernetes" in names(transitive=False)
    assert "grpcio" not in names(transitive=False)
    assert "grpcio" in names(transitive=True)


def test_a_plugin_is_run_and_its_output_streamed_with_its_exit_code(client: Any, tmp_path: Path) -> None:
    (tmp_path / "__main__.py").write_text(
        "import os, sys\n"
        "print('port', sys.argv[1], os.environ['MARK'], os.getcwd())\n"
        "print('complaint', file=sys.stderr)\n"
        "sys.exit(7)\n"
    )
    request = language_pb2.RunPluginRequest(
        info=program_info(tmp_path),
        kind="resource",
        args=["127.0.0.1:1"],
        pwd=str(tmp_path),
        env=[f"{name}={value}" for name, value in {**os.environ, "MARK": "a=b"}.items()],
    )
    answers = list(client.RunPlugin(request, timeout=60))
    assert b"".join(a.stdout for a in answers).decode() == f"port 127.0.0.1:1 a=b {tmp_path}\n"
    assert b"".join(a.stderr for a in answers) == b"complaint\n"
    assert answers[-1].exitcode == 7


def test_a_plugin_ends_when_its_call_is_cancelled(client: Any, tmp_path: Path) -> None:
    (tmp_path / "__main__.py").write_text("import os, time\nprint(os.getpid(), flush=True)\ntime.sleep(60)\n")
    request = language_pb2.RunPluginRequest(
        info=program_info(tmp_path), kind="resource", env=[f"PATH={os.environ['PATH']}"]
    )
    stream = client.RunPlugin(request, timeout=60)
    pid = int(next(stream).stdout)
    stream.cancel()
    deadline = time.monotonic() + 60
    while Path(f"/proc/{pid}").exists():
        assert time.monotonic() < deadline, "the plugin is still there"
        time.sleep(0.05)


def test_a_python_that_a_project_names_and_that_is_not_there_is_an_error(client: Any, tmp_path: Path) -> None:
    info = program_info(tmp_path)
    info.options["virtualenv"] = "nowhere"
    with pytest.raises(grpc.RpcError) as caught:
        client.About(language_pb2.AboutRequest(info=info), timeout=60)
    assert "nowhere" in str(caught.value)


@pytest.fixture
def program(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What the module that runs programs consists of."""
    monkeypatch.setattr(sys, "path", ["", *sys.path])
    return runpy.run_path(str(HOST / "program.py"), run_name="program")


def test_a_second_signal_does_not_break_off_what_the_first_asked_for(program: dict[str, Any]) -> None:
    """It came while the program was ending, and the gate took the traceback for a failure of the program."""
    before = signal.signal(signal.SIGTERM, program["_interrupted"])
    try:
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGTERM)
        signal.raise_signal(signal.SIGTERM)
    finally:
        signal.signal(signal.SIGTERM, before)


@pytest.fixture
def explain(program: dict[str, Any]) -> Any:
    """The function that words a program's error."""
    return program["explain"]


@pytest.fixture
def all_done(program: dict[str, Any]) -> Iterator[Any]:
    """The function that waits for everything that a program registered."""
    SETTINGS.outputs.clear()
    SETTINGS.rpc_manager.clear()
    yield program["all_done"]
    SETTINGS.outputs.clear()
    SETTINGS.rpc_manager.clear()


def run(program: Coroutine[Any, Any, None]) -> None:
    """Run it to its end in a loop of its own, which other tests do not see."""
    loop = asyncio.new_event_loop()
    try:
        loop.run_until_complete(program)
    finally:
        loop.close()


def test_each_output_is_looked_at_a_few_times_however_many_there_are(
    all_done: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    number, looked_at = 500, 0
    wait = asyncio.wait

    async def counted(tasks: Any, **options: Any) -> Any:
        nonlocal looked_at
        looked_at += len(tasks)
        return await wait(tasks, **options)

    async def main() -> None:
        monkeypatch.setattr(asyncio, "wait", counted)
        values: list[asyncio.Future[int]] = [asyncio.Future() for _ in range(number)]
        outputs = [pulumi.Output.from_input(value) for value in values]

        async def one_by_one() -> None:
            for value in values:
                await asyncio.sleep(0)
                value.set_result(1)

        resolving = asyncio.ensure_future(one_by_one())
        await all_done()
        assert resolving.done()
        assert [await output.future() for output in outputs] == [1] * number

    run(main())
    assert looked_at < 5 * number


def test_registrations_and_what_comes_of_them_are_waited_for(all_done: Any) -> None:
    done = []

    async def later(name: str) -> None:
        await asyncio.sleep(0.01)
        done.append(name)

    async def register() -> None:
        await later("registration")
        pulumi.Output.from_input(later("output"))

    async def main() -> None:
        registration = asyncio.ensure_future(SETTINGS.rpc_manager.do_rpc("register", register)())
        await all_done()
        assert registration.done()

    run(main())
    assert done == ["registration", "output"]


@pytest.mark.parametrize("registration", [True, False])
def test_the_first_error_ends_the_wait_while_others_go_on(all_done: Any, registration: bool) -> None:
    async def fail() -> None:
        raise ValueError("because")

    async def main() -> None:
        never: asyncio.Future[int] = asyncio.Future()
        pulumi.Output.from_input(never)
        failing = SETTINGS.rpc_manager.do_rpc("register", fail)() if registration else fail()
        pulumi.Output.from_input(failing)
        async with asyncio.timeout(20):
            await all_done()

    with pytest.raises(ValueError, match="because"):
        run(main())


def test_it_can_stand_in_for_the_wait_of_the_sdk(program: dict[str, Any]) -> None:
    assert list(inspect.signature(pulumi.runtime.stack.wait_for_rpcs).parameters) == list(
        inspect.signature(program["all_done"]).parameters
    )


def test_an_error_is_told_from_the_programs_first_frame_on(explain: Any, tmp_path: Path) -> None:
    (tmp_path / "__main__.py").write_text("def go():\n    raise ValueError('because')\ngo()\n")
    try:
        runpy.run_path(str(tmp_path), run_name="__main__")
    except ValueError as error:
        text = explain(error, str(tmp_path))
    assert text.splitlines()[0] == "Traceback (most recent call last):"
    assert text.splitlines()[1].startswith(f'  File "{tmp_path}/__main__.py", line 3')
    assert text.endswith("ValueError: because")
    assert "runpy" not in text


def test_the_cause_of_an_error_is_told_too(explain: Any, tmp_path: Path) -> None:
    (tmp_path / "__main__.py").write_text(
        "try:\n    1 / 0\nexcept ZeroDivisionError as cause:\n    raise ValueError('because') from cause\n"
    )
    try:
        runpy.run_path(str(tmp_path), run_name="__main__")
    except ValueError as error:
        text = explain(error, str(tmp_path))
    assert "ZeroDivisionError" in text
    assert "direct cause" in text
    assert "runpy" not in text
