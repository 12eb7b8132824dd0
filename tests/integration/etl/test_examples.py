"""The ETL classes that people copy: each does what it says, in process and over HTTP."""

import hashlib
import importlib.util
import io
import json
import tarfile
from pathlib import Path

import pytest
import requests
from archives import tar_of
from PIL import Image

from aistore.sdk.etl.webserver.trial import serve_locally

EXAMPLES = Path(__file__).parents[3] / "examples" / "etl"


def example(file, name):
    spec = importlib.util.spec_from_file_location(f"example_{file}", EXAMPLES / f"{file}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return getattr(module, name)


def members_of(data):
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        return {member.name: tar.extractfile(member).read() for member in tar}


def test_sha256_record():
    cls = example("sha256_record", "Sha256Record")
    data = b"abc" * 700_000
    record = json.loads(cls.try_transform(data, "b/o"))
    assert record == {"path": "b/o", "size": len(data), "sha256": hashlib.sha256(data).hexdigest()}
    assert "md5" in json.loads(cls.try_transform(data, etl_args="md5"))


def test_tokenize_text():
    cls = example("tokenize_text", "TokenizeText")
    lines = [json.loads(line) for line in cls.try_transform(b"Hello, world!\n\nhello").splitlines()]
    assert [len(ids) for ids in lines] == [4, 0, 1]
    lines = cls.try_transform(b"Hello\nhello", etl_args='{"lower": true, "vocabulary": 10}').splitlines()
    assert lines[0] == lines[1]
    assert json.loads(lines[0])[0] < 10


def test_filter_shard():
    cls = example("filter_shard", "FilterShard")
    members = {f"d/{n:03}.{ext}": bytes([n]) * 5000 for n in range(40) for ext in ("jpg", "cls", "json")}
    data = tar_of(members.items())
    assert members_of(cls.try_transform(data)) == members
    kept = members_of(cls.try_transform(data, etl_args="jpg, .cls"))
    assert kept == {name: body for name, body in members.items() if not name.endswith("json")}
    assert members_of(cls.try_transform(data, etl_args="none")) == {}


def picture():
    out = io.BytesIO()
    Image.new("RGB", (640, 320), "red").save(out, format="PNG")
    return out.getvalue()


def test_resize_image():
    small = example("resize_image", "ResizeImage").try_transform(picture(), etl_args='{"width": 64}')
    image = Image.open(io.BytesIO(small))
    assert (image.format, image.size) == ("JPEG", (64, 32))


@pytest.mark.parametrize(
    ("file", "name", "data"),
    [
        ("sha256_record", "Sha256Record", b"abc"),
        ("tokenize_text", "TokenizeText", b"a b"),
        ("filter_shard", "FilterShard", tar_of([("a", b"1")])),
        ("resize_image", "ResizeImage", picture()),
    ],
)
def test_over_http(file, name, data):
    """Pickled from a script and served elsewhere, the class gives the same."""
    cls = example(file, name)
    with serve_locally(cls) as url:
        reply = requests.put(f"{url}/b/o", data=data, timeout=10)
    assert (reply.status_code, reply.content) == (200, cls.try_transform(data, "b/o"))
