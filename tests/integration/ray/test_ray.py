"""Ray Data reads objects as rows and writes rows as objects."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

ray = pytest.importorskip("ray")
pytest.importorskip("ray.data")

from aistore.ray import AISDatasink, AISDatasource  # noqa: E402
from aistore.ray.datasource import SCHEMA, _Entry, split_by_size  # noqa: E402
from aistore.sdk.errors import InvalidArgument  # noqa: E402

# Ray's own
pytestmark = [
    pytest.mark.xdist_group("ray"),  # one Ray for all of them
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::FutureWarning"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]

CONTENT = {f"in/{number:03}": bytes([number]) * (number * 10) for number in range(60)}


@pytest.fixture
def filled(bucket):
    for name, content in CONTENT.items():
        bucket.object(name).get_writer().put_content(content)
    bucket.object("other").get_writer().put_content(b"-")
    return bucket


@pytest.fixture(scope="module")
def _local_ray():
    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False, logging_level="error")
    context = ray.data.DataContext.get_current()
    context.enable_progress_bars = False
    yield
    ray.shutdown()


def entries(sizes):
    return [_Entry(0, str(number), size) for number, size in enumerate(sizes)]


@pytest.mark.parametrize("count", [1, 2, 7, 100])
def test_objects_are_split_by_size(count):
    sizes = [(number * 7919) % 100_000 for number in range(300)]
    groups = split_by_size(entries(sizes), count)
    assert [entry for group in groups for entry in group] == entries(sizes)
    assert len(groups) == count
    loads = [sum(entry.size for entry in group) for group in groups]
    assert max(loads) < sum(sizes) / count + 110_000


def test_one_large_object_has_a_task_of_its_own():
    groups = split_by_size(entries([10, 10, 10_000_000, 10, 10]), 3)
    assert [len(group) for group in groups if group[0].size > 100] == [1]
    assert split_by_size([], 4) == [[]]
    assert len(split_by_size(entries([1, 1]), 50)) == 2


def test_tasks_are_known_before_they_run(client, filled):
    source = AISDatasource(filled, prefix="in/")
    assert source.estimate_inmemory_data_size() == sum(map(len, CONTENT.values())) + 6 * len(CONTENT)
    tasks = source.get_read_tasks(4)
    assert len(tasks) == 4
    assert sum(task.metadata.num_rows for task in tasks) == len(CONTENT)
    assert sum(task.metadata.size_bytes for task in tasks) == source.estimate_inmemory_data_size()
    tables = [table for task in tasks for table in task()]
    assert all(table.schema == SCHEMA for table in tables)
    rows = [row for table in tables for row in table.to_pylist()]
    assert rows == [
        {"bucket": f"ais://{filled.name}", "key": name, "bytes": content} for name, content in CONTENT.items()
    ]


def test_blocks_are_cut_at_their_size(filled):
    context = ray.data.DataContext()
    context.target_max_block_size = 5000
    (task,) = AISDatasource(filled, prefix="in/").get_read_tasks(1, data_context=context)
    tables = list(task())
    assert sum(table.num_rows for table in tables) == len(CONTENT)
    assert len(tables) > 2


def test_an_empty_source_has_the_schema(bucket):
    (task,) = AISDatasource(bucket).get_read_tasks(8)
    (table,) = task()
    assert (table.num_rows, table.schema) == (0, SCHEMA)


def test_sources_are_buckets_groups_and_urls(client, filled, endpoint, monkeypatch):
    def names(*args, **options):
        (task,) = AISDatasource(*args, **options).get_read_tasks(1)
        return [name for table in task() for name in table.column("key").to_pylist()]

    assert names(filled, prefix="oth") == ["other"]
    assert names(filled.objects(obj_names=["other", "in/001"])) == ["other", "in/001"]
    assert names([filled, f"ais://{filled.name}/in/00"], client, prefix="") == [
        *CONTENT,
        "other",
        *[name for name in CONTENT if name.startswith("in/00")],
    ]
    monkeypatch.setenv("AIS_ENDPOINT", endpoint)
    assert names(f"ais://{filled.name}/o") == ["other"]
    for wrong in ([], "no url", "ais://"):
        with pytest.raises(InvalidArgument):
            AISDatasource(wrong, client)
    with pytest.raises(TypeError, match="Bucket"):
        AISDatasource([3])
    with pytest.raises(InvalidArgument, match="max_batch_size"):
        AISDatasource(filled, max_batch_size=0)


def test_an_object_that_is_gone_is_an_error_or_left_out(filled):
    def tasks(**options):
        filled.object("in/007").get_writer().put_content(b"7")
        found = AISDatasource(filled, prefix="in/", **options).get_read_tasks(3)
        filled.object("in/007").delete()
        return found

    with pytest.raises(FileNotFoundError, match="in/007"):
        [list(task()) for task in tasks()]
    lenient = tasks(cont_on_err=True)
    assert sum(table.num_rows for task in lenient for table in task()) == len(CONTENT) - 1
    assert lenient[0].metadata.num_rows is None


def test_a_missing_bucket_is_an_error_before_anything_runs(client):
    with pytest.raises(FileNotFoundError, match="nowhere"):
        AISDatasource(client.bucket("nowhere")).get_read_tasks(2)


@pytest.mark.slow
@pytest.mark.usefixtures("_local_ray")
def test_a_dataset_is_read_transformed_and_written(client, filled):
    dataset = ray.data.read_datasource(AISDatasource(filled, prefix="in/"), override_num_blocks=4)
    assert dataset.schema().names == ["bucket", "key", "bytes"]
    assert {row["key"]: row["bytes"] for row in dataset.take_all()} == CONTENT

    def reverse(row):
        return {"key": row["key"][3:], "bytes": b"<" + row["bytes"]}

    dataset.map(reverse).write_datasink(AISDatasink(filled, prefix="out/"))
    written = {entry.name for entry in filled.list_objects_iter(prefix="out/")}
    assert written == {f"out/{name[3:]}" for name in CONTENT}
    assert filled.object("out/009").get_reader().read_all() == b"<" + CONTENT["in/009"]

    with pytest.raises(Exception, match="no column 'bytes'"):
        dataset.select_columns(["key"]).write_datasink(AISDatasink(filled))

    missing = AISDatasource(filled, prefix="in/")
    missing.estimate_inmemory_data_size()  # lists
    filled.object("in/030").delete()
    with pytest.raises(Exception, match="in/030"):
        ray.data.read_datasource(missing).take_all()


def test_missing_ray_names_the_extra():
    code = "import sys; sys.modules['ray'] = None; import aistore.ray\n"
    code += "try: aistore.ray.AISDatasource\nexcept ImportError as err: print(err)"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    assert "pip install 'aistore[ray]'" in done.stdout


def test_the_package_loads_nothing_at_import():
    code = "import sys, aistore.ray; print('ray' in sys.modules, 'requests' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.split() == ["False", "False"]


@pytest.mark.usefixtures("_local_ray")
def test_the_snippet_of_the_page_runs():
    # Not with those of the other pages: a Ray of its own takes long to start, and warns of itself.
    page = Path(__file__).resolve().parents[3] / "docs" / "ray.md"
    (code,) = re.findall(r"^```py\n(.*?)^```$", page.read_text(), re.MULTILINE | re.DOTALL)
    exec(compile(code, page.name, "exec"), {"__name__": "__main__"})
