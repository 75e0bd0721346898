"""The command `python -m releases`: thin, options in, a call, words out."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import date
from typing import Any, TextIO

import click

import releases
from operations.commands import HELP
from operations.commands.options import console, exit_codes
from releases import Needs, Support
from report.errors import CancelledError, ConfigurationError, OperationsError
from report.exit_codes import ExitCode
from toolchain.errors import ToolchainError
from toolchain.manifest import manifest
from upkeep import align as aligning
from upkeep import compare as comparing
from upkeep import newer, words
from upkeep.add import Wanted, next_steps
from upkeep.add import add as made
from upkeep.compare import Side
from upkeep.derive import Given, nearest
from upkeep.golang import Go
from upkeep.programs import PROGRAMS

_program = click.argument("program", type=click.Choice(sorted(PROGRAMS)))
_json_option = click.option("--json", "as_json", is_flag=True, help="The same as JSON.")
_VERSION = re.compile(r"\d+\.\d+\.\d+")


def _version(context: click.Context, parameter: click.Parameter, value: str | None) -> str | None:
    if value is not None and not _VERSION.fullmatch(value):
        raise click.BadParameter(f"{value} is no release: write it as 1.34.9")
    return value


@contextmanager
def _in_words() -> Iterator[None]:
    """What the toolchain or this computer refuses, and an interruption, end with a sentence and its code."""
    try:
        yield
    except ToolchainError as error:
        raise OperationsError(str(error)) from None
    except OSError as error:
        raise OperationsError(f"this computer refused: {error}.") from None
    except KeyboardInterrupt:
        raise CancelledError("interrupted; nothing was left behind.") from None


@click.group(context_settings=HELP)
def main() -> None:
    """Follow what makers release: what is newer, one release more for the catalogue, what differs."""


@main.command(context_settings=HELP)
@click.argument("programs", nargs=-1, type=click.Choice(sorted(PROGRAMS)))
@click.option(
    "--from",
    "listed",
    type=click.File(encoding="utf-8", errors="replace"),
    help="A list of what can be had, instead of the network: lines of a program and a version, or JSON, "
    '{"program": ["version"]}. "-" is standard input.',
)
@click.option(
    "--today", type=click.DateTime(["%Y-%m-%d"]), help="The day by which support ends. Default: today."
)
@_json_option
@exit_codes(ExitCode.UNEXPECTED_CHANGES, ExitCode.NOT_MEASURABLE, engine=False)
def check(programs: tuple[str, ...], listed: TextIO | None, today: Any, as_json: bool) -> None:
    """Tell which newer releases of PROGRAMS (all) can be had, and how long the catalogue's are mended.

    Without --from, the Go module proxy is asked (GOPROXY): for its list of versions and, where that lacks a
    release that the catalogue has, one by one for those that may come next.
    """
    day = today.date() if today else date.today()
    with _in_words():
        there = newer.given(listed.read()) if listed else None
        network = newer.Network(Go())
        of_program = network.versions if there is None else lambda program: there.get(program, ())
        found = newer.check(of_program, programs or sorted(PROGRAMS), day)
    if as_json:
        click.echo(json.dumps([words.as_data(one) for one in found], indent=2))
    else:
        console().print(words.newer(found))
        for one in found:
            if one.problem:
                click.echo(f"{releases.NAMES[one.program]} could not be asked for: {one.problem}", err=True)
    if any(one.newer for one in found):
        sys.exit(ExitCode.UNEXPECTED_CHANGES)
    sys.exit(ExitCode.NOT_MEASURABLE if any(one.problem for one in found) else ExitCode.CLEAN)


@main.command(context_settings=HELP)
@_program
@click.argument("version", callback=_version)
@click.option(
    "--like",
    metavar="VERSION",
    callback=_version,
    help="The release from which is taken over what cannot be read. Default: the nearest one.",
)
@click.option(
    "--until",
    nargs=2,
    metavar="DATE SOURCE",
    help="The last day on which its makers mend it (`none` where they state none), and who says so.",
)
@click.option(
    "--runs-on",
    "runs_on",
    nargs=2,
    multiple=True,
    metavar="PROGRAM=VERSIONS SOURCE",
    help='What it runs with, and who says so: --runs-on kubernetes=1.34,1.35 "istio.io, Supported Releases". '
    "Versions as in the catalogue: 1.34, 1.7.28, 2.2+, `1.13 to 1.35`.",
)
@click.option(
    "--module",
    "module_version",
    metavar="VERSION",
    help="The version of its Go module, where the proxy does not know the release's tag: v0.0.0-DATE-COMMIT.",
)
@click.option(
    "--data-only",
    is_flag=True,
    help="Pin the source of its charts and manifests alone, where modules of its programs cannot be had.",
)
@_json_option
@exit_codes(engine=False)
def add(
    program: str,
    version: str,
    like: str | None,
    until: tuple[str, str] | None,
    runs_on: tuple[tuple[str, str], ...],
    module_version: str | None,
    data_only: bool,
    as_json: bool,
) -> None:
    """Add a release to the catalogue: its file, its Go module with all checksums, and what differs.

    What its source says is read there. The rest is given by --until and --runs-on, or taken over from a
    release of the same minor version, which is said. It is done whole or not at all.
    """
    given = Given(_support(*until) if until else None, dict(_needs(*one) for one in runs_on))
    with _in_words():
        found = _release(program, like) if like else nearest(program, version)
        wanted = Wanted(program, version, found, given, module_version, not data_only)
        added = made(wanted, Go())
    if as_json:
        data = {**words.as_data(added), "next": list(next_steps(added))}
        click.echo(json.dumps(data, indent=2))
        return
    console().print(words.added(added, next_steps(added)))


@main.command(context_settings=HELP)
@_program
@click.argument("before", callback=_version)
@click.argument("after", callback=_version)
@_json_option
@exit_codes(engine=False)
def compare(program: str, before: str, after: str, as_json: bool) -> None:
    """Show what differs between two releases of the catalogue: objects, definitions, settings."""
    with _in_words():
        sides = [
            Side(release, comparing.source(release))
            for release in (_release(program, before), _release(program, after))
        ]
        found = comparing.compare(*sides)
    if as_json:
        click.echo(json.dumps(words.as_data(found), indent=2))
        return
    console().print(words.difference(found))


@main.command(context_settings=HELP)
@_json_option
@exit_codes(engine=False)
def align(as_json: bool) -> None:
    """Give all Go modules of the default releases the same version of each library that they share.

    What they share is then compiled once. Run it after the defaults moved, and build and test what it raised:
    makers tested their program with the versions that their own go.mod names.
    """
    with _in_words():
        raised = aligning.align(aligning.modules(manifest()), Go())
    if as_json:
        click.echo(json.dumps([asdict(one) for one in raised], indent=2))
        return
    for one in raised:
        click.echo(f"{one.module}: {one.library} {one.before} -> {one.after}")
    click.echo(f"{len(raised)} libraries raised" if raised else "nothing differs")


def _release(program: str, version: str) -> releases.Release:
    try:
        return releases.release(program, version)
    except releases.UnknownReleaseError as error:
        raise ConfigurationError(str(error)) from None


def _support(day: str, source: str) -> Support:
    try:
        return Support(source, None if day == "none" else date.fromisoformat(day))
    except ValueError:
        raise click.BadParameter(
            f"{day} is no date: write 2027-02-28, or none", param_hint="--until"
        ) from None


def _needs(pair: str, source: str) -> tuple[str, Needs]:
    other, _, versions = pair.partition("=")
    if other not in releases.NAMES:
        known = ", ".join(sorted(releases.NAMES))
        raise click.BadParameter(f"there is no {other} in the catalogue: {known}", param_hint="--runs-on")
    try:
        return other, Needs(tuple(span.strip() for span in versions.split(",")), source)
    except ValueError as error:
        raise click.BadParameter(f"{pair}: {error}", param_hint="--runs-on") from None
