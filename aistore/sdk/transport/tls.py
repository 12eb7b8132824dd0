"""TLS settings: a frozen value, and the `ssl` context made of it once."""

from __future__ import annotations

import os
import ssl
import threading
from typing import NamedTuple

from aistore.sdk.errors import InvalidArgument

_contexts: dict[TLSConfig, ssl.SSLContext] = {}
_lock = threading.Lock()


class TLSConfig(NamedTuple):
    """How the peer of a TLS connection is checked.

    Attributes:
        verify: True for the public authorities, a path of a CA file or folder, False for no check at all.
        cert: PEM file with client certificate and key, or the two files, or None.
    """

    verify: bool | str = True
    cert: str | tuple[str, str] | None = None


def context_for(config: TLSConfig) -> ssl.SSLContext:
    """Make the context of a configuration, or return the one made before.

    Args:
        config: TLS settings.

    Returns:
        A context that all connections of the configuration share.

    Raises:
        InvalidArgument: When a file is missing or cannot be used.
    """
    # A plain dict read is atomic; the lock only keeps two threads from loading the same files.
    context = _contexts.get(config)
    if context is None:
        with _lock:
            context = _contexts.get(config)
            if context is None:
                context = _contexts[config] = _make(config)
    return context


def _make(config: TLSConfig) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if config.verify is False:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    else:
        path = _authorities() if config.verify is True else str(config.verify)
        try:
            if os.path.isdir(path):
                context.load_verify_locations(capath=path)
            else:
                context.load_verify_locations(cafile=path)
        except (OSError, ssl.SSLError) as err:
            raise InvalidArgument(f"cannot use CA certificates {path!r}: {err}") from err
    if config.cert is not None:
        try:
            if isinstance(config.cert, str):
                context.load_cert_chain(config.cert)
            else:
                context.load_cert_chain(*config.cert)
        except (OSError, ssl.SSLError) as err:
            raise InvalidArgument(f"cannot use client certificate {config.cert!r}: {err}") from err
    return context


def _authorities() -> str:
    """Find the bundle of public authorities where `requests` does, once per configuration."""
    from certifi import where  # comes with requests

    return os.environ.get("REQUESTS_CA_BUNDLE") or os.environ.get("CURL_CA_BUNDLE") or where()


def _forget_lock() -> None:
    global _lock
    _lock = threading.Lock()


# A child of a fork may have inherited the lock held by a thread it does not have.
if hasattr(os, "register_at_fork"):  # pragma: no branch - not on Windows
    os.register_at_fork(after_in_child=_forget_lock)
