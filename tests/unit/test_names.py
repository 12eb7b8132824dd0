"""Names of objects and buckets: what is refused, and that a path addresses what was named."""

from urllib.parse import unquote

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from aistore.sdk.errors import InvalidArgument, InvalidArgumentType
from aistore.sdk.transport.url import encode_path
from aistore.wire.names import (
    BucketUrl,
    check_bucket_name,
    check_object_name,
    object_name_fault,
    object_path,
    parse_bucket_url,
    quote_object_name,
)


@pytest.mark.parametrize(
    "name",
    ["", ".", "..", "a/../b", "a/./b", "a/..", "../bck2/leak", "../../buckets/b", "a/.", "~/a", "a/", "a\0b"],
)
def test_not_like_2_0_names_that_escape_are_refused(name):  # defects 2 and 41
    with pytest.raises(InvalidArgument, match="object name"):
        object_path("bck", name)


@pytest.mark.parametrize("name", ["", ".", "..", "a..b", "a/b", "a b", "a?b", "%2e", "b\u00e9"])
def test_not_like_2_0_bucket_names_are_checked(name):  # defect 2
    with pytest.raises(InvalidArgument, match="bucket name"):
        object_path(name, "a")


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("a b?#%+&é.txt", "a%20b%3F%23%25%2B%26%C3%A9.txt"),
        ("a//b", "a//b"),  # defect 41
        ("/lead", "/lead"),  # defect 3
        ("...", "..."),
        ("a.b/..c", "a.b/..c"),
        (".hidden/~/x", ".hidden/~/x"),
        ("x\udcff", "x%FF"),
        ("n" * 5000, "n" * 5000),
    ],
)
def test_paths(name, path):
    assert check_object_name(name) == name
    assert object_path("bck", name) == f"objects/bck/{path}"


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("ais://b/o", BucketUrl("ais", "b", "o")),
        ("ais://b", BucketUrl("ais", "b")),
        ("ais://b/", BucketUrl("ais", "b")),
        ("ais://", BucketUrl("ais")),
        ("S3://b/O", BucketUrl("s3", "b", "O")),
        ("ais+s3://b/o", BucketUrl("s3", "b", "o")),
        ("ais://b//o", BucketUrl("ais", "b", "/o")),
        ("ais://b/d/", BucketUrl("ais", "b", "d/")),
        ("ais://b/img#1.jpg?x=1;y&%41[0] \n\udcff", BucketUrl("ais", "b", "img#1.jpg?x=1;y&%41[0] \n\udcff")),
        ("ais://b/s3://c/o", BucketUrl("ais", "b", "s3://c/o")),
        ("ais://b#1/o", BucketUrl("ais", "b#1", "o")),
        ("ais://@u#n/b/o@#", BucketUrl("ais", "b", "o@#", "u", "n")),
        ("ais://#n/b/o", BucketUrl("ais", "b", "o", "", "n")),
        ("ais://@u/b", BucketUrl("ais", "b", "", "u")),
        ("b/o", None),
        ("/ais://b/o", None),
        ("://b/o", None),
        (" ais://b/o", None),
        ("ais://@u#n#x/b/o", None),
        ("", None),
    ],
)
def test_urls(text, url):
    """Nothing after the bucket's slash is more than a letter of a name."""
    assert parse_bucket_url(text) == url
    if url is not None:
        assert parse_bucket_url(str(url)) == url


@given(name=st.text(max_size=50), place=st.sampled_from(["b", "@u#n/b", "#n/b", "@u/b"]))
def test_any_name_survives_a_url(name, place):
    url = parse_bucket_url(f"gs://{place}/{name}")
    assert url is not None
    assert (url.root, url.name) == (place, name)


def _is_bytes(name):
    try:
        return bool(name.encode("utf-8", "surrogateescape"))
    except UnicodeEncodeError:
        return False


@given(st.one_of(st.text(min_size=1, max_size=200), st.text("a~./", max_size=8)))
@example("\udfff\ud800")
def test_a_path_addresses_what_was_named(name):
    try:
        path = object_path("bck", name)
    except InvalidArgument:
        assert object_name_fault(name) or not _is_bytes(name)
        return
    assert not object_name_fault(name)
    assert path.isascii()
    assert encode_path(path) == path
    assert unquote(path.removeprefix("objects/bck/"), errors="surrogateescape") == name


def test_text_that_stands_for_no_bytes():
    with pytest.raises(InvalidArgument, match="cannot be encoded"):
        quote_object_name("\udfff\ud800")


def test_types():
    for check in (check_bucket_name, check_object_name):
        with pytest.raises(InvalidArgumentType, match="expected str"):
            check(b"a")
