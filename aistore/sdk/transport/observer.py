"""Who watches the requests of this process, if anybody does (`aistore.sdk.telemetry`)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable

    from aistore.sdk.transport.call import Call
    from aistore.sdk.transport.response import Response


class Observer(Protocol):
    """Sees each request, redirects included, once for every time it is sent."""

    def observe(self, call: Call, send: Callable[[Call], Response]) -> Response:
        """Send a request.

        Args:
            call: The request.
            send: Sends it.

        Returns:
            Its answer.
        """


current: Observer | None = None
"""The observer of this process, or None."""
