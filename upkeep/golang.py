"""Questions to Go: which versions can be had, the source of one, and a module of our own made whole.

Every call has the toolchain's environment for Go, in which checksums are verified.
"""

from __future__ import annotations

import json
import re
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from toolchain.errors import ToolchainError
from toolchain.golang import Downloads, find_go, go_env, run
from toolchain.manifest import manifest
from toolchain.progress import Ticker

_AT_ONCE = 30
"""Versions that are asked for in one call: between two of them is said how far it is."""
_ABSENT = re.compile(r": (403|404|410) |unknown revision|invalid version|no matching versions")
"""What Go says of a version that is not there. Whatever else it says, the question had no answer."""
_OF_MODULE = re.compile(r"[^\s:]+@v[^\s:]+: ")
_REASONS = 12


@dataclass(frozen=True)
class Source:
    """The source of a module at a version, verified by the checksum database, in Go's own cache."""

    path: str
    version: str
    directory: Path
    sums: tuple[str, str]
    """Its checksum and that of its go.mod, as go.sum has them."""


class Go:
    """One Go command, found at the first use."""

    @cached_property
    def command(self) -> str:
        """Its path."""
        return find_go(manifest())

    @cached_property
    def _asking(self) -> dict[str, str]:
        """The environment for questions about versions: of proxies alone, where there are some.

        For each version that a proxy has not, Go would look into the repository itself, which takes minutes.
        """
        shown = self._call("env", "GOPROXY").stdout.strip()
        proxies = [proxy for proxy in re.split("[,|]", shown) if proxy not in ("direct", "off", "")]
        return {**go_env(), "GOPROXY": ",".join(proxies)} if proxies else go_env()

    def listed(self, module: str) -> list[str]:
        """The versions that a proxy lists: maybe not all. Raises ToolchainError where it has no list."""
        answer = self._call("list", "-m", "-versions", "-json", module, env=self._asking)
        if answer.returncode:
            raise ToolchainError(f"no list of versions of {module}: {_words(answer.stderr)}")
        return list(next(_objects(answer.stdout), {}).get("Versions", ()))

    def served(self, module: str, versions: Sequence[str], ticker: Ticker) -> set[str]:
        """Which of these versions can be had.

        Raises ToolchainError when a question had no answer: then nobody knows.
        """
        found = set()
        for start in range(0, len(versions), _AT_ONCE):
            asked = versions[start : start + _AT_ONCE]
            ticker.update(f"{start} of {len(versions)} versions asked for")
            queries = [f"{module}@{version}" for version in asked]
            answer = self._call("list", "-m", "-e", "-json", *queries, env=self._asking)
            entries = list(_objects(answer.stdout))
            if len(entries) != len(asked):
                raise ToolchainError(f"{module} could not be asked for: {_words(answer.stderr)}")
            for entry in entries:
                why = entry.get("Error", {}).get("Err")
                if why is None:
                    found.add(entry["Version"])
                elif not _ABSENT.search(why):
                    raise ToolchainError(f"{module} could not be asked for: {_words(why)}")
        return found

    def source(self, query: str) -> Source:
        """The source of a module (`path@version`), downloaded where it is not there yet.

        Raises ToolchainError with Go's words when it cannot be had, or is not what the checksum database has.
        """
        answer = self._call("mod", "download", "-json", query)
        entry = next(_objects(answer.stdout), {})
        if answer.returncode or not {"Dir", "Sum", "GoModSum"} <= entry.keys():
            raise ToolchainError(
                f"the source of {query} cannot be had: {_words(entry.get('Error') or answer.stderr)}"
            )
        sums = entry["Sum"], entry["GoModSum"]
        return Source(entry["Path"], entry["Version"], Path(entry["Dir"]), sums)

    def tidy(self, directory: Path, name: str) -> None:
        """Resolve a module: all that its tools need goes into go.mod, and checksums into go.sum.

        Raises ToolchainError that names what cannot be had or verified.
        """
        ticker = Ticker(f"resolve {name}")
        downloads = Downloads(ticker)
        said: list[str] = []

        def told(text: str) -> None:
            if not downloads.told(text):
                said.append(text)

        if run([self.command, "mod", "tidy"], directory, told, env={**go_env(), "GOFLAGS": "-mod=mod"}):
            raise ToolchainError(f"{name} does not resolve:\n  " + "\n  ".join(_reasons(said)))
        ticker.done(f"done, {downloads.count} modules downloaded")

    def _call(self, *arguments: str, env: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
        # Outside of any module: neither the caller's nor one of the project's decides what is found.
        with tempfile.TemporaryDirectory(prefix="crossmesh-go-") as empty:
            return subprocess.run(
                [self.command, *arguments],
                cwd=empty,
                env=env or go_env(),
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                check=False,
            )


def _objects(text: str) -> Iterator[dict[str, Any]]:
    """The JSON objects that Go writes one after the other."""
    decoder, rest = json.JSONDecoder(), text.strip()
    while rest:
        found, end = decoder.raw_decode(rest)
        yield found
        rest = rest[end:].lstrip()


def _reasons(said: list[str]) -> list[str]:
    """Why a module does not resolve, out of all that Go says: what it says of modules, each of them once."""
    of_modules = dict.fromkeys(line[found.start() :] for line in said if (found := _OF_MODULE.search(line)))
    reasons = list(of_modules) or said
    rest = [f"… and {len(reasons) - _REASONS} more"] if len(reasons) > _REASONS else []
    return [*reasons[:_REASONS], *rest]


def _words(text: str) -> str:
    """Go's words on one line."""
    return " ".join(line.strip() for line in text.removeprefix("go: ").splitlines()) or "Go says nothing"
