"""dSort on a local cluster, by raw requests."""

from __future__ import annotations

import http.server
import json
import os
import random
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from shards import Members, make_shard, read_shard
from wire import Wire
from wire_dsort import info, over
from wire_jobs import SECONDS, get, names, put

from aistore.local import LocalCluster

EXTENSIONS = (".tar", ".tgz", ".zip", ".tar.lz4")


def shards(extension: str = ".tar") -> dict[str, bytes]:
    """Four shards of five records of two files, whose names and contents are in three different orders."""
    records = list(range(20))
    random.Random(7).shuffle(records)
    made = {}
    for shard in range(4):
        members: Members = []
        for number in records[shard * 5 : shard * 5 + 5]:
            members += [
                (f"rec{number:03}.txt", b"t" * (100 + number)),
                (f"rec{number:03}.cls", b"%d" % (100 - number)),
            ]
        made[f"in-{shard:02}{extension}"] = make_shard(extension, members)
    return made


@pytest.fixture
def src(wire: Wire) -> str:
    for bucket in ("sorted-in", "sorted-out"):
        wire.destroy(bucket)
    wire.create("sorted-in")
    put(wire, "sorted-in", shards())
    return "sorted-in"


def spec(**changes: Any) -> dict[str, Any]:
    return {
        "description": "a test",
        "input_bck": {"name": "sorted-in"},
        "input_format": {"template": "in-{00..03}"},
        "input_extension": ".tar",
        "output_bck": {"name": "sorted-out"},
        "output_format": "out-{000..099}",
        "output_shard_size": "1KB",
        **changes,
    }


def begin(wire: Wire, **changes: Any) -> str:
    answer = wire("POST", "/v1/sort", spec(**changes))
    assert answer.status == 200, answer
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"
    return answer.body.decode()


def failure(wire: Wire, run_id: str) -> list[str]:
    found = over(wire, run_id).values()
    assert all(state["Metrics"]["aborted"] for state in found)
    return [error for state in found for error in state["Metrics"]["errors"]]


def output(wire: Wire, bucket: str = "sorted-out", extension: str = ".tar") -> list[Members]:
    return [read_shard(extension, get(wire, bucket, name)) for name in names(wire, bucket)]


def numbers(wire: Wire, **changes: Any) -> list[int]:
    """Sort, and give the records' numbers in the order of the result."""
    run_id = begin(wire, **changes)
    found = over(wire, run_id)
    assert not any(state["aborted"] for state in found.values()), found
    members = [member for shard in output(wire) for member in shard]
    wire.destroy("sorted-out")
    for (text, data), (label, key) in zip(members[::2], members[1::2], strict=True):
        number = int(text[3:6])
        assert (text, label) == (f"rec{number:03}.txt", f"rec{number:03}.cls")
        assert (data, key) == (b"t" * (100 + number), b"%d" % (100 - number))
    return [int(name[3:6]) for name, _ in members[::2]]


def test_a_run_end_to_end(wire: Wire, src: str) -> None:
    run_id = begin(wire)
    assert run_id.startswith("srt-")
    found = over(wire, run_id)
    assert len(found) == 2
    assert names(wire, "sorted-out") == ["out-000.tar", "out-001.tar", "out-002.tar"]
    totals = dict.fromkeys(("extracted_count", "extracted_record_count", "to_create", "created_count"), 0)
    for state in found.values():
        assert state["id"] == run_id
        assert not state["aborted"]
        assert state["finish_time"] > state["started_time"]
        metrics = state["Metrics"]
        assert metrics["description"] == "a test"
        for phase in ("local_extraction", "meta_sorting", "shard_creation"):
            assert metrics[phase]["finished"]
        assert metrics["local_extraction"]["total_count"] == "4"
        both = {**metrics["local_extraction"], **metrics["shard_creation"]}
        totals = {key: count + int(both[key]) for key, count in totals.items()}
    assert totals == {"extracted_count": 4, "extracted_record_count": 40, "to_create": 3, "created_count": 3}
    [listed] = [
        run for run in json.loads(wire.ok("GET", "/v1/sort?regex=^a.test$").body) if run["id"] == run_id
    ]
    assert listed["loc-objs"] == "4"
    assert wire("DELETE", f"/v1/sort/abort?uuid={run_id}").status == 200
    snapshots = json.loads(wire.ok("GET", "/v1/cluster?what=qryxstats", {"kind": "dsort", "id": run_id}).body)
    assert {found[0]["kind"] for found in snapshots.values()} == {"dsort"}
    assert wire("DELETE", f"/v1/sort?uuid={run_id}").status == 200
    assert wire("GET", f"/v1/sort?uuid={run_id}").status == 404


