"""`crossmesh kubeconfig`."""

from __future__ import annotations

import os
from pathlib import Path

import click

from access import engine
from access.outputs import parse_outputs
from access.paths import stack_file
from operations.commands.options import stack_option
from report.errors import ConfigurationError, OperationsError


@click.command()
@stack_option
@click.option("--region", "-r", required=True, metavar="NAME", help="Name of the region.")
@click.option(
    "--output", "-o", type=click.Path(dir_okay=False, path_type=Path), help="Write to this file, mode 0600."
)
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
    write_private(output, outputs.kubeconfigs[region])
    click.echo(f"Wrote {output}. Use it: export KUBECONFIG={output.resolve()}", err=True)


def write_private(path: Path, text: str) -> None:
    """Write a file with mode 0600 from its first byte, replacing what is there in one step."""
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with open(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(text)
        draft.replace(path)
    except OSError as error:
        draft.unlink(missing_ok=True)
        raise OperationsError(
            f"cannot write {path}: {error.strerror}. Name a file in a directory of yours."
        ) from error
