"""What users read and write data with, through `ais://`."""

import os

import fsspec
import pytest

pytestmark = [
    pytest.mark.usefixtures("ais"),
    # These libraries warn about each other: that is theirs to settle, and no failure of ours.
    pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning"),
]


@pytest.fixture
def frame():
    import pandas as pd

    return pd.DataFrame({"number": range(1000), "text": [f"row {i}" for i in range(1000)]})


class TestPandas:
    @pytest.mark.parametrize("name", ["t.csv", "t.csv.gz"])
    def test_csv(self, root, frame, name):
        import pandas as pd

        frame.to_csv(f"ais://{root}/{name}", index=False)
        pd.testing.assert_frame_equal(pd.read_csv(f"ais://{root}/{name}"), frame)

    def test_parquet(self, root, frame):
        import pandas as pd

        frame.to_parquet(f"ais://{root}/t.parquet")
        got = pd.read_parquet(f"ais://{root}/t.parquet", columns=["number"])
        assert got["number"].sum() == frame["number"].sum()

    def test_storage_options(self, root, frame, endpoint, monkeypatch):
        import pandas as pd

        monkeypatch.delenv("AIS_ENDPOINT")
        options = {"endpoint": endpoint, "timeout": (2, 10)}
        frame.to_json(f"ais://{root}/t.json", orient="records", storage_options=options)
        got = pd.read_json(f"ais://{root}/t.json", orient="records", storage_options=options)
        pd.testing.assert_frame_equal(got, frame)

    def test_a_failed_write_leaves_the_old_object(self, root, frame):
        import pandas as pd

        class Unprintable:
            def __str__(self):
                raise KeyError("no text")

        frame.to_csv(f"ais://{root}/t.csv", index=False)
        bad = pd.DataFrame({"number": [*range(100_000), Unprintable()]})
        with pytest.raises(KeyError):
            bad.to_csv(f"ais://{root}/t.csv", index=False)
        pd.testing.assert_frame_equal(pd.read_csv(f"ais://{root}/t.csv"), frame)


class TestArrow:
    @pytest.fixture
    def table(self, frame):
        import pyarrow as pa

        return pa.Table.from_pandas(frame)

    def test_dataset_by_handler(self, ais, root, table):
        import pyarrow.dataset as ds
        from pyarrow.fs import FSSpecHandler, PyFileSystem

        filesystem = PyFileSystem(FSSpecHandler(ais))
        ds.write_dataset(
            table,
            f"{root}/set",
            filesystem=filesystem,
            format="parquet",
            max_rows_per_file=250,
            max_rows_per_group=250,
        )
        assert len(ais.find(f"{root}/set")) == 4
        got = ds.dataset(f"{root}/set", filesystem=filesystem).to_table(filter=ds.field("number") >= 900)
        assert got.num_rows == 100

    def test_fsspec_directly(self, ais, root, table):
        import pyarrow.parquet as pq

        pq.write_table(table, f"{root}/t.parquet", filesystem=ais)
        assert pq.read_table(f"{root}/t.parquet", filesystem=ais).equals(table)

    def test_partitions(self, ais, root, table):
        import pyarrow.dataset as ds

        parted = table.append_column("part", [[i % 3 for i in range(1000)]])
        ds.write_dataset(parted, f"{root}/parts", filesystem=ais, format="parquet", partitioning=["part"])
        got = ds.dataset(f"{root}/parts", filesystem=ais, partitioning=["part"])
        assert got.count_rows(filter=ds.field("part") == 0) == 334

    def test_url(self, root, table):
        from pyarrow import fs as pafs
        from pyarrow import parquet as pq

        filesystem, path = pafs.FileSystem.from_uri(f"fsspec+ais://{root}/t.parquet")
        pq.write_table(table, path, filesystem=filesystem)
        assert pq.read_metadata(path, filesystem=filesystem).num_rows == 1000
        (info,) = filesystem.get_file_info([path])
        assert info.size > 0
        assert info.mtime is not None


class TestPolars:
    def test_csv_and_parquet_by_file(self, ais, root):
        import polars as pl

        frame = pl.DataFrame({"number": range(100)})
        with ais.open(f"{root}/t.parquet", "wb") as file:
            frame.write_parquet(file)
        with ais.open(f"{root}/t.parquet") as file:
            assert pl.read_parquet(file).equals(frame)
        with ais.open(f"{root}/t.csv", "wb") as file:
            frame.write_csv(file)
        with ais.open(f"{root}/t.csv") as file:
            assert pl.read_csv(file).equals(frame)

    def test_lazily_over_a_dataset(self, ais, root):
        import polars as pl
        import pyarrow.dataset as ds

        for part in range(3):
            with ais.open(f"{root}/set/{part}.parquet", "wb") as file:
                pl.DataFrame({"number": range(part * 100, part * 100 + 100)}).write_parquet(file)
        lazy = pl.scan_pyarrow_dataset(ds.dataset(f"{root}/set", filesystem=ais, format="parquet"))
        assert lazy.filter(pl.col("number") >= 250).collect().height == 50


