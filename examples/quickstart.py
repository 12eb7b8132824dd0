"""The main job on one machine: store files, transform them with your own class, feed them to a training loop.

Run it with `make demo`, or `python examples/quickstart.py [--dir KEEP] [--logs]`. The input is the standard
library of the Python that runs it. Everything it starts is stopped and removed at the end.
"""

import argparse
import hashlib
import io
import random
import sys
import sysconfig
import tokenize
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import msgspec
from report import Report

from aistore import Client
from aistore.local import LocalCluster
from aistore.sdk.etl import ETLConfig
from aistore.sdk.etl.webserver.fastapi_server import FastAPIServer


def token_record(data: bytes, path: str) -> bytes:
    """Turn a Python source file into a JSON record: path, lines, tokens by kind, sha256."""
    kinds: Counter[str] = Counter()
    try:
        kinds.update(tokenize.tok_name[t.type] for t in tokenize.tokenize(io.BytesIO(data).readline))
    except (SyntaxError, tokenize.TokenError, UnicodeDecodeError):
        kinds["NOT_PYTHON"] += 1  # the library's own tests have broken files on purpose
    record = {"path": path, "lines": data.count(b"\n"), "tokens": dict(sorted(kinds.items()))}
    return msgspec.json.encode(record | {"sha256": hashlib.sha256(data).hexdigest()})


def main() -> None:
    """Upload, transform inline and offline, read back in batches; every byte is compared."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--dir", help="keep the cluster's data in this folder (default: a temporary one)")
    parser.add_argument("--logs", action="store_true", help="print what the ETL's servers logged")
    args = parser.parse_args()
    library = Path(sysconfig.get_path("stdlib"))

    with LocalCluster(targets=2, dir=args.dir) as cluster, Report("Main job on aistore.local") as report:
        client = Client(cluster.endpoint)
        src = client.bucket("stdlib").create(exist_ok=True)
        dst = client.bucket("stdlib-tokens").create(exist_ok=True)

        # 1. Upload a folder in parallel. Object names are the paths below it.
        with report.step("upload") as step:
            names = src.put_files(
                library, pattern="*.py", recursive=True, exclude="site-packages/*", progress=step.progress
            )

        # 2. Ship a transform: the class below is pickled by value and started next to the data.
        @client.etl("token-count").init_class(dependencies=["msgspec"], NUM_WORKERS=1)
        class TokenCount(FastAPIServer):
            def transform(self, data: bytes, path: str, etl_args: str) -> bytes:
                return token_record(data, path)

        with report.step("the same transform, locally") as step, ProcessPoolExecutor() as pool:
            paths = [f"{src.name}/{name}" for name in names]
            files = [(library / name).read_bytes() for name in names]
            expected = dict(zip(names, pool.map(token_record, files, paths, chunksize=16), strict=True))
            step.add(len(files), sum(map(len, files)))

        # 3. Inline: transformed on the way to the reader.
        with report.step("inline ETL") as step:
            for name in random.sample(names, 50):
                got = src.object(name).get_reader(etl=ETLConfig("token-count")).read_all()
                assert got == expected[name], f"inline transform of {name} differs"
                step.add(1, len(got))

        # 4. Offline: the cluster transforms the whole bucket into another one.
        with report.step("offline ETL") as step:
            job = client.job(src.transform(etl_name="token-count", to_bck=dst, ext={"py": "json"}))
            result = job.wait(timeout=120)
            assert result, f"the transform failed: {result.error}"
            step.add(len(names), sum(map(len, files)))
        records = {name.removesuffix("py") + "json": record for name, record in expected.items()}
        with report.step("read back, one by one") as step:
            for name, record in records.items():
                assert dst.object(name).get_reader().read_all() == record, f"{name} differs"
                step.add(1, len(record))

        # 5. A training loop: shuffled, 64 objects a request, in the order asked for.
        with report.step("Get-Batch, 64 a request") as step:
            shuffled = random.sample(sorted(records), len(records))
            for start in range(0, len(shuffled), 64):
                wanted = shuffled[start : start + 64]
                for name, (info, data) in zip(wanted, client.batch(wanted, bucket=dst).get(), strict=True):
                    assert (info.obj_name, data) == (name, records[name]), f"batch entry {name} differs"
                    step.add(1, len(data))

        # 6. What isn't there is an entry with a message, never a shift.
        for info, data in client.batch(["no/such.json"], bucket=dst, cont_on_err=True).get():
            report.note(f"a missing name: {info.obj_name!r} -> {len(data)} bytes, {info.err_msg!r}")
        if args.logs:
            for node in client.etl("token-count").logs():
                report.note(f"{node.target_id}:\n{node.logs}")


if __name__ == "__main__":
    sys.exit(main())
