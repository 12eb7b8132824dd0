"""A progress bar on standard error when that is a terminal; nothing at all elsewhere."""

from __future__ import annotations

from types import TracebackType
from typing import TYPE_CHECKING, Any

from aistore.cli.output import Output
from aistore.cli.text import neutralise

if TYPE_CHECKING:
    from typing_extensions import Self

    from aistore.sdk.progress import ProgressUpdate


class Meter:
    """Counts bytes and objects, from any thread, and shows them while it is a context manager.

    Args:
        out: The output of the command.
        what: What is going on, in a word or two.
        total_bytes: Bytes in all. Default: `None`, not known.
        total_objects: Objects in all. Default: `None`, not known or one.
        shown: Show it if there is a terminal. Default: `True`.
    """

    def __init__(
        self,
        out: Output,
        what: str,
        *,
        total_bytes: int | None = None,
        total_objects: int | None = None,
        shown: bool = True,
    ) -> None:
        self._out = out
        self._what = neutralise(what)
        self._total_bytes = total_bytes
        self._total_objects = total_objects
        self._shown = shown and not out.quiet and out.errors_on_terminal
        self._bar: Any = None
        self._task: Any = None
        self._objects = 0

    def __enter__(self) -> Self:
        if self._shown:
            self._start()
        return self

    def _start(self) -> None:
        from rich.console import Console
        from rich.progress import (
            BarColumn,
            DownloadColumn,
            Progress,
            TextColumn,
            TimeRemainingColumn,
            TransferSpeedColumn,
        )

        console = Console(stderr=True)
        self._bar = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=None),
            TextColumn("{task.fields[objects]}", markup=False),
            DownloadColumn(binary_units=True),
            TransferSpeedColumn(),
            TimeRemainingColumn(),
            console=console,
            transient=True,
            redirect_stdout=False,
            redirect_stderr=False,
        )
        self._task = self._bar.add_task(self._what, total=self._total_bytes, objects=self._count())
        self._bar.start()
        self._out.live = console

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.stop()
            self._out.live = None

    def add_bytes(self, count: int) -> None:
        """Count bytes; a negative number takes some back."""
        if self._bar is not None:
            self._bar.update(self._task, advance=count)

    def add_object(self) -> None:
        """Count an object."""
        self._objects += 1
        if self._bar is not None:
            self._bar.update(self._task, objects=self._count())

    def show(self, update: ProgressUpdate) -> None:
        """Show how far a job is; a progress callback of the SDK."""
        if self._bar is not None:
            self._objects = update.objects
            self._bar.update(
                self._task, completed=update.bytes, total=update.total_bytes, objects=self._count()
            )

    def _count(self) -> str:
        if self._total_objects is None:
            return f"{self._objects:,}" if self._objects else ""
        return f"{self._objects:,}/{self._total_objects:,}"
