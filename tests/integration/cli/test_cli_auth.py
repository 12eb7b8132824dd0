"""Logging in: the token is kept where only its owner can read it, and goes to its own cluster only."""

import json
import os
import stat

import pytest

from aistore import Client
from aistore.local import LocalCluster


@pytest.fixture(scope="module")
def guarded():
    """Give a cluster that demands tokens."""
    with LocalCluster(auth=True) as cluster:
        yield cluster


def test_login_users_roles_logout(aistore, guarded, tmp_path):
    name, password = guarded.admin
    aistore.in_process = False  # to see what it logs
    aistore.env |= {"AIS_ENDPOINT": guarded.endpoint, "AIS_AUTHN_URL": guarded.auth_endpoint}
    assert "aistore auth login" in aistore.fails("ls", code=4)
    assert "no terminal" in aistore.fails("auth", "login", name, code=2)
    aistore.fails("auth", "login", "--password-stdin", name, input="wrong\n", code=4)

    done = aistore.run("auth", "login", "--password-stdin", name, input=f"{password}\n")
    assert done.returncode == 0, done.stderr
    path = tmp_path / "config/aistore/tokens/default.json"
    token = json.loads(path.read_text())["token"]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    logged = aistore.run("ls", "--debug")
    assert logged.returncode == 0
    for output in (done.stdout, done.stderr, logged.stdout, logged.stderr):
        assert token.encode() not in output
        assert password.encode() not in output
    assert f"sub    {name}".split() in [line.split() for line in aistore("auth", "whoami").splitlines()]

    aistore.in_process = True
    aistore("auth", "cluster", "register", "main", guarded.endpoint)
    assert "main" in aistore("auth", "cluster", "ls")
    aistore("auth", "role", "create", "readers", "--cluster", "main", "--access", "ro")
    assert "OBJ_LIST" in aistore("auth", "role", "show", "readers")
    aistore("auth", "user", "create", "jane", "--role", "readers", "--password-stdin", input="secret-1\n")
    users = [json.loads(line) for line in aistore("auth", "user", "ls", "--json").splitlines()]
    assert {"user": "jane", "roles": ["readers"]} in users
    aistore("auth", "user", "rm", "jane")
    aistore("auth", "role", "rm", "readers")

    kept = tmp_path / "kept"
    kept.write_text(token)
    aistore("auth", "logout")
    assert not path.exists()
    assert "can" not in aistore.fails("ls", code=4)
    assert "chmod 600" in aistore.fails("ls", "--token-file", kept, code=2)
    kept.chmod(0o600)
    error = aistore.fails("ls", "--token-file", kept, code=4)  # it is revoked
    assert token not in error


def test_a_stored_token_goes_to_its_own_cluster_only(aistore, guarded, monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    name, password = guarded.admin
    aistore.env |= {"AIS_ENDPOINT": guarded.endpoint, "AIS_AUTHN_URL": guarded.auth_endpoint}
    aistore("auth", "login", "--password-stdin", name, input=f"{password}\n")
    assert Client.from_profile(endpoint=guarded.endpoint).cluster().list_buckets() == []
    own = Client.from_profile(endpoint=guarded.endpoint).cluster().client
    other = Client.from_profile(endpoint="http://127.0.0.1:1").cluster().client
    assert own.token
    assert not other.token
    assert os.path.exists(tmp_path / "config/aistore/tokens/default.json")
