"""bucket, job, etl, dsort, batch and cluster on a cluster; serve."""

import io
import json
import os
import signal
import subprocess
import tarfile

import pytest
from archives import tar_of

ETL_FILE = """
from aistore.sdk.etl.webserver.http_multi_threaded_server import HTTPMultiThreadedServer
from helper import suffix


class ShoutIt(HTTPMultiThreadedServer):
    def transform(self, data, path, etl_args):
        print("\\x1b[31mshouting", path, flush=True)
        return data.upper() + suffix


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


def test_etl(aistore, client, bucket, uri, put):
    (aistore.folder / "shout.py").write_text(ETL_FILE)
    (aistore.folder / "helper.py").write_text('suffix = b"!"')
    (aistore.folder / "hello.txt").write_text("hello")
    put("a.txt", b"abc")
    done = aistore.run("etl", "run", "shout.py:ShoutIt", "hello.txt")
    assert (done.stdout, done.returncode) == (b"HELLO!", 0)  # what the class prints is not in it
    assert aistore("etl", "run", "shout.py:ShoutIt", "-", input="x") == "X!"
    assert aistore("etl", "run", "shout.py:ShoutIt", f"{uri}/a.txt") == "ABC!"
    error = aistore.fails("etl", "run", "shout.py:Broken", "hello.txt", code=1)
    assert error == "aistore: Broken.transform raised ValueError: do not like it\n"
    other, name = f"{bucket.name}-loud", f"shout-{os.urandom(4).hex()}"
    try:
        aistore("etl", "init", "shout.py:ShoutIt", "--name", name, "--env", "NUM_WORKERS=1")
        assert name in aistore("etl", "ls")
        assert aistore("cat", "--etl", name, f"{uri}/a.txt") == "ABC!"
        aistore("etl", "transform", uri, f"ais://{other}", "--etl", name, "--ext", "txt=loud")
        assert aistore("cat", f"ais://{other}/a.loud") == "ABC!"
        assert "shouting" in aistore("etl", "logs", name)
        assert name in aistore("etl", "show", name)
        aistore("etl", "stop", name)
        assert name not in aistore("etl", "ls")
        aistore("etl", "rm", name)
        aistore.fails("etl", "rm", name, code=3)
    finally:
        client.bucket(other).delete(missing_ok=True)


def test_dsort(aistore, client, bucket, uri, put):
    for number in range(4):
        put(f"in-{number}.tar", tar_of([(f"{number}{n}.txt", b"x") for n in range(5)]))
    spec = {
        "input_bck": {"name": bucket.name, "provider": "ais"},
        "input_extension": ".tar",
        "input_format": {"template": "in-{0..3}"},
        "output_format": "out-{0..9}",
        "output_shard_size": "10KB",
        "algorithm": {"kind": "alphanumeric"},
    }
    (aistore.folder / "spec.json").write_text(json.dumps(spec))
    run = aistore("dsort", "start", "--wait", "spec.json").strip()
    assert any(name.startswith("out-") for name in aistore("ls", "-r", uri).split())
    assert run in aistore("dsort", "ls")
    assert "done" in aistore("dsort", "show", run)
    aistore("dsort", "wait", run)
    aistore("dsort", "rm", run)
    assert run not in aistore("dsort", "ls")


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


def test_cluster(aistore, endpoint):
    shown = json.loads(aistore("cluster", "info", "--json"))
    assert {node["role"] for node in shown["nodes"]} >= {"primary", "target"}
    assert endpoint in aistore("cluster", "info")
    assert aistore("cluster", "health") == "ready\n"
    assert "GETS" in aistore("cluster", "performance")
    assert json.loads(aistore("cluster", "smap"))["proxy_si"]


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
