"""Which objects a request is about."""

from __future__ import annotations

import pytest

from aistore.local import work
from aistore.local.errors import InvalidRequest
from aistore.local.jobs.selection import parse_selection


@pytest.fixture
def names(store, bucket):
    names = ["a-0", "a-1", "a-10", "a-2", "dir/sub/x", "dir/x"]
    for name in names:
        store.put(bucket, name, b"x")
    return names


def select(store, bucket, **value):
    return list(parse_selection(value, "delete-listrange").objects(store, bucket))


def test_a_list_is_taken_as_it_is_without_repetitions(store, bucket, names):
    assert select(store, bucket, objnames=["a-1", "nope", "a-1"], template="a-0") == ["a-1", "nope"]


def test_of_a_range_only_what_exists_is_selected(store, bucket, names):
    assert select(store, bucket, template="a-{0..3}") == ["a-0", "a-1", "a-2"]


def test_fmt_selects_every_number(store, bucket, names):
    assert select(store, bucket, template="a-%d") == ["a-0", "a-1", "a-10", "a-2"]


def test_a_prefix_is_recursive_unless_told_otherwise(store, bucket, names):
    assert select(store, bucket, template="dir/") == ["dir/sub/x", "dir/x"]
    assert select(store, bucket, **{"template": "dir/", "non-recurs": True}) == ["dir/x"]


def test_a_star_is_the_whole_bucket(store, bucket, names):
    assert select(store, bucket, template="*") == names


@pytest.mark.parametrize(
    "value", [None, {}, {"objnames": []}, {"template": ""}, {"objnames": None}, [], "x", 7]
)
def test_not_like_the_cluster_an_empty_selection_is_refused(value):  # defect 44
    with pytest.raises(InvalidRequest):
        parse_selection(value, "delete-listrange")


@pytest.mark.parametrize("value", [{"objnames": ["../x"]}, {"objnames": [1]}, {"template": "../x"}])
def test_names_that_leave_the_bucket_are_refused(value):
    with pytest.raises(InvalidRequest):
        parse_selection(value, "copy-listrange")


def test_a_template_of_too_many_names_is_refused():
    with pytest.raises(InvalidRequest, match="the limit is"):
        parse_selection({"template": "a-{0..99999}-{0..99999}"}, "copy-listrange")


@pytest.mark.parametrize("template", ["n-{0..9999999}", "a-%04d", "a-"])
def test_a_search_that_finds_nothing_ends_when_it_should(store, bucket, names, template):
    def end():
        raise work.AbandonedError

    with work.until(end), pytest.raises(work.AbandonedError):
        select(store, bucket, template=template)


def test_names_with_thousands_of_digits_are_selected(store, bucket):
    store.put(bucket, "n-" + "9" * 5000, b"x")
    store.put(bucket, "n-7", b"x")
    assert select(store, bucket, template="n-%d") == ["n-7"]
