"""The command `python -m toolchain`."""

from __future__ import annotations

import argparse
import os
import sys

import toolchain
from toolchain import environment, install, store
from toolchain.errors import ToolchainError
from toolchain.golang import find_go
from toolchain.manifest import Data, Program, manifest


def _list() -> None:
    rows = [("NAME", "VERSION", "FROM", "DETAIL")]
    for entry in [*manifest().entries.values(), *manifest().further.values()]:
        record = store.read_record(entry.name, entry.version)
        if record is None and isinstance(manifest().further.get(f"{entry.name}-{entry.version}"), Program):
            continue  # Few have use for the programs of every release.
        origin, detail = (record.origin, record.detail) if record else ("-", "not installed")
        rows.append((entry.name, entry.version, origin, detail))
    widths = [max(len(row[column]) for row in rows) for column in range(3)]
    for row in rows:
        print("  ".join([*(row[column].ljust(widths[column]) for column in range(3)), row[3]]))


def main(arguments: list[str] | None = None) -> int:
    """Run a command; returns its exit code (0 well, 1 failed, 2 wrong usage)."""
    parser = argparse.ArgumentParser(
        prog="python -m toolchain", description="Pinned programs: install and find them."
    )
    commands = parser.add_subparsers(dest="command", required=True)
    add = commands.add_parser("install", help="install what is missing")
    add.add_argument(
        "names",
        nargs="*",
        metavar="NAME",
        help="programs, data sets and releases, as kubernetes-1.35.3 (default: the default releases)",
    )
    add.add_argument(
        "--further", action="store_true", help="the data of all releases that are no default, too"
    )
    path = commands.add_parser("path", help="print where a program or data set is")
    path.add_argument("name", metavar="NAME")
    commands.add_parser("verify", help="compare every installed file with its recorded SHA-256")
    commands.add_parser("list", help="show versions and where each program came from")
    commands.add_parser("env", help="print shell exports for a shell that has them all on its PATH")
    options = parser.parse_args(arguments)
    try:
        match options.command:
            case "install":
                further = manifest().further.items() if options.further else ()
                data = [name for name, entry in further if isinstance(entry, Data)]
                install.install([*options.names, *data])
            case "path" if options.name == "go":
                print(find_go(manifest()))
            case "path":
                entry = manifest().further.get(options.name)
                print(
                    toolchain.program(entry.name, entry.version) if entry else toolchain.program(options.name)
                )
            case "verify":
                found = install.verify()
                for problem in found:
                    print(problem, file=sys.stderr)
                if found:
                    print("Run `make toolchain` to bring back what is missing or changed.", file=sys.stderr)
                return 1 if found else 0
            case "list":
                _list()
            case "env":
                print(environment.exports(os.environ))
    except ToolchainError as error:
        print(f"toolchain: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\ntoolchain: interrupted; run it again to go on where it was", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
