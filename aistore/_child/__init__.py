"""Commands that start another Python process: the one way for the whole package.

"A Python like this one" is not as simple as `[sys.executable, "-m", ...]`:

* in a frozen program (PyInstaller, cx_Freeze, Nuitka) `sys.executable` is the program, which would start
  itself again and again; in an embedded Python it is the host program, or empty;
* `-m` and `-c` import from the current folder, where a `secrets.py` or `argparse.py` takes the place of the
  standard library's;
* `PYTHONPATH` goes before the standard library and before the packages of a virtual environment, is passed
  on to all further processes, and cannot hold a path with a `:`;
* packages that only this process's `sys.path` leads to are missing in the child.

A module is therefore run by `launch.py`, which gets the entries of `sys.path` as an argument and puts them
behind the standard library. The package `aistore` of the child is the very one that runs here.
"""

from __future__ import annotations

import json
import os
import pkgutil
import re
import sys
from importlib.machinery import PathFinder
from pathlib import Path

import aistore

_PYTHON_NAME = re.compile(r"(python|pypy|graalpy)[0-9.]*t?w?(\.exe)?", re.IGNORECASE)
# Folders that packages were copied to without their metadata have one of these.
_DEPENDENCIES = ("msgspec", "requests", "urllib3", "cloudpickle", "xxhash", "uvicorn", "httptools")


def find_python() -> str:
    """Return the path of a Python interpreter that is like this process's own.

    Raises:
        UnsupportedOperation: There is none: the program is frozen, or Python is embedded in it.
    """
    chosen = _chosen_for_multiprocessing()
    if chosen:
        return chosen
    executable = sys.executable or ""
    if getattr(sys, "frozen", False) or "__compiled__" in vars(sys.modules.get("__main__", sys)):
        raise _unsupported(f"this program is frozen: {executable} is the program, not a Python interpreter")
    version = f"python{sys.version_info[0]}.{sys.version_info[1]}"
    candidates = [executable] if _PYTHON_NAME.fullmatch(os.path.basename(executable)) else []
    folders = dict.fromkeys((sys.exec_prefix, sys.base_exec_prefix))
    candidates += [str(Path(folder, "bin", name)) for folder in folders for name in (version, "python3")]
    for path in candidates:
        if os.access(path, os.X_OK):
            return path
    raise _unsupported(f"no Python interpreter found at {', '.join(candidates)}")


def _chosen_for_multiprocessing() -> str:
    """The interpreter that the program told `multiprocessing` to start, if it told any."""
    spawn = sys.modules.get("multiprocessing.spawn")
    chosen = os.fsdecode(spawn.get_executable() or "") if spawn is not None else ""
    return chosen if chosen != sys.executable else ""


def _unsupported(reason: str) -> Exception:
    from aistore.sdk.errors import UnsupportedOperation

    return UnsupportedOperation(
        f"a Python process cannot be started: {reason}; call multiprocessing.set_executable() with the path "
        "of one that has this package"
    )


def module_command(module: str, *arguments: str, python: str = "", only_packages: bool = False) -> list[str]:
    """Return the command that runs a module as a program, as `python -m` does.

    Args:
        module: Name of the module.
        arguments: Arguments of the module.
        python: An interpreter of the same version, whose packages come before those of this process. Default:
            one like that of this process.
        only_packages: Whether to leave out folders of `sys.path` that no packages are installed in.

    Raises:
        UnsupportedOperation: No interpreter can be found.
    """
    settings = {
        "path": _path_to_hand_on(only_packages=only_packages),
        "package": _package_root(),
        "own_first": bool(python),
    }
    command = [python] if python else [find_python(), *_interpreter_flags()]
    return [*command, *_source(__name__, "launch.py"), json.dumps(settings), module, *arguments]


def script_command(package: str, name: str, *arguments: str) -> list[str]:
    """Return the command that runs a script which needs nothing but the standard library.

    Args:
        package: Name of the package that the script is in.
        name: Name of its file.
        arguments: Arguments of the script.

    Raises:
        UnsupportedOperation: No interpreter can be found.
    """
    return [find_python(), "-I", "-S", *_source(package, name), *arguments]


def _source(package: str, name: str) -> list[str]:
    """The script as a file, or, from a zip archive, as text."""
    folder = sys.modules[package].__file__
    assert folder is not None
    path = Path(folder).with_name(name)
    if path.is_file():
        return [str(path)]
    try:
        source = pkgutil.get_data(package, name)
    except OSError:
        source = None
    if source is None:
        raise _unsupported(f"{path} does not exist")
    return ["-c", source.decode()]


def _package_root() -> str:
    return os.path.dirname(os.path.abspath(next(iter(aistore.__path__))))


def _interpreter_flags() -> list[str]:
    flags = sys.flags
    if flags.isolated:
        return ["-I"]
    options = {"-E": flags.ignore_environment, "-s": flags.no_user_site, "-S": flags.no_site}
    return [option for option, is_set in options.items() if is_set]


def _path_to_hand_on(*, only_packages: bool) -> list[str]:
    """The absolute entries of `sys.path`, without the folders that are there for the main script."""
    try:
        current = os.getcwd()
    except OSError:  # it was removed
        current = ""
    entries = [
        os.path.join(current, entry) if entry else current for entry in sys.path if isinstance(entry, str)
    ]
    paths = [path for path in dict.fromkeys(entries) if os.path.isabs(path) and os.path.exists(path)]
    scripts = _script_folders(current)
    own = [path for path in paths if os.path.realpath(path) in scripts]
    others = [path for path in paths if path not in own and (not only_packages or _has_packages(path))]
    return others + [path for path in own if _has_packages(path)]


def _has_packages(folder: str) -> bool:
    """Whether packages are installed in a folder or archive, maybe without their metadata."""
    if any(PathFinder.find_spec(name, [folder]) for name in _DEPENDENCIES):
        return True
    return next(Path(folder).glob("*.dist-info"), None) is not None


def _script_folders(current: str) -> set[str]:
    file = getattr(sys.modules.get("__main__"), "__file__", None)
    folders = {current, os.path.dirname(os.path.join(current, file))} if file else {current}
    return {os.path.realpath(folder) for folder in folders if folder}
