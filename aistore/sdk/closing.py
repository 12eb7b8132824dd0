"""What has connections of its own, and closes them at the end of a `with` block."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from types import TracebackType

    from typing_extensions import Self

    from aistore.sdk.request_client import RequestClient


class ClosesConnections:
    """The part that `Client` and `AuthNClient` share: what sends their requests can be closed."""

    _request_client: RequestClient

    def close(self) -> None:
        """Close the idle connections; a later call opens new ones."""
        self._request_client.session_manager.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()
