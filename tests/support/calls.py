"""What work costs in calls, which do not vary from run to run as times do."""

import sys


class Count:
    """Counts the calls, of Python and of C functions, that this thread makes within.

    Attributes:
        calls: How many there were.
    """

    def __enter__(self):
        self.calls = 0
        sys.setprofile(self._note)
        return self

    def __exit__(self, *_):
        sys.setprofile(None)

    def _note(self, frame, event, arg):
        self.calls += event in ("call", "c_call")
