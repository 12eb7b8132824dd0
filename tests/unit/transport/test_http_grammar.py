"""The clients take and refuse the same responses; see `http_grammar`."""

import contextlib
import time

import pytest
from http_grammar import MALFORMED_RESPONSES, TAKEN_RESPONSES, answering
from scripted import request_client

from aistore.local.etl.http_client import Connections
from aistore.sdk.errors import AISNetworkError, ETLDirectPutTransientError
from aistore.sdk.etl.webserver.blocking_stream import whole
from aistore.sdk.etl.webserver.outgoing import Courier
from aistore.sdk.etl.webserver.settings import ServerSettings
from aistore.sdk.etl.webserver.stage_put import put_to_stage
from aistore.sdk.transport.connection import open_connection
from aistore.sdk.transport.lane import Lane, LaneLostError
from aistore.sdk.transport.url import parse_origin

SETTINGS = ServerSettings(host_target="http://t:1", read_timeout=20.0, connect_timeout=20.0)


def by_sdk(url):
    client = request_client(url)
    try:
        return client.request("GET", "daemon").content
    finally:
        client.session_manager.close()


def by_sdk_streamed(url):
    client = request_client(url)
    try:
        with client.request("GET", "daemon", stream=True) as response:
            return b"".join(response.iter_content(2))
    finally:
        client.session_manager.close()


def by_pipeline(url):
    lane = Lane(open_connection(parse_origin(url), None, 20.0, 20.0))
    try:
        lane.send(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n", 1)
        return lane.answer()[2]
    finally:
        lane.close()


def by_etl_fetch(url):
    courier = Courier(SETTINGS)
    with contextlib.closing(courier):
        return courier.fetch(f"{url}/b/o")


def by_etl_put(url):
    courier = Courier(SETTINGS)
    with contextlib.closing(courier):
        return courier.put(f"{url}/b/o", b"x", {}).body


def by_next_stage(url):
    answer, _ = put_to_stage(f"{url}/b/o", b"x" * 100_000, {}, SETTINGS)
    return b"".join(whole(answer.body))


def by_local_cluster(url):
    connections = Connections()
    with contextlib.closing(connections):
        deadline = time.monotonic() + 20
        answer = connections.request(url, "GET", "/b/o", {}, connect_seconds=20, deadline=deadline)
        return answer.read(100, 20)


CLIENTS = [
    by_sdk,
    by_sdk_streamed,
    by_pipeline,
    by_etl_fetch,
    by_etl_put,
    by_next_stage,
    by_local_cluster,
]
INTERIM = {"after an interim response"}  # a pipeline takes none


@pytest.mark.parametrize("client", CLIENTS)
@pytest.mark.parametrize("name", TAKEN_RESPONSES)
def test_taken(client, name):
    if client is by_pipeline and name in INTERIM:
        return
    with answering(TAKEN_RESPONSES[name]) as url:
        assert client(url) == b"abc"


@pytest.mark.parametrize("client", CLIENTS)
@pytest.mark.parametrize("name", MALFORMED_RESPONSES)
def test_refused(client, name):
    refusals = (AISNetworkError, LaneLostError, ETLDirectPutTransientError, OSError)
    with answering(MALFORMED_RESPONSES[name]) as url, pytest.raises(refusals):
        client(url)
