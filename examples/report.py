"""The main job's command line, a progress bar for each step and a table of what was measured."""

import argparse
import sysconfig
import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from aistore.sdk.progress import ProgressUpdate


def arguments(description: str | None) -> argparse.Namespace:
    """Parse the command line of the main job."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--dir", help="keep the cluster's data in this folder (default: a temporary one)")
    stdlib = sysconfig.get_path("stdlib")
    parser.add_argument(
        "--files", default=stdlib, help="folder of Python files (default: the standard library)"
    )
    parser.add_argument("--logs", action="store_true", help="print what the ETL's servers logged")
    return parser.parse_args()


class Step:
    """One measured step: its name, objects, bytes and seconds."""

    def __init__(self, name: str, bar: Progress) -> None:
        self.name = name
        self.objects = 0
        self.bytes = 0
        self.seconds = 0.0
        self._bar = bar
        self._task = bar.add_task(name, total=None)

    def add(self, objects: int, size: int) -> None:
        """Count objects that are done and their bytes."""
        self.objects += objects
        self.bytes += size
        self._bar.update(self._task, completed=self.objects)

    def progress(self, update: ProgressUpdate) -> None:
        """Follow a long call of the SDK: pass this as its `progress`."""
        self.objects, self.bytes = update.objects, update.bytes
        self._bar.update(self._task, completed=update.objects, total=update.total_objects)

    def finish(self, seconds: float) -> None:
        """Close the step after this many seconds."""
        self.seconds = seconds
        self._bar.update(self._task, total=self.objects, completed=self.objects)


class Report:
    """Progress on a terminal while the steps run, a table at the end."""

    def __init__(self, title: str) -> None:
        self.title = title
        self.console = Console()
        self._steps: list[Step] = []
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            console=self.console,
            disable=not self.console.is_terminal,
        )

    def __enter__(self) -> "Report":
        self._bar.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._bar.stop()
        if exc[0] is None:
            self.console.print(self._table())

    @contextmanager
    def step(self, name: str) -> Iterator[Step]:
        """Measure what happens inside."""
        step = Step(name, self._bar)
        start = time.perf_counter()
        yield step
        step.finish(time.perf_counter() - start)
        self._steps.append(step)

    def note(self, text: str) -> None:
        """Print a line above the progress bars."""
        self.console.print(text, markup=False, highlight=False)

    def _table(self) -> Table:
        table = Table(title=self.title)
        table.add_column("step")
        for column in ("objects", "MB", "seconds", "objects/s", "MB/s"):
            table.add_column(column, justify="right")
        for s in self._steps:
            seconds = max(s.seconds, 1e-9)
            table.add_row(
                s.name,
                f"{s.objects:,}",
                f"{s.bytes / 1e6:.1f}",
                f"{s.seconds:.2f}",
                f"{s.objects / seconds:,.0f}",
                f"{s.bytes / 1e6 / seconds:.1f}",
            )
        return table
