"""The cluster that tests run on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from aistore.sdk.client import Client


class AnyCluster(Protocol):
    """What the fixture `ais_cluster` gives: a `LocalCluster`, or a `RemoteCluster`."""

    @property
    def endpoint(self) -> str:
        """URL of a proxy."""

    def client(self, **kwargs: Any) -> Client:
        """Make a client; arguments as of `Client`.

        Args:
            **kwargs: The arguments.
        """


class RemoteCluster:
    """A cluster that runs already.

    Args:
        endpoint: URL of a proxy.
    """

    def __init__(self, endpoint: str) -> None:
        self.endpoint = endpoint
        """URL of a proxy."""

    def client(self, **kwargs: Any) -> Client:
        """Make a client of it, with what the environment says (`AIS_AUTHN_TOKEN`, `AIS_CLIENT_CA`, ...).

        Args:
            **kwargs: Arguments of `Client`.
        """
        from aistore.sdk.client import Client

        return Client(self.endpoint, **kwargs)

    def __repr__(self) -> str:
        return f"RemoteCluster({self.endpoint!r})"
