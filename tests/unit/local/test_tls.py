"""Certificates that are made here: for these names, kept while they last, readable by this user only."""

import shutil
import ssl
import subprocess

import pytest

from aistore.local import tls
from aistore.local.errors import LocalClusterError
from aistore.local.options import Options

SELF_SIGNED = Options(tls_self_signed=True)


def text_of(path):
    shown = subprocess.run(
        ["openssl", "x509", "-in", path, "-noout", "-text"], capture_output=True, text=True, check=True
    )
    return shown.stdout


def test_plain_http_needs_nothing(tmp_path):
    found = tls.prepare(Options(), tmp_path)
    assert (found.scheme, found.settings(), found.etl_environment()) == ("http", {}, {})
    assert list(tmp_path.iterdir()) == []


def test_a_certificate_of_its_own(tmp_path):
    found = tls.prepare(SELF_SIGNED, tmp_path)
    assert found.scheme == "https"
    assert found.ca_file == tmp_path / "tls" / "server.pem"
    assert found.pair.key.stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "tls").stat().st_mode & 0o777 == 0o700
    text = text_of(found.ca_file)
    assert "DNS:localhost, IP Address:127.0.0.1, IP Address:0:0:0:0:0:0:0:1" in text
    assert "CA:FALSE" in text
    assert "TLS Web Server Authentication" in text
    assert sorted(path.name for path in (tmp_path / "tls").iterdir()) == ["server.key", "server.pem"]


def test_it_is_kept_while_it_lasts(tmp_path):
    first = tls.prepare(SELF_SIGNED, tmp_path).ca_file.read_text()
    assert tls.prepare(SELF_SIGNED, tmp_path).ca_file.read_text() == first
    other_host = tls.prepare(SELF_SIGNED._replace(host="192.0.2.7"), tmp_path).ca_file
    assert "IP Address:192.0.2.7" in text_of(other_host)
    named, _, *rest = other_host.read_text().splitlines(keepends=True)
    other_host.write_text("".join([named, "expires: 1\n", *rest]))
    assert (
        tls.prepare(SELF_SIGNED._replace(host="192.0.2.7"), tmp_path)
        .ca_file.read_text()
        .count("expires: 1\n")
        == 0
    )


@pytest.mark.parametrize("damage", ["cert", "key", "other"])
def test_damaged_files_are_made_anew(tmp_path, damage):
    pair = tls.prepare(SELF_SIGNED, tmp_path).pair
    if damage == "other":
        (tmp_path / "b").mkdir()
        shutil.copy(tls.prepare(SELF_SIGNED, tmp_path / "b").pair.key, pair.key)
    else:
        getattr(pair, damage).write_text("")
    ssl.create_default_context(ssl.Purpose.CLIENT_AUTH).load_cert_chain(
        *tls.prepare(SELF_SIGNED, tmp_path).pair
    )


def test_the_name_of_this_machine_counts_on_all_addresses(monkeypatch):
    monkeypatch.setattr("aistore.local.tls.socket.gethostname", lambda: "box")
    assert tls.server_names("0.0.0.0") == ["localhost", "127.0.0.1", "::1", "box"]
    assert tls.server_names("127.0.0.1") == ["localhost", "127.0.0.1", "::1"]


def test_without_openssl_the_error_says_what_would_help(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(LocalClusterError, match=r"`openssl` is not on this machine .* --tls-cert"):
        tls.prepare(SELF_SIGNED, tmp_path)


def test_a_failure_of_openssl_is_told(tmp_path, monkeypatch):
    program = tmp_path / "openssl"
    program.write_text("#!/bin/sh\necho no curve >&2\nexit 3\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    with pytest.raises(LocalClusterError, match="openssl ecparam: no curve"):
        tls.prepare(SELF_SIGNED, tmp_path)


def test_etl_servers_have_certificates_where_clients_must(tmp_path):
    authority = tls.prepare(SELF_SIGNED, tmp_path).pair.cert
    found = tls.prepare(SELF_SIGNED._replace(tls_client_ca=authority), tmp_path)
    env = found.etl_environment()
    assert env == {
        "AIS_CLIENT_CA": str(tmp_path / "tls" / "server.pem"),
        "AIS_CRT": str(tmp_path / "tls" / "etl.pem"),
        "AIS_CRT_KEY": str(tmp_path / "tls" / "etl.key"),
    }
    assert "TLS Web Client Authentication" in text_of(env["AIS_CRT"])
    assert found.settings()["ssl_cert_reqs"] == ssl.CERT_REQUIRED


def test_a_client_authority_that_is_not_there(tmp_path):
    with pytest.raises(LocalClusterError, match="client authority can't be used"):
        tls.prepare(SELF_SIGNED._replace(tls_client_ca=tmp_path / "none.pem"), tmp_path)
