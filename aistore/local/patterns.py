"""Regular expressions that came with a request: they can't hold up the server.

A cluster's expressions take linear time; Python's may take for ever, and nothing else of the process runs
meanwhile. Those that could are therefore matched in a process of their own, which ends when a name takes too
long; plain ones, as `^rec.*[.]cls$` is, are matched here.
"""

from __future__ import annotations

import json
import re
import subprocess
from typing import TYPE_CHECKING

from aistore._child import script_command
from aistore.local.errors import InvalidRequest

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import TracebackType

SECONDS = 5.0
"""For all expressions on one name."""

# Whatever lets a search go back and try again; one alone can do so as often as the name is long.
_CHOICES = re.compile(r"[*+?{|]")
_COSTLY = re.compile(r"\)[*+?{]|\\[0-9]|\(\?[^:]")


MAX_EXPRESSION = 4096
"""Characters of an expression: compiling takes time and memory, too."""


def check_expression(expression: str) -> re.Pattern[str]:
    """Compile an expression.

    Raises:
        re.error: It is malformed, or too long.
    """
    if len(expression) > MAX_EXPRESSION:
        raise re.error(f"{len(expression)} characters: at most {MAX_EXPRESSION} are compiled")
    return re.compile(expression)


def is_plain(expression: str) -> bool:
    """Whether it matches in about no time, whatever the name."""
    return len(_CHOICES.findall(expression.replace("(?:", "("))) <= 1 and not _COSTLY.search(expression)


class Patterns:
    """Expressions, and which of them match a name; a context manager.

    Args:
        expressions (Sequence[str]): In Python's syntax.

    Raises:
        re.error: One of them is malformed.
    """

    def __init__(self, expressions: Sequence[str]) -> None:
        self._expressions = list(expressions)
        self._here = [check_expression(text) for text in self._expressions]
        self._are_plain = all(is_plain(text) for text in self._expressions)
        self._process: subprocess.Popen[str] | None = None

    def find(self, name: str) -> list[int]:
        """Indexes of the expressions that are found in a name.

        Raises:
            InvalidRequest: It takes too long.
        """
        if self._are_plain:
            return [index for index, pattern in enumerate(self._here) if pattern.search(name)]
        if self._process is None:
            self._start()
        try:
            self._send(name)
            answer = self._receive()
        except BrokenPipeError:
            answer = ""
        if not answer:
            self.close()
            raise InvalidRequest(
                f"regular expression: looking at {name[:100]!r} takes longer than {SECONDS:g} s; "
                "repetitions in repetitions, as in (a+)+, make it so"
            )
        found: list[int] = json.loads(answer)
        return found

    def _start(self) -> None:
        self._process = subprocess.Popen(
            script_command("aistore.local", "pattern_worker.py"),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            encoding="ascii",
            start_new_session=True,
        )
        self._send([self._expressions, SECONDS])

    def _send(self, value: object) -> None:
        assert self._process is not None
        assert self._process.stdin is not None
        self._process.stdin.write(f"{json.dumps(value)}\n")
        self._process.stdin.flush()

    def _receive(self) -> str:
        assert self._process is not None
        assert self._process.stdout is not None
        return self._process.stdout.readline()

    def close(self) -> None:
        """End the process, if there is one."""
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.communicate()

    def __enter__(self) -> Patterns:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, err: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
