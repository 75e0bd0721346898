"""`python -m lab`: machines on this computer."""

from __future__ import annotations

import json
import os
import sys
from dataclasses import asdict
from pathlib import Path

import click

from lab import commands, environment, lifecycle, ssh
from lab.errors import LabError
from lab.paths import state_dir

_name = click.option(
    "--name", default="lab", show_default=True, help="Which lab; several can run side by side."
)


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def main() -> None:
    """A site with machines, a router and a package mirror, all on this computer."""


@main.command()
@_name
@click.option("--spec", type=click.Path(exists=True, dir_okay=False, path_type=Path),
              help="Description of the lab, in the form of lab/reference.yaml (the default).")  # fmt: skip
@click.option("--mirror/--no-mirror", "with_mirror", default=True, help="Also build and serve the mirror.")
def start(name: str, spec: Path | None, with_mirror: bool) -> None:
    """Start the lab, or what of it does not run."""
    lifecycle.start(name, spec, with_mirror)


@main.command()
@_name
def stop(name: str) -> None:
    """Stop the lab and remove all of it."""
    lifecycle.stop(name)


@main.command()
@_name
@click.option("--json", "as_json", is_flag=True, help="Print data instead of a table.")
def status(name: str, as_json: bool) -> None:
    """Show what runs. The exit code is 1 when something of the lab does not."""
    found = lifecycle.status(name)
    rows = [("network", found["addresses"]["network"], found["network"]),
            ("fabric", found["addresses"]["services_router"], found["fabric"]),
            ("mirror", found["addresses"]["mirror"], found["mirror"])]  # fmt: skip
    rows += [(machine, about["address"], about["running"]) for machine, about in found["machines"].items()]
    if as_json:
        click.echo(json.dumps(found, indent=2))
    else:
        for what, address, runs in rows:
            click.echo(f"{what:20} {address:18} {'running' if runs else 'stopped'}")
    sys.exit(0 if all(runs for _, _, runs in rows) else 1)


@main.command("exec", context_settings={"ignore_unknown_options": True})
@_name
@click.argument("machine")
@click.argument("command", nargs=-1, type=click.UNPROCESSED)
def execute(name: str, machine: str, command: tuple[str, ...]) -> None:
    """Run COMMAND on MACHINE as root by ssh; without COMMAND, open a shell there."""
    known = lifecycle.addresses(name).machines
    if machine not in known:
        raise LabError(f"lab {name} has no machine {machine}", f"it has {', '.join(known)}")
    argv = ssh.command(state_dir(name), known[machine], command)
    if not command:
        argv.insert(1, "-t")
    os.execvpe(argv[0], argv, {**commands.environment(), "TERM": os.environ.get("TERM", "dumb")})


@main.command()
@_name
def addresses(name: str) -> None:
    """Print all addresses of the lab as JSON, whether it runs or not."""
    click.echo(json.dumps(asdict(lifecycle.addresses(name)), indent=2))


@main.command("env")
def print_environment() -> None:
    """Print shell exports that lead pulumi to the lab's backend. What is set already is left alone."""
    click.echo(environment.exports(os.environ))


@main.command()
def forget() -> None:
    """Remove the backend and the passphrase of the labs' stacks, unless a stack is left."""
    if not environment.forget():
        click.echo(f"{environment.backend()} has a stack left and stays", err=True)
