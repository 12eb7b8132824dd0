"""Pages of keys and common prefixes."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from aistore.local.catalog import Bucket
from aistore.local.s3.errors import S3Error
from aistore.local.s3.listing import decode_token, encode_token, list_page
from aistore.local.store import Store

NAMES = ["a", "a/1", "a/2", "a/b/3", "b", "c//x", "c/", "d\u00fc/x", "e\udcff"]


@pytest.fixture
def filled(store: Store, bucket: Bucket) -> Bucket:
    for name in NAMES:
        store.put(bucket, name, b"x")
    return bucket


def _all(store: Store, bucket: Bucket, prefix: str, delimiter: str, after: str, limit: int) -> list[str]:
    found: list[str] = []
    while True:
        page = list_page(store, bucket, prefix, delimiter, after, limit)
        entries = sorted([meta.name for meta in page.objects] + page.prefixes, key=_key)
        assert len(entries) <= limit
        found += entries
        if page.more_after is None:
            return found
        assert len(entries) == limit
        assert page.more_after == entries[-1]
        after = decode_token(encode_token(page.more_after))


def _key(name: str) -> bytes:
    return name.encode("utf-8", "surrogateescape")


def _model(prefix: str, delimiter: str, after: str) -> list[str]:
    found = set()
    for name in NAMES:
        if not name.startswith(prefix):
            continue
        cut = name.find(delimiter, len(prefix)) if delimiter else -1
        entry = name if cut < 0 else name[: cut + len(delimiter)]
        if _key(name) > _key(after) and not (cut >= 0 and entry == after):
            found.add(entry)
    return sorted(found, key=_key)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=60)
@given(
    prefix=st.sampled_from(["", "a", "a/", "a/b", "c/", "x", "d\u00fc"]),
    delimiter=st.sampled_from(["", "/", "//", "b", "\u00fc"]),
    after=st.sampled_from(["", "a", "a/", "a/1", "b", "c/", "zz", "e"]),
    limit=st.integers(1, 4),
)
def test_pages_are_those_of_a_model(
    store: Store, filled: Bucket, prefix: str, delimiter: str, after: str, limit: int
) -> None:
    assert _all(store, filled, prefix, delimiter, after, limit) == _model(prefix, delimiter, after)


def test_no_keys_wanted(store: Store, filled: Bucket) -> None:
    assert list_page(store, filled, "", "", "", 0) == ([], [], None)


@pytest.mark.parametrize("token", ["", "x", "1*", "1a", "2YQ"])
def test_foreign_tokens_are_refused(token: str) -> None:
    if token == "":
        token = "\u00fc"
    with pytest.raises(S3Error, match="continuation token"):
        decode_token(token)
