"""The command `crossmesh`."""

from __future__ import annotations

import click

from operations.commands.doctor import doctor
from operations.commands.forget import forget
from operations.commands.kubeconfig import kubeconfig
from operations.commands.ledger import ledger
from operations.commands.lock import lock
from operations.commands.secrets import secrets
from operations.commands.status import status
from operations.commands.summary import summary


@click.group(context_settings={"help_option_names": ["-h", "--help"], "auto_envvar_prefix": "CROSSMESH"})
def crossmesh() -> None:
    """Look after a platform that `pulumi up` made.

    Exit codes: 0 all is well; 1 something failed or is not healthy; 2 wrong usage or configuration.
    """


for command in (doctor, forget, kubeconfig, ledger, lock, secrets, status, summary):
    crossmesh.add_command(command)


def main() -> None:
    """Run the command line."""
    crossmesh(prog_name="crossmesh")
