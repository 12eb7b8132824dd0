"""AuthN end to end: the client's managers, tokens in every noun, and both packages as clients."""

import json
import logging
import os
import re
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

from aistore import Client
from aistore.local import LocalCluster
from aistore.sdk.authn import AuthNClient
from aistore.sdk.authn.access_attr import AccessAttr
from aistore.sdk.authn.errors import (
    AuthNUnauthorized,
    ErrClusterAlreadyRegistered,
    ErrClusterNotFound,
    ErrRoleAlreadyExists,
    ErrRoleNotFound,
    ErrUserAlreadyExists,
    ErrUserInvalidCredentials,
    ErrUserNotFound,
)
from aistore.sdk.errors import AISForbidden, AISUnauthorized, ErrBckNotFound
from aistore.sdk.etl import ETLConfig
from aistore.sdk.etl.webserver.fastapi_server import FastAPIServer

ALIAS = "this-cluster"


class Upper(FastAPIServer):
    def transform(self, data, path, etl_args):
        return data.upper()


@pytest.fixture(scope="module")
def cluster():
    with LocalCluster(targets=2, auth=True) as cluster:
        yield cluster


@pytest.fixture(scope="module")
def authn(cluster):
    with AuthNClient(cluster.auth_endpoint) as authn:
        authn.login(*cluster.admin)
        authn.cluster_manager().register(ALIAS, [cluster.endpoint])
        yield authn


@pytest.fixture(scope="module")
def admin(cluster):
    with cluster.client() as client:
        yield client


@pytest.fixture
def bucket(admin):
    bucket = admin.bucket("authn-test").create()
    bucket.object("o").get_writer().put_content(b"content")
    yield bucket
    bucket.delete(missing_ok=True)


@pytest.fixture
def user(cluster, authn, request):
    """Give a function that makes a user with permissions, and returns a client of that user's."""
    made = []

    def make(perms, bucket_name=None, expires_in=None):
        name = f"user-{len(made)}"
        authn.role_manager().create(name, "of a test", ALIAS, perms, bucket_name)
        made.append(name)
        authn.user_manager().create(name, [name], "pass word")
        with AuthNClient(cluster.auth_endpoint) as own:
            token = own.login(name, "pass word", expires_in)
        client = Client(cluster.endpoint, token=token)
        request.addfinalizer(client.close)
        return client

    yield make
    for name in made:
        authn.user_manager().delete(name, missing_ok=True)
        authn.role_manager().delete(name, missing_ok=True)


# ---- the managers


def test_clusters(cluster, authn):
    manager = authn.cluster_manager()
    uuid = manager.get(cluster_alias=ALIAS).id
    assert manager.get(uuid).urls == [cluster.endpoint]
    assert list(manager.list().clusters) == [uuid]
    with pytest.raises(ErrClusterAlreadyRegistered):
        manager.register(ALIAS, [cluster.endpoint])
    assert manager.update(uuid, cluster_alias="renamed").alias == "renamed"
    assert manager.update(uuid, cluster_alias=ALIAS, urls=["http://elsewhere"]).urls == ["http://elsewhere"]
    with pytest.raises(ErrClusterNotFound):
        manager.get(cluster_alias="nosuch")
    with pytest.raises(ErrClusterNotFound):
        manager.delete("nosuch")


def test_roles(authn):
    manager = authn.role_manager()
    names = [role.name for role in manager.list()]
    assert names == ["Admin", f"BucketOwner-{ALIAS}", f"ClusterOwner-{ALIAS}", f"Guest-{ALIAS}"]
    role = manager.create("reader", "reads", ALIAS, [AccessAttr.GET, AccessAttr.OBJ_HEAD], "b")
    assert role.buckets[0].perm == "3"
    with pytest.raises(ErrRoleAlreadyExists):
        manager.create("reader", "", ALIAS, [AccessAttr.GET])
    manager.update("reader", desc="still reads", cluster_alias=ALIAS, perms=[AccessAttr.LIST_BUCKETS])
    changed = manager.get("reader")
    assert (changed.desc, changed.clusters[0].perm, changed.buckets[0].perm) == ("still reads", "4096", "3")
    manager.delete("reader")
    manager.delete("reader", missing_ok=True)
    for forgotten in (manager.get, manager.delete):
        with pytest.raises(ErrRoleNotFound):
            forgotten("reader")


