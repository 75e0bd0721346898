"""`python -m lab.mirror`: build the mirror's tree, or serve one."""

from __future__ import annotations

from pathlib import Path

import click

from lab.errors import LabError
from lab.spec import REFERENCE, load


@click.group()
def main() -> None:
    """The site's mirror."""


@main.command()
@click.option("--spec", type=click.Path(exists=True, dir_okay=False, path_type=Path), default=REFERENCE,
              help="Description of the lab (default: the reference).")  # fmt: skip
@click.argument("target", type=click.Path(path_type=Path), required=False)
def build(spec: Path, target: Path | None) -> None:
    """Build what the mirror serves, into TARGET or, without it, into the cache alone."""
    from lab.mirror import apt, tree
    from toolchain import ToolchainError

    try:
        click.echo(tree.build(load(spec), target.absolute()) if target else apt.ensure(load(spec)))
    except (LabError, ToolchainError) as error:
        raise click.ClickException(str(error)) from error


@main.command()
@click.argument("root", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.argument("address")
@click.argument("port", type=int)
def serve(root: Path, address: str, port: int) -> None:
    """Serve the tree ROOT on ADDRESS and PORT until the process ends."""
    from lab.mirror.server import serve as serve_tree

    serve_tree(root, address, port)


main(prog_name="python -m lab.mirror")
