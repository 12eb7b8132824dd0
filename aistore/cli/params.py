"""Arguments that complete themselves: URIs and paths."""

from __future__ import annotations

import click
from click.shell_completion import CompletionItem


class LocationType(click.types.StringParamType):
    """A URI, or a path when `paths` is true; the shell completes both.

    Args:
        paths: Whether a path is possible. Default: `False`.
        buckets_only: Whether only buckets are completed. Default: `False`.
    """

    name = "location"

    def __init__(self, *, paths: bool = False, buckets_only: bool = False) -> None:
        self.paths = paths
        self.buckets_only = buckets_only

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        """Return URIs that begin so, and ask the shell for files."""
        from aistore.cli.completion import complete_uri

        items = complete_uri(ctx, incomplete, buckets_only=self.buckets_only)
        if self.paths:
            items.append(CompletionItem(incomplete, type="file"))
        return items


URI = LocationType()
BUCKET = LocationType(buckets_only=True)
LOCATION = LocationType(paths=True)
