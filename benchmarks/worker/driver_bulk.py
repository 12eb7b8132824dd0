"""Large jobs on `aistore.local`, each done once; the CPU that counts is the server's and the client's."""

import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from operation import Operation, digest, process_cpu, tree_cpu
from payload import content

THREADS = 16


def prepare(op):
    from aistore import Client

    client = Client(op["endpoint"])
    bucket = client.bucket(op["bucket"])
    once, *more = WORKS[op["name"]](op, client, bucket)
    pids = op["server_pids"]

    def close():
        for clean in more:
            clean()
        client.close()

    return Operation(once, check=dict, cpu=lambda: process_cpu() + tree_cpu(*pids), close=close)


def _names(op):
    return [f"many/{number:06}" for number in range(op["count"])]


def put_many(op, client, bucket):
    body = content(op["size"], 1)

    def put(name):
        bucket.object(name).get_writer().put_content(body)

    def once():
        with ThreadPoolExecutor(THREADS) as pool:
            for _ in pool.map(put, _names(op)):
                pass

    return (once,)


def read_many(op, client, bucket):
    body = content(op["size"], 1)

    def read(name):
        if bucket.object(name).get_reader().read_all() != body:
            raise ValueError(f"{name} has other bytes")

    def once():
        with ThreadPoolExecutor(THREADS) as pool:
            for _ in pool.map(read, _names(op)):
                pass

    return (once,)


def list_many(op, client, bucket):
    def once():
        count = sum(1 for _ in bucket.list_objects_iter(prefix="many/", props="name,size"))
        if count != op["count"]:
            raise ValueError(f"{count} entries of {op['count']}")

    return (once,)


def put_large(op, client, bucket):
    with tempfile.NamedTemporaryFile(delete=False) as file:
        path = Path(file.name)
        block = content(1 << 20, 2)
        for _ in range(op["size"] >> 20):
            file.write(block)

    def once():
        try:
            bucket.object("large").get_writer().put_file(path)
        finally:
            path.unlink(missing_ok=True)

    return (once,)


def read_large(op, client, bucket):
    def once():
        total = 0
        stream = bucket.object("large").get_reader().raw()
        buffer = bytearray(1 << 20)
        try:
            while size := stream.readinto(buffer):
                total += size
        finally:
            stream.close()
        if total != op["size"]:
            raise ValueError(f"{total} bytes of {op['size']}")

    return (once,)


def restart(op, client, bucket):
    """Start a cluster that has many objects, up to the first answer."""
    from aistore.local import LocalCluster

    folder = tempfile.TemporaryDirectory()
    body = content(op["size"], 1)
    with LocalCluster(dir=folder.name, targets=2) as cluster:
        fresh = cluster.client(direct=True)
        target = fresh.bucket("many").create()

        def put(name):
            target.object(name).get_writer().put_content(body)

        with ThreadPoolExecutor(THREADS) as pool:
            for _ in pool.map(put, _names(op)):
                pass

    def once():
        cluster.start()
        cluster.client().bucket("many").object(_names(op)[-1]).get_reader().read_all()

    def close():
        with folder:
            cluster.stop()

    return once, close


def offline(op, client, bucket):
    """Transform a bucket by an ETL that returns what it gets."""
    from aistore.sdk.etl.webserver.fastapi_server import FastAPIServer

    body, name = content(op["size"], 1), f"bench-{time.time_ns() % 10**9}"
    source = client.bucket(f"{name}-src").create()
    target = client.bucket(f"{name}-dst").create()

    def put(key):
        source.object(key).get_writer().put_content(body)

    with ThreadPoolExecutor(THREADS) as pool:
        for _ in pool.map(put, _names(op)):
            pass
    etl = client.etl(name)

    @etl.init_class(NUM_WORKERS=1)
    class Echo(FastAPIServer):
        def transform(self, data, path, etl_args):
            return data

    def once():
        job = client.job(source.transform(etl_name=name, to_bck=target))
        # `wait` alone would look less and less often: its pauses grow with the time that it has waited.
        while not job.status().end_time:
            time.sleep(0.02)
        result = job.wait(timeout=60)
        if not result:
            raise ValueError(f"the transform failed: {result.error}")
        if digest(target.object(_names(op)[-1]).get_reader().read_all()) != digest(body):
            raise ValueError("the result has other bytes")

    def close():
        # Not before the CPU was looked at: that of processes that have ended is not found.
        etl.stop()
        etl.delete()
        source.delete()
        target.delete()

    return once, close


WORKS = {
    "put_many": put_many,
    "read_many": read_many,
    "list_many": list_many,
    "put_large": put_large,
    "read_large": read_large,
    "restart": restart,
    "offline": offline,
}
