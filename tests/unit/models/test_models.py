"""Models take what JSON decoders take, check it, and print, compare, copy and pickle as values do."""

import copy
import json
import pickle
from pathlib import Path

import msgspec
import pytest

from aistore.sdk import types
from aistore.sdk.enums import FLTPresence
from aistore.sdk.errors import InvalidArgument, NoTargetError
from aistore.sdk.hrw import get_digest, xoshiro256_hash
from aistore.sdk.list_object_flag import ListObjectFlag
from aistore.sdk.models.base import decode_hook
from aistore.sdk.models.listing import ObjectFactory
from aistore.sdk.namespace import Namespace
from aistore.sdk.provider import Provider
from aistore.sdk.types import (
    ActionMsg,
    AggregatedJobSnap,
    ArchiveMultiObj,
    BlobMsg,
    BucketEntry,
    BucketModel,
    CopyBckMsg,
    CreateNBIMsg,
    EnvVar,
    ETLDetails,
    ETLRuntimeSpec,
    ETLSpecMsg,
    JobArgs,
    JobSnap,
    ListObjectsMsg,
    PrefetchMsg,
    PromoteAPIArgs,
    Smap,
    Snode,
    TCBckMsg,
    TCMultiObj,
    TransformBckMsg,
)

VECTORS = json.loads((Path(__file__).resolve().parents[2] / "data" / "hrw_vectors.json").read_text())
BUCKET = BucketModel(name="b", provider="ais")
NAMED = BucketModel(name="b", provider="ais", namespace=Namespace(uuid="u", name="n"))
COPY = CopyBckMsg(prepend="p/", dry_run=False, force=False, latest=True, sync=False)
TRANSFORM = TransformBckMsg(etl_name="etl", timeout="5m")
COPY_WIRE = {
    "prefix": "",
    "prepend": "p/",
    "dry_run": False,
    "force": False,
    "latest-ver": True,
    "synchronize": False,
}
TRANSFORM_WIRE = {"id": "etl", "request_timeout": "5m", "pipeline": None}
BUCKET_WIRE = {"name": "b", "provider": "ais", "namespace": None}


class TestConstruction:
    def test_nested_dictionaries_wire_names_and_unknown_keys(self):
        snap = JobSnap(**{"start-time": "now", "bck": {"name": "b", "provider": "ais"}, "unknown": 1})
        assert snap.start_time == "now"
        assert snap.bucket == BUCKET

    def test_field_names_and_wire_names_are_the_same_to_model_validate(self):
        assert (
            JobSnap.model_validate({"packed": "7"}) == JobSnap.parse_obj({"glob.id": 7}) == JobSnap(packed=7)
        )

    def test_members_of_enums_are_taken_by_value(self):
        assert BucketModel(name="b", provider=Provider.AIS) == BUCKET
        message = list_message(flags=[ListObjectFlag.NBI, ListObjectFlag.CACHED])
        assert message.as_dict()["flags"] == "32769"

    @pytest.mark.parametrize(
        ("make", "named"),
        [
            (lambda: BucketModel(name=3, provider="ais"), r"BucketModel: .*name"),
            (lambda: BucketModel(provider="ais"), r"BucketModel: .*name"),
            (lambda: JobSnap(bucket="b"), r"JobSnap: .*bck"),
            (lambda: JobSnap.model_validate([1]), "JobSnap"),
            (lambda: BucketModel.model_validate_json("{"), "not JSON"),
            (lambda: AggregatedJobSnap({"t": [3]}), "AggregatedJobSnap"),
        ],
    )
    def test_bad_values_are_named(self, make, named):
        with pytest.raises(InvalidArgument, match=named):
            make()

    def test_a_model_passes_through_validation(self):
        assert BucketModel.model_validate(BUCKET) is BUCKET
        snaps = AggregatedJobSnap({})
        assert AggregatedJobSnap.model_validate(snaps) is snaps


