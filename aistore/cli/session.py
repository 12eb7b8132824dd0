"""What the common options say, and what commands get from it: the client and the output."""

from __future__ import annotations

import logging
import os
import sys
import warnings
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import click

from aistore.cli.exits import USAGE, CliError
from aistore.cli.output import Output
from aistore.cli.text import neutralise, one_line

if TYPE_CHECKING:
    from aistore.sdk.client import Client
    from aistore.sdk.profiles import Profile

_TOLD = 3  # the attempt, a good half second after the first, of which the user is told


@dataclass
class Session:
    """One run of the command line; attributes are the common options."""

    endpoint: str | None = None
    profile: str | None = None
    token_file: str | None = None
    ca_cert: str | None = None
    timeout: float | None = None
    max_time: float | None = None
    insecure: bool = False
    json: bool = False
    quiet: bool = False
    verbose: bool = False
    debug: bool = False
    overrides: dict[str, Any] = field(default_factory=dict)

    @cached_property
    def out(self) -> Output:
        """Where results and notes go."""
        return Output(as_json=self.json, quiet=self.quiet)

    @cached_property
    def chosen_profile(self) -> Profile:
        """The profile in use, possibly an empty one."""
        from aistore.sdk.profiles import load_profile

        return load_profile(self.profile)

    @cached_property
    def known_arguments(self) -> dict[str, Any]:
        """The arguments of the client, without a token that is looked up in a file."""
        from aistore.sdk.profiles import connection_arguments

        given = {
            "endpoint": self.endpoint,
            "ca_cert": self.ca_cert,
            "timeout": self.timeout,
            "skip_verify": True if self.insecure else None,
            **self.overrides,
        }
        self._warn_of_environment()
        return connection_arguments(self.chosen_profile, given)

    def _warn_of_environment(self) -> None:
        """Say so when the endpoint is another than that of the profile that was asked for."""
        from aistore.sdk.profiles import same_server

        set_, own = os.environ.get("AIS_ENDPOINT"), self.chosen_profile.values.get("endpoint")
        if self.profile and set_ and own and not self.endpoint and not same_server(set_, own):
            self.out.note(f"aistore: warning: AIS_ENDPOINT={set_} comes before the profile's {own}")

    @cached_property
    def client(self) -> Client:
        """The client, closed at the end of the command."""
        from aistore.sdk.client import Client
        from aistore.sdk.profiles import client_arguments

        if not (self.known_arguments.get("endpoint") or os.environ.get("AIS_ENDPOINT")):
            raise CliError(
                "which cluster? Give --endpoint URL, AIS_ENDPOINT or a profile; `aistore serve` runs one",
                USAGE,
            )
        given = {**self.known_arguments, "token_file": self.token_file}
        client = Client(**client_arguments(self.chosen_profile, given))
        if self.timeout:
            client.cluster().client.limit_retries(self.timeout)
        context = click.get_current_context(silent=True)  # there is none while a shell completes a word
        if context is not None:
            context.find_root().call_on_close(client.close)
        return client

    def start_logging(self) -> None:
        """Show what the SDK logs and warns of, as the options say."""
        level = logging.DEBUG if self.debug else logging.INFO if self.verbose else logging.ERROR
        handler = logging.StreamHandler(sys.stderr)
        handler.setFormatter(_Harmless("%(asctime)s %(levelname)s %(name)s: %(message)s"))
        handler.setLevel(min(level, logging.WARNING))
        logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
        logging.getLogger("aistore").setLevel(level)
        warnings.showwarning = self._show_warning
        context = click.get_current_context(silent=True)
        if context is not None and not self.debug:
            self._tell_of_retries(context.find_root())

    def _tell_of_retries(self, run: click.Context) -> None:
        retries, told = logging.getLogger("aistore.sdk.retry"), _Retries(self.out)
        retries.addHandler(told)
        retries.setLevel(logging.DEBUG)

        @run.call_on_close
        def forget() -> None:
            retries.removeHandler(told)
            retries.setLevel(logging.NOTSET)

    def _show_warning(self, message: Warning | str, *_args: Any, **_kwargs: Any) -> None:
        self.out.note(f"aistore: warning: {one_line(str(message))}")


class _Retries(logging.Handler):
    """Says once that a request is tried again and again: a command that waits for that is not dead."""

    def __init__(self, out: Output) -> None:
        super().__init__()
        self._out = out
        self._said = False

    def emit(self, record: logging.LogRecord) -> None:
        """Look at one line of the log: method, route, attempt, cause, pause."""
        if self._said or not isinstance(record.args, tuple) or record.args[2:3] != (_TOLD,):
            return
        self._said = True
        self._out.note(f"aistore: {record.args[3]}; trying again")


class _Harmless(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        return neutralise(super().format(record), keep="\n\t")


pass_session = click.make_pass_decorator(Session, ensure=True)
"""Gives a command the session as its first argument."""
