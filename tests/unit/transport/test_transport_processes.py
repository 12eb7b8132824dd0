"""Sockets and processes: none crosses a fork."""

import multiprocessing
import os
import threading
import warnings

import pytest
import requests
from peer import answer, fetch_text

from aistore import Client


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_other_processes_use_connections_of_their_own(peers, method):
    peer = peers(answer(200, b"x"))
    client = Client(peer.url)
    client._request_client.request("get", "x")
    context = multiprocessing.get_context(method)
    queue = context.Queue()
    process = context.Process(target=fetch_text, args=(client, queue))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a fork in a program with threads is just what is tested
        process.start()
    assert queue.get(timeout=60) == "x"
    process.join(30)
    assert process.exitcode == 0
    client._request_client.request("get", "x")
    assert peer.connections == 2
    client.close()
    queue.close()
    queue.join_thread()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork")
def test_a_child_can_neither_read_nor_end_the_parents_answer(peers):  # defect 36
    gate = threading.Event()

    def script(peer, line):
        line.read()
        line.send(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n01234")
        gate.wait(20)
        line.send(b"56789")

    client = Client(peers(script=script).url)
    reply = client._request_client.request("get", "x", stream=True)
    assert reply.raw.read(3) == b"012"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        pid = os.fork()
    if not pid:
        status = 1
        try:
            reply.raw.read()
        except requests.exceptions.ChunkedEncodingError:
            reply.close()
            client.close()
            status = 0
        finally:
            os._exit(status)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    gate.set()
    assert reply.raw.read() == b"3456789"
    reply.close()
    client.close()
