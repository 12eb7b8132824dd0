"""Every server, every way of talking, every way of delivering: one outcome."""

import socket
import sys
from urllib.parse import quote

import pytest
import requests
from etl_classes import CLASSES, WRONG
from etl_peers import open_sockets, put_full_duplex, wait_until

UNAME = "ais/@#/bck/dir/ob ject+1%.txt"
NAME = "bck/dir/ob ject+1%.txt"
BODIES = {0: b"", 1: b"x", 65536: b"ab" * 32768, 8 << 20: b"a\n" * (4 << 20)}


def ask(server, source, body, target, tmp_path, *, args="", headers=None, **kwargs):
    """Ask a server for an object in one of the ways that targets do."""
    path = tmp_path / "ob ject+1%.txt"
    path.write_bytes(body)
    target.objects[UNAME] = body
    params = {"etl_args": args} if args else {}
    if "fqn" in source:
        params["etl_fqn"] = quote(str(path), safe="")
    if source.startswith("pull"):
        url = f"{server.url}/{quote(UNAME, safe='@')}"
        return requests.get(url, params=params, headers=headers, timeout=30, **kwargs)
    data = body
    if source == "push-fqn":
        data = b""
    elif source == "push-chunked":
        data = iter([body[i : i + 50_000] for i in range(0, len(body), 50_000)])
    return requests.put(
        f"{server.url}/{quote(NAME)}", params=params, headers=headers, data=data, timeout=30, **kwargs
    )


@pytest.mark.parametrize("source", ["push", "push-chunked", "push-fqn", "pull", "pull-fqn"])
@pytest.mark.parametrize("size", [0, 1, 65536])
def test_inline(start, kind, streaming, source, size, target, tmp_path):
    reply = ask(start(kind, streaming), source, BODIES[size], target, tmp_path)
    assert (reply.status_code, reply.content) == (200, BODIES[size].upper())
    assert reply.headers["Content-Type"].split(";")[0] == (
        "application/octet-stream" if streaming else "text/x-upper"
    )


def test_inline_large(start, kind, streaming, target, tmp_path):
    body = BODIES[8 << 20]
    assert ask(start(kind, streaming), "pull", body, target, tmp_path).content == body.upper()
    # A stream is answered while it is being sent, so its client must read while it sends, as targets do.
    status, answer = put_full_duplex(start(kind, streaming).netloc, "/bck/o", body)
    assert (status, answer) == (200, body.upper())


@pytest.mark.parametrize("source", ["push", "push-fqn", "pull"])
@pytest.mark.parametrize("size", [0, 65536])
def test_direct_put(start, kind, streaming, source, size, target, tmp_path):
    server = start(kind, streaming)
    destination = f"http://{target.netloc}/ais%2F@%23%2Fdst%2Fo%20b.txt?owt=3&uuid=j1"
    reply = ask(server, source, BODIES[size], target, tmp_path, headers={"Ais-Node-Url": destination})
    assert (reply.status_code, reply.content) == (204, b"")
    assert reply.headers.get("Ais-Direct-Put-Length") == (str(size) if size else None)
    put = target.seen[-1]
    assert put.method == "PUT"
    assert put.path == "/v1/etl/_object/some-etl/SECRET/ais%2F@%23%2Fdst%2Fo%20b.txt"
    assert put.query == "owt=3&uuid=j1"
    assert put.body == BODIES[size].upper()
    assert "Ais-Node-Url" not in put.headers
    if streaming:
        assert put.headers["Transfer-Encoding"] == "chunked"
    else:
        assert put.headers["Content-Length"] == str(size)


def test_a_destination_is_served_without_direct_put_too(start, target, tmp_path):  # init_class point 7
    """A target names a destination for remote objects even with `direct_put=False`; the header decides."""
    server = start("threaded", DIRECT_PUT="false", direct_put="false")
    reply = ask(
        server, "push", b"abc", target, tmp_path, headers={"Ais-Node-Url": f"http://{target.netloc}/dst"}
    )
    assert (reply.status_code, target.seen[-1].body) == (204, b"ABC")


