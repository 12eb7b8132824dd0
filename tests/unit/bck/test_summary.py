"""Summary and info: jobs that are polled, and never for ever."""

import pytest
from recording_client import RecordingClient, answer

from aistore.sdk.bucket import Bucket
from aistore.sdk.enums import FLTPresence
from aistore.sdk.errors import ErrInvalidResponse, InvalidArgument, Timeout, UnexpectedHTTPStatusCode


def bucket_of(*answers):
    client = RecordingClient(answers)
    return Bucket("bck", client), client


def test_summary_polls_until_200():
    bucket, client = bucket_of(
        answer('"job"', 202), answer("", 202), answer("", 206), answer('[{"name": "bck"}]', 200)
    )
    assert bucket.summary(prefix="p") == {"name": "bck"}
    sent = [kwargs["json"]["value"] for _, kwargs in client.calls]
    assert [value["uuid"] for value in sent] == ["", "job", "job", "job"]
    assert sent[0] == {"uuid": "", "prefix": "p", "cached": True, "present": True}


def test_info_polls_until_200():
    started = answer("", 202, {"Ais-Xaction-Id": '"job"', "Ais-Bucket-Props": '{"a":1}'})
    partial = answer("", 206, {"Ais-Bucket-Summ": '{"n":1}'})
    done = answer("", 200, {"Ais-Bucket-Summ": '{"n":2}'})
    bucket, client = bucket_of(started, answer("", 202), partial, done)
    assert bucket.info(FLTPresence.FLT_PRESENT, False, "dir/a b") == ('{"a":1}', {"n": 2})
    common = {"provider": "ais", "presence": 2, "bsumm_remote": False}
    assert client.calls[0] == ("head", {"path": "buckets/bck/dir/a%20b", "params": common})
    assert client.calls[1] == ("head", {"path": "buckets/bck", "params": {**common, "uuid": "job"}})


def test_info_without_summary_or_properties():
    bucket, _ = bucket_of(answer("", 202), answer("", 200))
    assert bucket.info() == ("{}", {})


@pytest.mark.parametrize("call", [Bucket.summary, Bucket.info])
class TestBoth:
    def test_first_answer_must_start_a_job(self, call):
        bucket, _ = bucket_of(answer("", 200))
        with pytest.raises(UnexpectedHTTPStatusCode, match="202"):
            call(bucket)

    def test_other_answers_are_refused(self, call):
        bucket, _ = bucket_of(answer("job", 202), answer("", 204))
        with pytest.raises(UnexpectedHTTPStatusCode, match="204"):
            call(bucket)

    def test_ends_in_time(self, call):  # defect 29
        bucket, _ = bucket_of(answer("job", 202))
        with pytest.raises(Timeout, match="bck"):
            call(bucket, timeout=0.05)

    @pytest.mark.parametrize("timeout", [-1, float("inf"), float("nan")])
    def test_every_wait_ends(self, call, timeout):
        bucket, client = bucket_of(answer("job", 202))
        with pytest.raises(InvalidArgument, match="timeout"):
            call(bucket, timeout=timeout)
        assert client.calls == []


@pytest.mark.parametrize("text", ["", "{}", "[]", "[3]", "null"])
def test_malformed_summary(text):  # defect 21
    bucket, _ = bucket_of(answer("job", 202), answer(text))
    with pytest.raises(ErrInvalidResponse):
        bucket.summary()


@pytest.mark.parametrize("text", ["x", "[]"])
def test_malformed_info(text):  # defect 21
    bucket, _ = bucket_of(answer("", 202), answer("", 200, {"Ais-Bucket-Summ": text}))
    with pytest.raises(ErrInvalidResponse):
        bucket.info()


def test_presence_is_checked():
    bucket, client = bucket_of()
    with pytest.raises(ValueError, match="FLTPresence"):
        bucket.info(flt_presence=9)
    assert client.calls == []
