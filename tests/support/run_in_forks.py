"""Runs scripts one after the other, each in a fork of a process that has imported a module already."""

import importlib
import os
import runpy
import sys
import traceback


def main(module: str, *scripts: str) -> None:
    importlib.import_module(module)
    for script in scripts:
        child = os.fork()
        if not child:
            sys.argv = [script]
            try:
                runpy.run_path(script, run_name="__main__")
            except BaseException:
                traceback.print_exc()
                os._exit(1)
            sys.stdout.flush()
            sys.stderr.flush()
            sys.exit(0)  # with what a script leaves to the end of the interpreter
        if os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) != 0:
            sys.exit(f"{script} failed")


if __name__ == "__main__":
    main(*sys.argv[1:])
