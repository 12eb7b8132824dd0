"""The list of buckets."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aistore.cli.uri import bucket_uri

if TYPE_CHECKING:
    from aistore.cli.session import Session


def show_buckets(session: Session, provider: str) -> None:
    """Write the URIs of the buckets of a provider, or of all when it is ""."""
    buckets = session.client.cluster().list_buckets(provider=provider)
    for uri in sorted(str(bucket_uri(model)) for model in buckets):
        if session.json:
            session.out.record({"uri": uri})
        else:
            session.out.line(uri)
