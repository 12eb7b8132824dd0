"""HTTP/1.1 messages with the verdict that every server and client of the package has on them."""

import contextlib
import socket
import threading
from urllib.parse import urlsplit

_HOST = b"Host: 127.0.0.1\r\nConnection: close\r\n"
_CHUNKED = b"Transfer-Encoding: chunked\r\n"
_BODY = b"3\r\nabc\r\n0\r\n\r\n"


def _request(headers=b"", body=b"", *, line=b"PUT /TARGET HTTP/1.1\r\n", host=_HOST):
    return line + host + headers + b"\r\n" + body


def _chunks(body):
    return _request(_CHUNKED, body)


TAKEN_REQUESTS = {
    "length": _request(b"Content-Length: 3\r\n", b"abc"),
    "length in tabs and zeros": _request(b"Content-Length:\t003 \r\n", b"abc"),
    "no body": _request(),
    "chunked": _chunks(_BODY),
    "chunked in capitals": _request(b"TRANSFER-ENCODING: Chunked \r\n", _BODY),
    "extensions": _chunks(b'3;a;b=c;d="e f"\r\nabc\r\n0;x\r\n\r\n'),
    "trailers": _chunks(b"3\r\nabc\r\n0\r\nA: b\r\nC:d\r\n\r\n"),
    "empty line before": b"\r\n" + _request(b"Content-Length: 3\r\n", b"abc"),
    "obs-text": _request(b"A: \xe4\r\nContent-Length: 3\r\n", b"abc"),
    "empty value": _request(b"A:\r\nContent-Length: 3\r\n", b"abc"),
}

