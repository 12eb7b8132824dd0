"""`python -m aistore.local`: run the server in the foreground."""

from __future__ import annotations

import json
import logging
import sys
from typing import TYPE_CHECKING

from aistore.local.errors import LocalClusterError
from aistore.local.options import Options, parse

if TYPE_CHECKING:
    from collections.abc import Sequence

    from aistore.local.state import State


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def _announce(state: State, options: Options) -> None:
    if options.child:
        ready = {"endpoint": state.nodes.proxy.url, "dir": str(state.root)}
        _say(json.dumps(ready))
    else:
        _say(state.nodes.proxy.url)
        targets = ", ".join(target.url for target in state.nodes.targets)
        sys.stderr.write(
            f"aistore.local is ready: data in {state.root}, targets at {targets}; Ctrl-C stops it\n"
        )


def main(argv: Sequence[str] | None = None) -> int:
    """Run the server; the exit code is 0 after a clean stop, 1 if it could not start."""
    options = parse(argv)
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    try:
        from aistore.local import server

        server.run(options, lambda state: _announce(state, options))
    except ImportError as err:
        message = f"the local cluster needs the extra 'local' ({err}): pip install 'aistore[local]'"
        return _fail(LocalClusterError(message), options)
    except LocalClusterError as err:
        return _fail(err, options)
    return 0


def _fail(error: LocalClusterError, options: Options) -> int:
    if options.child:
        _say(json.dumps({"error": str(error), "errno": error.errno}))
    else:
        sys.stderr.write(f"aistore.local: {error}\n")
    return 1


if __name__ == "__main__":
    sys.exit(main())
