"""What is measured, and the goals: data."""

from __future__ import annotations

from typing import Any

from benchmarks.row import CLIENTS, CONNECTIONS, ETL_SERVER, GIB, KIB, MIB, S3, Row, show_size


def _sdk_rows() -> list[Row]:
    ranges = {"size": 512 * MIB, "workers": 4}
    return [
        Row(
            "get",
            "GET 4 KiB through the proxy",
            "get",
            {"size": 4 * KIB},
            CLIENTS,
            {"wall": 0.22, "cpu": 0.10},
        ),
        Row(
            "get",
            "the same with 300 environment variables",
            "get",
            {"size": 4 * KIB, "variables": 300},
            (),
            {"wall": 0.22, "cpu": 0.10},
        ),
        Row(
            "get",
            "GET 4 KiB direct to the target",
            "get",
            {"size": 4 * KIB, "via": "direct"},
            (*CLIENTS, *S3),
            {"wall": 0.18, "cpu": 0.10},
        ),
        Row(
            "get",
            "counting one request for client.stats()",
            "count_request",
            {},
            (),
            {},
            baseline="",
            origins=(),
            floor=False,
        ),
        Row(
            "get",
            "GET 4 KiB with direct routing",
            "get",
            {"size": 4 * KIB, "via": "owner"},
            (),
            {"wall": 0.18, "cpu": 0.10},
            note="2.0.0: get_reader(direct=True)",
        ),
        Row("get", "GET 1 MiB", "get", {"size": MIB}, ("urllib3", "pycurl", "obstore"), {"wall": 0.28}),
        Row(
            "head",
            "HEAD",
            "head",
            {"size": 4 * KIB},
            ("requests", "urllib3", "http.client", "pycurl"),
            {"wall": 0.22, "cpu": 0.10},
        ),
        Row("head", "props", "props", {"size": 4 * KIB}, (), {"wall": 0.22, "cpu": 0.10}, floor=False),
        Row(
            "head",
            "bucket.info()",
            "bucket_info",
            {"size": 4 * KIB},
            (),
            {"wall": 0.02},
            origins=("local", "cluster"),
            floor=False,
            note="2.0.0 sleeps first",
        ),
        Row(
            "put",
            "PUT 4 KiB",
            "put",
            {"size": 4 * KIB},
            ("requests", "urllib3", "pycurl", "obstore"),
            {"wall": 0.38, "cpu": 0.12},
        ),
        Row(
            "put",
            "PUT 8 MiB",
            "put",
            {"size": 8 * MIB},
            ("requests", "pycurl"),
            {"wall": 0.03},
            note="clusters stall a body that goes to the proxy for 500 ms",
            for_clusters=True,
        ),
        Row("put", "PUT 64 MiB", "put", {"size": 64 * MIB}, (), {"wall": 0.16}, for_clusters=True),
        Row(
            "put",
            "PUT 64 MiB in 8 parts",
            "put_parts",
            {"size": 64 * MIB, "parts": 8},
            (),
            {"wall": 0.16},
            origins=("local", "cluster"),
            floor=False,
            for_clusters=True,
        ),
        Row("put", "PUT 64 MiB from a file", "put_file", {"size": 64 * MIB}, (), {"cpu": 0.25}, floor=False),
        Row(
            "large",
            "read_all of 512 MiB",
            "get",
            {"size": 512 * MIB},
            ("requests", "urllib3", "obstore"),
            {"wall": 0.38, "memory": 0.52},
            note="memory grown: at most 1.02 of the object; 2.0.0 takes twice it",
        ),
        Row(
            "large",
            "readinto a buffer, 512 MiB",
            "readinto",
            {"size": 512 * MIB},
            (),
            {"wall": 0.27},
            note="2.0.0: read_all",
        ),
        Row(
            "large",
            "4 ranges into one buffer, 512 MiB",
            "ranges",
            ranges,
            (),
            {"wall": 0.15},
            note="2.0.0: processes and shared memory",
        ),
        Row("large", "iterating 512 MiB, default chunk", "iterate", {"size": 512 * MIB}, (), {"wall": 0.5}),
        Row(
            "list", "list 100,000 objects", "list", {"count": 100_000}, (), {"wall": 0.72, "cpu": 0.06 / 0.53}
        ),
        Row("list", "the same as `Object`s", "list_objects", {"count": 100_000}, (), {"cpu": 0.06}),
    ]


