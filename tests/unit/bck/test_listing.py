"""Listings: what is asked, how pages become one sequence, what is refused."""

import copy
import pickle
import threading
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from recording_client import RecordingClient
from scripted import Answer, scripted

from aistore.sdk.bucket import Bucket
from aistore.sdk.errors import AISError, ErrInvalidResponse, InvalidArgument
from aistore.sdk.list_object_flag import ListObjectFlag
from aistore.sdk.namespace import Namespace
from aistore.sdk.obj.object_iterator import ObjectIterator
from aistore.sdk.obj.object_props import ObjectProps
from aistore.sdk.types import BucketEntry, BucketList


def page(*names, token="", uuid="id"):
    return BucketList(
        UUID=uuid,
        ContinuationToken=token,
        Flags=0,
        Entries=[BucketEntry(n=name, s=3, f=64, c=2) for name in names] or None,
    )


class PagedClient(RecordingClient):
    """Lists `names` as the cluster does: sorted, cut into pages, with a token when a page is full."""

    def __init__(self, names, default_page=10):
        super().__init__()
        self.names = sorted(names)
        self.default_page = default_page

    def request_deserialize(self, method, **kwargs):
        self.calls.append((method, kwargs))
        value = kwargs["json"]["value"]
        after = value["continuation_token"] or value.get("start_after", "")
        found = [name for name in self.names if name.startswith(value["prefix"]) and name > after]
        size = value["pagesize"] or self.default_page
        token = found[size - 1] if len(found) >= size else ""
        return page(*found[:size], token=token)


NAMES = st.sets(st.text("ab/-.", min_size=1, max_size=6), max_size=40)


@settings(deadline=None)  # threads
@given(
    names=NAMES, page_size=st.integers(0, 12), prefix=st.sampled_from(["", "a", "ab"]), prefetch=st.booleans()
)
def test_pages_of_any_size_reassemble_the_bucket(names, page_size, prefix, prefetch):
    bucket = Bucket("bck", PagedClient(names))
    wanted = sorted(name for name in names if name.startswith(prefix))
    listed = bucket.list_objects_iter(prefix, page_size=page_size, prefetch=prefetch)
    assert [entry.name for entry in listed] == wanted
    assert [entry.name for entry in bucket.list_all_objects(prefix, page_size=page_size)] == wanted


@given(names=NAMES, start_after=st.text("ab/-.", min_size=1, max_size=6))
def test_start_after_is_sent_with_the_first_page_only(names, start_after):
    client = PagedClient(names, default_page=3)
    listed = Bucket("bck", client).list_objects_iter(start_after=start_after)
    assert [entry.name for entry in listed] == sorted(name for name in names if name > start_after)
    assert all("start_after" not in call[1]["json"]["value"] for call in client.calls[1:])


def test_request_of_one_page():
    client = RecordingClient(models=[page("a")])
    Bucket("bck", client, namespace=Namespace(name="ns")).list_objects(
        "p", "name", 5, "uuid", "token", [ListObjectFlag.CACHED], "t1", "inv", "after"
    )
    assert client.calls == [
        (
            "get",
            {
                "path": "buckets/bck",
                "res_model": BucketList,
                "params": {"provider": "ais", "namespace": "@#ns"},
                "headers": {"Accept": "application/msgpack", "Ais-Inv-Name": "inv"},
                "json": {
                    "action": "list",
                    "name": "",
                    "value": {
                        "prefix": "p",
                        "pagesize": 5,
                        "uuid": "uuid",
                        "props": "name",
                        "continuation_token": "token",
                        "flags": "32769",
                        "target": "t1",
                        "start_after": "after",
                    },
                },
            },
        )
    ]


def test_the_callers_flags_are_not_changed():
    flags = [ListObjectFlag.CACHED]
    Bucket("bck", RecordingClient(models=[page()])).list_objects(flags=flags, inventory_name="inv")
    assert flags == [ListObjectFlag.CACHED]


def test_not_like_2_0_a_cluster_in_transition_is_not_silent():
    answer = page("a")
    answer.Flags = 1
    with pytest.warns(UserWarning, match="in transition"):
        assert len(Bucket("bck", RecordingClient(models=[answer])).list_all_objects()) == 1