class TestValues:
    @pytest.mark.parametrize("model", [NAMED, JobSnap(packed=3), AggregatedJobSnap({"t": [JobSnap(id="j")]})])
    def test_copies_and_pickles(self, model):
        assert pickle.loads(pickle.dumps(model)) == model
        assert copy.deepcopy(model) == model
        assert model.model_validate_json(model.model_dump_json(by_alias=True)) == model

    def test_dumps(self):
        assert NAMED.dict() == {"name": "b", "provider": "ais", "namespace": {"uuid": "u", "name": "n"}}
        assert json.loads(BUCKET.json()) == BUCKET_WIRE
        assert BUCKET.as_dict() == {"name": "b", "provider": "ais"}
        assert JobSnap(packed=3).model_dump(by_alias=True, exclude_none=True) == {
            "id": "", "kind": "", "start-time": "", "end-time": "", "aborted": False, "is_idle": False,
            "abort-err": "", "glob.id": 3,
        }  # fmt: skip

    def test_describes_its_fields(self):
        fields = JobSnap.model_fields
        assert fields["packed"].alias == "glob.id"
        assert fields["id"].alias is None
        assert not fields["id"].is_required()
        assert BucketModel.model_fields["name"].is_required()

    def test_root_model_is_a_value(self):
        assert AggregatedJobSnap({"t": []}) != {"t": []}
        assert repr(AggregatedJobSnap({"t": []})) == "AggregatedJobSnap(root={'t': []})"
        assert AggregatedJobSnap({"t": [{"id": "j"}]}).model_dump()["t"][0]["id"] == "j"

    def test_decodes_from_json_of_another_model(self):
        details = ETLDetails.model_validate_json(
            '{"init_msg": {"name": "e", "communication": "ws://", "runtime": {"image": "i"}}}'
        )
        assert details.init_msg.runtime == ETLRuntimeSpec(image="i")


def list_message(**changes):
    values = {
        "prefix": "p",
        "page_size": 5,
        "uuid": "u",
        "props": "name",
        "continuation_token": "t",
        "flags": [],
        "target": "",
    }
    return ListObjectsMsg(**{**values, **changes})


WIRE_FORMS = [
    (ActionMsg(action="a"), {"action": "a", "name": "", "value": None}),
    (ActionMsg(action="a", value=BUCKET), {"action": "a", "name": "", "value": BUCKET_WIRE}),
    (JobArgs(id="j"), {"ID": "j", "Kind": "", "DaemonID": "", "Bck": None, "Buckets": None}),
    (TCBckMsg(copy_msg=COPY, num_workers=0), COPY_WIRE),
    (
        TCBckMsg(ext={"a": "b"}, copy_msg=COPY, transform_msg=TRANSFORM, num_workers=2, cont_on_err=True),
        {"ext": {"a": "b"}, "num-workers": 2, "coer": True, **COPY_WIRE, **TRANSFORM_WIRE},
    ),
    (
        TCMultiObj(
            to_bck=BUCKET,
            tc_msg=TCBckMsg(copy_msg=COPY, num_workers=3),
            continue_on_err=True,
            object_selection={"objnames": ["a"]},
            num_workers=2,
        ),
        {"objnames": ["a"], "num-workers": 2, **COPY_WIRE, "tobck": BUCKET_WIRE, "coer": True},
    ),
    (
        TCMultiObj(to_bck=BUCKET, continue_on_err=False, object_selection={}),
        {"tobck": BUCKET_WIRE, "coer": False},
    ),
    (
        PrefetchMsg(object_selection={"template": "a"}, continue_on_err=False, latest=True),
        {"template": "a", "coer": False, "latest-ver": True},
    ),
    (
        PrefetchMsg(
            object_selection={}, continue_on_err=False, latest=False, blob_threshold=1, num_workers=2
        ),
        {"coer": False, "latest-ver": False, "blob-threshold": 1, "num-workers": 2},
    ),
    (
        ArchiveMultiObj(archive_name="a.tar", to_bck=BUCKET, object_selection={"template": "a"}, mime=".tar"),
        {
            "template": "a",
            "archname": "a.tar",
            "isbn": False,
            "aate": False,
            "coer": False,
            "mime": ".tar",
            "tobck": BUCKET_WIRE,
        },
    ),
    (BlobMsg(latest=False), {"latest-ver": False}),
    (
        BlobMsg(latest=True, chunk_size=1, num_workers=2),
        {"latest-ver": True, "chunk-size": 1, "num-workers": 2},
    ),
    (CreateNBIMsg(), {}),
    (CreateNBIMsg(name="n", flags="2", force=True), {"name": "n", "flags": "2", "force": True}),
    (types.MptCompletedPart(part_number=1), {"part-number": 1, "etag": ""}),
    (
        PromoteAPIArgs(source_path="/data"),
        {"tid": "", "src": "/data", "obj": "", "rcr": False, "ovw": False, "dls": False, "notshr": False},
    ),
    (types.JobQuery(kind="k", active=True), {"kind": "k", "node": "", "show_active": True}),
    (
        ETLSpecMsg(
            name="e",
            comm_type="hpush",
            init_timeout="5m",
            obj_timeout=None,
            runtime=ETLRuntimeSpec(image="i", env=[EnvVar(name="a", value="b")]),
        ),
        {
            "name": "e",
            "communication": "hpush://",
            "init_timeout": "5m",
            "obj_timeout": None,
            "support_direct_put": False,
            "runtime": {"image": "i", "env": [{"name": "a", "value": "b"}]},
        },
    ),
    (
        list_message(),
        {
            "prefix": "p",
            "pagesize": 5,
            "uuid": "u",
            "props": "name",
            "continuation_token": "t",
            "flags": "0",
            "target": "",
        },
    ),
    (EnvVar(name="a", value="b"), {"name": "a", "value": "b"}),
]


