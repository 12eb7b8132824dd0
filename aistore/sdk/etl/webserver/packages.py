"""Installs what an ETL class asks for: `PACKAGES` by pip, `OS_PACKAGES` by apt."""

from __future__ import annotations

import importlib
import logging
import os
import re
import shutil
import subprocess
from collections.abc import Mapping

from aistore._child import module_command
from aistore.sdk.errors import InvalidArgument

ENV_PACKAGES = "PACKAGES"
ENV_OS_PACKAGES = "OS_PACKAGES"
_TIMEOUT = 3600.0  # seconds; the target's init_timeout is what ends a start that takes too long

_CONTINUES = re.compile(r"\s*[<>=!~]")
_OS_PACKAGE = re.compile(r"[a-z0-9][a-z0-9+.-]*(=[A-Za-z0-9.+:~-]+)?")

logger = logging.getLogger("aistore.sdk.etl.runtime")


class InstallFailed(InvalidArgument):
    """Packages that cannot be installed; the text has the installer's last lines."""


def split_requirements(text: str) -> list[str]:
    """Split comma-joined requirements; a comma within one (`a>=1,<2`, `b[x,y]`) does not separate.

    Args:
        text: Value of `PACKAGES`.
    """
    found: list[str] = []
    for piece in text.split(","):
        joined = found[-1] if found else ""
        if joined and (joined.count("[") > joined.count("]") or _CONTINUES.match(piece)):
            found[-1] = f"{joined},{piece}"
        elif piece.strip():
            found.append(piece)
    return [requirement.strip() for requirement in found]


def install_packages(env: Mapping[str, str]) -> bool:
    """Install what the environment asks for.

    Args:
        env: `PACKAGES` and `OS_PACKAGES`, joined by commas.

    Returns:
        Whether anything was to be installed.

    Raises:
        InstallFailed: A package cannot be installed.
    """
    requirements = split_requirements(env.get(ENV_PACKAGES, ""))
    os_packages = [name.strip() for name in env.get(ENV_OS_PACKAGES, "").split(",") if name.strip()]
    if requirements:
        # An option and its value come as one entry: `--extra-index-url https://...`.
        words = [
            word for entry in requirements for word in (entry.split() if entry.startswith("-") else [entry])
        ]
        _run(ENV_PACKAGES, module_command("pip", "install", "--no-input", "--quiet", *words))
        importlib.invalidate_caches()
    if os_packages:
        _install_os_packages(os_packages)
    return bool(requirements or os_packages)


def _install_os_packages(names: list[str]) -> None:
    for name in names:
        if not _OS_PACKAGE.fullmatch(name):
            raise InstallFailed(f"{ENV_OS_PACKAGES}: {name!r} is not the name of a Debian package")
    apt = shutil.which("apt-get")
    if apt is None:
        raise InstallFailed(
            f"{ENV_OS_PACKAGES}={','.join(names)} needs apt-get, which this system does not have"
        )
    if os.geteuid() != 0:
        raise InstallFailed(f"{ENV_OS_PACKAGES}={','.join(names)} can be installed by root only")
    _run(ENV_OS_PACKAGES, [apt, "update", "-qq"])
    _run(ENV_OS_PACKAGES, [apt, "install", "-y", "-qq", "--no-install-recommends", "--", *names])


def _run(variable: str, command: list[str]) -> None:
    logger.info("%s: %s", variable, " ".join(command))
    env = {**os.environ, "DEBIAN_FRONTEND": "noninteractive", "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
    # What is to be installed does not need the class, and an argument list has a limit of its own.
    env.pop("ETL_CLASS_PAYLOAD", None)
    try:
        done = subprocess.run(
            command,
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            timeout=_TIMEOUT,
            check=False,
        )
    except subprocess.TimeoutExpired as exc:
        raise InstallFailed(f"{variable}: {command[0]} did not end within {_TIMEOUT:.0f} s") from exc
    if done.returncode:
        tail = " | ".join(line.strip() for line in done.stdout.strip().splitlines()[-5:])
        raise InstallFailed(f"{variable} cannot be installed: {tail}")
