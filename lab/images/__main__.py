"""``python -m lab.images [--out DIR] [BUNDLE…]``: build bundles and print their paths."""

from __future__ import annotations

from pathlib import Path

import click

from lab.errors import LabError
from lab.images.base import BaseLayer, architecture
from lab.images.bundles import build, cached
from lab.images.definitions import names
from releases import defaults
from toolchain import ToolchainError


@click.command()
@click.argument("bundles", nargs=-1, metavar="[BUNDLE]...")
@click.option("--out", type=click.Path(path_type=Path), help="Put them there (default: the cache).")
@click.option("--refresh", is_flag=True, help="Take the newest Debian packages.")
def main(bundles: tuple[str, ...], out: Path | None, refresh: bool) -> None:
    """Build the bundles of images that are named, as istio-1.28.3; print one path a line.

    Without a name those of the default releases.
    """
    try:
        if refresh:
            BaseLayer(architecture()).refresh()
        for bundle in bundles or names({one.program: [one.version] for one in defaults()}):
            print(build(bundle, out) if out else cached(bundle), flush=True)
    except ToolchainError as error:
        raise LabError(str(error)) from error


main(prog_name="python -m lab.images")
