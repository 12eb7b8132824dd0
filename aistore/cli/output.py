"""What a command writes: lines for people, JSON for programs, bytes for pipes, notes on standard error."""

from __future__ import annotations

import contextlib
import json
import os
import sys
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from aistore.cli.exits import OutputClosed
from aistore.cli.text import neutralise

if TYPE_CHECKING:
    from rich.console import Console


class Output:
    """Writes to standard output and standard error.

    Args:
        as_json: Whether results are JSON. Default: `False`.
        quiet: Whether notes and progress are left out. Default: `False`.
    """

    def __init__(self, *, as_json: bool = False, quiet: bool = False) -> None:
        self.as_json = as_json
        self.quiet = quiet
        self.live: Console | None = None  # of a progress bar that is shown now
        self._is_terminal = sys.stdout.isatty()

    @property
    def is_terminal(self) -> bool:
        """Whether standard output is a terminal."""
        return self._is_terminal

    @property
    def errors_on_terminal(self) -> bool:
        """Whether standard error is a terminal that can show progress."""
        return sys.stderr.isatty() and os.environ.get("TERM") != "dumb"

    def line(self, text: str, keep: str = "") -> None:
        """Write a line; on a terminal with nothing in it that could steer the terminal.

        Args:
            text: The line. Into a pipe it goes as it is.
            keep: See `neutralise`.
        """
        if not self._is_terminal:
            self.write(text.encode("utf-8", "surrogateescape") + b"\n")
        elif self.live is not None:
            self.live.print(neutralise(text, keep), markup=False, highlight=False, soft_wrap=True)
        else:
            self.write(neutralise(text, keep).encode("utf-8", "backslashreplace") + b"\n")

    def record(self, value: Any) -> None:
        """Write one line of JSON."""
        self.line(json.dumps(value, default=str))

    def document(self, value: Any) -> None:
        """Write one JSON document."""
        self.line(json.dumps(value, indent=2, default=str), keep="\n")

    def table(self, headers: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
        """Write rows below headers, in columns."""
        cells = [[self._cell(value) for value in row] for row in rows]
        widths = [max(len(row[i]) for row in [list(headers), *cells]) for i in range(len(headers))]
        for row in [list(headers), *cells]:
            padded = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
            self.line("  ".join(padded).rstrip())

    def pairs(self, values: Iterable[tuple[str, Any]]) -> None:
        """Write names and values, one pair a line."""
        given = [(name, self._cell(value)) for name, value in values]
        width = max((len(name) for name, _ in given), default=0)
        for name, value in given:
            self.line(f"{name.ljust(width)}  {value}".rstrip())

    def _cell(self, value: Any) -> str:
        text = "" if value is None else str(value)
        return neutralise(text) if self._is_terminal else text

    def note(self, text: str) -> None:
        """Write a line to standard error, unless the user wants quiet."""
        if not self.quiet:
            self.complain(text)

    def complain(self, text: str) -> None:
        """Write a line to standard error."""
        harmless = neutralise(text)
        if self.live is not None:
            self.live.print(harmless, markup=False, highlight=False, soft_wrap=True)
        else:
            with contextlib.suppress(OSError):  # nobody reads it
                sys.stderr.write(f"{harmless}\n")
                sys.stderr.flush()

    def write(self, data: bytes | memoryview) -> None:
        """Write bytes to standard output.

        Raises:
            OutputClosed: Nobody reads it any more.
        """
        try:
            sys.stdout.buffer.write(data)  # of no bytes, too: the stream may be closed
        except BrokenPipeError:
            raise OutputClosed from None

    def flush(self) -> None:
        """Hand everything over.

        Raises:
            OutputClosed: Nobody reads it any more.
        """
        try:
            sys.stdout.flush()
        except BrokenPipeError:
            raise OutputClosed from None
