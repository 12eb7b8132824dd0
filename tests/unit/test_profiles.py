"""Named profiles and token files."""

import os
import pickle
import subprocess
import sys

import pytest

from aistore import Client
from aistore.sdk.errors import InvalidArgument
from aistore.sdk.profiles import KEYS, auth_endpoint, config_path, load_profile, profile_names, same_server
from aistore.sdk.token_files import StoredToken, read_token_file, write_token_file

posix = pytest.mark.skipif(not hasattr(os, "getuid"), reason="permissions of POSIX")
CONFIG = """
default_profile = "lab"

[profiles.lab]
endpoint = "http://lab:8080"
read_timeout = 60
max_pool_size = 3
direct = true
auth_endpoint = "http://lab:52001"

[profiles.prod]
endpoint = "https://prod:51080"
ca_cert = "ca.pem"
client_cert = "~/crt.pem"
client_key = "/keys/key.pem"
skip_verify = false
connect_timeout = 0
token_file = "prod.token"
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Give the folder of the configuration, with a file in it."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.setenv("HOME", "/home/me")
    folder = tmp_path / "aistore"
    folder.mkdir()
    (folder / "config.toml").write_text(CONFIG)
    return folder


def inner(client):
    return client.cluster().client


def token_file(path, content, mode=0o600):
    path.write_text(content)
    path.chmod(mode)
    return path


def test_which_file(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", "/home/me")
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    assert str(config_path()) == "/home/me/.config/aistore/config.toml"
    monkeypatch.setenv("XDG_CONFIG_HOME", "relative")  # to be ignored, says the specification
    assert str(config_path()) == "/home/me/.config/aistore/config.toml"
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    assert config_path() == tmp_path / "aistore/config.toml"
    assert str(config_path("~/x.toml")) == "/home/me/x.toml"


def test_which_profile(folder, monkeypatch):
    assert profile_names() == ["lab", "prod"]
    assert load_profile().name == "lab"
    monkeypatch.setenv("AIS_PROFILE", "prod")
    assert load_profile().name == "prod"
    assert load_profile("lab").name == "lab"
    with pytest.raises(
        InvalidArgument, match=r"no profile 'nope' in .*config.toml; profiles there: lab, prod"
    ):
        load_profile("nope")
    with pytest.raises(InvalidArgument, match=r"profile name '\.\./x'"):
        load_profile("../x")


def test_no_file_is_an_empty_profile(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    assert profile_names() == []
    assert load_profile().name == "default"
    assert load_profile().values == {}
    with pytest.raises(InvalidArgument, match="profiles there: none"):
        load_profile("lab")
    with pytest.raises(InvalidArgument, match="No such file"):
        load_profile(path=tmp_path / "nope.toml")
    assert inner(Client.from_profile(endpoint="http://a:1")).base_url == "http://a:1/v1"


def test_arguments_before_environment_before_profile_before_defaults(folder, monkeypatch):
    client = Client.from_profile()
    assert inner(client).base_url == "http://lab:8080/v1"
    assert inner(client).timeout == (3, 60)
    monkeypatch.setenv("AIS_READ_TIMEOUT", "7")
    monkeypatch.setenv("AIS_ENDPOINT", "http://env:1")
    client = Client.from_profile()
    assert inner(client).base_url == "http://env:1/v1"
    assert inner(client).timeout == (3, 7)
    client = Client.from_profile("lab", endpoint="http://argument:2", timeout=9)
    assert inner(client).base_url == "http://argument:2/v1"
    assert inner(client).timeout == 9


def test_direct_routing_of_a_profile(folder, monkeypatch):
    given = {}
    monkeypatch.setattr(Client, "__init__", lambda self, **arguments: given.update(arguments))
    Client.from_profile("lab")
    assert given["direct"] is True
    given.clear()
    monkeypatch.setenv("AIS_DIRECT", "0")
    Client.from_profile("lab")
    assert "direct" not in given  # the environment's is used


def test_paths_and_tls(folder, monkeypatch):
    token_file(folder / "prod.token", "secret-1\n")
    profile = load_profile("prod")
    assert profile.values["ca_cert"] == str(folder / "ca.pem")  # relative to the file
    assert profile.values["client_cert"] == "/home/me/crt.pem"
    manager = inner(Client.from_profile("prod")).session_manager
    assert manager.ca_cert == str(folder / "ca.pem")
    assert manager.client_cert == ("/home/me/crt.pem", "/keys/key.pem")
    assert not manager.skip_verify
    assert inner(Client.from_profile("prod")).timeout == (None, 20)  # 0 is no limit
    monkeypatch.setenv("AIS_CLIENT_CA", "/env/ca.pem")
    assert inner(Client.from_profile("prod")).session_manager.ca_cert is None  # the environment's is used
    with pytest.warns(UserWarning, match="not verified"):
        assert inner(Client.from_profile("prod", skip_verify=True)).session_manager.skip_verify


def test_the_token_of_a_profile(folder, monkeypatch):
    token_file(folder / "prod.token", "secret-1\n")
    assert inner(Client.from_profile("prod")).token == "secret-1"
    assert inner(Client.from_profile("prod", token="mine")).token == "mine"
    monkeypatch.setenv("AIS_AUTHN_TOKEN", "from-env")
    assert inner(Client.from_profile("prod")).token == "from-env"
    other = token_file(folder / "other", '{"token": "secret-2"}')
    assert inner(Client.from_profile("prod", token_file=other)).token == "secret-2"
    monkeypatch.delenv("AIS_AUTHN_TOKEN")
    monkeypatch.setenv("AIS_AUTHN_TOKEN_FILE", str(other))
    assert inner(Client.from_profile("lab")).token == "secret-2"


def test_a_token_is_not_sent_to_another_cluster_than_its_own(folder, monkeypatch):
    token_file(folder / "prod.token", "secret-1\n")
    assert not inner(Client.from_profile("prod", endpoint="https://evil:51080")).token
    monkeypatch.setenv("AIS_ENDPOINT", "https://evil:51080")
    assert not inner(Client.from_profile("prod")).token
    assert inner(Client.from_profile("prod", endpoint="https://PROD:51080/v1")).token == "secret-1"


def test_the_token_of_a_login(folder):
    profile = load_profile("lab")
    write_token_file(profile.login_file, StoredToken("secret-3", "http://lab:8080", "http://lab:52001"))
    assert inner(Client.from_profile("lab")).token == "secret-3"
    assert not inner(Client.from_profile("lab", endpoint="http://other:8080")).token
    assert auth_endpoint(profile) == "http://lab:52001"
    assert auth_endpoint(profile, "http://x:1") == "http://x:1"


def test_tokens_do_not_show(folder):
    token_file(folder / "prod.token", "secret-1")
    client = Client.from_profile("prod")
    stored = read_token_file(folder / "prod.token")
    assert "secret-1" not in repr(client) + repr(stored) + str(vars(inner(client)))
    assert inner(pickle.loads(pickle.dumps(client))).token == "secret-1"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (
            "[profiles.a]\nendpont = 'x'",
            r"profile 'a': unknown key 'endpont'; there are endpoint, auth_endpoint",
        ),
        ("[profiles.a]\ntoken = 'x'", "a token does not belong there"),
        ("[profiles.a]\npassword = 'x'", "a password does not belong there"),
        ("[profiles.a]\nread_timeout = '5'", "read_timeout: expected float, not '5'"),
        ("[profiles.a]\nread_timeout = -5", "read_timeout: expected a number from 0 on"),
        ("[profiles.a]\nmax_pool_size = true", "max_pool_size: expected int"),
        ("[profiles.a]\nskip_verify = 1", "skip_verify: expected bool"),
        ("[profiles.a]\nclient_key = 'k'", "client_key needs client_cert"),
        ("[profiles.'a b']\n", "profile name 'a b'"),
        ("profile = 'a'", "unknown key 'profile'; there are default_profile, profiles"),
        ("default_profile = 1", "expected the name of a profile"),
        ("profiles = 1", "expected tables"),
        ("[profiles.a", "config.toml: "),
        ("default_profile = 'nope'", "no profile 'nope'"),
    ],
)
def test_what_is_wrong_in_the_file_is_told(folder, text, words):
    (folder / "config.toml").write_text(text)
    with pytest.raises(InvalidArgument, match=words):
        load_profile()


def test_known_keys():
    assert {"endpoint", "ca_cert", "token_file", "read_timeout"} <= set(KEYS)


@posix
def test_a_file_that_everybody_may_write_is_refused(folder):
    (folder / "config.toml").chmod(0o666)
    with pytest.raises(InvalidArgument, match="chmod o-w"):
        load_profile()


@posix
@pytest.mark.parametrize("mode", [0o644, 0o640, 0o620, 0o604])
def test_a_token_that_others_can_use_is_refused(tmp_path, mode):
    path = token_file(tmp_path / "token", "secret-1", mode)
    with pytest.raises(InvalidArgument, match="chmod 600") as caught:
        read_token_file(path)
    assert "secret-1" not in str(caught.value)


@pytest.mark.parametrize(
    "text", ["", "two words", "two\nlines", '{"token": ""}', '{"token": 5}', "{bad", "é"]
)
def test_what_is_no_token(tmp_path, text):
    with pytest.raises(InvalidArgument, match="expected a token") as caught:
        read_token_file(token_file(tmp_path / "token", text))
    assert caught.value.__suppress_context__  # the text may be a token: it is nowhere in the error


def test_a_token_file_that_is_not_there_or_too_large(tmp_path):
    with pytest.raises(InvalidArgument, match="No such file"):
        read_token_file(tmp_path / "nope")
    with pytest.raises(InvalidArgument, match="which is no token"):
        read_token_file(token_file(tmp_path / "token", "x" * 70_000))


@posix
def test_written_tokens_are_private_and_replaced_in_one_step(tmp_path):
    path = tmp_path / "tokens/a.json"
    write_token_file(path, StoredToken("one"))
    write_token_file(path, StoredToken("two", "http://a:1"))
    assert read_token_file(path) == ("two", "http://a:1", "")
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700
    assert os.listdir(path.parent) == ["a.json"]


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("http://a:1", "http://a:1/", True),
        ("http://a:1/v1", "http://A:1", True),
        ("http://a:1", "https://a:1", False),
        ("http://a:1", "http://a:11", False),
        ("http://a:1", "", False),
    ],
)
def test_same_server(one, other, same):
    assert same_server(one, other) is same


def test_profiles_need_a_toml_parser_on_python_3_10(folder):
    code = (
        "import sys; sys.version_info = (3, 10); sys.modules['tomli'] = None\n"
        "from aistore import Client\n"
        "try: Client.from_profile()\n"
        "except ValueError as err: print(err)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=dict(os.environ))
    assert done.stdout.strip() == (
        "reading profiles on Python 3.10 needs the extra 'cli': pip install 'aistore[cli]'"
    )


def test_a_client_needs_no_toml_parser():
    code = (
        "import sys; before = set(sys.modules); from aistore import Client; Client('http://a:1'); "
        "print('tomllib' in set(sys.modules) - before)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout.strip() == "False"
