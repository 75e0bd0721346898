"""The LanguageRuntime service: what the engine can ask a language host."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

import dependencies
import grpc
from google.protobuf import empty_pb2
from process import PluginProcess, ProgramProcess
from pulumi.runtime.proto import language_pb2, plugin_pb2
from pulumi.runtime.proto.language_pb2_grpc import LanguageRuntimeServicer

# The program's process shows an error that it explained itself, and ends with this code.
EXPLAINED = 32


class Host(LanguageRuntimeServicer):
    """Runs each program in a process of its own, so every run starts from a clean state.

    A process is kept in reserve with the SDK already imported, because people wait for a run that waits for
    an import.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._reserve: ProgramProcess | None = ProgramProcess(sys.executable)
        self._running: set[ProgramProcess | PluginProcess] = set()
        self._closed = False

    def close(self) -> None:
        """End all processes."""
        with self._lock:
            self._closed = True
            processes = [*self._running, *([self._reserve] if self._reserve else [])]
            self._reserve = None
        for process in processes:
            process.terminate()
        for process in processes:
            process.wait_or_kill()

    def Run(self, request: Any, context: grpc.ServicerContext) -> Any:
        """Run a program and say how it ended."""
        python = dependencies.interpreter(request.info)
        with self._lock:
            process, self._reserve = self._reserve, None
        if process is None or process.python != python or process.poll() is not None:
            if process is not None:
                process.terminate()
            process = ProgramProcess(python)
        with self._lock:
            self._running.add(process)
        try:
            code = process.run(request)
        finally:
            with self._lock:
                self._running.discard(process)
                # `up` runs the program a second time, after its preview.
                if not self._closed and request.dryRun:
                    self._reserve = ProgramProcess(python)
        if code == 0:
            return language_pb2.RunResponse()
        if code == EXPLAINED:
            return language_pb2.RunResponse(bail=True)
        if code < 0:
            return language_pb2.RunResponse(error=f"the program was ended by signal {-code}")
        return language_pb2.RunResponse(error=f"the program ended with exit code {code}")

    def RunPlugin(self, request: Any, context: grpc.ServicerContext) -> Iterator[Any]:
        """Run a plugin written in Python (a policy pack, a provider, a tool) and stream its output."""
        process = PluginProcess(dependencies.interpreter(request.info), request)
        with self._lock:
            self._running.add(process)
        # The engine ends a plugin by cancelling the call.
        context.add_callback(process.terminate)
        try:
            for stream, data in process.output():
                yield language_pb2.RunPluginResponse(**{stream: data})
            yield language_pb2.RunPluginResponse(exitcode=process.wait())
        finally:
            process.terminate()
            process.wait_or_kill()
            with self._lock:
                self._running.discard(process)

    def Cancel(self, request: Any, context: grpc.ServicerContext) -> Any:
        """Ask all that runs to end."""
        with self._lock:
            processes = list(self._running)
        for process in processes:
            process.terminate()
        return empty_pb2.Empty()

    def GetPluginInfo(self, request: Any, context: grpc.ServicerContext) -> Any:
        """The host's version: that of the SDK it is built on."""
        return plugin_pb2.PluginInfo(version=version("pulumi"))

    def About(self, request: Any, context: grpc.ServicerContext) -> Any:
        """Which Python runs programs."""
        python = dependencies.interpreter(request.info)
        return language_pb2.AboutResponse(executable=python, version=dependencies.python_version(python))

    def GetRequiredPackages(self, request: Any, context: grpc.ServicerContext) -> Any:
        """The provider plugins that belong to the installed SDK packages."""
        packages = dependencies.plugins(dependencies.interpreter(request.info))
        return language_pb2.GetRequiredPackagesResponse(packages=packages)

    def GetProgramDependencies(self, request: Any, context: grpc.ServicerContext) -> Any:
        """The installed Python packages."""
        packages = dependencies.distributions(
            dependencies.interpreter(request.info), transitive=request.transitiveDependencies
        )
        infos = [language_pb2.DependencyInfo(name=name, version=release) for name, release in packages]
        return language_pb2.GetProgramDependenciesResponse(dependencies=infos)

    def InstallDependencies(self, request: Any, context: grpc.ServicerContext) -> Iterator[Any]:
        """Install a program's requirements.txt with pip; a program without one needs nothing."""
        directory = Path(request.info.program_directory or request.directory)
        requirements = directory / "requirements.txt"
        if not requirements.exists():
            yield language_pb2.InstallDependenciesResponse(
                stdout=f"{directory} has no requirements.txt: nothing to install\n".encode()
            )
            return
        command = [dependencies.interpreter(request.info), "-m", "pip", "install", "--no-input"]
        command += ["--disable-pip-version-check", "--requirement", str(requirements)]
        with subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL
        ) as process:
            assert process.stdout is not None
            for line in process.stdout:
                yield language_pb2.InstallDependenciesResponse(stdout=line)
        if process.returncode:
            context.abort(
                grpc.StatusCode.UNKNOWN, f"pip could not install {requirements} (see its output above)"
            )
