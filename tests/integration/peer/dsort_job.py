"""dSort through a client: specifications from files and from a framework, key maps, abort.

Usage: dsort_job.py ENDPOINT FOLDER. Run by the interpreter of either package; prints a JSON object with what
was found in the output shards.
"""

import io
import json
import sys
import tarfile
import uuid
from pathlib import Path

import aistore
from aistore import Client
from aistore.sdk.dsort import DsortAlgorithm, DsortFramework, DsortShardsGroup, ExternalKeyMap
from aistore.sdk.multiobj import ObjectNames, ObjectRange


def shard(records):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        for number in records:
            for kind, data in (("txt", b"t" * 500), ("cls", b"%d" % (50 - number))):
                info = tarfile.TarInfo(f"r{number:02}.{kind}")
                info.size = len(data)
                archive.addfile(info, io.BytesIO(data))
    return out.getvalue()


def contents(bucket):
    """The members of every shard, by the shard's name."""
    found = {}
    for entry in sorted(bucket.list_all_objects(), key=lambda entry: entry.name):
        data = bucket.object(entry.name).get_reader().read_all()
        with tarfile.open(fileobj=io.BytesIO(data)) as archive:
            found[entry.name] = archive.getnames()
    return found


class Case:
    def __init__(self, client, folder):
        self.client = client
        self.folder = folder
        self.source = client.bucket(f"dsort-in-{uuid.uuid4().hex[:8]}").create()
        for number in range(4):
            records = [(number + 4 * step) * 7 % 20 for step in range(5)]
            self.source.object(f"in-{number}.tar").get_writer().put_content(shard(records))

    def run(self, make_spec):
        """Start what `make_spec` gives for an output bucket, and wait for it."""
        output = self.client.bucket(f"dsort-out-{uuid.uuid4().hex[:8]}")
        dsort = self.client.dsort()
        dsort_id = dsort.start(make_spec(output))
        assert dsort_id == dsort.dsort_id
        result = dsort.wait(timeout=60)
        found = None
        if result.success:
            assert all(info.metrics.shard_creation.finished for info in dsort.get_job_info().values())
            found = contents(output)
        output.delete(missing_ok=True)
        return {"success": result.success, "error": result.error, "shards": found}

    def spec(self, output, **changes):
        return {
            "input_bck": {"name": self.source.name, "provider": "ais"},
            "input_format": {"template": "in-{0..3}"},
            "input_extension": ".tar",
            "output_bck": {"name": output.name, "provider": "ais"},
            "output_format": "out-{0..9}",
            "output_extension": ".tar",
            "output_shard_size": "5KB",
            "description": "from a file",
            **changes,
        }

    def from_json(self, output):
        path = Path(self.folder, "spec.json")
        path.write_text(json.dumps(self.spec(output)))
        return path

    def from_yaml(self, output):
        path = Path(self.folder, "spec.yaml")
        text = json.dumps(self.spec(output, algorithm={"kind": "alphanumeric", "decreasing": True}))
        path.write_text(f"# JSON is YAML\n{text}\n")
        return path

    def framework(self, output, output_format, algorithm, input_format=None):
        return DsortFramework(
            DsortShardsGroup(
                self.source.as_model(), "input", input_format or ObjectRange.from_string("in-{0..3}"), ".tar"
            ),
            DsortShardsGroup(output.as_model(), "output", output_format, ".tar"),
            algorithm=algorithm,
            description="from a framework",
            output_shard_size="5KB",
        )

    def content(self, output):
        algorithm = DsortAlgorithm(kind="content", extension=".cls", content_key_type="int")
        names = ObjectNames([f"in-{number}.tar" for number in range(4)])
        return self.framework(output, ObjectRange.from_string("out-{0..9}"), algorithm, names)

    def shuffled(self, output):
        return self.framework(
            output, ObjectRange.from_string("out-{0..9}"), DsortAlgorithm(kind="shuffle", seed="3")
        )

    def mapped(self, output):
        key_map = ExternalKeyMap()
        key_map["low-{0..9}.tar"] = ObjectNames(["^r0"])
        key_map["high-{0..9}.tar"] = ObjectNames(["^r1"])
        return self.framework(output, key_map, DsortAlgorithm())

    def failing(self, output):
        algorithm = DsortAlgorithm(kind="content", extension=".nope", content_key_type="int")
        return self.framework(output, ObjectRange.from_string("out-{0..9}"), algorithm)

    def aborted(self):
        dsort = self.client.dsort()
        output = self.client.bucket(f"dsort-out-{uuid.uuid4().hex[:8]}")
        dsort.start(self.shuffled(output))
        dsort.abort()
        dsort.wait(timeout=60)
        output.delete(missing_ok=True)
        return True


def main(endpoint, folder):
    case = Case(Client(endpoint), folder)
    report = {"version": aistore.__version__ if hasattr(aistore, "__version__") else ""}
    for name in ("from_json", "from_yaml", "content", "shuffled", "mapped", "failing"):
        report[name] = case.run(getattr(case, name))
    report["aborted"] = case.aborted()
    case.source.delete()
    print(json.dumps(report))


if __name__ == "__main__":
    main(*sys.argv[1:])