def test_alphanumeric(wire: Wire, src: str) -> None:
    assert numbers(wire) == list(range(20))
    assert numbers(wire, algorithm={"kind": "alphanumeric", "decreasing": True}) == list(range(19, -1, -1))


def test_content(wire: Wire, src: str) -> None:
    algorithm = {"kind": "content", "extension": ".cls", "content_key_type": "int"}
    assert numbers(wire, algorithm=algorithm) == list(range(19, -1, -1))
    assert numbers(wire, algorithm={**algorithm, "decreasing": True}) == list(range(20))
    text = sorted(range(20), key=lambda number: str(100 - number))
    assert numbers(wire, algorithm={**algorithm, "content_key_type": "string"}) == text
    assert numbers(wire, algorithm={**algorithm, "content_key_type": "float"}) == list(range(19, -1, -1))


def test_shuffle_repeats_with_its_seed(wire: Wire, src: str) -> None:
    first = numbers(wire, algorithm={"kind": "shuffle", "seed": "1"})
    assert sorted(first) == list(range(20))
    assert first != list(range(20))
    assert numbers(wire, algorithm={"kind": "shuffle", "seed": "1"}) == first
    assert numbers(wire, algorithm={"kind": "shuffle", "seed": "2"}) != first


def test_none_keeps_the_order(wire: Wire, src: str) -> None:
    records = list(range(20))
    random.Random(7).shuffle(records)
    assert numbers(wire, algorithm={"kind": "none"}) == records


def test_not_like_the_cluster_md5_is_no_alphanumeric_order(wire: Wire, src: str) -> None:
    found = numbers(wire, algorithm={"kind": "md5"})
    assert sorted(found) == list(range(20))
    assert found != sorted(found)
    assert numbers(wire, algorithm={"kind": "md5"}) == found


@pytest.mark.parametrize("source", EXTENSIONS)
@pytest.mark.parametrize("result", EXTENSIONS)
def test_formats(wire: Wire, src: str, source: str, result: str) -> None:
    put(wire, src, shards(source))
    run_id = begin(
        wire,
        input_extension=source,
        output_extension=result,
        output_format="all-{0..9}",
        output_shard_size="1MB",
    )
    over(wire, run_id)
    assert names(wire, "sorted-out") == [f"all-0{result}"]
    [members] = output(wire, extension=result)
    assert [name for name, _ in members] == [
        f"rec{number:03}.{kind}" for number in range(20) for kind in ("txt", "cls")
    ]
    assert sum(len(data) for name, data in members if name.endswith("txt")) == sum(range(100, 120))


def test_compressed_input_beyond_the_memory_goes_to_disk(wire: Wire, src: str) -> None:
    members = [(f"r{number:02}.bin", random.Random(number).randbytes(40_000)) for number in range(20)]
    put(wire, src, {"big-0.tgz": make_shard(".tgz", members)})
    changes = {"input_format": {"objnames": ["big-0"]}, "input_extension": ".tgz", "output_extension": ".tgz"}
    run_id = begin(wire, max_mem_usage="100KB", output_shard_size="100KB", **changes)
    extraction = [state["Metrics"]["local_extraction"] for state in over(wire, run_id).values()]
    assert sum(int(counts["extracted_to_disk_size"]) for counts in extraction) == 800_000
    assert [member for shard in output(wire, extension=".tgz") for member in shard] == members


def test_without_a_size_there_are_as_many_shards_as_names(wire: Wire, src: str) -> None:
    over(wire, begin(wire, output_format="out-{0..3}", output_shard_size=""))
    assert names(wire, "sorted-out") == [f"out-{number}.tar" for number in range(4)]


@pytest.mark.parametrize(
    ("template", "expected"),
    [("o-{0..9..3}", "o-3.tar"), ("o-@0010-x.tar", "o-0001-x.tar"), ("o-%06d.tar", "o-000001.tar")],
)
def test_output_templates(wire: Wire, src: str, template: str, expected: str) -> None:
    over(wire, begin(wire, output_format=template))
    assert names(wire, "sorted-out")[1] == expected