MALFORMED_REQUESTS = {
    "control character before chunked": _request(b"Transfer-Encoding: \x0bchunked\r\n", _BODY),
    "control character after chunked": _request(b"Transfer-Encoding: chunked\x0c\r\n", _BODY),
    "gzip, chunked": _request(b"Transfer-Encoding: gzip, chunked\r\n", _BODY),
    "chunked twice": _request(_CHUNKED + _CHUNKED, _BODY),
    "chunked, chunked": _request(b"Transfer-Encoding: chunked, chunked\r\n", _BODY),
    "chunked with a parameter": _request(b"Transfer-Encoding: chunked;x\r\n", _BODY),
    "identity": _request(b"Transfer-Encoding: identity\r\n"),
    "chunked in HTTP/1.0": _request(_CHUNKED, _BODY, line=b"PUT /TARGET HTTP/1.0\r\n"),
    "both lengths": _request(b"Content-Length: 13\r\n" + _CHUNKED, _BODY),
    "same length twice": _request(b"Content-Length: 3\r\nContent-Length: 3\r\n", b"abc"),
    "list of lengths": _request(b"Content-Length: 3, 3\r\n", b"abc"),
    "signed length": _request(b"Content-Length: +3\r\n", b"abc"),
    "negative length": _request(b"Content-Length: -3\r\n", b"abc"),
    "hexadecimal length": _request(b"Content-Length: 0x3\r\n", b"abc"),
    "length with an underscore": _request(b"Content-Length: 0_3\r\n", b"abc"),
    "length of other digits": _request(b"Content-Length: \xb3\r\n", b"abc"),
    "no digits": _request(b"Content-Length: \r\n"),
    "length beyond all measure": _request(b"Content-Length: 9000000000000000000\r\n", b"abc"),
    "length of thousands of digits": _request(b"Content-Length: " + b"0" * 5000 + b"3\r\n", b"abc"),
    "space after size": _chunks(b"3 \r\nabc\r\n0\r\n\r\n"),
    "space before size": _chunks(b" 3\r\nabc\r\n0\r\n\r\n"),
    "space before extension": _chunks(b"3 ;a\r\nabc\r\n0\r\n\r\n"),
    "signed size": _chunks(b"+3\r\nabc\r\n0\r\n\r\n"),
    "prefixed size": _chunks(b"0x3\r\nabc\r\n0\r\n\r\n"),
    "size with an underscore": _chunks(b"0_3\r\nabc\r\n0\r\n\r\n"),
    "size beyond all measure": _chunks(b"1000000000000000\r\nabc\r\n0\r\n\r\n"),
    "no size": _chunks(b"\r\nabc\r\n0\r\n\r\n"),
    "NUL in an extension": _chunks(b"3;\0\r\nabc\r\n0\r\n\r\n"),
    "bare CR in an extension": _chunks(b"3;a\rb\r\nabc\r\n0\r\n\r\n"),
    "bare LF in an extension": _chunks(b"3;a\nabc\r\n0\r\n\r\n"),
    "empty extension": _chunks(b"3;\r\nabc\r\n0\r\n\r\n"),
    "open quotation": _chunks(b'3;a="\r\nabc\r\n0\r\n\r\n'),
    "endless size line": _chunks(b"3;" + b"a" * 5000 + b"\r\nabc\r\n0\r\n\r\n"),
    "bare LF after size": _chunks(b"3\nabc\r\n0\r\n\r\n"),
    "bare LF after data": _chunks(b"3\r\nabc\n0\r\n\r\n"),
    "chunk too long": _chunks(b"3\r\nabcd\r\n0\r\n\r\n"),
    "junk trailer": _chunks(b"3\r\nabc\r\n0\r\njunk\r\n\r\n"),
    "space in a trailer": _chunks(b"3\r\nabc\r\n0\r\nA : b\r\n\r\n"),
    "control character in a trailer": _chunks(b"3\r\nabc\r\n0\r\nA: \x0bb\r\n\r\n"),
    "length as a trailer": _chunks(b"3\r\nabc\r\n0\r\nContent-Length: 3\r\n\r\n"),
    "bare LF at the end": _chunks(b"3\r\nabc\r\n0\r\n\n"),
    "space before colon": _request(b"A : b\r\n"),
    "folded": _request(b"A: b\r\n c\r\n"),
    "folded first": _request(b"A: b\r\n", host=b" " + _HOST),
    "no name": _request(b": b\r\n"),
    "no colon": _request(b"A\r\n"),
    "name beyond ASCII": _request(b"\xc3\xa4: b\r\n"),
    "NUL in a value": _request(b"A: b\0\r\n"),
    "control character in a value": _request(b"A: b\x0bc\r\n"),
    "DEL in a value": _request(b"A: b\x7f\r\n"),
    "bare CR": _request(b"A: b\rC: d\r\n"),
    "bare LF": _request(b"A: b\nC: d\r\n"),
    "bare LF alone": b"PUT /TARGET HTTP/1.1\nHost: 127.0.0.1\n\n",
    "no host": _request(host=b""),
    "two hosts": _request(host=_HOST + b"Host: 127.0.0.1\r\n"),
    "space in the host": _request(host=b"Host: 127.0.0.1 x\r\n"),
    "user in the host": _request(host=b"Host: a@127.0.0.1\r\n"),
    "two spaces": _request(line=b"PUT  /TARGET HTTP/1.1\r\n"),
    "space in the target": _request(line=b"PUT /TARGET x HTTP/1.1\r\n"),
    "target beyond ASCII": _request(line=b"PUT /TARGET\xff HTTP/1.1\r\n"),
    "tab in the line": _request(line=b"PUT\t/TARGET HTTP/1.1\r\n"),
    "no version": _request(line=b"PUT /TARGET\r\n"),
    "HTTP/2.0": _request(line=b"PUT /TARGET HTTP/2.0\r\n"),
    "HTTP/1.2": _request(line=b"PUT /TARGET HTTP/1.2\r\n"),
    "long head": _request(b"A: " + b"b" * 70_000 + b"\r\n"),
    "many headers": _request(b"A: b\r\n" * 1001),
    "no request": b"nonsense\r\n\r\n",
}

