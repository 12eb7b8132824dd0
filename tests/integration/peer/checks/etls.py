"""ETLs: every server class and way of talking, inline and offline, life and errors."""

import json
import sys
from pathlib import Path

from run import raises

from aistore.sdk.errors import AISError
from aistore.sdk.etl import ETLConfig
from aistore.sdk.etl.webserver.fastapi_server import FastAPIServer
from aistore.sdk.etl.webserver.flask_server import FlaskServer
from aistore.sdk.etl.webserver.http_multi_threaded_server import HTTPMultiThreadedServer

WAIT = 30


def objects(count=6):
    return {f"d/o-{n}.txt": b"object %d" % n for n in range(count)}


def shout_with(server):
    """A class of this package that upper-cases, with its arguments in front."""

    class Shout(server):
        def transform(self, data, path, etl_args):
            if data == b"bad":
                raise ValueError("bad data")
            return (etl_args or "").encode() + data.upper()

    return Shout


def inline_and_offline(c, name, ways):
    source, to = c.bucket(objects()), c.bucket()
    etl = c.client.etl(name)
    for server, comm_type, direct_put in ways:
        etl.init_class(
            comm_type=comm_type, direct_put=direct_put, init_timeout="1m", obj_timeout="20s", NUM_WORKERS=1
        )(shout_with(server))
        try:
            obj = source.object("d/o-3.txt")
            got = obj.get_reader(etl=ETLConfig(name)).read_all()
            assert got == b"OBJECT 3", (server, comm_type, got)
            assert obj.get_reader(etl=ETLConfig(name=etl, args="x:")).read_all() == b"x:OBJECT 3"
            job = source.transform(etl_name=name, to_bck=to, prepend=f"{comm_type}/", ext={"txt": "up"})
            assert c.client.job(job).wait(timeout=WAIT)
            for key, data in objects().items():
                made = to.object(f"{comm_type}/{key[:-3]}up").get_reader().read_all()
                assert made == data.upper(), (server, comm_type, key, made)
        finally:
            etl.stop()
            etl.delete()


def check_fastapi(c):
    ways = [(FastAPIServer, way, put) for way, put in (("hpush", True), ("hpull", False), ("ws", True))]
    inline_and_offline(c, c.name("fast"), ways)


def check_flask(c):
    inline_and_offline(c, c.name("flask"), [(FlaskServer, "hpush", True), (FlaskServer, "hpull", True)])


def check_multi_threaded(c):
    server = HTTPMultiThreadedServer
    inline_and_offline(c, c.name("multi"), [(server, "hpush", False), (server, "hpull", True)])


def check_life(c):
    name = c.name("life")
    etl = c.client.etl(name)
    raises(AISError, etl.view)
    raises(AISError, etl.stop)
    assert etl.name == name
    assert etl.pipeline == []
    with etl:
        etl.init_class(NUM_WORKERS=1)(shout_with(FastAPIServer))
        details = etl.view()
        assert details.init_msg.name == name
        assert name in {info.id for info in c.client.cluster().list_etls()}
        raises(AISError, etl.init_class(NUM_WORKERS=1), shout_with(FastAPIServer))
        logs = etl.logs()
        assert len(logs) == 2
        target = next(iter(c.client.cluster().get_info().tmap))
        assert [log.target_id for log in etl.logs(target)] == [target]
        etl.stop()
        assert name not in {info.id for info in c.client.cluster().list_etls()}
        assert name in {info.id for info in c.client.cluster().list_etls(stages=["Aborted"])}
        etl.start()
        source = c.bucket({"o": b"abc"})
        assert source.object("o").get_reader(etl=ETLConfig(name)).read_all() == b"ABC"
    raises(AISError, etl.view)
    for wrong in ("UP", "x", "a" * 40, "-abc-"):
        raises(ValueError, etl.validate_etl_name, wrong)


