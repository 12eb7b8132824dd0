"""What a real cluster and its ETL servers were recorded to say, and the classes that ran there."""

import http.client
import json
from functools import cache
from urllib.parse import parse_qsl, unquote

from etl_classes import CLASSES
from recordings import WIRE

KINDS = {"fa": "fastapi", "fl": "flask", "mt": "threaded"}
# What the recorded objects hold, by file name.
CONTENTS = {
    "sp ace+plus@%25.txt": b"name with special characters",
    "empty": b"",
    **{f"obj-{n}.txt": f"object number {n} ".encode() * 4 for n in range(10)},
}


@cache
def rows():
    with (WIRE / "etl-target-to-server.jsonl").open() as lines:
        return [json.loads(line) for line in lines]


def recorded_class(kind, streaming=False, stage="a"):
    """Make a class of the recording; "b" and "z" are the second and third stages of pipelines."""
    base = CLASSES[kind, streaming]

    class Recorded(base):
        if streaming:

            def transform_stream(self, reader, path, etl_args):
                yield from iter(lambda: reader.read(16).upper(), b"")
        else:

            def transform(self, data, path, etl_args):
                if isinstance(data, str):  # direct file access
                    with open(data, "rb") as file:
                        data = file.read()
                if stage == "b":
                    return data[::-1]
                if stage == "z":
                    return data + b"::" + etl_args.encode()
                if etl_args == "fail":
                    raise ValueError("asked to fail")
                return data.upper() + (f"|{etl_args}".encode() if etl_args else b"")

        def get_mime_type(self):
            return "application/octet-stream"

    return Recorded


def make_mount_paths(root):
    """Lay out the recorded target's disks below a folder; return the recorded names."""
    names = set()
    for row in rows():
        for key, value in parse_qsl(row.get("query", "")):
            if key == "etl_fqn":
                names.add(unquote(value))
        if "ws" in row and '"fqn"' in row["body"].get("text", ""):
            names.add(unquote(json.loads(row["body"]["text"])["fqn"]))
    for name in names:
        file = root / name.removeprefix("/MP/")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(CONTENTS[file.name])
    return names


def send(netloc, row, query, body=b"", **headers):
    """Send a recorded request; return status, headers and body of the answer."""
    connection = http.client.HTTPConnection(netloc, timeout=10)
    try:
        connection.putrequest(
            row["method"], row["path"] + (f"?{query}" if query else ""), skip_accept_encoding=True
        )
        chunked = False
        for name, value in row["headers"]:
            chunked = chunked or name == "Transfer-Encoding"
            if name != "Host":
                connection.putheader(name, headers.get(name.replace("-", "_"), value))
        connection.endheaders()
        if chunked:
            body = (b"%x\r\n%b\r\n" % (len(body), body) if body else b"") + b"0\r\n\r\n"
        connection.send(body)
        reply = connection.getresponse()
        return reply.status, reply.headers, reply.read()
    finally:
        connection.close()