@pytest.mark.parametrize("source", ["push", "pull-fqn"])
def test_pipeline_of_three_kinds_to_a_target(start, streaming, source, target, tmp_path):
    servers = [start(kind, streaming) for kind in ("fastapi", "flask", "threaded")]
    destination = f"http://{target.netloc}/ais%2F@%23%2Fdst%2Fx?uuid=j"
    pipeline = ",".join([*(f"http://{s.netloc}" for s in servers[1:]), destination])
    reply = ask(
        servers[0], source, b"abc", target, tmp_path, args="a&b c", headers={"Ais-Node-Url": pipeline}
    )
    assert (reply.status_code, reply.headers["Ais-Direct-Put-Length"]) == (204, "3")
    assert (target.seen[-1].body, target.seen[-1].query) == (b"ABC", "uuid=j&etl_args=a%26b+c")


def test_pipeline_back_to_the_caller(start, kind, streaming, target, tmp_path):
    second = start("threaded" if kind != "threaded" else "fastapi")
    pipeline = f"http://{second.netloc}"
    reply = ask(start(kind, streaming), "push", b"abc", target, tmp_path, headers={"Ais-Node-Url": pipeline})
    assert (reply.status_code, reply.content) == (200, b"ABC")
    assert "Ais-Direct-Put-Length" not in reply.headers


def test_every_stage_sees_the_same_path(
    start, kind, streaming, target, tmp_path
):  # defect 16, init_class point 8
    """Decoded `bucket/object`, on every server, whatever the way of talking."""
    server = start(kind, streaming)
    for source in ("push", "push-fqn", "pull", "pull-fqn"):
        assert ask(server, source, b"x", target, tmp_path, args="path").content == NAME.encode()
    next_stage = start("flask" if kind != "flask" else "threaded")
    headers = {"Ais-Node-Url": f"http://{next_stage.netloc}"}
    for source in ("push", "pull"):
        reply = ask(server, source, b"x", target, tmp_path, args="path", headers=headers)
        assert reply.content == NAME.encode()


def test_an_empty_result_of_the_last_stage_comes_back(
    start, kind, streaming, target, tmp_path
):  # init_class point 4
    """As 204 the caller would take it for delivered, and the object would be lost."""
    headers = {"Ais-Node-Url": f"http://{start('threaded').netloc}"}
    for args in ("empty", ""):
        reply = ask(start(kind, streaming), "push", b"", target, tmp_path, args=args, headers=headers)
        assert (reply.status_code, reply.content) == (200, b"")


def test_transform_error_before_the_first_byte(start, kind, streaming, target, tmp_path):
    for source in ("push", "push-fqn", "pull"):
        reply = ask(start(kind, streaming), source, b"abc", target, tmp_path, args="fail")
        assert reply.status_code == 500
        assert "asked to fail" in reply.text


def test_transform_error_is_not_delivered(start, kind, streaming, target, tmp_path):
    headers = {"Ais-Node-Url": f"http://{target.netloc}/dst"}
    reply = ask(start(kind, streaming), "push", b"abc", target, tmp_path, args="fail", headers=headers)
    assert (reply.status_code, "asked to fail" in reply.text, target.seen) == (500, True, [])


@pytest.mark.parametrize("source", ["push", "pull"])
def test_what_is_not_bytes_is_an_error_of_the_transform(start, kind, streaming, source, target, tmp_path):
    """Not an empty object, which only an empty result is."""
    server, headers = start(kind, streaming), {"Ais-Node-Url": f"http://{target.netloc}/dst"}
    for wrong in WRONG:
        reply = ask(server, source, b"abc", target, tmp_path, args=wrong)
        words = "surrogates" if wrong == "surrogate" else "expected bytes"
        assert (reply.status_code, words in reply.text) == (500, True), (wrong, reply.text)
        target.seen.clear()
        reply = ask(server, source, b"abc", target, tmp_path, args=wrong, headers=headers)
        assert (reply.status_code, [put for put in target.seen if put.method == "PUT"]) == (500, [])
    reply = ask(server, source, b"abc", target, tmp_path, args="empty")
    assert (reply.status_code, reply.content) == (200, b"")


