"""`crossmesh kubeconfig`."""

from __future__ import annotations

from pathlib import Path

import click

from access import engine
from access.outputs import parse_outputs
from access.paths import stack_file
from operations.commands import HELP
from operations.commands.options import exit_codes, stack_option
from report.errors import ConfigurationError, OperationsError
from stacks.whole_file import PRIVATE, write_whole


@click.command(context_settings=HELP)
@stack_option
@click.option("--region", "-r", required=True, metavar="NAME", help="Name of the region.")
@click.option(
    "--output", "-o", type=click.Path(dir_okay=False, path_type=Path), help="Write to this file, mode 0600."
)
@exit_codes()
def kubeconfig(stack: str, region: str, output: Path | None) -> None:
    """Print the kubeconfig of a region's cluster, or write it to a file that only its owner can read."""
    stack_file(stack)
    outputs = parse_outputs(stack, engine.stack_outputs(stack))
    if region not in outputs.kubeconfigs:
        known = ", ".join(sorted(outputs.kubeconfigs)) or "none"
        raise ConfigurationError(f"stack {stack!r} has no region {region!r}. Regions: {known}.")
    if output is None:
        click.echo(outputs.kubeconfigs[region], nl=not outputs.kubeconfigs[region].endswith("\n"))
        return
    try:
        write_whole(output, outputs.kubeconfigs[region], mode=PRIVATE)
    except OSError as error:
        raise OperationsError(
            f"cannot write {output}: {error.strerror}. Name a file in a directory of yours."
        ) from error
    click.echo(f"Wrote {output}. Use it: export KUBECONFIG={output.resolve()}", err=True)