def _batch_rows() -> list[Row]:
    small = [
        Row(
            "batch",
            f"Get-Batch {count} x 10 KiB",
            "batch",
            {"count": count, "size": 10 * KIB},
            (),
            {"wall": 0.12},
            note="clusters hold the answer open for 100 ms" if count == 1 else "",
            for_clusters=True,
        )
        for count in (1, 10, 100)
    ]
    thousand = {"count": 1000, "size": 10 * KIB}
    return [
        *small,
        Row("batch", "Get-Batch 1,000 x 10 KiB", "batch", thousand, (), {"wall": 0.55, "cpu": 0.4}),
        Row("batch", "Get-Batch 256 x 1 MiB", "batch", {"count": 256, "size": MIB}, (), {"wall": 0.7}),
        Row(
            "batch",
            "the same as multipart",
            "batch",
            {"count": 256, "size": MIB, "multipart": True},
            (),
            {"wall": 0.3, "memory": 0.1},
        ),
        Row(
            "batch",
            "1,000 x 10 KiB in batches of 32",
            "batch",
            {**thousand, "each": 32},
            (),
            {"wall": 0.1},
            for_clusters=True,
        ),
        Row(
            "batch",
            "1,000 x 10 KiB straight from the owners",
            "batch",
            {**thousand, "strategy": "direct"},
            (),
            {"wall": 0.4},
            note="2.0.0: Get-Batch, which clusters hold open for 100 ms",
            for_clusters=True,
        ),
        Row(
            "batch",
            "tar decoding alone, 10,000 x 10 KiB",
            "decode_tar",
            {"count": 10_000, "size": 10 * KIB},
            (),
            {"wall": 43 / 400},
            origins=(),
            floor=False,
            note="2.0.0: the standard library's tarfile",
        ),
        Row(
            "batch",
            "building and encoding a batch of 1,000",
            "batch_build",
            thousand,
            (),
            {"wall": 0.25},
            floor=False,
        ),
    ]


def _thread_rows() -> list[Row]:
    return [
        Row(
            "threads",
            f"GET 64 KiB, {threads} thread{'s'[: threads > 1]}",
            "get",
            {"size": 64 * KIB, "threads": threads},
            ("aiohttp", "obstore.aio"),
            {"wall": 1 / 6} if threads > 1 else {},
        )
        for threads in (1, 8, 32)
    ]


def _import_rows() -> list[Row]:
    return [
        Row(
            "import",
            "from aistore import Client",
            "import",
            {"code": "from aistore import Client"},
            ("obstore.import",),
            {"wall": 0.4, "memory": 0.6},
            origins=(),
            note="floor: the interpreter",
        ),
        Row(
            "import",
            "import aistore",
            "import",
            {"code": "import aistore"},
            (),
            {"wall": 0.12, "memory": 0.6},
            origins=(),
        ),
        Row("import", "making a client", "make_client", {}, (), {}, origins=(), floor=False),
    ]


def _dataset_rows() -> list[Row]:
    many = {"count": 320, "size": 10 * KIB}
    large = {"count": 8, "size": 8 * MIB, "workers": 4}
    shards = {"count": 10, "samples": 1000, "size": KIB}
    two = {"count": 2, "samples": 100, "size": 10 * KIB}
    rows: list[tuple[str, str, dict[str, Any], dict[str, float]]] = [
        ("AISShardReader", "10 shards x 1,000 x 1 KiB", shards, {"wall": 0.2}),
        ("AISMapDataset", "320 x 10 KiB", many, {}),
        ("AISIterDataset", "320 x 10 KiB", many, {}),
        ("AISBatchIterDataset", "320 x 10 KiB by 32", {**many, "each": 32}, {"wall": 0.1}),
        ("AISMultiShardStream", "2 shards x 100 x 10 KiB", two, {}),
        ("AISParallelMapDataset", "8 x 8 MiB, 4 workers", large, {}),
    ]
    return [
        Row(
            "dataset",
            f"{work}, {what}",
            work,
            args,
            (),
            goals,
            origins=("local", "cluster"),
            floor=False,
            for_clusters=work == "AISBatchIterDataset",
            samples=args["count"] * args.get("samples", 1),
        )
        for work, what, args, goals in rows
    ]


