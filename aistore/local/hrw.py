"""Which target owns an object: the cluster's rendezvous hashing, as the client has it (protocol-ml/08)."""

from __future__ import annotations

from aistore.sdk.hrw import get_digest as digest
from aistore.sdk.hrw import owner_index as owner

__all__ = ["digest", "owner"]