def test_a_wrong_chunk_midway_is_an_incomplete_answer(start, kind, target, tmp_path):
    with pytest.raises(requests.exceptions.ChunkedEncodingError):
        _ = ask(start(kind, True), "push", b"abc", target, tmp_path, args="late-none").content
    headers = {"Ais-Node-Url": f"http://{target.netloc}/dst"}
    reply = ask(start(kind, True), "push", b"abc", target, tmp_path, args="late-none", headers=headers)
    assert (reply.status_code, "yielded NoneType, expected bytes" in reply.text) == (500, True)
    assert not [put for put in target.seen if put.complete]


def test_transform_error_midway_is_an_incomplete_answer(start, kind, target, tmp_path):  # defect 1
    with pytest.raises(requests.exceptions.ChunkedEncodingError):
        _ = ask(start(kind, True), "push", b"abc", target, tmp_path, args="late-fail").content


def test_transform_error_midway_is_an_incomplete_put(start, kind, target, tmp_path):
    headers = {"Ais-Node-Url": f"http://{target.netloc}/dst"}
    reply = ask(start(kind, True), "push", b"abc", target, tmp_path, args="late-fail", headers=headers)
    assert (reply.status_code, "asked to fail midway" in reply.text) == (500, True)
    assert not [put for put in target.seen if put.complete]


def test_missing_object_and_missing_file(start, kind, streaming, target, tmp_path):
    server = start(kind, streaming)
    reply = requests.get(f"{server.url}/{quote('ais/@#/bck/none', safe='@')}", timeout=10)
    assert (reply.status_code, "Target request failed" in reply.text) == (404, True)
    params = {"etl_fqn": quote(str(tmp_path / "none"), safe="")}
    reply = requests.put(f"{server.url}/bck/none", params=params, timeout=10)
    assert (reply.status_code, "Error processing object bck/none" in reply.text) == (404, True)


def test_malformed_pipeline(start, kind, streaming):
    for header in ("a,,b", ",http://server:8080/path", "http://server:8080/path,"):
        reply = requests.put(
            f"{start(kind, streaming).url}/b/o", data=b"x", headers={"Ais-Node-Url": header}, timeout=10
        )
        assert reply.status_code == 400
        assert "Invalid pipeline header: Pipeline header contains empty entry" in reply.text


def test_next_hop_fails(start, kind, streaming, target, tmp_path):
    target.script = [507]
    headers = {"Ais-Node-Url": f"http://{target.netloc}/dst"}
    reply = ask(start(kind, streaming), "push", b"abc", target, tmp_path, headers=headers)
    assert (reply.status_code, reply.text, len(target.seen)) == (507, "scripted 507", 1)


def test_next_hop_refuses_the_connection(start, kind, streaming, target, tmp_path, unused_port):
    """At once, on every server: waiting does not help."""
    headers = {"Ais-Node-Url": f"http://127.0.0.1:{unused_port}/dst"}
    for source in ("push", "pull"):
        reply = ask(start(kind, streaming), source, b"abc", target, tmp_path, headers=headers)
        assert (reply.status_code, "direct_put to" in reply.text) == (502, True)


def test_next_hop_resets_once(start, kind, streaming, target, tmp_path):
    """A transient failure is retried from the source, which is read again."""
    headers = {"Ais-Node-Url": f"http://{target.netloc}/dst"}
    source = "pull-fqn" if streaming else "push-fqn"
    target.script = ["reset"]
    reply = ask(start(kind, streaming), source, b"abc", target, tmp_path, headers=headers)
    assert (reply.status_code, [put.body for put in target.seen]) == (204, [b"ABC"])


