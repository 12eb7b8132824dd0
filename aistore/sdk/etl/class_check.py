"""Proves that an ETL class can be unpickled where it will run, before it is sent there."""

from __future__ import annotations

import builtins
import dis
import logging
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from types import CodeType

from aistore._child import module_command
from aistore.sdk.errors import InvalidArgument, UnsupportedOperation
from aistore.sdk.etl.class_payload import deserialize_class

ENV_CHECK = "AIS_ETL_CHECK"
_TIMEOUT = 120.0  # seconds; importing what a class refers to can take long

logger = logging.getLogger("aistore.sdk.etl")


def check_unpickles(cls: type, payload: str) -> None:
    """Unpickle a class in a fresh interpreter, which has none of this program's own modules.

    The environment variable `AIS_ETL_CHECK=false` turns this off.

    Args:
        cls: The class.
        payload: The class as text.

    Raises:
        InvalidArgument: It cannot be unpickled there: with the reason, and the names that its methods use
            and nobody defines.
    """
    if os.environ.get(ENV_CHECK, "").strip().lower() in {"0", "false", "no", "off"}:
        return
    with tempfile.TemporaryDirectory() as empty:
        try:
            done = subprocess.run(
                module_command("aistore.sdk.etl.class_check", only_packages=True),
                input=payload,
                cwd=empty,
                capture_output=True,
                text=True,
                errors="replace",
                timeout=_TIMEOUT,
                check=False,
            )
        except (OSError, subprocess.TimeoutExpired, UnsupportedOperation) as exc:
            logger.warning("class %s was not checked before it is sent: %s", cls.__name__, exc)
            return
    missing = ", ".join(sorted(undefined_names(cls)))
    if done.returncode == 0:
        if missing:  # not an error: something may define them in the pod
            logger.warning("class %s uses names that nobody defines: %s", cls.__name__, missing)
        return
    lines = done.stderr.strip().splitlines() or [f"exit status {done.returncode}"]
    names = f"; names that it uses and nobody defines: {missing}" if missing else ""
    raise InvalidArgument(f"class {cls.__name__} cannot be unpickled in a new process: {lines[-1]}{names}")


def undefined_names(cls: type) -> set[str]:
    """Return the global names that the class's methods use and that are defined nowhere."""
    missing: set[str] = set()
    for value in vars(cls).values():
        function = getattr(value, "__func__", value)
        code = getattr(function, "__code__", None)
        if isinstance(code, CodeType):
            known = getattr(function, "__globals__", {}).keys() | vars(builtins).keys()
            missing |= set(_global_names(code)) - known
    return missing


def _global_names(code: CodeType) -> Iterator[str]:
    for instruction in dis.get_instructions(code):
        if instruction.opname in {"LOAD_GLOBAL", "LOAD_NAME"}:
            yield str(instruction.argval)
    for const in code.co_consts:
        if isinstance(const, CodeType):
            yield from _global_names(const)


def main() -> int | str:
    """Unpickle the class that is on standard input; return the exit status, or why it failed."""
    try:
        deserialize_class(sys.stdin.read())
    except Exception as exc:  # noqa: BLE001 - whatever the class's own code raises
        return f"{type(exc).__name__}: {exc}"
    return 0


if __name__ == "__main__":
    sys.exit(main())
