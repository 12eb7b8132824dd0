"""Get-Batch in all its forms."""

import io
import tarfile

from run import raises

from aistore.sdk.enums import Colocation
from aistore.sdk.errors import AISError


def tar_of(members):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return out.getvalue()


def some(count=20):
    return {f"d/o-{n:02}": bytes([n]) * (n * 100) for n in range(count)}


def check_formats(c):
    objects = some()
    bucket = c.bucket(objects)
    wanted = list(reversed(list(objects)))
    for fmt in (".tar", ".tgz", ".tar.gz", ".zip"):
        for streaming in (True, False):
            for short in (True, False):
                batch = c.client.batch(
                    wanted, bucket=bucket, output_format=fmt, streaming_get=streaming, only_obj_name=short
                )
                got = list(batch.get(decode_as_stream=not streaming))
                assert [i.obj_name for i, _ in got] == wanted, (fmt, streaming, short)
                assert [d for _, d in got] == [objects[n] for n in wanted]
                assert all(i.bucket == bucket.name and i.provider == "ais" for i, _ in got)
                assert [i.size for i, _ in got] == [len(objects[n]) for n in wanted]


def check_entries(c):
    bucket = c.bucket({"o": b"0123456789", "s.tar": tar_of({"a": b"aaa", "dir/b": b"b"})})
    other = c.bucket({"x": b"other"})
    batch = c.client.batch(bucket=bucket)
    assert len(batch) == 0
    raises(ValueError, batch.get)
    batch.add("o", opaque=b"\0mark").add("o", start=2, length=3).add("o", start=7, length=-1)
    batch.add("s.tar", archpath="dir/b").add(other.object("x")).add("x", bck=other.name, provider="ais")
    assert len(batch) == 6
    assert len(batch.requests_list) == 6
    assert "6" in repr(batch)
    got = list(batch.get(clear_batch=False))
    assert [d for _, d in got] == [b"0123456789", b"234", b"789", b"b", b"other", b"other"]
    assert got[0][0].opaque == b"\0mark"
    assert got[3][0].archpath == "dir/b"
    assert [i.bucket for i, _ in got] == [bucket.name] * 4 + [other.name] * 2
    assert len(list(batch.get(tar_buffer_size=4096))) == 6
    assert len(batch) == 0
    batch.add("o")
    assert len(batch.clear()) == 0
    raises(ValueError, batch.add, "o", start=-1)


def check_the_same_object_many_times(c):
    bucket = c.bucket({"o": b"again"})
    for streaming in (True, False):
        got = list(c.client.batch(["o"] * 50, bucket=bucket, streaming_get=streaming).get())
        assert [d for _, d in got] == [b"again"] * 50


def check_missing(c):
    bucket = c.bucket({"o": b"here", "s.tar": tar_of({"a": b"aaa"})})
    for streaming in (True, False):
        batch = c.client.batch(["o", "absent", "o"], bucket=bucket, streaming_get=streaming)
        batch.add("s.tar", archpath="absent")
        got = list(batch.get())
        assert [d for _, d in got] == [b"here", b"", b"here", b""], streaming
        assert [bool(i.err_msg) for i, _ in got] == [False, True, False, True], got
        strict = c.client.batch(["o", "absent"], bucket=bucket, cont_on_err=False, streaming_get=streaming)
        raises(AISError, lambda strict=strict: list(strict.get()))


def check_raw_and_objects(c):
    bucket = c.bucket({"a": b"1", "b": b"", "ünï cödé/ñ": b"3"})
    batch = c.client.batch([bucket.object("a"), bucket.object("b"), bucket.object("ünï cödé/ñ")])
    answer = batch.get(raw=True)
    with tarfile.open(fileobj=io.BytesIO(answer.read())) as archive:
        assert len(archive.getnames()) == 3
    got = list(c.client.batch(bucket.object("ünï cödé/ñ")).get())
    assert [(i.obj_name, d) for i, d in got] == [("ünï cödé/ñ", b"3")]
    got = list(c.client.batch("a", bucket=bucket, colocation=Colocation.TARGET_AWARE).get())
    assert [d for _, d in got] == [b"1"]
    raises(ValueError, c.client.batch, ["a"])
    raises(ValueError, c.client.batch, ["a"], bucket=bucket, output_format=".rar")


def check_large(c):
    data = bytes(range(256)) * 12_000
    bucket = c.bucket({"big": data, "small": b"s"})
    for fmt in (".tar", ".tgz", ".zip"):
        got = list(c.client.batch(["big", "small", "big"], bucket=bucket, output_format=fmt).get())
        assert [d for _, d in got] == [data, b"s", data], fmt
