"""Direct routing on a cluster of three targets: the same tests as without, and nothing to be seen of it."""

import logging
import threading

from aistore.local import LocalCluster
from aistore.wire.names import object_path
from tests.integration.test_sdk_batch import *  # noqa: F403 - these tests run with another client
from tests.integration.test_sdk_objects import *  # noqa: F403


def test_requests_skip_the_proxy(client, bucket, endpoint, caplog):
    names = [f"dir {n}/ü%{n}" for n in range(30)]
    for name in names:
        bucket.object(name).get_writer().put_content(name.encode())
    caplog.set_level(logging.DEBUG, "aistore.sdk.transport")
    answers = [bucket.client.request("GET", **_where(bucket.object(name))) for name in names]
    assert [answer.content for answer in answers] == [name.encode() for name in names]
    # All but those that ask the proxy for a permit, once a second.
    assert sum(bool(answer.history) for answer in answers) < len(names) / 2
    assert all(endpoint not in answer.url for answer in answers)
    assert "off" not in caplog.text


def _where(obj):
    return {"path": object_path(obj.bucket_name, obj.name), "params": obj.query_params}


def test_threads_share_a_client(client, bucket):
    failures = []

    def work(number):
        try:
            for n in range(20):
                obj = bucket.object(f"{number}/{n}")
                obj.get_writer().put_content(b"%d" % n)
                assert obj.get_reader().read_all() == b"%d" % n
                assert obj.head()["Content-Length"] == str(len(str(n)))
        except Exception as err:
            failures.append(err)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert not failures


def test_with_accounts_redirects_are_signed_and_requests_go_through_the_proxy(caplog):
    with LocalCluster(targets=2, auth=True) as cluster, cluster.client(direct=True) as client:
        bucket = client.bucket("guarded").create()
        for _ in range(2):
            bucket.object("a").get_writer().put_content(b"data")
            assert bucket.object("a").get_reader().read_all() == b"data"
    assert "signed" in caplog.text
