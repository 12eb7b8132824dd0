"""What is refused, by which error, after which request: the table of `docs/errors.md` is true and whole."""

import contextlib
import json
import re
from pathlib import Path

import pytest
from refusals import BEGIN, END, run, sections, table

from aistore.local import LocalCluster

ROOT = Path(__file__).resolve().parents[2]
SURFACE = ROOT / "tests" / "data" / "api" / "surface.json"
# Of these, what the arguments may be is not for the SDK to say; or they have none.
NOTHING_TO_REFUSE = {
    "bucket.Bucket": "as_model get_path",
    "client.Client": "cluster dsort job",
    "cluster.Cluster": "get_info get_performance get_primary_url get_uuid is_ready "
    "list_jobs_status list_running_jobs",
    "multiobj.object_group.ObjectGroup": "list_urls",
    "obj.object.Object": "get_semantic_url get_writer",
    "authn.authn_client.AuthNClient": "cluster_manager role_manager token_manager user_manager",
    "authn.cluster_manager.ClusterManager": "list",
    "authn.role_manager.RoleManager": "list",
    "authn.user_manager.UserManager": "list",
    "batch.batch.Batch": "clear",
}
NOUNS = [
    *NOTHING_TO_REFUSE,
    "dsort.core.Dsort",
    "etl.etl.Etl",
    "job.Job",
    "obj.multipart_upload.MultipartUpload",
    "obj.object_reader.ObjectReader",
    "obj.object_writer.ObjectWriter",
    "authn.token_manager.TokenManager",
]


@pytest.fixture(scope="module")
def found():
    with (
        pytest.warns(DeprecationWarning, match="deprecated: use"),
        LocalCluster(targets=1) as cluster,
        cluster.client() as client,
        _no_endpoint(),
    ):
        return run(client)


@contextlib.contextmanager
def _no_endpoint():
    """The suite may run on a cluster of one's own, which is not this one's business."""
    with pytest.MonkeyPatch.context() as environment:
        environment.delenv("AIS_ENDPOINT", raising=False)
        yield


def test_the_page_says_what_happens(found):
    page = (ROOT / "docs" / "errors.md").read_text()
    shown = page.split(BEGIN)[1].split(END)[0]
    assert shown.strip() == table(found).strip(), "run: python tests/support/refusals.py docs/errors.md"


def test_everything_is_refused_by_an_error_of_ours(found):
    foreign = {"AttributeError", "KeyError", "TypeError", "StopIteration", "nothing"}
    assert not [row for rows in found.values() for row in rows if row.error in foreign]


def test_every_public_method_is_there():
    modules = json.loads(SURFACE.read_text())["modules"]
    calls = "\n".join(call for calls in sections().values() for call in calls)
    named = set(re.findall(r"\.(\w+)\(", calls))
    for noun in NOUNS:
        module, _, cls = noun.rpartition(".")
        methods = modules[f"aistore.sdk.{module}"]["classes"][cls]["methods"]
        public = {name for name in methods if not name.startswith("_")}
        missing = public - named - set(NOTHING_TO_REFUSE.get(noun, "").split())
        assert not missing, f"{noun}: {sorted(missing)}"