@pytest.mark.parametrize("page_size", [-1, -5, 2.5, "3", True])
@pytest.mark.parametrize("method", ["list_objects", "list_objects_iter", "list_all_objects"])
def test_bad_page_size_never_leaves(method, page_size):  # defect 42
    client = RecordingClient()
    with pytest.raises(InvalidArgument, match="page_size"):
        getattr(Bucket("bck", client), method)(page_size=page_size)
    assert client.calls == []


@pytest.mark.parametrize(
    "method", ["list_objects", "list_objects_iter", "list_all_objects", "list_all_objects_iter"]
)
def test_start_after_of_a_remote_bucket_is_refused_when_called(method):
    client = RecordingClient()
    with pytest.raises(NotImplementedError, match="aws"):
        getattr(Bucket("bck", client, "s3"), method)(start_after="a")
    assert client.calls == []


@given(
    names=NAMES,
    page_size=st.integers(0, 12),
    flags=st.lists(st.sampled_from(ListObjectFlag), max_size=4, unique=True),
    props=st.sampled_from(["", "name", "name,size,custom"]),
    start_after=st.sampled_from(["", "a", "b/"]),
)
def test_every_page_is_asked_for_alike(names, page_size, flags, props, start_after):
    client = PagedClient(names)
    listed = Bucket("bck", client).list_all_objects(
        props=props, page_size=page_size, flags=flags, start_after=start_after
    )
    assert [entry.name for entry in listed] == sorted(name for name in names if name > start_after)
    asked = [kwargs["json"]["value"] for _, kwargs in client.calls]
    same = {(value["flags"], value["props"], value["pagesize"], value["prefix"]) for value in asked}
    assert len(same) == 1
    assert [value["uuid"] for value in asked] == ["", *["id"] * (len(asked) - 1)]
    assert [bool(value["continuation_token"]) for value in asked] == [False, *[True] * (len(asked) - 1)]


@settings(deadline=None)  # threads
@given(
    tokens=st.dictionaries(st.text("abcd", max_size=1), st.text("abcd", max_size=1)), prefetch=st.booleans()
)
def test_tokens_in_any_order_end_or_are_an_error(tokens, prefetch):
    """Pages out of order and tokens that lead back must not make a listing go on for ever."""
    asked = []

    def fetch(uuid, token):
        asked.append(token)
        return page("x", "a", token=tokens.get(token, ""))

    with suppress(ErrInvalidResponse):
        assert len(list(ObjectIterator(fetch, prefetch=prefetch))) == 2 * len(asked)
    assert len(asked) <= len(tokens) + 2


def test_a_token_that_comes_again_is_an_error():
    pages = {"": page("c", token="c"), "c": page("a", token="a"), "a": page("b", token="c")}
    with pytest.raises(ErrInvalidResponse, match="does not advance: token 'c' comes for the second time"):
        list(ObjectIterator(lambda uuid, token: pages[token]))


class TestEntries:
    def test_objects_are_made_when_they_are_read(self):
        bucket = Bucket("bck", RecordingClient(models=[page("a", "b")]))
        entry = bucket.list_objects().entries[1]
        assert entry.object.name == "b"
        assert entry.object is entry.object
        assert entry.object.props_cached is None
        entry.object = "mine"
        assert entry.object == "mine"

    def test_without_a_bucket_there_is_none(self):
        assert BucketEntry(n="a").object is None

    def test_entries_pickle(self):
        bucket = Bucket("bck", None)
        listed = page("a")
        listed.bind_objects(bucket.object)
        restored = pickle.loads(pickle.dumps(listed))
        assert restored.entries[0].object.name == "a"

    @pytest.mark.parametrize(
        ("flags", "ok", "cached"), [(0, True, False), (1, False, False), (64, True, True), (32, True, False)]
    )
    def test_flags(self, flags, ok, cached):
        entry = BucketEntry(n="a", f=flags)
        assert (entry.is_ok(), entry.is_cached(), entry.flags) == (ok, cached, flags)

    def test_names_of_the_values(self):
        entry = BucketEntry(n="a", cs="sum", a="then", v="1", t="here", s=5, c=2)
        assert (entry.name, entry.checksum, entry.atime, entry.version) == ("a", "sum", "then", "1")
        assert (entry.location, entry.size, entry.copies) == ("here", 5, 2)
        props = entry.generate_object_props()
        assert (props.name, props.size, props.checksum_value, props.mirror_copies) == ("a", 5, "sum", 2)

    def test_names_of_a_page(self):
        listed = page("a", token="t", uuid="u")
        assert (listed.uuid, listed.continuation_token, listed.flags) == ("u", "t", 0)
        assert page().entries == []


