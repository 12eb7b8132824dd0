"""`python -m aistore.local`: run the server in the foreground; `... fsck`: check a folder."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import sys
from typing import TYPE_CHECKING

from aistore.local.errors import LocalClusterError
from aistore.local.options import PROGRAM, Options, parse

if TYPE_CHECKING:
    from collections.abc import Sequence

    from aistore.local.authn import Authn
    from aistore.local.state import State


_NOT_INSTALLED = 16


def _say(line: str) -> None:
    # Standard output may be closed, or its reader gone: the server runs all the same.
    if sys.stdout is not None:
        with contextlib.suppress(OSError, ValueError):
            sys.stdout.write(f"{line}\n")
            sys.stdout.flush()


def _announce(state: State, options: Options) -> None:
    if options.child:
        ready = {"endpoint": state.nodes.proxy.url, "dir": str(state.root)}
        ready["auth_endpoint"] = state.authn.url if state.authn is not None else ""
        ready["ca_file"] = str(state.tls.ca_file or "")
        _say(json.dumps(ready))
    else:
        _say(state.nodes.proxy.url)
        if state.authn is not None:
            _announce_authn(state.authn, options)
        targets = ", ".join(target.url for target in state.nodes.targets)
        sys.stderr.write(
            f"aistore.local is ready: data in {state.root}, targets at {targets}; Ctrl-C stops it\n"
        )


def _announce_authn(authn: Authn, options: Options) -> None:
    """Print the URL of the AuthN service, and where a password is that was made up."""
    _say(authn.url)
    if authn.new_password is not None:
        sys.stderr.write(
            f"the password of the AuthN user {options.admin.name!r} is in {authn.new_password}\n"
        )


def main(argv: Sequence[str] | None = None, program: str = PROGRAM) -> int:
    """Run the server, as `program`; the exit code is 0 after a clean stop, 1 if it could not start."""
    arguments = sys.argv[1:] if argv is None else list(argv)
    if arguments[:1] == ["fsck"]:
        return _fsck(arguments[1:], program)
    try:
        options = parse(arguments, program)
    except LocalClusterError as err:
        return _fail(err, Options(child=True))
    if os.getpid() == 1:
        from aistore.local import init_process

        return init_process.run(lambda: _serve(options))
    return _serve(options)


def _serve(options: Options) -> int:
    shown = logging.StreamHandler()
    shown.setLevel(logging.WARNING)  # what is less is kept for those who ask a node for its log
    logging.basicConfig(handlers=[shown], format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    try:
        from aistore.local import server

        server.run(options, lambda state: _announce(state, options))
    except ImportError as err:
        message = f"the local cluster needs the extra 'local' ({err}): pip install 'aistore[local]'"
        return _fail(LocalClusterError(message), options)
    except LocalClusterError as err:
        return _fail(err, options)
    except KeyboardInterrupt:
        return 0
    return 0


def _fsck(arguments: list[str], program: str) -> int:
    try:
        from aistore.local import fsck
    except ImportError as err:
        # Not 1, the code of "all repaired".
        sys.stderr.write(f"fsck needs the extra 'local' ({err}): pip install 'aistore[local]'\n")
        return _NOT_INSTALLED
    return fsck.main(arguments, f"{program} fsck")


def _fail(error: LocalClusterError, options: Options) -> int:
    if options.child:
        _say(json.dumps({"error": str(error), "errno": error.errno}))
    else:
        sys.stderr.write(f"aistore.local: {error}\n")
    return 1


if __name__ == "__main__":
    sys.exit(main())
