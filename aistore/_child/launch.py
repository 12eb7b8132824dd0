"""Runs a module as a program in a new process: see the docstring of the package.

Run by path, or as the text of `-c`. Until the standard library is in front, only `sys` is imported.

Usage: launch.py SETTINGS MODULE [ARGUMENT ...], where SETTINGS is a JSON object:
    path: the entries of the parent's `sys.path`
    package: the folder or archive that has `aistore`
    own_first: whether this interpreter's own packages go before those of `path`
"""

import sys


def _split_path() -> tuple[list[str], list[str]]:
    """Return the entries of the standard library, and the others without the folder of this script."""
    if not (sys.flags.isolated or getattr(sys.flags, "safe_path", False)):
        del sys.path[0]
    library = sys.modules["encodings"].__path__[0][: -len("/encodings")]
    parts = {"lib-dynload", "DLLs", f"python{sys.version_info[0]}{sys.version_info[1]}.zip"}

    def is_standard(entry: str) -> bool:
        return entry == library or entry.replace("\\", "/").rpartition("/")[2] in parts

    return [*filter(is_standard, sys.path)], [entry for entry in sys.path if not is_standard(entry)]


def main() -> None:
    """Put `sys.path` in order, import the parent's package, and run the module."""
    standard, own = _split_path()
    sys.path[:] = standard
    import importlib.machinery
    import importlib.util
    import json
    import runpy

    settings = json.loads(sys.argv[1])
    module = sys.argv[2]
    del sys.argv[1:3]
    others = [*own, *settings["path"]] if settings["own_first"] else [*settings["path"], *own]
    sys.path[:] = dict.fromkeys([*standard, *others, settings["package"]])
    spec = importlib.machinery.PathFinder.find_spec("aistore", [settings["package"]])
    if spec is not None and spec.loader is not None:
        package = sys.modules["aistore"] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(package)
    if importlib.util.find_spec(module) is None:
        sys.exit(f"no module named {module}: {sys.executable} does not have it")
    runpy.run_module(module, run_name="__main__", alter_sys=True)


main()
