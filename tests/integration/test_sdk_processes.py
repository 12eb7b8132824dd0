"""Nouns in other processes, whichever way these are started and however many threads use them."""

import logging
import multiprocessing
import pickle
import threading
import warnings

import pytest
from objects import use_nouns

from aistore import Client
from aistore.sdk.errors import APIRequestError
from aistore.sdk.etl import ETLConfig
from aistore.sdk.retry_config import RetryConfig

THREADS = 4
SECRET = "very-secret-token"


@pytest.fixture
def nouns(client, bucket):
    obj = bucket.object("a b")
    obj.get_writer().put_content(b"content")
    etl = ETLConfig("etl-name", args={"size": 3})
    return client, bucket, obj, etl, client.batch([obj, obj]), obj.get_reader()


def expected(bucket):
    return (True, ["a b"], b"content", {"size": 3}, [b"content", b"content"], b"content")


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_nouns_work_in_other_processes(nouns, bucket, method):
    busy = [threading.Thread(target=nouns[2].get_reader().read_all) for _ in range(THREADS)]
    for thread in busy:
        thread.start()
    context = multiprocessing.get_context(method)
    queue = context.Queue()
    process = context.Process(target=use_nouns, args=(nouns, queue))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a fork in a program with threads is just what is tested
        process.start()
    for thread in busy:
        thread.join(60)
    assert queue.get(timeout=60) == [expected(bucket)] * THREADS
    process.join(30)
    assert process.exitcode == 0
    queue.close()
    queue.join_thread()
    assert nouns[2].get_reader().read_all() == b"content"


def test_nouns_pickle_small_and_compare(nouns):
    client = nouns[0]._request_client
    for number in range(2000):  # what it learnt of many buckets is bounded, and stays here
        client.checksum_types[f"bucket-{number}", ""] = "md5"
    assert len(client.checksum_types) <= 1000
    for noun in nouns:
        data = pickle.dumps(noun)
        assert len(data) < 3000, type(noun)
    client, bucket, obj, etl = (pickle.loads(pickle.dumps(noun)) for noun in nouns[:4])
    assert (client, bucket, obj, etl) == nouns[:4]
    assert pickle.loads(pickle.dumps(nouns[4])).requests_list == nouns[4].requests_list
    client.close()


def test_tokens_are_never_shown(endpoint, bucket, caplog):
    caplog.set_level(logging.DEBUG)
    with Client(endpoint, token=SECRET, retry_config=RetryConfig.default()) as client:
        private = client.bucket(bucket.name)
        obj = private.object("o")
        obj.get_writer().put_content(b"x")
        shown = [client, private, obj, private.objects(obj_names=["o"]), client.batch(obj), obj.get_reader()]
        shown += [client._request_client, client._request_client.token, client.cluster(), client.job("j")]
        with pytest.raises(APIRequestError) as caught:
            private.object("missing").get_reader().read_all()
        error = caught.value
        shown += [error, error.req, vars(error), pickle.loads(pickle.dumps(error))]
        texts = [text for one in shown for text in (repr(one), str(one) if one != SECRET else "")]
        texts += [one._repr_html_() for one in shown if hasattr(one, "_repr_html_")]
    assert caplog.text
    assert not [text for text in [*texts, caplog.text] if SECRET in text]


def test_notebooks(client, bucket):
    assert client._repr_html_().startswith("<b>Client</b> <code>http://127.0.0.1")
    assert bucket._repr_html_() == f"<b>Bucket</b> <code>ais://{bucket.name}</code>"
    assert bucket.object("<a>")._repr_html_() == f"<b>Object</b> <code>ais://{bucket.name}/&lt;a&gt;</code>"
    group = bucket.objects(obj_names=["a", "b"])
    assert (
        group._repr_html_()
        == f"<b>ObjectGroup</b> <code>ais://{bucket.name}</code> [&#x27;a&#x27;, &#x27;b&#x27;]"
    )
