"""Lets the tests import the module beside them, which stands for a user's own."""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parent))
