"""`crossmesh completion`."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

from operations.commands import HELP
from operations.commands.options import exit_codes

SHELLS = ("bash", "zsh", "fish")


@click.command(context_settings=HELP)
@click.argument("shell", type=click.Choice(SHELLS))
@exit_codes(engine=False)
@click.pass_context
def completion(context: click.Context, shell: str) -> None:
    """Print what makes a shell complete verbs, options and names of stacks.

    \b
    bash:  eval "$(crossmesh completion bash)"    in ~/.bashrc
    zsh:   eval "$(crossmesh completion zsh)"     in ~/.zshrc, after compinit
    fish:  crossmesh completion fish >~/.config/fish/completions/crossmesh.fish
    """
    script = get_completion_class(shell)
    assert script is not None, "click knows every shell of SHELLS"
    root = context.find_root()
    click.echo(script(root.command, {}, "crossmesh", "_CROSSMESH_COMPLETE").source())
