"""The floor for each kind of work."""

import json
import struct
import threading

from operation import Operation, digest
from payload import content
from wire import BUFFER, Pipe, Wires, encode

LANES, AHEAD = 4, 64
JSON_FIELDS = "Content-Type: application/json\r\n"


def prepare(op):
    return WORKS[op["name"]](op)


def _netloc(url):
    return url.partition("//")[2].rstrip("/")


def _object_target(op, name=None):
    return f"/v1/objects/{op['bucket']}/{name or op['object']}?provider=ais"


def get(op):
    wires, netloc, target = Wires(), _netloc(op["endpoint"]), _object_target(op)
    if op["size"] <= BUFFER - 4096:
        return Operation(
            lambda: wires.travel("GET", netloc, target),
            check=lambda: digest(bytes(wires.travel("GET", netloc, target)[0].body)),
        )
    buffer = memoryview(bytearray(op["size"]))

    def check():
        wires.travel("GET", netloc, target, into=buffer)
        return digest(buffer)

    return Operation(lambda: wires.travel("GET", netloc, target, into=buffer), check=check)


def ranges(op):
    wires, netloc, target = Wires(), _netloc(op["endpoint"]), _object_target(op)
    size, workers = op["size"], op["workers"]
    buffer, share = memoryview(bytearray(size)), -(-size // workers)

    def part(low):
        high = min(size, low + share)
        wires.travel(
            "GET", netloc, target, fields=f"Range: bytes={low}-{high - 1}\r\n", into=buffer[low:high]
        )

    def once():
        threads = [threading.Thread(target=part, args=(low,)) for low in range(0, size, share)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return buffer

    return Operation(once)


def drop(op):
    """Receive a large body and keep nothing."""
    wires, netloc, target = Wires(), _netloc(op["endpoint"]), _object_target(op)
    return Operation(
        lambda: wires.travel("GET", netloc, target),
        check=lambda: {"size": wires.travel("GET", netloc, target)[1]},
    )


def head(op):
    wires, netloc, target = Wires(), _netloc(op["endpoint"]), _object_target(op)

    def once():
        wires.travel("HEAD", netloc, target)

    return Operation(once)


def put(op):
    wires, netloc, target = Wires(), _netloc(op["endpoint"]), _object_target(op)
    body = content(op["size"], op["seed"])

    def once():
        wires.travel("PUT", netloc, target, body, probe=True)

    return Operation(once)


def list_all(op):
    wires, netloc = Wires(), _netloc(op["endpoint"])
    target, fields = (
        f"/v1/buckets/{op['bucket']}?provider=ais",
        "Accept: application/msgpack\r\n" + JSON_FIELDS,
    )
    buffer = memoryview(bytearray(16 << 20))

    def once():
        token, total = "", 0
        while True:
            value = {"prefix": op["prefix"], "pagesize": 0, "uuid": "", "props": op["props"]}
            value |= {"continuation_token": token, "flags": "0", "target": ""}
            body = json.dumps({"action": "list", "name": "", "value": value}).encode()
            _, length = wires.travel("GET", netloc, target, body, fields=fields, into=buffer)
            total += length
            token = _token(buffer[:length])
            if not token:
                return total

    return Operation(once, check=lambda: once() and {})


def _token(view):
    """Find the token in a page in msgpack, which may still have its chunks' framing: near one of its ends."""
    page = bytes(view[:400]) + bytes(view[-400:])
    pos = page.index(b"ContinuationToken") + 17
    kind = page[pos]
    if kind == 0xD9:
        return page[pos + 2 : pos + 2 + page[pos + 1]].decode()
    if kind == 0xDA:
        (size,) = struct.unpack(">H", page[pos + 1 : pos + 3])
        return page[pos + 3 : pos + 3 + size].decode()
    return page[pos + 1 : pos + 1 + (kind & 0x1F)].decode()


def straight(op):
    """Send GETs ahead of their answers, to the servers that have the objects."""
    wires, netloc, requests = Wires(), _netloc(op["endpoint"]), {}
    for source, names in op["parts"]:
        for name in names:
            place, target = wires.locate("GET", netloc, _object_target({"bucket": source}, name))
            requests.setdefault(place, []).append(encode("GET", place, target, None))
    lanes = [
        (Pipe(place), asked[number::LANES])
        for place, asked in requests.items()
        for number in range(min(LANES, len(asked)))
    ]

    def once():
        total = 0
        for number in range(max(len(asked) for _, asked in lanes)):
            for pipe, asked in lanes:
                if number % AHEAD == 0:
                    pipe.send(b"".join(asked[number : number + AHEAD]))
                if number < len(asked):
                    total += pipe.receive()
        return total

    def check():
        if once() != op["total"]:
            raise ValueError("the answers are too short")
        return {}

    return Operation(once, check=check)


def batch(op):
    if op.get("strategy") == "direct":
        return straight(op)
    wires, netloc = Wires(), _netloc(op["endpoint"])
    asks = []
    for source, names in op["parts"]:
        entries = [{"objname": name, "bucket": source, "provider": "ais"} for name in names]
        message = {"in": entries, "mime": ".tar", "coer": True, "onob": False, "strm": not op["multipart"]}
        asks.append((f"/v1/ml/moss/{source}?provider=ais", json.dumps(message).encode()))

    def once():
        total = 0
        for target, body in asks:
            total += wires.travel("GET", netloc, target, body, fields=JSON_FIELDS)[1]
        return total

    def check():
        if once() < op["total"]:
            raise ValueError("the answer is too short")
        return {}

    return Operation(once, check=check)


WORKS = {
    "get": get,
    "readinto": get,
    "ranges": ranges,
    "iterate": drop,
    "head": head,
    "put": put,
    "list": list_all,
    "list_objects": list_all,
    "batch": batch,
}