@pytest.mark.parametrize(("model", "wire"), WIRE_FORMS, ids=lambda value: type(value).__name__)
def test_wire_form(model, wire):
    assert model.as_dict() == wire


def test_paths_of_buckets():
    assert BUCKET.get_path() == "ais/@#/b/"
    assert NAMED.get_path() == "ais/@u#n/b/"


class TestPlacement:
    smap = Smap(
        tmap={
            name: {"daemon_id": name, "daemon_type": "target", "id_digest": digest}
            for name, digest in VECTORS["nodes"].items()
        },
        pmap={},
        proxy_si=Snode(daemon_id="p", daemon_type="proxy"),
        version="4",
    )

    @pytest.mark.parametrize("vector", VECTORS["vectors"], ids=lambda vector: vector["object"][:20])
    def test_owner_is_that_of_a_real_cluster(self, vector):
        assert get_digest(vector["uname"]) == int(vector["uname_digest"])
        for name, weight in vector["weights"].items():
            digest = self.smap.tmap[name].id_digest
            assert xoshiro256_hash(digest ^ get_digest(vector["uname"])) == int(weight)
        assert self.smap.get_target_for_object(vector["uname"]).daemon_id == vector["live_owner"]

    def test_targets_in_maintenance_own_nothing(self):
        tmap = dict(self.smap.tmap)
        for name, flags in zip(tmap, (4, 8), strict=True):
            tmap[name] = Snode(daemon_id=name, daemon_type="target", flags=flags)
            assert tmap[name].in_maint_or_decomm()
        with pytest.raises(NoTargetError, match="2"):
            Smap(tmap=tmap, pmap={}, proxy_si=self.smap.proxy_si).get_target_for_object("ais/@#/b/o")

    def test_digests_above_63_bits(self):
        assert (
            Snode(daemon_id="a", daemon_type="target", id_digest="18446744073709551615").id_digest
            == 2**64 - 1
        )


class TestJobSnapshots:
    @pytest.mark.parametrize(
        ("snap", "finished", "aborted", "idle", "done"),
        [
            ({}, False, False, False, False),
            ({"end_time": "2026-11-21T07:00:12Z"}, True, False, False, False),
            ({"end_time": "0001-01-01T00:00:00Z"}, False, False, False, False),
            ({"aborted": True}, True, True, True, True),
            ({"abort_err": "x"}, True, True, True, True),
            ({"is_idle": True}, False, False, True, True),
        ],
    )
    def test_states(self, snap, finished, aborted, idle, done):
        snaps = AggregatedJobSnap({"t": [JobSnap(**snap)]})
        assert snaps.any_finished() is finished
        assert snaps.any_aborted() is aborted
        assert snaps.all_idle() is idle
        assert snaps.idle_or_aborted() is done

    def test_without_targets(self):
        nothing = AggregatedJobSnap({"t": None})
        assert (nothing.all_idle(), nothing.any_finished(), nothing.get_num_workers()) == (True, False, 0)

    def test_packed_id(self):
        snaps = AggregatedJobSnap({"a": [], "b": [JobSnap(packed=(5 << 20) + (3 << 10) + 2)]})
        assert snaps.list_snapshots()[0].unpack_glob_id() == (2, 3, 5)
        assert snaps.get_num_workers() == 3


