"""`crossmesh releases`."""

from __future__ import annotations

import json
from datetime import date
from typing import Any

import click
from rich.table import Table
from rich.text import Text

from operations.commands import HELP
from operations.commands.options import console, exit_codes
from releases import NAMES, Release, State, default, every

_STYLES = {State.MENDED: "green", State.ENDING: "yellow", State.ENDED: "bold red", State.UNSTATED: ""}


@click.command(context_settings=HELP)
@click.option("--json", "as_json", is_flag=True, help="A list of objects, one for each release.")
@click.option(
    "--today",
    type=click.DateTime(["%Y-%m-%d"]),
    help="The day by which support ends. Default: today's date.",
)
@exit_codes(engine=False)
def releases(as_json: bool, today: Any) -> None:
    """Show the releases that stack files may name, how far each was seen, and until when it is mended.

    Of what is "brought up", a platform runs in tests: of the defaults in each test run. Of others was
    rendered, or only read, what is said of them.
    """
    day = today.date() if today else date.today()
    if as_json:
        click.echo(json.dumps([_entry(release, day) for release in every()], indent=2))
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    for title in ("program", "release", "seen", "support", "until", "runs with"):
        table.add_column(title, overflow="fold")
    for release in every():
        state = release.support.state(day)
        table.add_row(
            NAMES[release.program],
            f"{release.version} (default)" if _is_default(release) else release.version,
            release.seen,
            Text(state, _STYLES[state]),
            str(release.support.until or ""),
            "; ".join(f"{NAMES[other]} {needs}" for other, needs in release.runs_on.items()),
        )
    console().print(table)


def _is_default(release: Release) -> bool:
    return default(release.program) == release.version


def _entry(release: Release, today: date) -> dict[str, Any]:
    support = release.support
    return {
        "program": release.program,
        "version": release.version,
        "default": _is_default(release),
        "seen": release.seen,
        "support": {
            "state": support.state(today),
            "until": support.until.isoformat() if support.until else None,
            "source": support.source,
        },
        "runsOn": {
            other: {
                "versions": needs.versions,
                "source": needs.source,
                **({"beyond": needs.beyond} if needs.beyond else {}),
            }
            for other, needs in release.runs_on.items()
        },
    }
