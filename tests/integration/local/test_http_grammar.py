"""The local cluster takes and refuses the same requests as the ETL servers; see `http_grammar`."""

import pytest
from http_grammar import MALFORMED_REQUESTS, TAKEN_REQUESTS, ask


@pytest.fixture(scope="module")
def bucket(cluster):
    with cluster.client() as client:
        yield client.bucket("http-grammar").create(exist_ok=True)


def send(cluster, bucket, request):
    return ask(cluster.endpoint, request.replace(b"TARGET", f"v1/objects/{bucket.name}/o".encode()))


@pytest.mark.parametrize("name", TAKEN_REQUESTS)
def test_taken(cluster, bucket, name):
    assert send(cluster, bucket, TAKEN_REQUESTS[name]).split(b" ", 2)[1] in (b"200", b"307")


@pytest.mark.parametrize("name", MALFORMED_REQUESTS)
def test_refused(cluster, bucket, name):
    response = send(cluster, bucket, MALFORMED_REQUESTS[name])
    assert response.startswith(b"HTTP/1.1 400 ")
    assert b"connection: close" in response.lower()
    assert response.count(b"HTTP/1.1 ") == 1


def test_a_refusal_does_not_stand_for_the_response_before_it(cluster):
    good = b"GET /v1/health HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
    response = ask(cluster.endpoint, good + b"nonsense\r\n\r\n")
    assert response.startswith(b"HTTP/1.1 200 ")
