"""Steps 2 to 6 of the main job with the 2.0.0 package as the client: run by its own interpreter.

Usage: main_job.py ENDPOINT FOLDER. Prints a JSON object with what was compared.
"""

import hashlib
import io
import json
import random
import sys
import tokenize
import uuid
from collections import Counter
from pathlib import Path

import aistore
from aistore import Client
from aistore.sdk.etl import ETLConfig
from aistore.sdk.etl.webserver.fastapi_server import FastAPIServer


def token_record(data, path):
    kinds = Counter(tokenize.tok_name[t.type] for t in tokenize.tokenize(io.BytesIO(data).readline))
    record = {"path": path, "tokens": dict(sorted(kinds.items())), "sha256": hashlib.sha256(data).hexdigest()}
    return json.dumps(record).encode()


def main(endpoint, folder):
    client = Client(endpoint)
    mark = uuid.uuid4().hex[:8]
    src = client.bucket(f"peer-src-{mark}").create()
    dst = client.bucket(f"peer-dst-{mark}").create()
    etl = client.etl(f"peer-{mark}")

    names = src.put_files(folder, pattern="*.py", recursive=True)
    files = {name: (Path(folder) / name).read_bytes() for name in names}
    for name, data in files.items():
        assert src.object(name).get_reader().read_all() == data, name
    assert sorted(e.name for e in src.list_all_objects(page_size=50)) == sorted(names)

    @etl.init_class(dependencies=["msgspec"], NUM_WORKERS=1)
    class TokenCount(FastAPIServer):
        def transform(self, data, path, _etl_args):
            return token_record(data, path)

    expected = {n: token_record(d, f"{src.name}/{n}") for n, d in files.items()}
    for name in names[:20]:
        assert src.object(name).get_reader(etl=ETLConfig(etl.name)).read_all() == expected[name], name

    job = client.job(src.transform(etl_name=etl.name, to_bck=dst, ext={"py": "json"}))
    assert job.wait(timeout=120)
    records = {n[:-2] + "json": record for n, record in expected.items()}
    assert sorted(e.name for e in dst.list_all_objects()) == sorted(records)
    for name, record in records.items():
        assert dst.object(name).get_reader().read_all() == record, name

    shuffled = random.sample(sorted(records), len(records))
    for start in range(0, len(shuffled), 64):
        wanted = shuffled[start : start + 64]
        got = list(client.batch(wanted, bucket=dst).get())
        assert [i.obj_name for i, _ in got] == wanted
        assert [d for _, d in got] == [records[n] for n in wanted]
    [(info, data)] = client.batch(["no/such.json"], bucket=dst, cont_on_err=True).get()
    assert data == b""
    assert info.err_msg

    assert etl.logs()
    etl.stop()
    etl.delete()
    src.delete()
    dst.delete()
    print(json.dumps({"version": aistore.__version__, "objects": len(names)}))


if __name__ == "__main__":
    main(*sys.argv[1:])
