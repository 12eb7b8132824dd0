"""With a cluster that demands tokens: neither the client's log lines nor the cluster's files have one."""

import logging

import pytest

from aistore import Client
from aistore.fs import AISFileSystem
from aistore.local import LocalCluster
from aistore.sdk.authn import AuthNClient
from aistore.sdk.errors import SDKError

PASSWORD = "canary-password-1f"
WRONG = "eyJhbGciOiJIUzI1NiJ9.eyJjYW5hcnkiOjF9.canary-signature"


def test_no_token_is_logged(caplog, tmp_path):
    caplog.set_level(logging.DEBUG)
    errors = []
    with LocalCluster(targets=2, auth=True, admin=("admin", PASSWORD), dir=tmp_path / "data") as cluster:
        authn = AuthNClient(cluster.auth_endpoint)
        token = authn.login("admin", PASSWORD)
        with Client(
            cluster.endpoint, token=token, token_refresh=authn.token_refresh("admin", PASSWORD)
        ) as client:
            bucket, copy = client.bucket("one").create(), client.bucket("two").create()
            for name in ("a", "b"):
                bucket.object(name).get_writer().put_content(b"content")
            assert bucket.object("a").get_reader().read_all() == b"content"
            assert [entry.name for entry in bucket.list_all_objects()] == ["a", "b"]
            assert [data for _, data in client.batch(["a", "b"], bucket=bucket).get()] == [b"content"] * 2
            client.job(bucket.copy(copy)).wait()
            for job in bucket.objects(obj_names=["a"]).copy(copy):
                client.job(job).wait()
            (tmp_path / "files").mkdir()
            (tmp_path / "files" / "c").write_bytes(b"content")
            bucket.put_files(tmp_path / "files")
            upload = bucket.object("parts").multipart_upload().create()
            upload.add_part(1).put_content(b"content")
            upload.complete()
            shown = f"{client!r} {bucket!r} {client.stats()!r} {client._request_client!r}"
        with Client(cluster.endpoint, token=token, direct=True) as client:
            for _ in range(3):
                assert client.bucket("one").object("b").get_reader().read_all() == b"content"
        fs = AISFileSystem(endpoint=cluster.endpoint, token=token, skip_instance_cache=True)
        assert fs.cat_file("one/b") == b"content"
        shown += repr(fs)
        with Client(cluster.endpoint, token=token) as client:
            bucket = client.bucket("one")
            bucket.object("a").delete()
            for work in (
                bucket.object("a").head,
                lambda: client.bucket("none").object("x").get_reader().read_all(),
            ):
                with pytest.raises(SDKError) as caught:
                    work()
                errors.append(caught.value)
        with Client(cluster.endpoint, token=WRONG) as client, pytest.raises(SDKError) as caught:
            client.bucket("one").list_all_objects()
        errors.append(caught.value)
        with pytest.raises(SDKError) as caught:
            authn.login("admin", f"{PASSWORD}-wrong")
        errors.append(caught.value)
        logs = [path for path in (tmp_path / "data").rglob("*") if path.is_file() and "log" in path.name]
        kept = b"".join(path.read_bytes() for path in logs)
    said = caplog.text + shown + "".join(f"{err} {err!r} {vars(err)}" for err in errors)
    assert "attempt 1" in said
    assert logs
    for secret in (token, WRONG, PASSWORD):
        assert secret not in said
        assert secret.encode() not in kept
