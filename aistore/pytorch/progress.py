"""Progress bars of datasets, by whichever library is there: tqdm, rich, or none."""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import contextmanager


@contextmanager
def progress_bar(
    description: str, total: int | None, show: bool
) -> Generator[Callable[[], object], None, None]:
    """Show a bar, and give a function that advances it by one object.

    Args:
        description: What is read.
        total: How many objects there are; `None` when that is not known.
        show: Whether to show one at all. Without tqdm and rich there is none.
    """
    if show:
        try:
            from tqdm.auto import tqdm
        except ImportError:
            pass
        else:
            with tqdm(desc=description, total=total) as bar:
                yield bar.update
            return
        try:
            from rich.progress import Progress
        except ImportError:
            pass
        else:
            with Progress(transient=True) as progress:
                task = progress.add_task(description, total=total)
                yield lambda: progress.advance(task)
            return
    yield lambda: None
