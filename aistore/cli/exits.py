"""Exit codes, and which error ends a command with which of them and which words."""

from __future__ import annotations

import os

from aistore.cli.text import one_line

FAILURE = 1
USAGE = 2
NOT_FOUND = 3
REFUSED = 4
NO_ANSWER = 5
TIME_IS_UP = 124
INTERRUPTED = 130
TERMINATED = 143
OUTPUT_CLOSED = 141


class CliError(Exception):
    """An error of the command line itself.

    Args:
        message: What was wrong, and what would be right.
        code: Exit code. Default: 1.
    """

    def __init__(self, message: str, code: int = FAILURE) -> None:
        super().__init__(message)
        self.code = code


class OutputClosed(Exception):  # noqa: N818 - no error: the reader has seen enough
    """Nobody reads standard output any more."""


class Interrupted(Exception):  # noqa: N818 - the user's wish
    """Ctrl-C was pressed while a worker was busy."""


def explain(error: Exception) -> tuple[int, str]:
    """Return the exit code and the line that say what went wrong.

    Args:
        error: What a command raised.
    """
    if isinstance(error, CliError):
        return error.code, str(error)
    code, message = _explain_sdk(error) or _explain_other(error)
    return code, one_line(message)


def _explain_sdk(error: Exception) -> tuple[int, str] | None:
    from aistore.sdk.errors import (
        AISConnectionRefused,
        AISNetworkError,
        AISUnauthorized,
        APIRequestError,
        InvalidArgument,
        InvalidArgumentType,
    )

    if isinstance(error, APIRequestError):
        codes = {401: REFUSED, 403: REFUSED, 404: NOT_FOUND}
        message = _server_message(error.message) or str(error)
        if isinstance(error, AISUnauthorized):
            message += " (log in with `aistore auth login`, or give --token-file)"
        return codes.get(error.status_code, FAILURE), message
    if isinstance(error, AISNetworkError):
        hint = "; is the cluster running? (`aistore serve` starts one here)"
        return NO_ANSWER, f"{error}{hint if isinstance(error, AISConnectionRefused) else ''}"
    if isinstance(error, (InvalidArgument, InvalidArgumentType)):
        return USAGE, str(error)
    return None


def _server_message(text: str) -> str:
    """Return the words of an error answer, which is JSON from most nodes."""
    from aistore.wire.serialization import parse_json  # slow to import

    try:
        answer = parse_json(text)
    except ValueError:
        return text
    return str(answer.get("message") or text) if isinstance(answer, dict) else text


def _explain_other(error: Exception) -> tuple[int, str]:
    if isinstance(error, OSError) and error.strerror and error.filename is not None:
        code = NOT_FOUND if isinstance(error, FileNotFoundError) else FAILURE
        return code, f"{os.fsdecode(error.filename)}: {error.strerror}"
    from aistore.sdk.errors import SDKError

    kind = "" if isinstance(error, SDKError) and str(error) else f"{type(error).__name__}: "
    return FAILURE, f"{kind}{error}"
