"""The scripted bucket-to-bucket transform, as cron runs it."""

import subprocess
import sys
import uuid
from pathlib import Path

import pytest

SCRIPT = Path(__file__).resolve().parents[2] / "examples" / "offline_transform.py"

ETL = """
from aistore.sdk.etl.webserver.fastapi_server import FastAPIServer


def shout(data):
    if b"poison" in data:
        raise ValueError("cannot shout poison")
    return data.upper()


class Shout(FastAPIServer):
    def transform(self, data, path, etl_args):
        return shout(data)
"""


@pytest.fixture
def etl_file(tmp_path):
    file = tmp_path / "my_shout.py"
    file.write_text(ETL)
    return file


@pytest.fixture
def to(client):
    bucket = client.bucket(f"test-{uuid.uuid4().hex[:12]}")
    yield bucket
    bucket.delete(missing_ok=True)


def run(endpoint, src, dst, etl, *args):
    return subprocess.run(
        [sys.executable, SCRIPT, src.name, dst.name, "--etl", etl, "--endpoint", endpoint, *args],
        capture_output=True,
        text=True,
        timeout=100,
    )


def etl_names(client):
    return {info.id for info in client.cluster().list_etls(stages=["Running", "Initializing", "Aborted"])}


def test_it_transforms_a_bucket_and_removes_its_etl(client, endpoint, bucket, to, etl_file):
    for number in range(20):
        bucket.object(f"in/{number}.txt").get_writer().put_content(b"words %d" % number)
    bucket.object("other.txt").get_writer().put_content(b"not selected")
    before = etl_names(client)
    args = ("--prefix", "in/", "--prepend", "out/", "--ext", "txt:loud")
    done = run(endpoint, bucket, to, f"{etl_file}:Shout", *args)
    assert done.returncode == 0, done.stderr
    assert "20 of 20 objects transformed" in done.stderr
    assert {e.name for e in to.list_all_objects()} == {f"out/in/{n}.loud" for n in range(20)}
    assert to.object("out/in/7.loud").get_reader().read_all() == b"WORDS 7"
    assert etl_names(client) == before


def test_a_dry_run_stores_nothing(client, endpoint, bucket, to, etl_file):
    bucket.object("a.txt").get_writer().put_content(b"words")
    to.create()
    done = run(endpoint, bucket, to, f"{etl_file}:Shout", "--dry-run")
    assert done.returncode == 0, done.stderr
    assert "1 of 1 objects would be transformed" in done.stderr
    assert to.list_all_objects() == []


def test_objects_that_fail_are_named_and_the_exit_status_says_so(client, endpoint, bucket, to, etl_file):
    bucket.object("good.txt").get_writer().put_content(b"words")
    bucket.object("bad.txt").get_writer().put_content(b"poison")
    before = etl_names(client)
    done = run(endpoint, bucket, to, f"{etl_file}:Shout", "--retries", "1")
    assert done.returncode == 1, done.stderr
    assert "bad.txt" in done.stderr
    assert "cannot shout poison" in done.stderr
    assert "retry 1 of 1" in done.stderr
    assert [e.name for e in to.list_all_objects()] == ["good.txt"]
    assert etl_names(client) == before


def test_wrong_arguments_are_said_before_anything_happens(endpoint, bucket, to, etl_file):
    done = run(endpoint, bucket, to, f"{etl_file}:NoSuchClass")
    assert done.returncode == 2
    assert "NoSuchClass" in done.stderr
    done = run(endpoint, bucket, to, "nowhere.py:Shout")
    assert done.returncode == 2
    assert "nowhere.py" in done.stderr


def test_a_missing_source_bucket_is_said(client, endpoint, to, etl_file):
    done = run(endpoint, client.bucket("no-such-bucket-here"), to, f"{etl_file}:Shout")
    assert done.returncode == 3
    assert "no-such-bucket-here" in done.stderr
