"""`aistore completion`: the script that makes a shell complete the command."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

from aistore.cli.command import Command
from aistore.cli.session import Session, pass_session


@click.command(
    name="completion",
    cls=Command,
    examples=(
        'eval "$(aistore completion bash)"                              in ~/.bashrc',
        'eval "$(aistore completion zsh)"                               in ~/.zshrc',
        "aistore completion fish > ~/.config/fish/completions/aistore.fish",
    ),
)
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@pass_session
def command(session: Session, shell: str) -> None:
    """Print a script that completes commands in your shell.

    Names of buckets and objects are completed, too, when the cluster answers within a second.
    """
    from aistore.cli import completion
    from aistore.cli.app import cli

    completion.register()
    made = get_completion_class(shell)
    assert made is not None
    session.out.write(made(cli, {}, "aistore", "_AISTORE_COMPLETE").source().encode() + b"\n")
