"""Where results may be sent."""

import ipaddress
import socket
from urllib.parse import urlsplit

import pytest

from aistore.sdk.errors import InvalidArgument, InvalidPipelineError
from aistore.sdk.etl.webserver import destinations
from aistore.sdk.etl.webserver.destinations import AllowedHosts, DestinationGuard, DestinationRefused

PRIVATE = "http://10.1.2.3:51080/v1"


@pytest.fixture(autouse=True)
def names(monkeypatch):
    """Names resolve to what a test says, never over the network."""
    table = {}

    def getaddrinfo(host, *_args, **_kwargs):
        if host not in table:
            raise socket.gaierror("unknown")
        return [(socket.AF_INET, socket.SOCK_STREAM, 0, "", (address, 0)) for address in table[host]]

    monkeypatch.setattr(destinations.socket, "getaddrinfo", getaddrinfo)
    return table


@pytest.mark.parametrize(
    "url",
    [
        "http://10.200.3.4:31234",
        "https://192.168.0.1/x",
        "http://172.16.0.1/x",
        "http://100.64.1.1/x",
        "http://127.0.0.1:9",
        "http://[fd00::1]:8000",
        "http://[::1]/x",
        "http://pod.default.svc",
        "http://some-name-that-does-not-resolve/x",
    ],
)
def test_allowed_by_default(url, names):
    names["pod.default.svc"] = ["10.0.0.9"]
    DestinationGuard(PRIVATE).check(url)


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("http://169.254.169.254/latest", "link-local"),
        ("http://[fe80::1%25eth0]/x", "link-local"),
        ("http://[::ffff:169.254.169.254]/x", "link-local"),
        ("http://[fd00:ec2::254]/x", "metadata"),
        ("http://100.100.100.200/x", "metadata"),
        ("http://168.63.129.16/x", "metadata"),
        ("http://metadata.google.internal/x", "metadata"),
        ("http://METADATA.google.internal./x", "metadata"),
        ("http://8.8.8.8/x", "public address"),
        ("http://[2606:4700::1]/x", "public address"),
        ("http://[64:ff9b::a9fe:a9fe]/x", "public address"),
        ("http://0.0.0.0/x", "not the address of a host"),
        ("http://224.0.0.1/x", "not the address of a host"),
        ("http://user@10.0.0.1/x", "user-info"),
        ("http://10.0.0.1@evil/x", "user-info"),
        ("ftp://10.0.0.1/x", "not of the form"),
        ("file:///etc/passwd", "not of the form"),
        ("//10.0.0.1/x", "not of the form"),
        ("10.0.0.1/x", "not of the form"),
        ("http:///x", "not of the form"),
        ("http://10.0.0.1:99999/x", "not a URL"),
        ("http://[::1/x", "not a URL"),
        ("http://10.0.0.1/\r\nX: y", "control characters"),
        ("http://10.0.0.1\\@evil/x", "control characters"),
        ("http://sneaky/x", "link-local"),
        ("http://mixed/x", "public address"),
    ],
)
def test_refused_by_default(url, why, names):
    names["sneaky"] = ["169.254.169.254"]
    names["mixed"] = ["10.0.0.1", "8.8.8.8"]
    with pytest.raises(DestinationRefused, match=why) as error:
        DestinationGuard(PRIVATE).check(url)
    assert isinstance(error.value, InvalidPipelineError)


def test_a_cluster_on_public_addresses_reaches_its_own_network():
    guard = DestinationGuard("http://8.8.4.4:51080/v1")
    guard.check("http://8.8.200.1/x")
    with pytest.raises(DestinationRefused, match=r"public address .* AIS_ETL_ALLOWED_HOSTS"):
        guard.check("http://8.9.0.1/x")


def test_the_own_target_is_always_allowed(names):
    names["target"] = ["169.254.1.1"]
    DestinationGuard("http://target:1/v1", AllowedHosts.parse("other")).check("http://target:2/x")


def test_allow_list(names):
    guard = DestinationGuard(PRIVATE, AllowedHosts.parse("10.9.0.0/16, Pod-1 ,fd00::/8,192.168.1.1"))
    for url in ("http://10.9.8.7", "http://pod-1:8000", "http://[fd12::1]", "http://192.168.1.1/x"):
        guard.check(url)
        assert not guard.needs_lookup(url)
    names["pod-2"] = ["10.9.0.1"]
    for url in ("http://10.8.0.1", "http://pod-2", "http://192.168.1.2", "http://evil"):
        with pytest.raises(DestinationRefused, match="AIS_ETL_ALLOWED_HOSTS"):
            guard.check(url)


@pytest.mark.parametrize("text", ["a b", "http://x", "10.0.0.0/99", "-x-/", "a/b"])
def test_malformed_allow_list(text):
    with pytest.raises(InvalidArgument, match="not a host name"):
        AllowedHosts.parse(text)


def test_names_are_asked_for_once_in_a_while(names):
    guard = DestinationGuard(PRIVATE)
    names["pod"] = ["10.0.0.1"]
    assert guard.needs_lookup("http://pod/x")
    guard.check("http://pod/x")
    assert not guard.needs_lookup("http://pod/x")
    del names["pod"]
    guard.check("http://pod/x")
    assert not guard.needs_lookup(f"http://{ipaddress.ip_address('10.0.0.1')}/x")


ENDINGS = [
    "",
    "/",
    "/v1/objects/b/o?x=y",
    "?uuid=@evil.example",
    "#@evil.example",
    "/@evil.example/",
    "//evil.example",
]


@pytest.mark.parametrize("ending", ENDINGS)
@pytest.mark.parametrize(
    "origin", ["http://h", "https://H.example.:8080", "HTTP://h:1", "http://[::1]:9", "http://10.0.0.1:51081"]
)
def test_the_host_is_that_of_the_whole_url(origin, ending):
    """It is kept by what comes before the path, and what is kept is never another URL's."""
    url = origin + ending
    expected = urlsplit(url).hostname.rstrip(".")
    assert [destinations._host_of(url) for _ in range(2)] == [expected] * 2


@pytest.mark.parametrize("url", ["http://u@h/x", "http://h:99999/x", "http://[::1/x", "http:///x", "http://"])
def test_what_is_refused_is_refused_each_time_and_named_whole(url):
    for _ in range(2):
        with pytest.raises(DestinationRefused) as refused:
            destinations._host_of(url)
        assert repr(url) in str(refused.value) or "user-info" in str(refused.value)
