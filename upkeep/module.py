"""The Go module of a release: one that has the release's programs as tools, resolved and pinned."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from releases import numbers
from toolchain.errors import ToolchainError
from toolchain.manifest import ROOT, manifest
from toolchain.manifest import Program as ManifestProgram
from upkeep import go_mod
from upkeep.go_mod import GoMod
from upkeep.golang import Go, Source
from upkeep.programs import Program


def name(program: str, version: str) -> str:
    """What the module of a release that is no default is called: `istio-1.29.1`."""
    return f"{program}-{version}"


def directory(program: str, version: str) -> Path:
    """Where it lies."""
    return ROOT / "modules" / name(program, version)


def with_programs(work: Path, program: Program, version: str, sources: Sequence[Source], go: Go) -> int:
    """Write and resolve it in an empty directory; returns how many modules it pins.

    sources: of the program, then of what the release brings. Raises ToolchainError when it does not resolve.
    """
    said, title = _said(sources[0]), name(program.name, version)
    # Of a dependency Go honours neither its version of Go nor its settings of Go's runtime, and the program
    # would behave otherwise than its makers' build.
    settings = [f"godebug {setting}\n" for setting in said.godebug]
    replaced = _block("replace", _replaced(program, version, said))
    blocks = [*settings, _block("tool", tools([source.path for source in sources])), replaced]
    (work / "go.mod").write_text("\n".join([_head(title, said, sources), *blocks]), encoding="utf-8")
    # Some modules are not in the checksum database. The programs' own go.sum has their checksums, and is part
    # of the source, which the database vouches for.
    seeds = (source.directory / "go.sum" for source in sources)
    known = sorted({line for file in seeds for line in file.read_text(encoding="utf-8").splitlines()})
    (work / "go.sum").write_text("".join(f"{line}\n" for line in known), encoding="utf-8")
    go.tidy(work, title)
    return len(go_mod.parse((work / "go.mod").read_text(encoding="utf-8")).requires)


def of_data(work: Path, program: Program, version: str, source: Source) -> int:
    """Write one without programs: charts and manifests are copied out of the source that it pins."""
    head = _head(name(program.name, version), _said(source), [source])
    (work / "go.mod").write_text(head, encoding="utf-8")
    of_source, of_go_mod = source.sums
    line = f"{source.path} {source.version}"
    (work / "go.sum").write_text(f"{line} {of_source}\n{line}/go.mod {of_go_mod}\n", encoding="utf-8")
    return 1


def _said(source: Source) -> GoMod:
    return go_mod.parse((source.directory / "go.mod").read_text(encoding="utf-8"))


def _head(title: str, said: GoMod, sources: Sequence[Source]) -> str:
    needs = [f"{source.path} {source.version}" for source in sources]
    require = f"require {needs[0]}\n" if len(needs) == 1 else _block("require", needs)
    return f"module tools/{title}\n\ngo {said.go}\n\n{require}"


def tools(modules: Sequence[str]) -> list[str]:
    """The packages of modules that the toolchain builds."""
    known = (*manifest().programs.values(), *manifest().further.values())
    packages = {one.package for one in known if isinstance(one, ManifestProgram) and one.package}
    return sorted(one for one in packages if any(f"{one}/".startswith(f"{module}/") for module in modules))


def _replaced(program: Program, version: str, said: GoMod) -> list[str]:
    """What it takes for other modules; for a directory of its own, the module that is published of it."""
    lines = []
    for old, new in said.replaces.items():
        if not new.startswith("."):
            lines.append(f"{old} => {new}")
        elif program.name == "kubernetes":
            # Its libraries have its minor and patch: v0.35.3 of 1.35.3.
            _, minor, patch = numbers(version)
            lines.append(f"{old} => {old} v0.{minor}.{patch}")
        else:
            raise ToolchainError(
                f"{program.module} takes {new} of its own source for {old}: in which version that is "
                "published must be read, and told here"
            )
    return lines


def _block(word: str, lines: list[str]) -> str:
    """A block of a go.mod; nothing where it has no lines."""
    return "\n".join([f"{word} (", *(f"\t{line}" for line in lines), ")", ""]) if lines else ""
