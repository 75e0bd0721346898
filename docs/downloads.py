"""The page of what the toolchain may download as a finished program, made from its manifest."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby

from toolchain.manifest import Program, Release, manifest

_INTRODUCTION = """\
# What may be downloaded

Made by `make docs` from `toolchain/versions.toml`. Each file here is taken as it is where its site can be
reached and its checksum is the one below. A public text states that, which is named; none was computed here.
Everything else is built from source ([the toolchain](../guides/toolchain.md)): of Go modules, each held to
the checksums of `toolchain/modules/*/go.sum`, and of wheels, each held to a hash in
`toolchain/versions.toml` or `requirements.lock`.
"""


def render() -> str:
    """The page, as the text of its file."""
    pinned = manifest()
    groups = groupby(pinned.releases.values(), lambda release: release.name.partition("/")[0])
    return "\n".join([_INTRODUCTION, *(_section(name, list(files)) for name, files in groups), *_built()])


def _section(name: str, files: list[Release]) -> str:
    rows = [f"| <{file.url}> | {_algorithm(file)} `{file.checksum}` |" for file in files]
    return "\n".join(
        [
            f"## {name}\n",
            f"Stated by {files[0].checksum_source}.\n",
            "| file | checksum |",
            "|---|---|",
            *rows,
            "",
        ]
    )


def _algorithm(file: Release) -> str:
    return file.algorithm.upper().replace("SHA", "SHA-")


def _built() -> Iterator[str]:
    yield "## Built from source\n"
    yield "Of these no public text was found that states the checksum of an official release:\n"
    pinned = manifest()
    for entry in [*pinned.programs.values(), *pinned.further.values()]:
        if isinstance(entry, Program) and not (entry.release or entry.wheel):
            yield f"- {entry.name} {entry.version}"
    yield ""
