"""Namespaces: which cluster a bucket belongs to, and its group of buckets there."""

from __future__ import annotations

from aistore.sdk.models.base import Model


class Namespace(Model):
    """A remote cluster (`uuid`: its id or alias) and a name that groups buckets; both empty: global."""

    uuid: str = ""
    name: str = ""

    def get_path(self) -> str:
        """Return the namespace as the cluster writes it: `@uuid#name`."""
        return f"@{self.uuid}#{self.name}"
