"""Buckets and objects say whether they exist."""

import pytest

from aistore.sdk.errors import ErrBckNotFound


def test_objects_and_buckets(client, bucket):
    bucket.object("here").get_writer().put_content(b"x")
    assert bucket.object("here").exists()
    assert not bucket.object("gone").exists()
    assert "here" in bucket
    assert "gone" not in bucket
    assert bucket.exists()
    missing = client.bucket(f"{bucket.name}-missing")
    assert not missing.exists()
    with pytest.raises(ErrBckNotFound):
        missing.object("o").exists()
