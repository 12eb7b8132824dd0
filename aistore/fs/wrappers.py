"""Files on top of an `AISFile`: text, and compressed ones. They pass on whether the object is to appear."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from types import TracebackType

    from typing_extensions import Self

    from aistore.fs.files import AISFile


class _OnTop:
    """What both have: a `with` block that ends in an exception leaves the object as it is."""

    _binary: AISFile | CompressedFile

    if TYPE_CHECKING:

        def close(self) -> None: ...

    def give_up(self) -> None:
        """Forget what was written and what will be; the object stays as it was."""
        self._binary.give_up()

    def discard(self) -> None:
        """Forget what was written and close the file."""
        self.give_up()
        self.close()

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if exc_type is not None:
            self.give_up()
        self.close()


class AISTextFile(_OnTop, io.TextIOWrapper):
    """A text file; a `with` block that ends in an exception leaves the object as it is.

    Args:
        binary: The file below.
        **kwargs: `encoding`, `errors`, `newline`, as of `open`.
    """

    def __init__(self, binary: AISFile | CompressedFile, **kwargs: Any) -> None:
        super().__init__(binary, **kwargs)  # type: ignore[arg-type]  # what it needs of a file
        self._binary = binary

    def __del__(self) -> None:
        # Closing here would make half a file visible; the file below says that it was dropped.
        if not self.closed and not self._binary.closed and self._binary.writable():
            self._binary.__del__()


class CompressedFile(_OnTop):
    """A compressor or decompressor together with the file below it, which is closed after it.

    Args:
        compressor: Reads from or writes to `binary`.
        binary: The file below.
    """

    def __init__(self, compressor: Any, binary: AISFile) -> None:
        self._compressor = compressor
        self._binary = binary

    def __getattr__(self, name: str) -> Any:
        return getattr(self._compressor, name)

    def __iter__(self) -> Iterator[bytes]:
        return iter(self._compressor)

    def __next__(self) -> bytes:
        return bytes(next(self._compressor))

    @property
    def closed(self) -> bool:
        """Whether the file is closed."""
        return bool(self._binary.closed)

    def close(self) -> None:
        """Write what the compressor still has, and close both."""
        try:
            self._compressor.close()
        except BaseException:
            self._binary.give_up()
            raise
        finally:
            self._binary.close()

    def __enter__(self) -> Self:
        return self