def test_users(cluster, authn):
    manager = authn.user_manager()
    guest, owner = f"Guest-{ALIAS}", f"BucketOwner-{ALIAS}"
    assert [role.name for role in manager.create("ann", [guest], "one").roles] == [guest]
    assert set(manager.list()) == {"admin", "ann"}
    with pytest.raises(ErrUserAlreadyExists):
        manager.create("ann", [guest], "one")
    with AuthNClient(cluster.auth_endpoint) as ann:
        ann.login("ann", "one")
        assert ann.user_manager().get("ann").id == "ann"
        with pytest.raises(AuthNUnauthorized, match="requires admin"):
            ann.user_manager().list()
        with pytest.raises(AuthNUnauthorized, match="requires admin"):
            ann.user_manager().update("ann", roles=["Admin"])
        manager.update("ann", password="two", roles=[guest, owner])
        with pytest.raises(ErrUserInvalidCredentials):
            ann.login("ann", "one")
        ann.login("ann", "two")
    assert [role.name for role in manager.get("ann").roles] == [guest, owner]
    manager.delete("ann")
    manager.delete("ann", missing_ok=True)
    with pytest.raises(ErrUserNotFound):
        manager.get("ann")


def test_logging_out_ends_one_token(cluster):
    with AuthNClient(cluster.auth_endpoint) as one, AuthNClient(cluster.auth_endpoint) as other:
        token, kept = one.login(*cluster.admin), other.login(*cluster.admin)
        one.logout()
    with Client(cluster.endpoint, token=token) as client, pytest.raises(AISUnauthorized, match="revoked"):
        client.cluster().list_buckets()
    with Client(cluster.endpoint, token=kept) as client:
        assert client.cluster().list_buckets() == []


# ---- what a token opens


def test_a_reader_reads(user, bucket):
    reader = user([AccessAttr.ACCESS_RO], bucket.name).bucket(bucket.name)
    assert reader.object("o").get_reader().read_all() == b"content"
    assert [entry.name for entry in reader.list_all_objects()] == ["o"]
    assert reader.head()
    for refused in (
        lambda: reader.object("p").get_writer().put_content(b"x"),
        lambda: reader.object("o").delete(),
        lambda: reader.delete(),
        lambda: reader.objects(obj_names=["o"]).delete(),
        lambda: reader.object("m").multipart_upload().create(),
    ):
        with pytest.raises(AISForbidden, match="insufficient permissions"):
            refused()


def test_a_writer_writes(user, bucket):
    writer = user([AccessAttr.ACCESS_RW], bucket.name).bucket(bucket.name)
    big = os.urandom(5_000_000)
    writer.object("big").get_writer().put_content(big)
    assert writer.object("big").get_reader().read_all() == big
    upload = writer.object("parts").multipart_upload().create()
    upload.add_part(1).put_content(b"1" * 1000)
    upload.add_part(2).put_content(b"2" * 1000)
    upload.complete()
    assert len(writer.object("parts").get_reader().read_all()) == 2000
    with writer.object("appended").get_writer().as_file() as file:
        file.write(b"x" * 100)


def test_batches_need_every_bucket(admin, user, bucket):
    other = admin.bucket("authn-other").create()
    other.object("o").get_writer().put_content(b"other")
    try:
        reader = user([AccessAttr.GET], bucket.name)
        assert [data for _, data in reader.batch("o", reader.bucket(bucket.name)).get()] == [b"content"]
        mixed = reader.batch(bucket=reader.bucket(bucket.name))
        mixed.add(reader.bucket(bucket.name).object("o"))
        mixed.add(reader.bucket(other.name).object("o"))
        with pytest.raises(AISForbidden):
            list(mixed.get())
    finally:
        other.delete()


def test_owners_of_the_cluster_may_do_everything(cluster, authn, admin, bucket):
    authn.user_manager().create("owner", [f"ClusterOwner-{ALIAS}"], "pw")
    try:
        with AuthNClient(cluster.auth_endpoint) as own:
            token = own.login("owner", "pw")
            with pytest.raises(AuthNUnauthorized):
                own.user_manager().list()  # of the cluster, not of AuthN
        with Client(cluster.endpoint, token=token) as owner:
            job = owner.job(owner.bucket(bucket.name).copy(to_bck=owner.bucket("authn-copy")))
            assert job.wait(timeout=20)
            assert owner.bucket("authn-copy").object("o").get_reader().read_all() == b"content"
            owner.bucket("authn-copy").delete()
    finally:
        authn.user_manager().delete("owner")