_OK = b"HTTP/1.1 200 OK\r\n"
_PLAIN = _OK + b"Content-Length: 3\r\n\r\nabc"

TAKEN_RESPONSES = {
    "length": _PLAIN,
    "length in tabs and zeros": _OK + b"Content-Length:\t003 \r\n\r\nabc",
    "chunked": _OK + _CHUNKED + b"\r\n" + _BODY,
    "extensions": _OK + _CHUNKED + b'\r\n3;a;b=c;d="e f"\r\nabc\r\n0;x\r\n\r\n',
    "trailers": _OK + _CHUNKED + b"\r\n3\r\nabc\r\n0\r\nA: b\r\nC:d\r\n\r\n",
    "until close": _OK + b"\r\nabc",
    "HTTP/1.0": b"HTTP/1.0 200 OK\r\nContent-Length: 3\r\n\r\nabc",
    "no reason": b"HTTP/1.1 200 \r\nContent-Length: 3\r\n\r\nabc",
    "after an interim response": b"HTTP/1.1 103 Early\r\nA: b\r\n\r\n" + _PLAIN,
}

_OF_REQUESTS_ONLY = {
    "no host",
    "two hosts",
    "space in the host",
    "user in the host",
    "two spaces",
    "space in the target",
    "target beyond ASCII",
    "tab in the line",
    "no version",
    "HTTP/2.0",
    "HTTP/1.2",
    "bare LF alone",
    "folded first",
    "chunked in HTTP/1.0",
}
MALFORMED_RESPONSES = {
    **{
        name: data.replace(b"PUT /TARGET HTTP/1.1\r\n" + _HOST, _OK)
        for name, data in MALFORMED_REQUESTS.items()
        if name not in _OF_REQUESTS_ONLY
    },
    "chunked from HTTP/1.0": b"HTTP/1.0 200 OK\r\n" + _CHUNKED + b"\r\n" + _BODY,
    "folded first": _OK + b" folded\r\nContent-Length: 3\r\n\r\nabc",
    "bare LF alone": b"HTTP/1.1 200 OK\nContent-Length: 3\n\nabc",
    "two spaces": b"HTTP/1.1  200 OK\r\nContent-Length: 3\r\n\r\nabc",
    "HTTP/2": b"HTTP/2 200 OK\r\nContent-Length: 3\r\n\r\nabc",
    "status of two digits": b"HTTP/1.1 20 OK\r\nContent-Length: 3\r\n\r\nabc",
    "status 999": b"HTTP/1.1 999 OK\r\nContent-Length: 3\r\n\r\nabc",
    "NUL in the reason": b"HTTP/1.1 200 O\0K\r\nContent-Length: 3\r\n\r\nabc",
    "switch of protocols": b"HTTP/1.1 101 Switching\r\n\r\nabc",
    "flood of interim responses": b"HTTP/1.1 100 Continue\r\n\r\n" * 20 + _PLAIN,
    "several ranges": _OK + b"Content-Range: bytes 0-2/3\r\n" * 2 + _PLAIN.removeprefix(_OK),
}


def ask(url, request):
    """Send a request to a server; return all it sends back until it closes."""
    parts = urlsplit(url)
    with socket.create_connection((parts.hostname, parts.port), timeout=20) as sock:
        sock.sendall(request)
        received = b""
        with contextlib.suppress(ConnectionError):
            while data := sock.recv(65536):
                received += data
    return received


@contextlib.contextmanager
def answering(response):
    """Run a server that sends the same bytes to every request, and ends the connection; give its URL."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve():
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                with connection, contextlib.suppress(OSError):
                    connection.settimeout(20)
                    head = b""
                    while b"\r\n\r\n" not in head and (data := connection.recv(65536)):
                        head += data
                    connection.sendall(response)
                    connection.shutdown(socket.SHUT_WR)
                    while connection.recv(65536):
                        pass

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            with contextlib.suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)
            thread.join(20)
