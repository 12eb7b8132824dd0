"""`PACKAGES` of an ETL: a Python that has them.

When this server's own Python has all of them, that is it: no installer, no network. Otherwise they go into
a virtual environment of that ETL, which also sees what this Python has.
"""

from __future__ import annotations

import contextlib
import importlib.metadata
import os
import signal
import site
import subprocess
import sys
import sysconfig
import time
import venv
from pathlib import Path
from typing import TYPE_CHECKING

from aistore._child import module_command
from aistore.local.errors import LocalError

if TYPE_CHECKING:
    from collections.abc import Callable

    from packaging.requirements import Requirement

_INHERITED = ("PATH", "HOME", "LANG", "TMPDIR", "SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE")
_INHERITED_PREFIXES = ("PIP_", "LC_", "XDG_")
_SHOWN_LINES = 5
_POLL_SECONDS = 0.25


def split_packages(text: str) -> list[str]:
    """The requirements of a comma-joined list."""
    from aistore.sdk.etl.webserver.packages import split_requirements

    return split_requirements(text)


def is_satisfied(requirement: str) -> bool:
    """Whether this Python has what a requirement asks for, its extras included."""
    from packaging.requirements import InvalidRequirement, Requirement

    try:
        return _has(Requirement(requirement), set())
    except InvalidRequirement:
        return False


def _has(requirement: Requirement, seen: set[str]) -> bool:
    from packaging.requirements import Requirement

    if requirement.url is not None:
        return False
    if requirement.marker is not None and not requirement.marker.evaluate():
        return True
    try:
        dist = importlib.metadata.distribution(requirement.name)
    except importlib.metadata.PackageNotFoundError:
        return False
    if not requirement.specifier.contains(dist.version, prereleases=True):
        return False
    for extra in requirement.extras:
        key = f"{requirement.name}[{extra}]"
        if key in seen:
            continue
        seen.add(key)
        for text in dist.requires or ():
            needed = Requirement(text)
            if needed.marker is not None and needed.marker.evaluate({"extra": extra}):
                needed.marker = None
                if not _has(needed, seen):
                    return False
    return True


def python_with(requirements: list[str], folder: Path, deadline: float, cancelled: Callable[[], bool]) -> str:
    """Path of a Python that has the requirements; empty if that is this server's own.

    Args:
        requirements (list[str]): As pip takes them.
        folder (Path): Of the ETL; the virtual environment goes there.
        deadline (float): When to give up, by `time.monotonic`.
        cancelled: Whether to give up at once.

    Raises:
        LocalError: They can't be installed, with the installer's last lines.
    """
    if all(is_satisfied(requirement) for requirement in requirements):
        return ""
    python = _make_environment(folder / "venv")
    _install(python, requirements, deadline, cancelled)
    return python


def _make_environment(folder: Path) -> str:
    try:
        venv.create(folder, with_pip=False, symlinks=os.name != "nt")
    except (OSError, ValueError) as err:  # no room, or a folder with a colon
        raise LocalError(f"a virtual environment for packages can't be made: {err}", tcode="ErrETL") from err
    base = {"base": str(folder), "platbase": str(folder)}
    scheme = "venv" if "venv" in sysconfig.get_scheme_names() else "posix_prefix"
    packages = Path(sysconfig.get_path("purelib", scheme, base))
    # `addsitedir`, unlike a bare path, also follows the path files there (editable installs).
    lines = [f"import site; site.addsitedir({path!r})" for path in _own_packages()]
    (packages / "aistore-parent.pth").write_text("\n".join(lines) + "\n")
    return str(folder / ("Scripts" if os.name == "nt" else "bin") / "python")


def _own_packages() -> list[str]:
    known = {*site.getsitepackages(), site.getusersitepackages()}
    return [path for path in dict.fromkeys(sys.path) if path in known]


def _install(python: str, requirements: list[str], deadline: float, cancelled: Callable[[], bool]) -> None:
    words = [word for entry in requirements for word in (entry.split() if entry.startswith("-") else [entry])]
    command = module_command("pip", "--python", python, "install", "--no-input", "--quiet")
    command += ["--disable-pip-version-check", "--retries", "1", *words]
    env = {
        name: value
        for name, value in os.environ.items()
        if name in _INHERITED or name.startswith(_INHERITED_PREFIXES) or name.lower().endswith("_proxy")
    }
    what = ", ".join(requirements)
    process = subprocess.Popen(
        command,
        env=env,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )
    try:
        output = _communicate(process, deadline, cancelled)
    finally:
        if process.poll() is None:
            _kill_group(process)
    if output is None:
        raise LocalError(f"packages {what} could not be installed within init_timeout", tcode="ErrETL")
    if process.returncode:
        lines = [line.strip() for line in output.decode("utf-8", "replace").splitlines() if line.strip()]
        telling = [line for line in lines if line.startswith("ERROR")] or lines
        detail = " | ".join(telling[-_SHOWN_LINES:])
        raise LocalError(f"packages {what} can't be installed: {detail}", tcode="ErrETL")


def _communicate(
    process: subprocess.Popen[bytes], deadline: float, cancelled: Callable[[], bool]
) -> bytes | None:
    """The output of a process that ended; None if it did not in time."""
    while not cancelled() and time.monotonic() < deadline:
        with contextlib.suppress(subprocess.TimeoutExpired):
            return process.communicate(timeout=_POLL_SECONDS)[0]
    return None


def _kill_group(process: subprocess.Popen[bytes]) -> None:
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
