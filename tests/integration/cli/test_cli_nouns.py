"""bucket, job, etl, batch and serve, beyond what docs/cli.md shows."""

import io
import json
import os
import signal
import subprocess
import tarfile

import pytest

ETL_FILE = """
from aistore.sdk.etl.webserver.http_multi_threaded_server import HTTPMultiThreadedServer
from helper import suffix


class ShoutIt(HTTPMultiThreadedServer):
    def transform(self, data, path, etl_args):
        print("\\x1b[31mshouting", path, flush=True)
        return data.upper() + suffix


class Names(ShoutIt):
    pass


class Broken(HTTPMultiThreadedServer):
    def transform(self, data, path, etl_args):
        raise ValueError("do not like it")
"""


def test_buckets(aistore, client, bucket, uri, put):
    put("a/1", b"x" * 100)
    other = f"{uri}-made"
    try:
        aistore(
            "bucket", "create", other, "--prop", "checksum.type=md5", "--prop", "versioning.enabled=false"
        )
        assert "already exists" in aistore.fails("bucket", "create", other, code=1)
        aistore("bucket", "create", "--exist-ok", other)
        assert aistore("bucket", "props", "show", other, "checksum.type").split() == ["checksum.type", "md5"]
        aistore("bucket", "props", "set", other, "checksum.type=sha256")
        assert json.loads(aistore("bucket", "props", "show", "--json", other))["checksum"]["type"] == "sha256"
        aistore("bucket", "props", "reset", other)
        assert "sha256" not in aistore("bucket", "props", "show", other)
        aistore("bucket", "copy", uri, other, "--prefix", "a/", "--prepend", "old/")
        assert aistore("ls", "-r", other).split() == ["old/a/1"]
        info = json.loads(aistore("bucket", "info", "--json", uri))
        assert info["summary"]["TotalSize"]["size_all_present_objs"] == "100"
        aistore("bucket", "rename", other, f"{other}-new")
        assert f"{other}-new" in aistore("bucket", "ls", "ais://").split()
        assert "add --yes" in aistore.fails("bucket", "rm", f"{other}-new", code=2)
        aistore("bucket", "rm", "--yes", f"{other}-new")
        aistore.fails("bucket", "rm", "--yes", f"{other}-new", code=3)
    finally:
        for name in (f"{bucket.name}-made", f"{bucket.name}-made-new"):
            client.bucket(name).delete(missing_ok=True)


def test_jobs(aistore, client, bucket, uri, put):
    put("a")
    other = f"{bucket.name}-copy"
    try:
        job = aistore("bucket", "copy", "--no-wait", uri, f"ais://{other}").strip()
        aistore("job", "wait", job, "--timeout", "60")
        rows = [json.loads(line) for line in aistore("job", "ls", "--json").splitlines()]
        assert {row["job"]: (row["kind"], row["state"]) for row in rows}[job] == ("copy-bck", "ended")
        assert "copy-bck" in aistore("job", "show", "--watch", job)
        aistore.fails("job", "show", "g7Xq2LmPk", code=3)
        assert "give the id" in aistore.fails("job", "wait", code=2)
    finally:
        client.bucket(other).delete(missing_ok=True)


def test_an_etl_class_is_tried_here(aistore, uri, put):
    (aistore.folder / "shout.py").write_text(ETL_FILE)
    (aistore.folder / "helper.py").write_text('suffix = b"!"')
    (aistore.folder / "hello.txt").write_text("hello")
    put("a.txt", b"abc")
    done = aistore.run("etl", "run", "shout.py:ShoutIt", "hello.txt")
    assert (done.stdout, done.returncode) == (b"HELLO!", 0)  # what the class prints is not in it
    assert aistore("etl", "run", "shout.py:ShoutIt", "-", input="x") == "X!"
    assert aistore("etl", "run", "shout.py:ShoutIt", f"{uri}/a.txt") == "ABC!"
    aistore("etl", "run", "shout:ShoutIt", "hello.txt", "--output", "out.txt")
    assert (aistore.folder / "out.txt").read_bytes() == b"HELLO!"
    error = aistore.fails("etl", "run", "shout.py:Broken", "hello.txt", code=1)
    assert error == "aistore: Broken.transform raised ValueError: do not like it\n"
    (aistore.folder / "bad.py").write_text("import nope_nope")
    assert "bad.py cannot be loaded: ModuleNotFoundError" in aistore.fails(
        "etl", "run", "bad.py:X", "hello.txt", code=1
    )
    assert "no such file" in aistore.fails("etl", "init", "nope.py:X", code=3)
    assert "has no class 'Nope'" in aistore.fails("etl", "init", "shout.py:Nope", code=3)
    assert "--name NAME" in aistore.fails("etl", "init", "shout.py:Names", code=2)
    aistore.fails("etl", "transform", uri, f"{uri}-x", "--etl", "no-such-etl", code=3)


def test_batch(aistore, uri, put):
    names = [f"d/{number}" for number in range(20)]
    for name in names:
        put(name, name.encode())
    aistore("batch", uri, *names[:3], "--to", "here")
    assert (aistore.folder / "here/d/2").read_bytes() == b"d/2"
    (aistore.folder / "list").write_text("\n".join(names))
    archive = aistore.run("batch", uri, "--names", "list", "--to", "-").stdout
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        assert tar.getnames() == names
    aistore("batch", uri, "--names", "-", "-0", "--to", "all", input="\0".join(names))
    assert len(os.listdir(aistore.folder / "all/d")) == 20
    assert "1 object of 2" in aistore.fails("batch", uri, "d/1", "nope", "--to", "here", code=3)
    aistore("batch", uri, "d/1", "nope", "--skip-missing", "--to", "here")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_serve(aistore, number):
    command = aistore.command("serve", "--port", "0", "--dir", aistore.folder / "data")
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        endpoint = process.stdout.readline().strip()
        assert aistore("ls", "--endpoint", endpoint) == ""
        process.send_signal(number)
        assert process.wait(20) in (0, -number)


def test_serve_has_the_options_of_the_local_cluster(aistore):
    assert "--tls-self-signed" in aistore("serve", "--help")
    assert "--nope" in aistore.fails("serve", "--nope", code=2)