def check_command(c):
    name = c.name("command")
    server = Path(__file__).resolve().parents[3] / "support" / "command_server.py"
    etl = c.client.etl(name)
    etl.init(
        image="any", command=[sys.executable, str(server), "0.0.0.0:8000"], init_timeout="30s", PREFIX="<"
    )
    try:
        source = c.bucket({"o": b"abc"})
        assert b"ABC" in source.object("o").get_reader(etl=ETLConfig(name)).read_all()
    finally:
        etl.stop()
        etl.delete()
    raises(AISError, etl.init, image="no/such:image")


def check_jobs_and_errors(c):
    name = c.name("jobs")
    etl = c.client.etl(name)
    etl.init_class(NUM_WORKERS=1)(shout_with(FastAPIServer))
    try:
        source, to = c.bucket({**objects(), "d/bad.txt": b"bad"}), c.bucket()
        group = source.objects(obj_names=["d/o-0.txt", "d/o-1.txt"])
        job = group.transform(to, name, prepend="g/", ext={"txt": "up"}, num_workers=2)
        assert c.client.job(job).wait(timeout=WAIT)
        assert [e.name for e in to.list_all_objects()] == ["g/d/o-0.up", "g/d/o-1.up"]
        answer = source.object("d/o-0.txt").copy(to.object("one"), etl=ETLConfig(name))
        assert answer.status_code == 204, answer.status_code
        assert to.object("one").get_reader().read_all() == b"OBJECT 0"
        bad = c.client_without_retries().bucket(source.name).object("d/bad.txt")
        error = raises(AISError, bad.get_reader(etl=ETLConfig(name)).read_all)
        assert error.status_code == 500
        assert "bad data" in str(error)
        job = c.client.job(source.transform(name, to, prepend="c/", cont_on_err=True))
        job.wait(timeout=WAIT)
        assert len(to.list_all_objects(prefix="c/")) == 6
        assert any("bad" in json.dumps(str(error)) for error in etl.view(job.job_id).obj_errors)
        for inspected in (source.inspect(name, num_workers=1), group.inspect(name, num_workers=1)):
            c.client.job(inspected).wait(timeout=WAIT)
        assert source.object("d/o-0.txt").get_reader().read_all() == b"object 0"
        failed = c.client.job(source.transform(name, to, prepend="f/")).wait(timeout=WAIT)
        assert not failed
        raises(AISError, source.object("d/absent").get_reader(etl=ETLConfig(name)).read_all)
        raises(AISError, source.object("d/o-0.txt").get_reader(etl=ETLConfig("no-such-etl")).read_all)
    finally:
        etl.stop()
        etl.delete()


def check_pipelines(c):
    first, second = c.client.etl(c.name("first")), c.client.etl(c.name("second"))

    class Reverse(FastAPIServer):
        def transform(self, data, path, etl_args):
            return data[::-1]

    first.init_class(NUM_WORKERS=1, direct_put=True)(shout_with(FastAPIServer))
    second.init_class(NUM_WORKERS=1, direct_put=True)(Reverse)
    try:
        both = first >> second
        assert both.pipeline == [second.name]
        source, to = c.bucket(objects()), c.bucket()
        got = source.object("d/o-1.txt").get_reader(etl=ETLConfig(both)).read_all()
        assert got == b"1 TCEJBO"
        job = source.transform(first.name, to, etl_pipeline=[second.name])
        assert c.client.job(job).wait(timeout=WAIT)
        assert to.object("d/o-2.txt").get_reader().read_all() == b"2 TCEJBO"
    finally:
        for etl in (first, second):
            etl.stop()
            etl.delete()


def check_a_class_that_does_not_start(c):
    etl = c.client.etl(c.name("broken"))

    class Broken(FastAPIServer):
        def __init__(self):
            raise RuntimeError("never starts")

        def transform(self, data, path, etl_args):
            return data

    error = raises(AISError, etl.init_class(init_timeout="20s", NUM_WORKERS=1), Broken)
    assert "never starts" in str(error)