def test_old_name_of_the_pod_spec_message_warns():
    with pytest.warns(DeprecationWarning, match="PodSpecMsg"):
        old = types.InitSpecETLArgs
    message = old(name="e", comm_type="hpull", init_timeout=None, obj_timeout=None, spec="c3BlYw==")
    assert message.as_dict()["spec"] == "c3BlYw=="
    assert message.as_dict()["communication"] == "hpull://"
    with pytest.raises(AttributeError, match="NoSuchThing"):
        _ = types.NoSuchThing


def test_models_are_what_msgspec_encodes():
    assert msgspec.json.decode(msgspec.json.encode(NAMED), type=BucketModel) == NAMED


def test_presence_is_a_number():
    assert FLTPresence(5) is FLTPresence.FLT_EXISTS_OUTSIDE


def test_what_a_decoder_of_models_does_not_know():
    with pytest.raises(NotImplementedError, match="complex cannot be decoded"):
        decode_hook(complex, 1)


def test_a_transfer_of_nothing_in_particular():
    assert TCBckMsg(cont_on_err=True).as_dict() == {"coer": True}


def test_listed_entries_show_and_keep_their_factory():
    factory = ObjectFactory(str)
    assert repr(factory) == "<Object>"
    assert pickle.loads(pickle.dumps(factory))("a") == "a"


def test_listed_objects_without_copies_have_no_such_property():
    assert BucketEntry(n="a", s=1, f=0).generate_object_props().mirror_copies == 0


def test_models_turn_into_dictionaries_and_copies_as_programs_do_it():
    model = ActionMsg(action="x", value={"a": [1]})
    assert dict(model) == {"action": "x", "name": "", "value": {"a": [1]}}
    assert model.model_copy() == model
    assert model.model_copy(update={"name": "n"}) == ActionMsg(action="x", name="n", value={"a": [1]})
    assert model.model_copy().value is model.value
    assert model.model_copy(deep=True).value is not model.value


def test_dumps_take_the_arguments_of_model_dump():
    snap = types.JobSnap(id="a", kind="k")
    assert snap.model_dump(include={"id", "kind"}) == {"id": "a", "kind": "k"}
    assert snap.model_dump(include=["start_time"], by_alias=True) == {"start-time": snap.start_time}
    assert "kind" not in snap.model_dump(exclude={"kind"})
    assert snap.model_dump(exclude_defaults=True) == {"id": "a", "kind": "k"}
    assert snap.model_dump(exclude_unset=True) == {"id": "a", "kind": "k"}
    assert BucketModel(name="a", provider="ais").model_dump(mode="json") == {
        "name": "a",
        "provider": "ais",
        "namespace": None,
    }
    assert BucketModel(name="a", provider="ais").model_dump_json(indent=2, exclude_none=True) == (
        '{\n  "name": "a",\n  "provider": "ais"\n}'
    )
    assert BucketModel(name="a", provider="ais").copy(update={"name": "b"}).name == "b"
    assert types.AggregatedJobSnap({}).model_dump_json(indent=1) == "{}"


def test_construct_takes_and_gives_what_the_constructor_does():
    snap = types.JobSnap.model_construct(id="a", kind="k")
    assert snap == types.JobSnap(id="a", kind="k")
    assert types.JobSnap.model_construct({"id", "kind"}, id="a", kind="k", unknown=1) == snap
    assert types.JobSnap.model_construct(_fields_set=None, id="a", kind="k") == snap
    with pytest.raises(InvalidArgument, match="JobSnap"):
        types.JobSnap.model_construct(id=[])
