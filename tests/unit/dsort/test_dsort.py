"""dSort: specifications, key maps, jobs."""

import json
import sys

import pytest
from recording_client import RecordingClient, answer
from scripted import Answer, scripted

from aistore.sdk.dsort import Dsort, DsortAlgorithm, DsortFramework, DsortShardsGroup, ExternalKeyMap
from aistore.sdk.dsort.types import DetailedStats, JobInfo, TimeStats
from aistore.sdk.errors import InvalidArgument, InvalidArgumentType, Timeout
from aistore.sdk.multiobj import ObjectNames, ObjectRange
from aistore.sdk.namespace import Namespace
from aistore.sdk.types import BucketModel

IN = DsortShardsGroup(BucketModel(name="in", provider="ais"), "input", ObjectRange("i-", 0, 9), ".tar")
OUT = DsortShardsGroup(BucketModel(name="out", provider="ais"), "output", ObjectRange("o-", 0, 9, 3), ".tar")
SPEC = {
    "input_bck": {"name": "in", "provider": "ais"},
    "input_format": {"template": "i-{0..9..1}"},
    "input_extension": ".tar",
    "output_bck": {"name": "out", "provider": "ais"},
    "output_format": "o-{000..009..1}",
    "output_extension": ".tar",
    "algorithm": {"kind": "alphanumeric", "decreasing": False, "seed": ""},
    "description": "",
}


class TestSpecification:
    def test_framework(self):
        assert DsortFramework(IN, OUT).to_spec() == SPEC
        full = DsortFramework(IN, OUT, DsortAlgorithm(kind="shuffle", seed="5"), "why", "10MB")
        assert full.to_spec() == {
            **SPEC,
            "algorithm": {"kind": "shuffle", "decreasing": False, "seed": "5"},
            "description": "why",
            "output_shard_size": "10MB",
        }

    def test_content_algorithm(self):
        algorithm = DsortAlgorithm(kind="content", extension=".cls", content_key_type="int")
        assert algorithm.as_dict()["content_key_type"] == "int"

    @pytest.mark.parametrize(
        "fields",
        [
            {"kind": "md"},
            {"kind": "content"},
            {"kind": "content", "extension": ".x"},
            {"kind": "shuffle", "extension": ".x"},
            {"kind": "content", "extension": ".x", "content_key_type": "date"},
        ],
    )
    def test_algorithms_that_make_no_sense(self, fields):
        with pytest.raises(InvalidArgument):
            DsortAlgorithm(**fields)

    @pytest.mark.parametrize(
        ("role", "format"),
        [
            ("middle", ObjectRange("a")),
            ("input", ExternalKeyMap()),
            ("output", ObjectNames(["a"])),
            ("input", "a"),
        ],
    )
    def test_shards_that_make_no_sense(self, role, format):
        with pytest.raises(ValueError, match="role"):
            DsortShardsGroup(IN.bck, role, format, ".tar")

    def test_names_as_input(self):
        group = DsortShardsGroup(IN.bck, "input", ObjectNames(["a"]), ".tar")
        assert group.as_dict()["input_format"] == {"objnames": ["a"]}


class TestKeyMap:
    def test_form(self):
        key_map = ExternalKeyMap({"o-{0..1}": ObjectNames(["a", "b"])})
        assert key_map.as_dict() == {"o-{0..1}": ["a", "b"]}
        assert str(key_map) == ""

    def test_checks_what_it_holds(self):
        key_map = ExternalKeyMap()
        for key, value in ((1, ObjectNames(["a"])), ("a", ["a"])):
            with pytest.raises(InvalidArgumentType):
                key_map[key] = value
        with pytest.raises(TypeError):
            ExternalKeyMap(a=3)

    def test_is_put_into_the_input_bucket(self):  # defect 10
        source = BucketModel(name="in", provider="aws", namespace=Namespace(name="n"))
        framework = DsortFramework(
            DsortShardsGroup(source, "input", ObjectRange("i-", 0, 9), ".tar"),
            DsortShardsGroup(OUT.bck, "output", ExternalKeyMap({"o-{0..1}": ObjectNames(["a"])}), ".tar"),
        )
        with scripted(lambda request: Answer(b"id")) as (server, client):
            assert Dsort(client).start(framework) == "id"
        put = next(request for request in server.requests if request.body and request.method == "PUT")
        assert (put.path, put.params) == (
            "/v1/objects/in/ekm-file.json",
            {"provider": "aws", "namespace": "@#n"},
        )
        assert json.loads(put.body) == {"o-{0..1}": ["a"]}
        spec = json.loads(server.requests[-1].body)
        assert (spec["output_format"], spec["ekm_file_sep"]) == ("", "")
        assert spec["ekm_file"].startswith(f"{client.base_url}/objects/in/ekm-file.json?provider=aws")