def test_next_hop_resets_for_good(start, kind, target, tmp_path):
    headers = {"Ais-Node-Url": f"http://{target.netloc}/dst"}
    target.script = ["reset"] * 4
    reply = ask(start(kind, True), "push-fqn", b"abc", target, tmp_path, headers=headers)
    assert (reply.status_code, "Ais-Etl-Retry-Reason" in reply.headers) == (502, False)


def test_next_hop_and_target_that_hang(start, kind, target, tmp_path):
    """Every wait has an end."""
    server = start(kind, AIS_ETL_READ_TIMEOUT="0.3", AIS_DIRECT_PUT_RETRIES="0")
    target.script = ["hang", "hang"]
    headers = {"Ais-Node-Url": f"http://{target.netloc}/dst"}
    assert ask(server, "push", b"abc", target, tmp_path, headers=headers).status_code == 502
    assert ask(server, "pull", b"abc", target, tmp_path).status_code == 502


def test_target_that_cannot_be_reached(start, kind, streaming, target, tmp_path):
    # The first reset may be that of a kept connection, which costs another try on a new one.
    target.script = ["reset", "reset"]
    reply = ask(start(kind, streaming), "pull", b"abc", target, tmp_path)
    assert (reply.status_code, "from the target" in reply.text) == (502, True)


def test_a_fetch_that_ends_early_is_not_taken_for_a_short_object(start, kind, streaming, target, tmp_path):
    target.script = ["cut"]
    headers = {"Ais-Node-Url": f"http://{target.netloc}/dst"}
    reply = ask(start(kind, streaming), "pull", b"abc", target, tmp_path, headers=headers)
    assert reply.status_code == (500 if streaming else 502)
    assert not [put for put in target.seen if put.method == "PUT" and put.complete]


def test_one_shot_body_is_not_replayed(start, kind, target, tmp_path):  # init_class point 9
    """The cluster is asked to repeat the request, which it does for requests with a body."""
    headers = {"Ais-Node-Url": f"http://{target.netloc}/dst"}
    target.script = ["reset"]
    reply = ask(start(kind, True), "push", b"abc", target, tmp_path, headers=headers)
    assert (reply.status_code, reply.headers["Ais-Etl-Retry-Reason"]) == (503, "direct-put-transient")
    assert target.seen == []


@pytest.mark.parametrize(
    "destination",
    [
        "http://169.254.169.254/latest/meta-data",
        "http://8.8.8.8/x",
        "http://user:pw@127.0.0.1/x",
        "ftp://127.0.0.1/x",
        "http://[::ffff:169.254.169.254]/x",
        "http://metadata.google.internal/x",
        "http://0.0.0.0/x",
        "file:///etc/passwd",
    ],
)
def test_refused_destinations(start, kind, destination, target, tmp_path):
    reply = ask(start(kind), "push", b"abc", target, tmp_path, headers={"Ais-Node-Url": destination})
    assert (reply.status_code, "destination" in reply.text) == (403, True)


def test_redirects_are_not_followed(start, kind, streaming, target, tmp_path):
    target.answer = (307, b"", {"Location": f"http://{target.netloc}/elsewhere"})
    headers = {"Ais-Node-Url": f"http://{target.netloc}/dst"}
    reply = ask(
        start(kind, streaming), "push", b"abc", target, tmp_path, headers=headers, allow_redirects=False
    )
    assert (reply.status_code, len(target.seen)) == (307, 1)


def test_allow_list(start, kind, target, tmp_path):
    server = start(kind, AIS_ETL_ALLOWED_HOSTS="10.9.0.0/16,good-host")
    for destination in ("http://10.8.0.1/x", "http://bad-host/x"):
        reply = ask(server, "push", b"abc", target, tmp_path, headers={"Ais-Node-Url": destination})
        assert (reply.status_code, "AIS_ETL_ALLOWED_HOSTS" in reply.text) == (403, True)
    own = {"Ais-Node-Url": f"http://{target.netloc}/dst"}
    assert ask(server, "push", b"abc", target, tmp_path, headers=own).status_code == 204


