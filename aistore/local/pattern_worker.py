"""A process that matches names against regular expressions: run by `patterns`, never imported.

The first line of its input is the expressions and the seconds that a name may take, each further one a name;
it answers with the indexes of those that match. A search that takes longer ends the process: the default
action of SIGALRM needs nobody to notice it, which `re` does not do while it searches.
"""

from __future__ import annotations

import json
import re
import signal
import sys


def main() -> None:
    """Answer until the input ends."""
    expressions, seconds = json.loads(sys.stdin.readline())
    compiled = [re.compile(text) for text in expressions]
    timer = getattr(signal, "setitimer", None)
    for line in sys.stdin:
        name = json.loads(line)
        if timer is not None:
            timer(signal.ITIMER_REAL, seconds)
        found = [index for index, pattern in enumerate(compiled) if pattern.search(name)]
        if timer is not None:
            timer(signal.ITIMER_REAL, 0)
        sys.stdout.write(f"{json.dumps(found)}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