def test_a_run_may_replace_its_input(wire: Wire, src: str) -> None:
    over(wire, begin(wire, output_bck=None, output_format="in-{00..03}", output_shard_size=""))
    found = [name for shard in output(wire, src) for name, _ in shard]
    assert found == sorted(found, key=lambda name: name[:6])
    assert len(found) == 40


def test_too_few_names(wire: Wire, src: str) -> None:
    errors = failure(wire, begin(wire, output_format="out-{0..1}"))
    assert errors[0] == "number of shards to be created exceeds expected number of shards (2)"
    assert wire("HEAD", "/v1/buckets/sorted-out").status == 404


def test_missing_shards(wire: Wire, src: str) -> None:
    changes = {"input_format": {"template": "in-{00..05}"}}
    assert numbers(wire, **changes) == list(range(20))
    run_id = begin(wire, **changes, Config={"missing_shards": "warn"})
    warnings = [state["Metrics"].get("warnings", []) for state in over(wire, run_id).values()]
    assert "in-04.tar is missing" in str(warnings)
    assert (
        "in-04.tar is missing" in failure(wire, begin(wire, **changes, Config={"missing_shards": "abort"}))[0]
    )


def test_duplicated_records(wire: Wire, src: str) -> None:
    changes = {"input_format": {"objnames": ["in-00", "in-00.tar"]}}
    over(wire, begin(wire, **changes))
    assert sum(len(shard) for shard in output(wire)) == 20
    errors = failure(wire, begin(wire, **changes, Config={"duplicated_records": "abort"}))
    assert "is in the input more than once" in errors[0]


def test_a_record_without_its_key_fails_the_run(wire: Wire, src: str) -> None:
    algorithm = {"kind": "content", "extension": ".nope", "content_key_type": "int"}
    assert "has no file with extension .nope" in failure(wire, begin(wire, algorithm=algorithm))[0]
    algorithm = {"kind": "content", "extension": ".txt", "content_key_type": "int"}
    assert "is not of type int" in failure(wire, begin(wire, algorithm=algorithm))[0]


def test_a_damaged_shard_fails_the_run_and_leaves_nothing(wire: Wire, src: str) -> None:
    put(wire, src, {"in-02.tar": b"this is no tar" * 100})
    assert "in-02.tar" in failure(wire, begin(wire))[0]
    put(wire, src, {"in-02.tar": shards()["in-02.tar"][:3000]})
    assert "in-02.tar" in failure(wire, begin(wire))[0]
    assert wire("HEAD", "/v1/buckets/sorted-out").status == 404


def test_a_dry_run_writes_nothing(wire: Wire, src: str) -> None:
    found = over(wire, begin(wire, dry_run=True))
    assert sum(int(state["Metrics"]["shard_creation"]["created_count"]) for state in found.values()) == 3
    assert wire("HEAD", "/v1/buckets/sorted-out").status == 404


# ---- key maps


def key_map(wire: Wire, src: str, name: str, content: str) -> dict[str, Any]:
    put(wire, src, {name: content.encode()})
    return {"ekm_file": f"{wire.endpoint}/v1/objects/{src}/{name}?provider=ais", "output_format": ""}


def test_a_key_map_in_json(wire: Wire, src: str) -> None:
    content = json.dumps({"low-{0..9}.tar": ["rec00"], "high-{0..9}": ["rec01"]})
    found = over(wire, begin(wire, **key_map(wire, src, "map.json", content), output_shard_size="6KB"))
    assert not any(state["aborted"] for state in found.values()), found
    assert names(wire, "sorted-out") == ["high-0.tar", "high-1.tar", "low-0.tar", "low-1.tar"]
    by_name = dict(zip(names(wire, "sorted-out"), output(wire), strict=True))
    low = [name for name, _ in by_name["low-0.tar"] + by_name["low-1.tar"]][::2]
    assert low == [f"rec00{number}.txt" for number in range(10)]


def test_a_key_map_in_lines(wire: Wire, src: str) -> None:
    lines = "^rec00;low-%d\n\nrec01 ; high-%d\n"
    changes = {**key_map(wire, src, "map.txt", lines), "ekm_file_sep": ";", "output_shard_size": "1MB"}
    over(wire, begin(wire, **changes))
    assert names(wire, "sorted-out") == ["high-0.tar", "low-0.tar"]


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ("badline\n", "malformed line (1) in external key map: badline"),
        ("^rec00\tlow-%d\n", 'error on lookup record "rec010.txt" in external key map: no match found'),
        (
            "rec0\tlow-%d\nrec\tx-%d",
            'error on lookup record "rec000.txt" in external key map: multiple matches',
        ),
        ("re(c\tlow-%d\n", "invalid regular expression 're(c' in external key map"),
    ],
)
def test_key_maps_that_say_too_little_or_too_much(wire: Wire, src: str, lines: str, message: str) -> None:
    assert message in failure(wire, begin(wire, **key_map(wire, src, "map.txt", lines)))[0]