class TestFiles:
    @pytest.fixture
    def write(self, tmp_path):
        def write(spec, name="spec.json"):
            path = tmp_path / name
            path.write_text(spec if isinstance(spec, str) else json.dumps(spec))
            return path

        return write

    @pytest.mark.parametrize(
        "spec",
        [
            {**SPEC, "output_shard_size": "1MB"},
            {**SPEC, "input_format": {"objnames": ["a", "b"]}},
            {**SPEC, "output_format": "", "ekm_file": "http://x/ekm", "ekm_file_sep": "\t"},  # defect 10
        ],
    )
    def test_read_into_a_framework(self, write, spec):
        assert DsortFramework.from_file(write(spec)).to_spec() == spec

    @pytest.mark.parametrize(
        "change",
        [
            {"input_format": "x"},
            {"input_format": {"names": []}},
            {"output_format": "plain"},
            {"output_format": ["a"]},
            {"output_bck": None},
            {"input_bck": {"name": "a"}},
            {"algorithm": {"kind": "md"}},
        ],
    )
    def test_specifications_that_make_no_sense(self, write, change):
        with pytest.raises(InvalidArgument):
            DsortFramework.from_file(write({**SPEC, **change}))

    @pytest.mark.parametrize(
        ("name", "text"), [("a.json", '{"x": 1}'), ("a.YAML", "x: 1\n"), ("a.yml", "x: 1\n")]
    )
    def test_are_sent_as_they_are(self, write, name, text):
        client = RecordingClient([answer("id")])
        dsort = Dsort(client)
        assert dsort.start(write(text, name)) == dsort.dsort_id == "id"
        assert client.calls == [("post", {"path": "sort", "json": {"x": 1}})]

    @pytest.mark.parametrize(
        ("name", "text"), [("a.txt", "{}"), ("a.json", "{"), ("a.json", "[1]"), ("a.yaml", "a: [")]
    )
    def test_that_cannot_be_used(self, write, name, text):
        client = RecordingClient()
        with pytest.raises(InvalidArgument):
            Dsort(client).start(write(text, name))
        assert client.calls == []

    def test_that_are_not_there(self, tmp_path):
        for path in (tmp_path / "none.json", tmp_path, None, 3):
            with pytest.raises(ValueError):
                Dsort(RecordingClient()).start(path)


def phase(finished):
    return {"started_time": "", "end_time": "", "elapsed": 0, "running": False, "finished": finished}


def info(finished=True, aborted=None, errors=None, finish_time=None):
    extraction = dict.fromkeys(
        (
            "total_count",
            "extracted_count",
            "extracted_size",
            "extracted_record_count",
            "extracted_to_disk_count",
            "extracted_to_disk_size",
        ),
        "0",
    )
    creation = {"to_create": "1", "created_count": "1", "moved_shard_count": "0"}
    return JobInfo.model_validate(
        {
            "id": "id",
            "src-bck": {"name": "a", "provider": "ais"},
            "dst-bck": {"name": "b", "provider": "ais"},
            "loc-objs": "1",
            "loc-bytes": "2",
            "started_meta_sorting": 5,
            "finish_time": finish_time,
            "aborted": bool(aborted),
            "archived": False,
            "Metrics": {
                "local_extraction": {**phase(finished), **extraction},
                "meta_sorting": phase(finished),
                "shard_creation": {**phase(finished), **creation},
                "aborted": aborted,
                "errors": errors,
            },
        }
    )


class TestJobs:
    def dsort(self, *models):
        client = RecordingClient(models=models)
        return Dsort(client, "id"), client

    def test_mapping_is_sent_as_it_is(self):
        client = RecordingClient([answer("id")])
        Dsort(client).start({"x": 1})
        assert client.calls == [("post", {"path": "sort", "json": {"x": 1}})]

    def test_abort(self):
        client = RecordingClient()
        Dsort(client, "id").abort()
        assert client.calls == [("delete", {"path": "sort/abort", "params": {"uuid": ["id"]}})]

    def test_info(self):
        dsort, client = self.dsort({"t1": info()})
        assert dsort.get_job_info()["t1"].extracted_duration == 5
        assert client.calls[0][1]["params"] == {"uuid": ["id"]}
        assert repr(dsort) == "Dsort(dsort_id='id')"

    def test_wait(self):
        times = "2026-11-21T07:00:12Z", "2026-11-21T07:00:13Z"
        done = {target: info(finish_time=time) for target, time in zip("ab", times, strict=True)}
        result = self.dsort({}, {"a": info(finished=False)}, done)[0].wait(timeout=10)
        assert result
        assert result.end_time.second == 13

    def test_wait_for_an_aborted_one(self):
        aborted = {"a": info(), "b": info(finished=False, aborted=True, errors=["", "why"])}
        result = self.dsort(aborted)[0].wait(verbose=False)
        assert (result.success, result.error, result.end_time) == (False, "why", None)

    def test_wait_ends(self):
        with pytest.raises(Timeout, match="dsort job 'id'"):
            self.dsort({})[0].wait(timeout=0.05)


def test_statistics_dump():
    stats = {"total_ms": "1", "count": "1", "min_ms": "1", "max_ms": "1", "avg_ms": "1"}
    metrics = info().metrics
    metrics.meta_sorting.sent_stats = TimeStats(**stats)
    assert metrics.model_dump()["meta_sorting"]["sent_stats"] == stats
    assert issubclass(DetailedStats, TimeStats)


def test_a_key_map_that_is_there_already_is_left():
    framework = DsortFramework(
        DsortShardsGroup(BucketModel(name="in", provider="ais"), "input", ObjectRange("i-", 0, 9), ".tar"),
        DsortShardsGroup(OUT.bck, "output", ExternalKeyMap({"o-{0..1}": ObjectNames(["a"])}), ".tar"),
    )
    framework.ekm_file = "http://elsewhere/map"
    with scripted(lambda request: Answer(b"id")) as (server, client):
        assert Dsort(client).start(framework) == "id"
    assert [request.method for request in server.requests] == ["POST"]
    assert json.loads(server.requests[0].body)["ekm_file"] == "http://elsewhere/map"


def test_yaml_without_its_package(tmp_path, monkeypatch):
    path = tmp_path / "spec.yaml"
    path.write_text("input_bck: {}")
    monkeypatch.setitem(sys.modules, "yaml", None)
    with pytest.raises(InvalidArgument, match="pip install"):
        DsortFramework.from_file(path)
