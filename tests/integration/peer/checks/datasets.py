"""Datasets written as shards."""

import io
import os
import tarfile
import tempfile
from pathlib import Path

from aistore.sdk.dataset.data_attribute import DataAttribute
from aistore.sdk.dataset.dataset_config import DatasetConfig
from aistore.sdk.dataset.label_attribute import LabelAttribute


def check_write_dataset(c):
    bucket = c.bucket()
    with tempfile.TemporaryDirectory(dir=".") as folder:
        for n in range(5):
            (Path(folder) / f"img{n}.jpg").write_bytes(b"image %d" % n)
        config = DatasetConfig(
            primary_attribute=DataAttribute(path=Path(folder), name="image", file_type="jpg"),
            secondary_attributes=[
                LabelAttribute(name="cls", label_identifier=lambda stem: stem[-1] if stem != "img3" else None)
            ],
        )
        # The shards' names are their paths: relative ones, below the working directory.
        posted = []
        stem = os.path.relpath(Path(folder) / "set")
        bucket.write_dataset(config, skip_missing=True, pattern=stem, maxcount=2, post=posted.append)
        assert not list(Path(folder).glob("*.tar"))
    shards = [entry.name for entry in bucket.list_all_objects()]
    assert len(shards) == 2, shards
    assert len(posted) == 2
    found = {}
    for name in shards:
        data = bucket.object(name).get_reader().read_all()
        with tarfile.open(fileobj=io.BytesIO(data)) as archive:
            for member in archive.getmembers():
                found[member.name] = archive.extractfile(member).read()
    images = sorted(data for name, data in found.items() if name.endswith(".image.jpg"))
    assert images == [b"image 0", b"image 1", b"image 2", b"image 4"]
    assert sorted(data for name, data in found.items() if name.endswith(".cls")) == [b"0", b"1", b"2", b"4"]
