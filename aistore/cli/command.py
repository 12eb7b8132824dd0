"""Commands and groups: options that all of them have, examples in their help, lazy loading of modules."""

from __future__ import annotations

import importlib
from collections.abc import Mapping, Sequence
from typing import Any

import click

from aistore.cli import interrupt
from aistore.cli.session import Session

_COMMON: tuple[tuple[tuple[str, ...], dict[str, Any]], ...] = (
    (("--endpoint",), {"metavar": "URL", "help": "Proxy of the cluster [env: AIS_ENDPOINT]."}),
    (("--profile",), {"metavar": "NAME", "help": "Named profile to use [env: AIS_PROFILE]."}),
    (
        ("--token-file",),
        {"metavar": "FILE", "help": "File with the token, mode 0600 [env: AIS_AUTHN_TOKEN_FILE]."},
    ),
    (("--ca-cert",), {"metavar": "FILE", "help": "Authorities to trust (PEM) [env: AIS_CLIENT_CA]."}),
    (("--insecure",), {"is_flag": True, "help": "Do not check TLS certificates."}),
    (
        ("--timeout",),
        {
            "type": click.FloatRange(min=0),
            "metavar": "SECONDS",
            "help": "Limit for connecting, reading and trying again.",
        },
    ),
    (
        ("--max-time",),
        {
            "type": click.FloatRange(min=0, min_open=True),
            "metavar": "SECONDS",
            "help": "Limit for the whole command.",
        },
    ),
    (("--json",), {"is_flag": True, "help": "Write JSON: a document, or a line for each record."}),
    (("--quiet", "-q"), {"is_flag": True, "help": "No progress and no notes."}),
    (("--verbose", "-v"), {"is_flag": True, "help": "Log what is done."}),
    (("--debug",), {"is_flag": True, "help": "Log everything; show tracebacks."}),
)


class CommonOption(click.Option):
    """An option of every command: it may stand before or after the command's name."""


def _remember(ctx: click.Context, param: click.Parameter, value: Any) -> None:
    session = ctx.ensure_object(Session)
    if value not in (None, False):
        assert param.name is not None
        setattr(session, param.name, value)


def _common_options(own: Sequence[click.Parameter] = ()) -> list[click.Parameter]:
    # A command's own option of the same name comes first, as `--timeout` of a command that waits.
    taken = {name for param in own for name in param.opts}
    return [
        CommonOption(names, expose_value=False, callback=_remember, **settings)
        for names, settings in _COMMON
        if taken.isdisjoint(names)
    ]


class Command(click.Command):
    """A command with the common options and with examples.

    Args:
        examples: Lines to show below the options. Default: none.
        **settings: As for `click.Command`.
    """

    def __init__(self, *args: Any, examples: Sequence[str] = (), **settings: Any) -> None:
        settings.setdefault("no_args_is_help", False)
        super().__init__(*args, **settings)
        self.examples = tuple(examples)
        self.params.extend(_common_options(self.params))

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command, logging what the common options ask for."""
        session = ctx.ensure_object(Session)
        session.start_logging()
        if session.max_time is not None:
            interrupt.limit(session.max_time)
        return super().invoke(ctx)

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the command's own options, then the common ones."""
        _format_options(self, ctx, formatter)

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the examples."""
        _format_examples(self.examples, formatter)


class Group(click.Group):
    """A group of commands, some of which are loaded when they are used.

    Args:
        lazy: For each command that is loaded late its module and its line of help. Default: none.
        examples: Lines to show below the commands. Default: none.
        **settings: As for `click.Group`.
    """

    command_class = Command

    def __init__(
        self,
        *args: Any,
        lazy: Mapping[str, tuple[str, str]] | None = None,
        examples: Sequence[str] = (),
        **settings: Any,
    ) -> None:
        super().__init__(*args, **settings)
        self.lazy = dict(lazy or {})
        self.examples = tuple(examples)
        self.params.extend(_common_options())

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names in the order in which they were given."""
        return [*self.lazy, *self.commands]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return a command, loading its module if need be."""
        if cmd_name in self.lazy:
            module = importlib.import_module(self.lazy[cmd_name][0])
            command: click.Command = module.command
            return command
        return super().get_command(ctx, cmd_name)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command; an unknown one is answered with those that look like it."""
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError:
            import difflib

            close = difflib.get_close_matches(args[0], self.list_commands(ctx), n=3)
            hint = f" Did you mean {' or '.join(close)}?" if close else ""
            raise click.UsageError(f"there is no command {args[0]!r}.{hint}", ctx) from None

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the commands, then the options."""
        self.format_commands(ctx, formatter)
        _format_options(self, ctx, formatter)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the commands with their lines of help, without loading any."""
        rows = [(name, text) for name, (_, text) in self.lazy.items()]
        rows += [(name, command.get_short_help_str(80)) for name, command in self.commands.items()]
        with formatter.section("Commands"):
            formatter.write_dl(rows)

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the examples."""
        _format_examples(self.examples, formatter)


Group.group_class = Group


def _format_options(command: click.Command, ctx: click.Context, formatter: click.HelpFormatter) -> None:
    own: list[tuple[str, str]] = []
    common: list[tuple[str, str]] = []
    for param in command.get_params(ctx):
        record = param.get_help_record(ctx)
        if record is not None and isinstance(param, click.Option):
            (common if isinstance(param, CommonOption) else own).append(record)
    for title, records in (("Options", own), ("Common options", common)):
        if records:
            with formatter.section(title):
                formatter.write_dl(records)


def _format_examples(examples: Sequence[str], formatter: click.HelpFormatter) -> None:
    if examples:
        formatter.write_paragraph()
        formatter.write("Examples:\n")
        for line in examples:
            formatter.write(f"  {line}\n")
