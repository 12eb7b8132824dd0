"""What requests, listings and imports cost: in calls, look-ups and requests, not in seconds."""

import os
import subprocess
import sys
import threading

import msgspec
import pytest
from objects import Stored, named
from scripted import Answer, scripted

from aistore.sdk.bucket import Bucket

PAGES = 4


@pytest.fixture
def obj():
    with scripted(Stored(b"x" * 100).script) as (_, client):
        obj = named(client)
        obj.get_reader().read_all()  # what is imported or made once
        yield obj


def test_a_request_does_not_walk_the_environment(obj, monkeypatch):  # defect 26
    class Unread(dict):
        def __iter__(self):
            raise AssertionError("the environment is read on each call")

        keys = items = get = __getitem__ = __iter__

    monkeypatch.setattr(os, "environ", Unread())
    assert obj.get_reader().read_all() == b"x" * 100


class Listing:
    """Gives pages; waits with the second until the gate is open."""

    def __init__(self):
        self.asked = []
        self.more = threading.Event()

    def __call__(self, request):
        number = int(msgspec.json.decode(request.body)["value"]["continuation_token"] or 0)
        self.asked.append(number)
        if number:
            self.more.set()
        page = {
            "UUID": "u",
            "Flags": 0,
            "Entries": [{"n": f"{number}-{n}"} for n in range(3)],
            "ContinuationToken": str(number + 1) if number + 1 < PAGES else "",
        }
        return Answer(msgspec.msgpack.encode(page), headers={"Content-Type": "application/msgpack"})


def test_the_next_page_is_asked_for_while_one_is_used():  # defect 25
    listing = Listing()
    with scripted(listing) as (_, client):
        entries = Bucket("bck", client).list_objects_iter(prefetch=True)
        assert next(entries).name == "0-0"
        assert listing.more.wait(20)
        assert [entry.name for entry in entries] == [f"{p}-{n}" for p in range(PAGES) for n in range(3)][1:]
    assert listing.asked == list(range(PAGES))


def test_entries_become_objects_only_when_they_are_asked_for(monkeypatch):  # defect 25
    with scripted(Listing()) as (_, client):
        bucket = Bucket("bck", client)
        made = []
        make = bucket.object
        monkeypatch.setattr(bucket, "object", lambda *args: made.append(args) or make(*args))
        entries = bucket.list_all_objects()
        assert made == []
        assert entries[2].object.name == "0-2"
        assert len(made) == 1


def test_import_needs_no_module_that_some_systems_lack():  # defect 33
    code = "import sys; sys.modules.update(resource=None, fcntl=None); import aistore.sdk, aistore.sdk.etl"
    subprocess.run([sys.executable, "-W", "error", "-c", code], check=True)