def test_etl_with_tokens(admin, user, bucket):
    dst = admin.bucket("authn-dst").create()
    try:
        for n in range(6):
            bucket.object(f"{n}").get_writer().put_content(b"text")
        reader = user([AccessAttr.ACCESS_RO], bucket.name)
        with pytest.raises(AISForbidden):
            reader.etl("authn-etl").init_class(NUM_WORKERS=1)(Upper)
        with admin.etl("authn-etl") as etl:
            etl.init_class(NUM_WORKERS=1)(Upper)
            read = reader.bucket(bucket.name).object("1").get_reader(etl=ETLConfig(name=etl.name))
            assert read.read_all() == b"TEXT"
            # Results are delivered to the other target by the ETL's server itself.
            assert admin.job(bucket.transform(etl_name=etl.name, to_bck=dst)).wait(timeout=30)
        assert len(dst.list_all_objects()) == 7
    finally:
        dst.delete()


def test_s3_with_tokens(cluster, admin, user, bucket):
    boto3 = pytest.importorskip("boto3")

    def s3(token):
        return boto3.client(
            "s3",
            endpoint_url=f"{cluster.endpoint}/s3",
            region_name="us-east-1",
            aws_access_key_id="any",
            aws_secret_access_key="any",
            aws_session_token=token,
        )

    token = user([AccessAttr.ACCESS_RO], bucket.name)._request_client.token
    reader = s3(str(token))
    assert reader.get_object(Bucket=bucket.name, Key="o")["Body"].read() == b"content"
    url = reader.generate_presigned_url("get_object", {"Bucket": bucket.name, "Key": "o"})
    with urllib.request.urlopen(url) as answer:
        assert answer.read() == b"content"
    for client, status in ((reader, 403), (s3("garbage"), 401), (s3(None), 401)):
        with pytest.raises(client.exceptions.ClientError) as caught:
            client.put_object(Bucket=bucket.name, Key="p", Body=b"x")
        assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == status
        client.close()


# ---- tokens


def test_expired_tokens_are_renewed(cluster, authn, bucket):
    with AuthNClient(cluster.auth_endpoint) as own:
        own.login(*cluster.admin)
        own.token_manager().revoke(old := own.login(*cluster.admin))
        renew = own.token_refresh(*cluster.admin)
        with Client(cluster.endpoint, token=old, token_refresh=renew) as client:
            assert client.bucket(bucket.name).object("o").get_reader().read_all() == b"content"
        with Client(cluster.endpoint, token=old) as client, pytest.raises(AISUnauthorized):
            client.bucket(bucket.name).head()


def test_a_missing_bucket_shows_to_bearers_only(cluster, admin):
    with pytest.raises(ErrBckNotFound):
        admin.bucket("nosuch").head()
    with Client(cluster.endpoint) as nobody, pytest.raises(AISUnauthorized, match="token required"):
        nobody.bucket("nosuch").head()


def test_accounts_survive_a_restart(tmp_path):
    with (
        LocalCluster(dir=tmp_path, auth=True, admin=("root", "one")) as cluster,
        AuthNClient(cluster.auth_endpoint) as authn,
    ):
        authn.login("root", "one")
        authn.cluster_manager().register("again", [cluster.endpoint])
        authn.user_manager().create("ann", ["Guest-again"], "pw")
        token, revoked = authn.login("ann", "pw"), authn.login("ann", "pw")
        authn.token_manager().revoke(revoked)
    with LocalCluster(dir=tmp_path, auth=True) as cluster:
        assert cluster.admin[1] != "one"
        with (
            Client(cluster.endpoint, token=revoked) as client,
            pytest.raises(AISUnauthorized, match="revoked"),
        ):
            client.bucket("b").head()
        with Client(cluster.endpoint, token=token) as client, pytest.raises(ErrBckNotFound):
            client.bucket("b").head()


def test_the_built_in_user_from_the_environment(monkeypatch):
    monkeypatch.setenv("AIS_AUTHN_SU_NAME", "chief")
    monkeypatch.setenv("AIS_AUTHN_SU_PASS", "from the environment")
    with LocalCluster(auth=True) as cluster, AuthNClient(cluster.auth_endpoint) as authn:
        assert cluster.admin == ("chief", "from the environment")
        assert authn.login("chief", "from the environment")
        environment = Path(f"/proc/{cluster.pid}/cmdline").read_bytes()
        assert b"from the environment" not in environment


