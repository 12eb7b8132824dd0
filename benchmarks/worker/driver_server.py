"""A storage server under kept-alive connections of bare sockets; the CPU that counts is the server's."""

import itertools

from operation import Operation, digest, tree_cpu
from payload import content
from wire import Wires


def prepare(op):
    wires = Wires()
    netloc = op["endpoint"].partition("//")[2]
    path = f"/v1/objects/{op['bucket']}/{op['object']}"
    pids = op["server_pids"]

    def get():
        wires.travel("GET", netloc, f"{path}?provider=ais")

    def check_get():
        return digest(bytes(wires.travel("GET", netloc, f"{path}?provider=ais")[0].body))

    if op["name"] == "get":
        return Operation(get, check=check_get, cpu=lambda: tree_cpu(*pids))
    body, numbers = content(op["size"], op["seed"]), itertools.count()

    def put():
        # Different names, so that no write waits for another of the same object.
        wires.travel("PUT", netloc, f"{path}-{next(numbers) % 256}?provider=ais", body)

    def check_put():
        wires.travel("PUT", netloc, f"{path}?provider=ais", body)
        return {}

    return Operation(put, check=check_put, cpu=lambda: tree_cpu(*pids))
