"""The data folder is its owner's alone: modes, also of folders of before, and the secret of tokens."""

from __future__ import annotations

import base64
import json
import sqlite3
import stat
import time
from contextlib import closing
from pathlib import Path

import pytest
from wire import Wire

from aistore.local import LocalCluster
from aistore.local.authn import jwt
from aistore.sdk.etl import ETLConfig
from aistore.sdk.etl.webserver.http_multi_threaded_server import HTTPMultiThreadedServer

OLD_SECRET = b"o" * 32


def open_to_others(root: Path) -> list[str]:
    """Folders and files below a folder, and itself, that other users have any permission for."""
    found = [root, *root.rglob("*")]
    return [str(path) for path in found if not path.is_symlink() and path.lstat().st_mode & 0o077]


def use(cluster: LocalCluster) -> None:
    """Let everything that is kept in files be made."""
    with cluster.client() as client:
        bucket = client.bucket("b").create(exist_ok=True)
        bucket.object("o").get_writer().put_content(b"secret")
        bucket.object("copy").get_writer().put_content(b"secret")
        upload = bucket.object("parts").multipart_upload().create()
        upload.add_part(1).put_content(b"part")


@pytest.mark.parametrize("options", [{}, {"auth": True}, {"tls": True}, {"targets": 2}], ids=str)
def test_folders_and_files_are_private(tmp_path: Path, options: dict[str, bool]) -> None:
    root = tmp_path / "data"
    for _ in range(2):
        with LocalCluster(dir=root, **options) as cluster:
            use(cluster)
            assert open_to_others(root) == []
    assert open_to_others(root) == []


def test_etls_and_temporary_folders_are_private() -> None:
    class Upper(HTTPMultiThreadedServer):
        def transform(self, data, path, etl_args):
            Path("made").write_bytes(data)
            return data.upper()

    with LocalCluster() as cluster, cluster.client() as client:
        client.etl("private-files").init_class()(Upper)
        bucket = client.bucket("b").create()
        bucket.object("o").get_writer().put_content(b"text")
        reader = bucket.object("o").get_reader(etl=ETLConfig("private-files"))
        assert reader.read_all() == b"TEXT"
        assert list(Path(cluster.dir).rglob("made"))
        assert open_to_others(Path(cluster.dir)) == []


def of_before(root: Path) -> None:
    """Make a folder like one of an older version: readable, and the secret is in catalog and journal."""
    encoded = base64.b64encode(OLD_SECRET).decode()
    with closing(sqlite3.connect(root / "catalog.sqlite")) as conn:
        conn.execute("INSERT OR REPLACE INTO meta (key, value) VALUES ('authn-secret', ?)", (encoded,))
        conn.execute("PRAGMA user_version = 2")
        conn.commit()
    first = min((root / "journal").glob("*.log"))
    first.write_bytes(json.dumps(["meta", "authn-secret", encoded]).encode() + b"\n" + first.read_bytes())
    for path in [root, *root.rglob("*")]:
        path.chmod(path.stat().st_mode | (0o055 if path.is_dir() else 0o044))


def test_a_folder_of_before_is_closed_and_its_secret_replaced(tmp_path: Path) -> None:
    root = tmp_path / "data"
    with LocalCluster(dir=root, auth=True) as cluster:
        use(cluster)
        issued = Wire(cluster.auth_endpoint)
        name, password = cluster.admin
        token = issued.ok("POST", f"/v1/users/{name}", {"password": password}).body
    kept = (root / "authn-secret").read_bytes()
    claims = jwt.decode(json.loads(token)["token"], base64.b64decode(kept), time.time())
    (root / "authn-secret").unlink()
    of_before(root)
    with LocalCluster(dir=root, auth=True) as cluster:
        assert open_to_others(root) == []
        forged = jwt.encode(claims, OLD_SECRET)
        headers = {"Authorization": f"Bearer {forged}"}
        assert Wire(cluster.endpoint)("GET", "/v1/objects/b/o", headers=headers).status == 401
        with cluster.client() as client:
            assert client.bucket("b").object("o").get_reader().read_all() == b"secret"
    secret = (root / "authn-secret").read_bytes()
    assert secret not in {kept, base64.b64encode(OLD_SECRET)}
    for file in root.rglob("*"):
        if file.is_file() and file.name != "authn-secret":
            assert secret not in file.read_bytes(), file
    for file in (root / "journal").iterdir():
        assert b"authn-secret" not in file.read_bytes(), file


def test_the_secret_of_tokens_survives_a_restart(tmp_path: Path) -> None:
    with LocalCluster(dir=tmp_path, auth=True) as cluster:
        name, password = cluster.admin
        answer = Wire(cluster.auth_endpoint).ok("POST", f"/v1/users/{name}", {"password": password})
    headers = {"Authorization": f"Bearer {json.loads(answer.body)['token']}"}
    with LocalCluster(dir=tmp_path, auth=True, admin=(name, password)) as cluster:
        assert Wire(cluster.endpoint)("GET", "/v1/buckets", headers=headers).status != 401


def test_what_is_not_of_the_server_keeps_its_mode(tmp_path: Path) -> None:
    mine = tmp_path / "notes.txt"
    mine.write_bytes(b"of the user")
    mine.chmod(0o644)
    with LocalCluster(dir=tmp_path):
        pass
    assert stat.S_IMODE(mine.stat().st_mode) == 0o644