def test_nothing_secret_is_logged(tmp_path, caplog):
    caplog.set_level(logging.DEBUG)
    log = tmp_path / "access.log"
    server = [
        sys.executable,
        "-m",
        "aistore.local",
        "--auth",
        "--dir",
        tmp_path / "data",
        "--access-log",
        log,
    ]
    with subprocess.Popen(
        [*server, "--port", "0", "--auth-port", "0"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            endpoint, auth_endpoint = process.stdout.readline().strip(), process.stdout.readline().strip()
            told = process.stderr.readline()
            file = re.fullmatch(r"the password of the AuthN user 'admin' is in (\S+)\n", told)[1]
            assert file == str(tmp_path / "data" / "authn-password")
            assert Path(file).stat().st_mode & 0o777 == 0o600
            password = Path(file).read_text().strip()
            assert len(password) > 20
            with AuthNClient(auth_endpoint) as authn:
                token = authn.login("admin", password)
                assert token not in repr(authn)
            with Client(endpoint, token=token) as client:
                client.bucket("b").create().object("o").get_writer().put_content(b"x")
                assert client.bucket("b").object("o").get_reader().read_all() == b"x"
                text = repr(client)
            with AuthNClient(auth_endpoint, token=token) as authn:
                authn.logout()
        finally:
            process.terminate()
        text += process.stdout.read() + process.stderr.read()
    assert '"path":"/v1/users/admin"' in log.read_text()
    text += log.read_text()
    assert "sig=" not in text
    for secret in (token, token.split(".")[2], password):
        assert secret not in text + caplog.text


# ---- the 2.0.0 package

_PEER = """
import json, sys
from aistore import Client
from aistore.sdk.authn import AuthNClient
from aistore.sdk.authn.access_attr import AccessAttr
from aistore.sdk.errors import AISError
import aistore

endpoint, auth_endpoint, user, password = sys.argv[1:]
authn = AuthNClient(auth_endpoint)
token = authn.login(user, password, expires_in=3600)
clusters, roles, users = authn.cluster_manager(), authn.role_manager(), authn.user_manager()
uuid = clusters.get(cluster_alias="this-cluster").id
assert clusters.get(uuid).alias == "this-cluster" and uuid in clusters.list().clusters
assert clusters.update(uuid, cluster_alias="other-alias").alias == "other-alias"
clusters.update(uuid, cluster_alias="this-cluster")
client = Client(endpoint, token=token)
bucket = client.bucket("authn-peer").create()
content = b"peer" * 300_000
bucket.object("o").get_writer().put_content(content)
assert bucket.object("o").get_reader().read_all() == content
assert len(roles.list()) == 4
role = roles.create("peer-reader", "reads", "this-cluster", [AccessAttr.ACCESS_RO], "authn-peer")
roles.update("peer-reader", desc="still reads")
assert roles.get("peer-reader").desc == "still reads"
users.create("peer", ["peer-reader"], "12345")
assert {name for name in users.list()} >= {"peer", "admin"}
users.update("peer", password="1234567")
peer = AuthNClient(auth_endpoint)
own = peer.login("peer", "1234567")
reader = Client(endpoint, token=own).bucket("authn-peer")
assert reader.object("o").get_reader().read_all() == content
assert [entry.name for entry in reader.list_all_objects()] == ["o"]
assert [data for _, data in client.batch("o", bucket).get()] == [content]
refused = []
for call in (
    lambda: reader.object("p").get_writer().put_content(b"x"),
    lambda: reader.object("o").delete(),
    lambda: Client(endpoint).bucket("authn-peer").head(),
):
    try:
        call()
    except AISError as err:
        refused.append(err.status_code)
peer.logout()
try:
    reader.object("o").get_reader().read_all()
except AISError as err:
    refused.append(err.status_code)
users.delete("peer")
roles.delete("peer-reader")
for delete in (users.delete, roles.delete):
    delete("peer", missing_ok=True)
bucket.delete()
print(json.dumps({"version": aistore.version.__version__, "refused": refused}))
"""


@pytest.mark.peer
def test_the_2_0_package_with_tokens(peer_python, cluster, authn, tmp_path):
    # Over plain HTTP that package drops the token on the way to a target.
    script = tmp_path / "peer.py"
    script.write_text(_PEER)
    done = subprocess.run(
        [peer_python, script, cluster.endpoint, cluster.auth_endpoint, *cluster.admin],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=110,
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout.splitlines()[-1]) == {"version": "2.0.0", "refused": [403, 403, 401, 401]}
