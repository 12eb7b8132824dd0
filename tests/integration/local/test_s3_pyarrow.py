"""pyarrow's S3 file system as a client of `/s3`: what reading and writing tables asks of it."""

from __future__ import annotations

import os

import pytest

from aistore.local import LocalCluster

fs = pytest.importorskip("pyarrow.fs")
pa = pytest.importorskip("pyarrow")
dataset = pytest.importorskip("pyarrow.dataset")
parquet = pytest.importorskip("pyarrow.parquet")


@pytest.fixture
def s3(cluster: LocalCluster):
    s3 = fs.S3FileSystem(
        access_key="any",
        secret_key="thing",
        endpoint_override=cluster.endpoint.removeprefix("http://") + "/s3",
        scheme="http",
        region="us-east-1",
        allow_bucket_creation=True,
        allow_bucket_deletion=True,
    )
    s3.create_dir("arrow")
    yield s3
    s3.delete_dir_contents("arrow")
    s3.delete_dir("arrow")


def test_tables(s3) -> None:
    table = pa.table({"x": list(range(50_000)), "y": [str(n) for n in range(50_000)]})
    parquet.write_table(table, "arrow/d/a.parquet", filesystem=s3)
    parquet.write_table(table, "arrow/d/sub dir/ü.parquet", filesystem=s3)
    assert parquet.read_table("arrow/d/a.parquet", filesystem=s3) == table
    assert parquet.read_table("arrow/d", filesystem=s3, columns=["x"]).num_rows == 100_000
    found = dataset.dataset("arrow/d", filesystem=s3, format="parquet")
    assert found.to_table(filter=dataset.field("x") >= 49_990).num_rows == 20
    dataset.write_dataset(found, "arrow/out", filesystem=s3, format="parquet", max_rows_per_group=10_000)
    assert dataset.dataset("arrow/out", filesystem=s3, format="parquet").count_rows() == 100_000


def test_files_and_folders(s3) -> None:
    data = os.urandom(12 << 20)
    with s3.open_output_stream("arrow/big", metadata={"Content-Type": "a/b"}) as file:
        for start in range(0, len(data), 1 << 20):
            file.write(data[start : start + (1 << 20)])
    with s3.open_input_file("arrow/big") as file:
        assert file.size() == len(data)
        assert file.metadata()["Content-Type"] == b"a/b"
        assert file.read_at(1000, 5_000_000) == data[5_000_000:5_001_000]
    with s3.open_input_stream("arrow/big") as file:
        assert file.read() == data
    s3.create_dir("arrow/new/deep", recursive=True)
    s3.copy_file("arrow/big", "arrow/new/copy")
    s3.move("arrow/new/copy", "arrow/new/moved")
    found = s3.get_file_info(fs.FileSelector("arrow", recursive=True))
    kinds = {info.path: info.type for info in found}
    folder, file = fs.FileType.Directory, fs.FileType.File
    assert kinds == {
        "arrow/big": file,
        "arrow/new": folder,
        "arrow/new/deep": folder,
        "arrow/new/moved": file,
    }
    infos = s3.get_file_info(["arrow", "arrow/new", "arrow/none", "none"])
    assert [info.type for info in infos] == [folder, folder, fs.FileType.NotFound, fs.FileType.NotFound]
    s3.delete_file("arrow/new/moved")
    s3.delete_dir("arrow/new")
    assert [info.path for info in s3.get_file_info(fs.FileSelector("arrow"))] == ["arrow/big"]
