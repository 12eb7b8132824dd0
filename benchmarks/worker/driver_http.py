"""HTTP clients that programs use in place of an SDK. `op["client"]` names the package."""

import io
import urllib.parse

from operation import Operation
from payload import content


def prepare(op):
    url = f"{op['endpoint']}/v1/objects/{op['bucket']}/{op['object']}?provider=ais"
    send, close = CLIENTS[op["client"]]()
    match op["name"]:
        case "get" | "readinto":
            return Operation(lambda: send("GET", url, None), close=close)
        case "head":
            return Operation(lambda: _nothing(send("HEAD", url, None)), close=close)
        case "put":
            body = content(op["size"], op["seed"])
            return Operation(lambda: _nothing(send("PUT", url, body)), close=close)
    raise ValueError(f"{op['client']} has nothing for {op['name']!r}")


def _nothing(_):
    return None


def _good(status):
    if status >= 300:
        raise ConnectionError(f"status {status}")


def requests_client():
    import requests

    session = requests.Session()

    def send(method, url, body):
        answer = session.request(method, url, data=body, allow_redirects=True)
        _good(answer.status_code)
        return answer.content

    return send, session.close


def urllib3_client():
    import urllib3

    pool = urllib3.PoolManager()

    def send(method, url, body):
        answer = pool.request(method, url, body=body)
        _good(answer.status)
        return answer.data

    return send, pool.clear


def http_client():
    import http.client

    connections = {}

    def send(method, url, body):
        for _ in range(4):
            parts = urllib.parse.urlsplit(url)
            conn = connections.get(parts.netloc)
            if conn is None:
                conn = connections[parts.netloc] = http.client.HTTPConnection(parts.netloc, timeout=60)
            conn.request(method, f"{parts.path}?{parts.query}", body)
            answer = conn.getresponse()
            data = answer.read()
            if answer.status not in (301, 307):
                _good(answer.status)
                return data
            url = answer.getheader("Location")
        raise ConnectionError("too many redirects")

    return send, lambda: [conn.close() for conn in connections.values()]


def httpx_client():
    import httpx

    client = httpx.Client(follow_redirects=True, timeout=60)

    def send(method, url, body):
        answer = client.request(method, url, content=body)
        _good(answer.status_code)
        return answer.content

    return send, client.close


def pycurl_client():
    import pycurl

    curl = pycurl.Curl()
    curl.setopt(pycurl.FOLLOWLOCATION, True)

    def send(method, url, body):
        received = io.BytesIO()
        curl.setopt(pycurl.URL, url)
        curl.setopt(pycurl.WRITEDATA, received)
        curl.setopt(pycurl.NOBODY, method == "HEAD")
        if body is not None:
            curl.setopt(pycurl.UPLOAD, True)
            source = io.BytesIO(body)
            curl.setopt(pycurl.READDATA, source)
            curl.setopt(pycurl.INFILESIZE, len(body))
            curl.setopt(pycurl.SEEKFUNCTION, lambda offset, _: source.seek(offset) and 0)
        curl.perform()
        _good(curl.getinfo(pycurl.RESPONSE_CODE))
        return received.getvalue()

    return send, curl.close


CLIENTS = {
    "requests": requests_client,
    "urllib3": urllib3_client,
    "http.client": http_client,
    "httpx": httpx_client,
    "pycurl": pycurl_client,
}
