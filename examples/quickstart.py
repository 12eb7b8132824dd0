"""The main job on one machine: store files, transform them with your own class, feed them to a training loop.

The input is the running Python's standard library, or the folder that `--files` names. All that this
starts is stopped and removed at its end.
"""

import hashlib
import io
import random
import tokenize
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import msgspec
from report import Report, arguments

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
    args = arguments(__doc__)
    library = Path(args.files)
    with (
        Report("Main job on aistore.local") as report,
        LocalCluster(targets=2, dir=args.dir) as cluster,
        Client(cluster.endpoint) as client,
        client.etl("token-count") as etl,  # stopped and deleted at the end
    ):
        src = client.bucket("stdlib").create(exist_ok=True)
        dst = client.bucket("stdlib-tokens").create(exist_ok=True)

        # 1. Upload a folder in parallel. Object names are the paths below it.
        with report.step("upload") as step:
            options = {"pattern": "*.py", "recursive": True, "exclude": "site-packages/*"}
            names = src.put_files(library, **options, progress=step.progress)

        # 2. Ship a transform: the class below is pickled by value and started next to the data.
        @etl.init_class(dependencies=["msgspec"], NUM_WORKERS=1)
        class TokenCount(FastAPIServer):
            def transform(self, data: bytes, path: str, etl_args: str) -> bytes:
                return token_record(data, path)

        with report.step("the same transform, locally") as step, ProcessPoolExecutor() as pool:
            files = [(library / name).read_bytes() for name in names]
            paths = [f"{src.name}/{name}" for name in names]
            expected = dict(zip(names, pool.map(token_record, files, paths, chunksize=16), strict=True))
            step.add(len(files), sum(map(len, files)))

        # 3. Inline: transformed on the way to the reader.
        with report.step("inline ETL") as step:
            for name in random.sample(names, min(50, len(names))):
                got = src.object(name).get_reader(etl=ETLConfig(etl)).read_all()
                assert got == expected[name], f"inline transform of {name} differs"
                step.add(1, len(got))

        # 4. Offline: the cluster transforms the whole bucket into another one.
        with report.step("offline ETL") as step:
            job = client.job(src.transform(etl_name=etl.name, to_bck=dst, ext={"py": "json"}))
            assert (result := job.wait(timeout=120)), f"the transform failed: {result.error}"
            step.add(len(names), sum(map(len, files)))
        with report.step("read back, one by one") as step:
            records = {name.removesuffix("py") + "json": record for name, record in expected.items()}
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
        for node in etl.logs() if args.logs else ():
            report.note(f"{node.target_id}:\n{node.logs}")


if __name__ == "__main__":
    main()