_OWN_GOALS: dict[tuple[str, int], dict[str, float]] = {
    ("hpush", 4 * KIB): {"fastapi": 0.5, "threaded": 0.15, "flask": 0.6},
    ("hpush_fqn", 4 * KIB): {"fastapi": 0.3, "threaded": 0.25, "flask": 0.6},
    ("hpush", 64 * KIB): {"fastapi": 0.8, "threaded": 0.8, "flask": 0.8},
    ("hpush", MIB): {"fastapi": 0.8, "threaded": 0.8, "flask": 0.5},
    ("hpull", 64 * KIB): {"fastapi": 0.15, "threaded": 0.15, "flask": 0.15},
    ("direct_put", 64 * KIB): {"fastapi": 0.12, "threaded": 0.12, "flask": 0.12},
}
_ETL_TITLES = {
    "hpush": "hpush, body",
    "hpush_fqn": "hpush, FQN",
    "hpull": "hpull",
    "direct_put": "direct put",
    "stream": "transform_stream",
}


def _etl_rows() -> list[Row]:
    rows = []
    for (work, size), goals in _OWN_GOALS.items():
        for kind, goal in goals.items():
            title = f"{_ETL_TITLES[work]} {show_size(size)}, {kind}"
            others = ("uvicorn", "threads") if kind == "fastapi" and work.startswith("hpush") else ()
            args = {"size": size, "kind": kind, "threads": CONNECTIONS}
            rows.append(Row("etl", title, work, args, others, {"cpu": goal}, origins=("nginx",), floor=False))
    rows.extend(
        Row(
            "etl",
            f"transform_stream {show_size(size)}, fastapi",
            "hpush",
            {"size": size, "kind": "fastapi+stream", "threads": CONNECTIONS},
            (),
            {"cpu": 0.35},
            origins=("nginx",),
            floor=False,
        )
        for size in (4 * KIB, MIB)
    )
    return rows


def _local_rows() -> list[Row]:
    rows = [
        Row(
            "local",
            f"server: {verb} {show_size(size)}, {width} connection{'s'[: width > 1]}",
            verb.lower(),
            {"size": size, "threads": width, "server": True},
            (),
            {},
            baseline="nginx",
            origins=(),
            floor=False,
        )
        for verb in ("GET", "PUT")
        for size in (4 * KIB, 64 * KIB)
        for width in (1, 16)
    ]
    many = {"count": 100_000, "size": KIB}
    large = {"size": 4 * GIB}
    rows += [
        Row("local", title, work, args, (), {}, baseline="", origins=("local",), once=True, floor=False)
        for title, work, args in (
            ("put 100,000 x 1 KiB, 16 threads", "put_many", many),
            ("list 100,000", "list_many", many),
            ("read 100,000 x 1 KiB, 16 threads", "read_many", many),
            ("4 GiB object in", "put_large", large),
            ("4 GiB object out", "read_large", large),
            ("restart with 100,000 objects", "restart", many),
        )
    ]
    rows.append(
        Row(
            "local",
            "offline transform of 10,000 x 10 KiB",
            "offline",
            {"count": 10_000, "size": 10 * KIB},
            (),
            {"wall": 1 / 0.7},
            baseline=ETL_SERVER,
            origins=("local",),
            once=True,
            floor=False,
            note="baseline: an ETL server of the same class alone, sent as many bodies by 8 connections",
        )
    )
    return rows


ROWS: tuple[Row, ...] = (
    *_sdk_rows(),
    *_batch_rows(),
    *_thread_rows(),
    *_import_rows(),
    *_dataset_rows(),
    *_etl_rows(),
    *_local_rows(),
)
GROUPS: tuple[str, ...] = tuple(dict.fromkeys(row.group for row in ROWS))
