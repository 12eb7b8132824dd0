"""URIs on a command line."""

import pytest

from aistore import Client
from aistore.cli.exits import CliError
from aistore.cli.uri import Uri, bucket_uri, is_uri, parse_bucket, parse_object, parse_uri
from aistore.sdk.models.bucket import BucketModel
from aistore.sdk.namespace import Namespace


@pytest.mark.parametrize(
    ("text", "uri"),
    [
        ("ais://b", Uri("ais", "b")),
        ("ais://b/", Uri("ais", "b")),
        ("ais://b/dir/name", Uri("ais", "b", "dir/name")),
        ("ais://b/dir/", Uri("ais", "b", "dir/")),
        ("s3://b/o", Uri("aws", "b", "o")),
        ("gs://b/o", Uri("gcp", "b", "o")),
        ("AIS://b", Uri("ais", "b")),
        ("ais://", Uri("ais")),
        ("ais://@uuid#group/b/o", Uri("ais", "b", "o", "uuid", "group")),
        ("ais://#group/b/o", Uri("ais", "b", "o", "", "group")),
        ("ais://@uuid/b", Uri("ais", "b", "", "uuid")),
        ("ais://b/a\nb", Uri("ais", "b", "a\nb")),
    ],
)
def test_parse(text, uri):
    assert parse_uri(text) == uri
    assert parse_uri(str(uri)) == uri


@pytest.mark.parametrize("name", ["a?b", "a#1", "100%25", "a b", "//x", "a//b", "-x"])
def test_names_are_taken_as_they_are(name):
    """`rm` of a name with `#` must not remove the object whose name ends before it."""
    assert parse_object(f"ais://b/{name}").name == name


@pytest.mark.parametrize("text", ["path/to", "./ais", "/ais://b", "C:\\x", "b", ""])
def test_paths_are_no_uris(text):
    assert not is_uri(text)
    with pytest.raises(CliError, match="not a URI") as caught:
        parse_uri(text)
    assert caught.value.code == 2


@pytest.mark.parametrize("text", ["http://host/x", "file:///x", "hdfs://b/o"])
def test_unknown_providers_are_refused(text):
    with pytest.raises(CliError, match="unknown provider"):
        parse_uri(text)


def test_buckets():
    assert parse_bucket("images") == Uri("ais", "images")
    assert parse_bucket("s3://images/") == Uri("aws", "images")
    with pytest.raises(CliError, match="names an object: expected a bucket, as ais://b"):
        parse_bucket("ais://b/o")
    with pytest.raises(CliError, match="names no bucket"):
        parse_bucket("ais://")
    with pytest.raises(CliError, match="names no object"):
        parse_object("ais://b")


def test_what_a_uri_stands_for():
    client = Client("http://localhost:1")
    obj = parse_uri("s3://@uuid#group/b/dir/o").object_of(client)
    assert obj.uname == "aws/@uuid#group/b/dir/o"
    assert parse_uri("ais://b/o").of(client).namespace is None
    model = BucketModel(name="b", provider="ais", namespace=Namespace(uuid="u", name="g"))
    assert str(bucket_uri(model)) == "ais://@u#g/b"


def test_a_folder_ends_with_a_slash():
    """`rm -r ais://b/a` must not touch `ab`."""
    assert parse_uri("ais://b/a").folder == "a/"
    assert parse_uri("ais://b/a/").folder == "a/"
    assert parse_uri("ais://b").folder == ""
