"""The `aistore` package that the process's environment has: ours or 2.0.0, by the names that both have."""

import io
import json
import tempfile
from importlib.util import find_spec

from operation import Operation, digest
from payload import content

# 2.0.0 has no module of this name.
OURS = find_spec("aistore.sdk.transport") is not None


def prepare(op):
    if op["name"] in LOCAL:
        return LOCAL[op["name"]](op)
    from aistore import Client

    straight = op.get("direct") or op.get("strategy") == "direct"
    client = Client(op["endpoint"], direct=True) if straight and OURS else Client(op["endpoint"])
    return WORKS[op["name"]](op, client, client.bucket(op["bucket"]))


def get(op, client, bucket):
    name = op["object"]
    if op.get("direct") and not OURS:
        return Operation(lambda: bucket.object(name).get_reader(direct=True).read_all())
    return Operation(lambda: bucket.object(name).get_reader().read_all())


def readinto(op, client, bucket):
    name, buffer = op["object"], bytearray(op["size"])
    if not hasattr(bucket.object(name).get_reader(), "readinto"):
        return get(op, client, bucket)  # what a program does instead

    def once():
        bucket.object(name).get_reader().readinto(buffer)
        return buffer

    return Operation(once)


def ranges(op, client, bucket):
    name, buffer, workers = op["object"], bytearray(op["size"]), op["workers"]
    if hasattr(bucket.object(name).get_reader(), "readinto"):

        def once():
            bucket.object(name).get_reader(num_workers=workers).readinto(buffer)
            return buffer

        return Operation(once)

    def whole():
        result = bucket.object(name).get_reader(num_workers=workers).read_all()
        if isinstance(result, bytes):
            return result
        with result:
            return digest(result.buf) if checking else None

    checking = []

    def check():
        checking.append(True)
        try:
            result = whole()
            return result if isinstance(result, dict) else digest(result)
        finally:
            checking.clear()

    return Operation(whole, check=check)


def iterate(op, client, bucket):
    name = op["object"]

    def once():
        total = 0
        for piece in bucket.object(name).get_reader():
            total += len(piece)
        return total

    return Operation(once, check=lambda: {"size": once()})


def head(op, client, bucket):
    name = op["object"]

    def once():
        bucket.object(name).head()

    return Operation(once)


def props(op, client, bucket):
    name = op["object"]

    def check():
        return {"size": bucket.object(name).props.size}

    def once():
        return bucket.object(name).props.size

    return Operation(once, check=check)


def bucket_info(op, client, bucket):
    def once():
        bucket.info()

    return Operation(once)


def put(op, client, bucket):
    name, body = op["object"], content(op["size"], op["seed"])

    def once():
        bucket.object(name).get_writer().put_content(body)

    return Operation(once)


def put_parts(op, client, bucket):
    name, body, parts = op["object"], memoryview(content(op["size"], op["seed"])), op["parts"]
    each = -(-op["size"] // parts)
    pieces = [bytes(body[low : low + each]) for low in range(0, op["size"], each)]

    def once():
        upload = bucket.object(name).multipart_upload()
        upload.create()
        for number, piece in enumerate(pieces, 1):
            upload.add_part(number).put_content(piece)
        upload.complete()

    return Operation(once)


def put_file(op, client, bucket):
    file = tempfile.NamedTemporaryFile()  # noqa: SIM115 - lives as long as the work
    file.write(content(op["size"], op["seed"]))
    file.flush()
    name = op["object"]

    def once():
        bucket.object(name).get_writer().put_file(file.name)

    return Operation(once, close=file.close)


def list_all(op, client, bucket):
    prefix, names = op["prefix"], op["props"]

    def once():
        total = 0
        for _ in bucket.list_objects_iter(prefix=prefix, props=names):
            total += 1
        return total

    return Operation(
        once,
        check=lambda: digest(entry.name for entry in bucket.list_objects_iter(prefix=prefix, props=names)),
    )


def list_objects(op, client, bucket):
    prefix = op["prefix"]

    def once():
        total = 0
        for _ in bucket.list_all_objects_iter(prefix=prefix):
            total += 1
        return total

    return Operation(
        once, check=lambda: digest(obj.name for obj in bucket.list_all_objects_iter(prefix=prefix))
    )


def batch(op, client, bucket):
    parts = [(names, client.bucket(source)) for source, names in op["parts"]]
    options = {"streaming_get": not op["multipart"]}
    if op.get("strategy") and OURS:
        options["strategy"] = op["strategy"]

    def members():
        for names, source in parts:
            for _, data in client.batch(names, bucket=source, **options).get():
                yield data

    def once():
        for _ in members():
            pass

    return Operation(once, check=lambda: digest(members()))


def batch_build(op, client, bucket):
    _, names = op["parts"][0]
    try:
        from aistore.sdk.request_executor import encode_json as encode
    except ImportError:

        def once():
            # `requests` encodes what the model is made into.
            request = client.batch(names, bucket=bucket).request
            return json.dumps(request.model_dump(by_alias=True, exclude_none=True)).encode()
    else:

        def once():
            return encode(client.batch(names, bucket=bucket).request.as_dict())

    def check():
        return digest(entry["objname"] for entry in json.loads(once())["in"])

    return Operation(once, check=check)


def make_client(op):
    from aistore import Client

    def once():
        client = Client("http://127.0.0.1:8080")
        client.bucket("name").object("name")

    return Operation(once)


def count_request(op):
    """What each request pays for being counted, the adding up included."""
    from aistore.sdk.transport.recorder import Recorder

    recorder = Recorder()

    def once():
        recorder.answered("GET", 200, 0.001, 0, 1, 1)
        recorder.received(4096)

    return Operation(once)


def decode_tar(op):
    """Decode a tar that is in memory into its members, as the package's own Get-Batch decoder does."""
    import tarfile

    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w") as archive:
        for number, size in enumerate([op["size"]] * op["count"]):
            info = tarfile.TarInfo(f"bucket/{number:06}")
            info.size = size
            archive.addfile(info, io.BytesIO(content(size, number)))
    blob = data.getvalue()
    try:
        from aistore.wire.archive.tar import TarReader
    except ImportError:  # 2.0.0 decodes with the standard library

        def members():
            with tarfile.open(fileobj=io.BytesIO(blob), mode="r|") as archive:
                for member in archive:
                    yield archive.extractfile(member).read()
    else:

        def members():
            reader = TarReader(io.BytesIO(blob))
            while reader.next_member() is not None:
                yield reader.read_member()
            reader.close()

    def once():
        for _ in members():
            pass

    return Operation(once, check=lambda: digest(members()))


LOCAL = {"make_client": make_client, "count_request": count_request, "decode_tar": decode_tar}
WORKS = {
    "get": get,
    "readinto": readinto,
    "ranges": ranges,
    "iterate": iterate,
    "head": head,
    "props": props,
    "bucket_info": bucket_info,
    "put": put,
    "put_file": put_file,
    "put_parts": put_parts,
    "list": list_all,
    "list_objects": list_objects,
    "batch": batch,
    "batch_build": batch_build,
}
