"""`python -m aistore.cli`: the command `aistore`."""

from __future__ import annotations

import sys

from aistore.cli import main

if __name__ == "__main__":
    sys.exit(main())