def test_records_that_the_key_map_leaves_out(wire: Wire, src: str) -> None:
    lines = "badline\n^rec00\tlow-%d\n"
    reactions = {"ekm_malformed_line": "warn", "ekm_missing_key": "ignore"}
    changes = key_map(wire, src, "map.txt", lines) | {"output_shard_size": "1MB", "Config": reactions}
    found = over(wire, begin(wire, **changes))
    assert "malformed line (1)" in str([state["Metrics"].get("warnings") for state in found.values()])
    assert [len(shard) for shard in output(wire)] == [20]


@pytest.fixture
def key_map_server() -> Iterator[str]:
    """Give the URL of a key map on another port of this machine."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200 if self.path == "/map" else 302)
            self.send_header("Location", "/map")
            self.send_header("Content-Length", "10")
            self.end_headers()
            self.wfile.write(b"rec\tall-%d\n"[:10])

        def log_message(self, *_: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_a_key_map_on_this_machine(wire: Wire, src: str, key_map_server: str) -> None:
    changes = {"output_format": "", "output_shard_size": "1MB"}
    over(wire, begin(wire, ekm_file=f"{key_map_server}/map", **changes))
    assert names(wire, "sorted-out") == ["all-0.tar"]
    assert "HTTP status 302" in failure(wire, begin(wire, ekm_file=f"{key_map_server}/other", **changes))[0]


@pytest.mark.parametrize(
    "url",
    [
        "http://169.254.169.254/latest/meta-data",
        "http://10.0.0.1:8080/v1/objects/b/o",
        "https://example.com/map",
    ],
)
def test_key_maps_elsewhere_are_not_asked_for(wire: Wire, src: str, url: str) -> None:
    answer = wire("POST", "/v1/sort", spec(output_format="", ekm_file=url))
    assert answer.status == 400
    assert "egress blocked" in json.loads(answer.body)["message"]


# ---- what is refused


def refusal(wire: Wire, **changes: Any) -> str:
    answer = wire("POST", "/v1/sort", spec(**changes))
    assert answer.status == 400, answer
    return json.loads(answer.body)["message"]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"input_bck": None}, '"input_bck" missing source bucket'),
        ({"input_bck": {"name": "x", "provider": "floppy"}}, "invalid backend provider"),
        ({"algorithm": {"kind": "bogo"}}, "invalid sorting algorithm (expecting one of: ["),
        ({"algorithm": {"kind": "shuffle", "seed": "x"}}, 'invalid seed "x" (expecting integer value)'),
        ({"algorithm": {"kind": "content", "extension": "cls"}}, "algorithm: invalid extension"),
        (
            {"algorithm": {"kind": "content", "extension": ".cls", "content_key_type": "date"}},
            "invalid content sorting key \"date\", expecting one of: 'int', 'float', 'string'",
        ),
        ({"output_shard_size": "many"}, "output_shard_size: 'many' is not a size"),
        ({"output_shard_size": "-1"}, "output shard size must be >= 0"),
        (
            {"output_shard_size": "", "output_format": "o-%d"},
            "output shard size must be set (cannot be 0 and cannot be omitted)",
        ),
        ({"output_format": "out"}, "has no range"),
        ({"output_format": ""}, "output_format must be set"),
        ({"output_format": "o-{0..9}.tgz", "output_extension": ".tar"}, 'output_extension: ".tgz" vs ".tar"'),
        ({"output_format": "o-{9..0}"}, "'start' cannot be greater than 'end'"),
        ({"input_format": {"template": "in-"}}, "has no range"),
        ({"input_format": None}, "objnames or a template"),
        ({"input_format": {"template": "in-{0..1}.zip"}}, 'input_extension: ".zip" vs ".tar"'),
        ({"input_extension": ".rar"}, 'input_extension: invalid extension ".rar"'),
        ({"create_concurrency_max_limit": -1}, "negative concurrency limit"),
        ({"max_mem_usage": "101%"}, "max_mem_usage: 101%"),
        ({"Config": {"missing_shards": "cry"}}, 'missing_shards: "cry"'),
        ({"dsorter_type": "bogo"}, 'dsorter_type: "bogo"'),
        ({"dry_run": "perhaps"}, "dry_run"),
        ({"output_format": "", "ekm_file": "nonsense"}, "failed to parse ekm file URL"),
    ],
)
def test_not_like_the_cluster_bad_specifications_are_answered(
    wire: Wire, src: str, changes: dict[str, Any], message: str
) -> None:
    """A cluster drops the connection for most of these."""
    assert message in refusal(wire, **changes)
    assert wire("HEAD", "/v1/buckets/sorted-out").status == 404


def test_what_does_not_exist(wire: Wire, src: str) -> None:
    answer = wire("GET", "/v1/sort?uuid=nope")
    assert answer.status == 404
    assert json.loads(answer.body)["message"].endswith("[dsort] nope does not exist")
    assert wire("DELETE", "/v1/sort?uuid=nope").status == 404
    assert wire("DELETE", "/v1/sort/abort?uuid=nope").status == 404
    assert wire("POST", "/v1/sort", spec(input_bck={"name": "nope"})).status == 404
    assert wire("POST", "/v1/sort", b"{").status == 400
    assert wire("GET", "/v1/sort?regex=(").status == 400
    assert wire("PUT", "/v1/sort", {}).status == 405


# ---- aborting


def begin_long(wire: Wire) -> str:
    """Start a run that takes a while, and wait until it is at work."""
    members = [(f"r{number:05}.bin", b"") for number in range(8_000)]
    put(wire, "sorted-in", {f"many-{number}.tar": make_shard(".tar", members) for number in range(3)})
    changes = {"input_format": {"template": "many-{0..2}"}, "output_format": "o-%d", "output_shard_size": "1"}
    run_id = begin(wire, **changes)
    deadline = time.monotonic() + SECONDS
    while not any(state["Metrics"]["local_extraction"]["running"] for state in info(wire, run_id).values()):
        assert time.monotonic() < deadline
    return run_id


def test_an_aborted_run_leaves_nothing(wire: Wire, cluster: LocalCluster, src: str) -> None:
    run_id = begin_long(wire)
    active = json.loads(wire.ok("GET", "/v1/sort?only_active=true").body)
    assert [run["id"] for run in active] == [run_id]
    assert wire("DELETE", f"/v1/sort?uuid={run_id}").status == 400
    assert wire("DELETE", f"/v1/sort/abort?uuid={run_id}").status == 200
    assert f"[dsort] {run_id} aborted" in str(failure(wire, run_id))
    assert wire("HEAD", "/v1/buckets/sorted-out").status == 404
    assert not list((cluster.dir / "dsort").glob("*"))
    status = json.loads(wire.ok("GET", "/v1/cluster?what=status", {"id": run_id}).body)
    assert status["aborted"]


def test_a_run_that_a_crash_interrupted_is_aborted(tmp_path: Path) -> None:
    with LocalCluster(dir=tmp_path) as cluster:
        wire = Wire(cluster.endpoint)
        wire.create("sorted-in")
        run_id = begin_long(wire)
        os.kill(cluster.pid, signal.SIGKILL)
    with LocalCluster(dir=tmp_path) as cluster:
        wire = Wire(cluster.endpoint)
        assert failure(wire, run_id) == ["the cluster was restarted"]
        assert not list((tmp_path / "dsort").glob("*"))
        wire.ok("DELETE", f"/v1/sort?uuid={run_id}")


def test_a_mapping_is_a_specification_too(wire: Wire, cluster: LocalCluster, src: str) -> None:
    with cluster.client() as client:
        run = client.dsort()
        run.start(spec())
        assert run.wait(timeout=30, verbose=False)
        assert len(client.bucket("sorted-out").list_all_objects()) == 3


def test_runs_survive_a_restart(tmp_path: Path) -> None:
    with LocalCluster(dir=tmp_path) as cluster:
        wire = Wire(cluster.endpoint)
        wire.create("sorted-in")
        put(wire, "sorted-in", shards())
        run_id = begin(wire)
        before = over(wire, run_id)
    with LocalCluster(dir=tmp_path) as cluster:
        wire = Wire(cluster.endpoint)
        assert info(wire, run_id) == before
        assert json.loads(wire.ok("GET", "/v1/sort?only_active=true").body) == []
