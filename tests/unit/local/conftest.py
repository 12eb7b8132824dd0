"""A store on a temporary folder."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from aistore.local import bucket_props
from aistore.local.catalog import Bucket, Catalog
from aistore.local.names import Bck
from aistore.local.store import Store


def open_store(root: Path, **options: object) -> Store:
    """Open the folder as the server does."""
    return Store(root, Catalog(root / "catalog.sqlite"), **options)  # type: ignore[arg-type]


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """Give an empty store."""
    store = open_store(tmp_path)
    yield store
    store.close()


@pytest.fixture
def bucket(store: Store) -> Bucket:
    """Give an empty bucket."""
    return store.catalog.buckets.create(Bck("b"), bucket_props.new_props("ais"))