class TestDuckDB:
    def test_registered_filesystem(self, ais, root):
        import duckdb

        with duckdb.connect() as connection:
            connection.register_filesystem(ais)
            connection.execute(f"COPY (SELECT range AS n FROM range(1000)) TO 'ais://{root}/a.parquet'")
            connection.execute(f"COPY (SELECT range AS n FROM range(1000, 1500)) TO 'ais://{root}/b.parquet'")
            total = connection.execute(f"SELECT count(*), max(n) FROM 'ais://{root}/*.parquet'").fetchone()
            assert total == (1500, 1499)
            connection.execute(f"COPY (SELECT 7 AS seven) TO 'ais://{root}/c.csv'")
            assert connection.execute(f"SELECT * FROM read_csv('ais://{root}/c.csv')").fetchone() == (7,)
        assert ais.ls(root, detail=False) == [
            f"{root}/{name}" for name in ("a.parquet", "b.parquet", "c.csv")
        ]


class TestZarr:
    @pytest.fixture(autouse=True)
    def _zarr(self):
        pytest.importorskip("zarr", minversion="3.0", reason="zarr 3 needs Python 3.11")

    def test_group_and_array(self, ais, root):
        import numpy as np
        import zarr

        group = zarr.open_group(f"ais://{root}/z.zarr", mode="w")
        array = group.create_array("a", shape=(100, 100), chunks=(25, 25), dtype="i4")
        array[:] = np.arange(10_000).reshape(100, 100)
        array.attrs["unit"] = "m"
        assert len(ais.find(f"{root}/z.zarr/a")) == 17

        again = zarr.open_group(f"ais://{root}/z.zarr", mode="r")
        assert again["a"].attrs["unit"] == "m"
        assert int(again["a"][30:60, 10:20].sum()) == sum(
            100 * i + j for i in range(30, 60) for j in range(10, 20)
        )
        assert sorted(again.array_keys()) == ["a"]

    def test_store_of_an_instance(self, endpoint, root):
        import zarr
        from zarr.storage import FsspecStore

        from aistore.fs import AISFileSystem

        asynchronous = AISFileSystem(endpoint, asynchronous=True)
        store = FsspecStore(asynchronous, path=f"{root}/s.zarr")
        array = zarr.create_array(store, shape=(10,), chunks=(5,), dtype="f8", fill_value=0)
        array[3] = 1.5
        assert zarr.open_array(store, mode="r")[3] == 1.5


class TestDask:
    def test_dataframe(self, root, frame):
        import dask
        import dask.dataframe as dd

        with dask.config.set(scheduler="threads"):
            dd.from_pandas(frame, npartitions=4).to_parquet(f"ais://{root}/d.parquet")
            got = dd.read_parquet(f"ais://{root}/d.parquet")
            assert got.npartitions == 4
            assert got["number"].sum().compute() == frame["number"].sum()
            dd.from_pandas(frame, npartitions=2).to_csv(f"ais://{root}/d-*.csv", index=False)
            assert len(dd.read_csv(f"ais://{root}/d-*.csv")) == 1000

    def test_bag(self, root):
        import dask
        import dask.bag as db

        with dask.config.set(scheduler="threads"):
            db.from_sequence(["a", "b", "c"], npartitions=3).to_textfiles(f"ais://{root}/bag/*.txt")
            lines = db.read_text(f"ais://{root}/bag/*.txt").map(str.strip).compute()
        assert lines == ["a", "b", "c"]

    def test_the_same_graph_has_the_same_names_in_every_process(self, ais, endpoint):
        import subprocess
        import sys

        from dask.base import tokenize

        code = (
            "import sys, fsspec; from dask.base import tokenize;"
            "print(tokenize(fsspec.filesystem('ais', endpoint=sys.argv[1])))"
        )
        ran = subprocess.run(
            [sys.executable, "-c", code, endpoint], capture_output=True, text=True, check=True
        )
        assert ran.stdout.strip() == tokenize(fsspec.filesystem("ais", endpoint=endpoint))


class TestDatasets:
    @pytest.fixture(autouse=True)
    def _offline(self, monkeypatch, tmp_path):
        import datasets

        assert datasets.config.HF_ENDPOINT == os.environ["HF_ENDPOINT"] == "http://127.0.0.1:9"
        monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path)
        datasets.disable_progress_bars()

    def test_save_and_load(self, root):
        import datasets

        datasets.Dataset.from_dict({"n": list(range(100))}).save_to_disk(f"ais://{root}/set")
        assert datasets.load_from_disk(f"ais://{root}/set")["n"][99] == 99

    def test_load_parquet(self, root, frame, tmp_path):
        import datasets

        for part in range(2):
            frame[part * 500 : part * 500 + 500].to_parquet(f"ais://{root}/p-{part}.parquet")
        urls = f"ais://{root}/p-*.parquet"
        loaded = datasets.load_dataset("parquet", data_files=urls, split="train", cache_dir=str(tmp_path))
        assert loaded.num_rows == 1000
        streamed = datasets.load_dataset("parquet", data_files=urls, split="train", streaming=True)
        assert sum(row["number"] for row in streamed) == frame["number"].sum()
