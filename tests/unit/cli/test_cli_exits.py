"""Exit codes and messages."""

import pytest

from aistore.cli.exits import CliError, explain
from aistore.sdk.errors import (
    AISConnectionRefused,
    AISError,
    AISForbidden,
    AISReadTimeout,
    AISUnauthorized,
    ErrObjNotFound,
    InvalidArgument,
    Timeout,
)


@pytest.mark.parametrize(
    ("error", "code", "words"),
    [
        (CliError("no", 3), 3, "no"),
        (ErrObjNotFound(404, "ais://b/o does not exist", "u", None), 3, "ais://b/o does not exist"),
        (AISError(500, '{"message": "it\\nbroke", "status": 500}', "u", None), 1, "it broke"),
        (AISForbidden(403, "not yours", "u", None), 4, "not yours"),
        (AISUnauthorized(401, "who?", "u", None), 4, "aistore auth login"),
        (AISConnectionRefused("nothing there"), 5, "aistore serve"),
        (AISReadTimeout("too slow"), 5, "too slow"),
        (InvalidArgument("that is no name"), 2, "that is no name"),
        (Timeout("job 'x'"), 1, "job 'x'"),
        (FileNotFoundError(2, "No such file or directory", "f.txt"), 3, "f.txt: No such file or directory"),
        (PermissionError(13, "Permission denied", b"f.txt"), 1, "f.txt: Permission denied"),
        (ValueError("\x1b[31mred"), 1, "ValueError: \\x1b[31mred"),
    ],
)
def test_each_error_has_its_code_and_one_line(error, code, words):
    got, message = explain(error)
    assert got == code
    assert words in message
    assert "\n" not in message
    assert "\x1b" not in message
