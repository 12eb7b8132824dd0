"""Storage options: which are of the client, which of the filesystem, and what the environment adds."""

from __future__ import annotations

import inspect
import os
from typing import Any

from fsspec.spec import _Cached

from aistore.sdk.client import Client
from aistore.sdk.credentials import Secret
from aistore.sdk.errors import InvalidArgument, InvalidArgumentType

CLIENT_OPTIONS = frozenset(inspect.signature(Client.__init__).parameters) - {"self"}
"""Everything that `Client` takes."""

PROFILE_OPTIONS = frozenset({"token_file"})
"""What `Client.from_profile` takes besides."""

FSSPEC_OPTIONS = frozenset({"use_listings_cache", "listings_expiry_time", "max_paths"})
"""Options that go on to fsspec's base classes and its listings cache."""

_SECRET = "token"  # noqa: S105 - the name of an option


class CachedInstances(_Cached):
    """fsspec's cache of filesystems, aware of the environment, which shows no tokens.

    The same options give the same filesystem, as long as the environment variables that fill in what is not
    given are the same, too.
    """

    @property
    def environment(cls) -> tuple[tuple[str, str], ...]:  # noqa: N805 - of a metaclass
        """The variables that a client is made from."""
        return tuple(sorted(item for item in os.environ.items() if item[0].startswith("AIS_")))

    def __call__(cls, *args: Any, **kwargs: Any) -> Any:  # noqa: N805 - of a metaclass
        """Make a filesystem, or return the one that these options made before."""
        # The text of a retry policy, which fsspec would compare, does not tell all of it.
        if kwargs.get("retry_config") is not None:
            kwargs.setdefault("skip_instance_cache", True)
        if kwargs.get(_SECRET):  # nor does that of a hidden token, as in a filesystem that was pickled
            kwargs[_SECRET] = str(kwargs[_SECRET])
        made = super().__call__(*args, **kwargs)
        if made.storage_options.get(_SECRET):
            made.storage_options[_SECRET] = Secret(made.storage_options[_SECRET])
        return made


def make_client(options: dict[str, Any], profile: str | None, threads: int) -> Client:
    """Make the client of a filesystem.

    Args:
        options: Arguments of `Client`; with a profile also those of `Client.from_profile`.
        profile: Name of a profile. `None`: no profile.
        threads: How many requests there may be at a time: as many connections are kept, unless `options` or
            `AIS_MAX_CONN_POOL` say otherwise.

    Raises:
        InvalidEndpoint: There is none.
    """
    if profile is not None:
        return Client.from_profile(profile, **options)
    if options.get("max_pool_size") is None and not os.environ.get("AIS_MAX_CONN_POOL"):
        options = {**options, "max_pool_size": threads}
    return Client(**options)


def check_options(options: dict[str, Any], own: frozenset[str], profile: str | None) -> None:
    """Refuse options that nobody takes.

    Args:
        options: Storage options.
        own: Names of those that the filesystem takes.
        profile: Name of a profile, or `None`.

    Raises:
        InvalidArgumentType: One is not known.
    """
    known = CLIENT_OPTIONS | FSSPEC_OPTIONS | own | (PROFILE_OPTIONS if profile is not None else frozenset())
    unknown = sorted(set(options) - known)
    if unknown:
        raise InvalidArgumentType(
            f"unknown storage options {', '.join(unknown)}: expected {', '.join(sorted(known))}"
        )


def check_positive(name: str, value: Any) -> int:
    """Return a number if it is an int from 1 on.

    Args:
        name: What to call it in an error.
        value: The number.

    Raises:
        InvalidArgument: It is not.
    """
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise InvalidArgument(f"{name} must be a positive int, not {value!r}")
    return value
