"""Paths and URLs: what they address, and that each is written in one way."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aistore.fs import AISFileSystem, paths
from aistore.sdk.errors import InvalidArgument, InvalidBckProvider
from aistore.sdk.namespace import Namespace
from aistore.sdk.provider import Provider

URLS = [
    # URL, path, place, bucket, key, URL of the path
    ("ais://b/k", "b/k", "", "b", "k", "ais://b/k"),
    ("ais://b", "b", "", "b", "", "ais://b"),
    ("ais://b/", "b", "", "b", "", "ais://b"),
    ("ais://", "", "", "", "", "ais://"),
    ("b/d/k/", "b/d/k", "", "b", "d/k", "ais://b/d/k"),
    ("/b/k", "b/k", "", "b", "k", "ais://b/k"),
    ("b//k", "b//k", "", "b", "/k", "ais://b//k"),
    ("ais://b/x@y#z?q=1&%25 ü", "b/x@y#z?q=1&%25 ü", "", "b", "x@y#z?q=1&%25 ü", "ais://b/x@y#z?q=1&%25 ü"),
    ("ais://b/ais://k", "b/ais://k", "", "b", "ais://k", "ais://b/ais://k"),
    ("ais://b/line\nfeed", "b/line\nfeed", "", "b", "line\nfeed", "ais://b/line\nfeed"),
    ("ais://@#team/b/k", "@#team/b/k", "@#team", "b", "k", "ais://@#team/b/k"),
    ("ais://#team/b/k", "@#team/b/k", "@#team", "b", "k", "ais://@#team/b/k"),
    ("ais://@R#team/b/k", "@R#team/b/k", "@R#team", "b", "k", "ais://@R#team/b/k"),
    ("ais://@R/b", "@R/b", "@R", "b", "", "ais://@R/b"),
    ("ais+s3://b/k", "aws@/b/k", "aws@", "b", "k", "ais+aws://b/k"),
    ("ais+gs://", "gcp@", "gcp@", "", "", "ais+gcp://"),
    ("ais+ais://b/k", "ais@/b/k", "ais@", "b", "k", "ais+ais://b/k"),
    ("ais+aws://@R#team/b", "aws@R#team/b", "aws@R#team", "b", "", "ais+aws://@R#team/b"),
]


@pytest.mark.parametrize(("url", "path", "place", "bucket", "key", "canonical"), URLS)
def test_urls(url, path, place, bucket, key, canonical):
    assert paths.strip(url) == path
    assert paths.split(path) == (place, bucket, key)
    assert paths.unstrip(path) == canonical
    assert paths.strip(canonical) == paths.strip(path) == path


KEYS = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)


@given(place=st.sampled_from(["", "@#n", "@U", "@U#n", "aws@", "aws@U#n"]), key=KEYS)
def test_any_key_survives_a_url(place, key):
    path = paths.strip(f"{place}/bck/{key}" if place else f"bck/{key}")
    assert paths.strip(paths.unstrip(path)) == path
    location = paths.split(path)
    assert (location.place, location.bucket) == (place, "bck")
    assert location.key == key.rstrip("/")


@pytest.mark.parametrize(
    ("place", "provider", "namespace"),
    [
        ("", None, None),
        ("@", None, None),
        ("@U#n", None, Namespace("U", "n")),
        ("aws@", Provider.AMAZON, Namespace()),
    ],
)
def test_places(place, provider, namespace):
    assert paths.parse_place(place) == (provider, namespace)


@pytest.mark.parametrize(
    ("given_", "namespace"),
    [
        (None, None),
        ("", None),
        ("team", Namespace("", "team")),
        ("#team", Namespace("", "team")),
        ("@U", Namespace("U", "")),
        ("@U#team", Namespace("U", "team")),
        (Namespace("U", "n"), Namespace("U", "n")),
    ],
)
def test_namespaces(given_, namespace):
    assert paths.parse_namespace(given_) == namespace


@pytest.mark.parametrize("bad", ["a#b#c", "@a/b", 7])
def test_bad_namespaces_are_refused(bad):
    with pytest.raises(InvalidArgument, match="namespace"):
        paths.parse_namespace(bad)


@pytest.mark.parametrize(
    ("url", "error"),
    [
        ("ais+ftp://b/k", InvalidBckProvider),
        ("ais://b@x@y/k", InvalidArgument),
        ("ais://Bucket@#n/k", InvalidArgument),
        ("nope@#n/b", InvalidBckProvider),
    ],
)
def test_bad_urls_are_refused(url, error):
    with pytest.raises(error):
        paths.strip(url)


class TestDefaultsOfAFilesystem:
    @pytest.fixture
    def fs(self):
        return AISFileSystem(
            "http://localhost:1", provider="aws", namespace="@U#team", skip_instance_cache=True
        )

    @pytest.mark.parametrize(
        ("path", "provider", "namespace"),
        [
            ("b/k", Provider.AMAZON, Namespace("U", "team")),
            ("ais+ais://b/k", Provider.AIS, None),
            ("@#other/b/k", Provider.AMAZON, Namespace("", "other")),
            ("ais+gcp://@#other/b/k", Provider.GOOGLE, Namespace("", "other")),
        ],
    )
    def test_bucket_of_a_path(self, fs, path, provider, namespace):
        bucket = fs.bucket_of(fs.locate(path))
        assert (bucket.name, bucket.provider, bucket.namespace) == ("b", provider, namespace)

    def test_urls_name_the_provider(self, fs):
        assert fs.unstrip_protocol("b/k") == "ais+aws://@U#team/b/k"
        assert fs.unstrip_protocol("ais@/b/k") == "ais+ais://b/k"
        assert fs.unstrip_protocol("ais+gcp://b/k") == "ais+gcp://b/k"

    def test_both_spellings_are_the_same_to_the_listings_cache(self, fs):
        cached = AISFileSystem(
            "http://localhost:1", provider="aws", use_listings_cache=True, skip_instance_cache=True
        )
        for path in ("b", "b/d", "b/d/e", "ais@/b/d", "b/other", "aws@/b/d"):
            cached.dircache[path] = []
        cached.invalidate_cache("ais+s3://b/d/new")
        assert set(cached.dircache) == {"b/d/e", "ais@/b/d", "b/other"}
        cached.invalidate_cache("b/d")
        assert set(cached.dircache) == {"ais@/b/d", "b/other"}
        cached.invalidate_cache()
        assert not len(cached.dircache)