class TestIterator:
    def test_empty_page_with_token_continues(self):  # defect 6
        pages = {"": page(token="b"), "b": page("c")}
        listed = ObjectIterator(lambda uuid, token: pages[token])
        assert [entry.name for entry in listed] == ["c"]

    def test_neither_id_nor_token_ends(self):  # defect 6
        asked = []

        def fetch(uuid, token):
            asked.append((uuid, token))
            return page("a", uuid="")

        assert [entry.name for entry in ObjectIterator(fetch)] == ["a"]
        assert asked == [("", "")]

    def test_token_that_leads_nowhere_is_an_error(self):
        listed = ObjectIterator(lambda uuid, token: page(token="same"))
        with pytest.raises(ErrInvalidResponse, match="does not advance"):
            next(listed)

    def test_stays_at_its_end(self):
        listed = ObjectIterator(lambda uuid, token: page("a"))
        assert [next(listed).name, *listed, *listed] == ["a"]

    def test_pages_are_fetched_on_demand(self):
        client = PagedClient("abcdef", default_page=2)
        listed = Bucket("bck", client).list_objects_iter()
        assert client.calls == []
        next(listed)
        next(listed)
        assert len(client.calls) == 1
        next(listed)
        assert len(client.calls) == 2

    def test_prefetch_fetches_the_next_page_while_this_one_is_used(self):
        fetched = threading.Event()
        pages = {"": page("a", token="a"), "a": page("b")}

        def fetch(uuid, token):
            if token:
                fetched.set()
            return pages[token]

        listed = ObjectIterator(fetch, prefetch=True)
        assert next(listed).name == "a"
        assert fetched.wait(10)
        assert [entry.name for entry in listed] == ["b"]

    def test_prefetch_raises_where_the_page_is_needed(self):
        def fetch(uuid, token):
            if token:
                raise AISError(500, "gone", "url", None)
            return page("a", token="a")

        listed = ObjectIterator(fetch, prefetch=True)
        assert next(listed).name == "a"
        with pytest.raises(AISError, match="gone"):
            next(listed)


def test_list_archive_has_that_archive_only():  # defect 13
    client = RecordingClient(models=[page("s.tar", "s.tar.gz", "s.tar.gz/x", "s.tar/a", "s.tar/b")])
    bucket = Bucket("bck", client)
    assert [entry.name for entry in bucket.list_archive("s.tar")] == ["s.tar/a", "s.tar/b"]
    assert [e.name for e in bucket.list_archive("s.tar", include_archive_obj=True)] == [
        "s.tar",
        "s.tar/a",
        "s.tar/b",
    ]
    assert client.calls[0][1]["json"]["value"]["flags"] == "8"


def test_objects_know_what_was_listed():
    client = RecordingClient(models=[page("a")])
    (obj,) = Bucket("bck", client).list_all_objects_iter()
    assert (obj.name, obj.props_cached.size) == ("a", 3)
    assert client.calls[0][1]["json"]["value"]["props"] == "name,size"


def test_objects_of_a_listing_pickle_with_what_was_listed_only():
    (obj,) = Bucket("bck", RecordingClient(models=[page("a")])).list_all_objects_iter()
    state = obj.__getstate__()
    assert type(state["_props"]) is ObjectProps
    assert copy.copy(obj).props_cached.size == 3


def test_urls():
    client = RecordingClient(models=[page("a")])
    (url,) = Bucket("bck", client).list_urls(prefix="a")
    assert url == "http://recording/v1/objects/bck/a?provider=ais"
    assert client.calls[0][1]["json"]["value"]["props"] == "name"


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (b"\x84\xa4UUID", "application/msgpack"),
        (b"\x93\x01\x02\x03", "application/msgpack"),
        (b"<html>", "text/html"),
        (b'{"uuid": "JSON names"}', "application/json"),
    ],
)
def test_malformed_pages_are_named(content, kind):  # defect 21
    with scripted(lambda request: Answer(content, headers={"Content-Type": kind})) as (_, client):
        with pytest.raises(ErrInvalidResponse, match="BucketList"):
            next(Bucket("bck", client).list_objects_iter())