def test_files_outside_the_mount_paths_are_not_served(start, kind, streaming, tmp_path):  # defect 17
    for server in (start(kind, streaming), start(kind, streaming, AIS_ETL_FQN_ROOTS="")):
        for path in (
            "/etc/passwd",
            f"{tmp_path}/../../../../../../etc/passwd",
            "/mp/@ais/b/%ob/../../../../etc/passwd",
        ):
            for method in ("PUT", "GET"):
                params = {"etl_fqn": quote(path, safe="")}
                reply = requests.request(method, f"{server.url}/b/o", params=params, timeout=10)
                assert (reply.status_code, "etl_fqn" in reply.text) == (403, True)


def test_files_laid_out_as_on_a_target_are_served_by_default(start, kind, tmp_path):
    file = tmp_path / "mp1" / "@ais" / "@uuid" / "#ns" / "bck" / "%ob" / "dir" / "o.txt"
    file.parent.mkdir(parents=True)
    file.write_bytes(b"abc")
    server = start(kind, AIS_ETL_FQN_ROOTS="")
    params = {"etl_fqn": quote(str(file), safe="")}
    assert requests.put(f"{server.url}/bck/dir/o.txt", params=params, timeout=10).content == b"ABC"
    link = file.parent / "link"
    link.symlink_to("/etc/passwd")
    params = {"etl_fqn": quote(str(link), safe="")}
    assert requests.put(f"{server.url}/bck/dir/link", params=params, timeout=10).status_code == 403


def test_direct_file_access_passes_the_path(start, kind, target, tmp_path):
    server = start(kind, ETL_DIRECT_FQN="true")
    reply = ask(server, "push-fqn", b"abc", target, tmp_path)
    assert reply.content == b"path:" + str(tmp_path / "ob ject+1%.txt").encode()
    assert ask(server, "push", b"abc", target, tmp_path).content == b"ABC"
    headers = {"Ais-Node-Url": f"http://{server.netloc}"}
    reply = ask(server, "push-fqn", b"abc", target, tmp_path, headers=headers)
    assert reply.content.startswith(b"PATH:")


def test_health_and_head(start, kind, streaming):
    url = start(kind, streaming).url
    reply = requests.get(f"{url}/health", timeout=5)
    assert (reply.status_code, reply.text) == (200, "Running")
    reply = requests.head(f"{url}/health", timeout=5)
    assert (reply.status_code, reply.content) == (200, b"")
    assert requests.head(f"{url}/b/o", timeout=5).status_code == 405
    assert requests.delete(f"{url}/b/o", timeout=5).status_code in {405, 501}


def test_odd_object_names(start, kind, target):
    for name in (
        "b/a//c",
        "b//a",
        "b/health",
        "b/a?b",
        "b/a#b",
        "b/ü",
        "b/a%2Fb",
        "b/ws",
        "docs",
        "b/a;b",
        "b/trailing/",
    ):
        url = f"{start(kind).url}/{quote(name)}"
        with requests.Session() as session:
            request = requests.Request("PUT", url, params={"etl_args": "path"}, data=b"x").prepare()
            reply = session.send(request, timeout=5, allow_redirects=False)
        assert (reply.status_code, reply.content.decode()) == (200, name)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
def test_the_client_goes_away(start, kind, streaming, target, tmp_path):
    """Nothing is left behind, and the server goes on."""
    server = start(kind, streaming)
    host, port = server.netloc.split(":")
    head = b"PUT /bck/o HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n"
    before = open_sockets(server)
    for _ in range(5):
        with socket.create_connection((host, int(port)), timeout=10) as sock:
            sock.sendall(head + b"x" * 200_000)
    wait_until(lambda: open_sockets(server) <= before, 10, "connections of clients that are gone closed")
    assert ask(server, "push", b"abc", target, tmp_path).content == b"ABC"


def test_classes_cover_all_servers():
    assert len(CLASSES) == 6
