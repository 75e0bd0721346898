"""The command `crossmesh`."""

from __future__ import annotations

import click

from access.paths import version
from operations.commands.ask import ask
from operations.commands.completion import completion
from operations.commands.doctor import doctor
from operations.commands.drift import drift
from operations.commands.forget import forget
from operations.commands.gate import gate
from operations.commands.kubeconfig import kubeconfig
from operations.commands.ledger import ledger
from operations.commands.lock import lock
from operations.commands.secrets import secrets
from operations.commands.status import status
from operations.commands.summary import summary
from operations.commands.up import up

_SETTINGS = {"help_option_names": ["-h", "--help"]}


@click.group(context_settings=_SETTINGS)
@click.version_option(version(), message="%(prog)s %(version)s")
def crossmesh() -> None:
    """Review what a change does to a platform, and look after what `pulumi up` made.

    Exit codes: 0 all is well; 1 something failed; 2 wrong usage or configuration. Those of `gate`, `drift`,
    `up`, `doctor` and `status` are in their own help, all of them in docs/reference/exit-codes.md.
    """


for command in (
    ask,
    completion,
    doctor,
    drift,
    forget,
    gate,
    kubeconfig,
    ledger,
    lock,
    secrets,
    status,
    summary,
    up,
):
    # A verb remembers the options for help of its first run, also of one without this group.
    command.context_settings = _SETTINGS
    crossmesh.add_command(command)


def main() -> None:
    """Run the command line."""
    crossmesh(prog_name="crossmesh")
