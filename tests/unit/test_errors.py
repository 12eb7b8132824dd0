"""Every error pickles whole, is the class that programs catch, and carries no token."""

import errno
import inspect
import pickle

import pytest
import requests
import urllib3.exceptions

import aistore.errors
from aistore.sdk import errors


def _classes():
    return [
        c
        for _, c in inspect.getmembers(errors, inspect.isclass)
        if issubclass(c, BaseException) and c.__module__ == errors.__name__
    ]


def _make(cls):
    if issubclass(cls, errors.APIRequestError):
        req = requests.Request("GET", "http://h/v1/x", headers={"Authorization": "Bearer sesame"}).prepare()
        err = cls(404, "no such thing", "http://h/v1/x", req)
        err.tcode, err.node, err.attempts = "ErrNotFound", "t[1]", 3
        return err
    if cls is errors.ETLDirectPutTransientError:
        return cls("http://h", ValueError("x"))
    if cls is errors.ErrChecksumMismatch:
        return cls("objects/b/o", "md5", "0a", "0b")
    if cls is errors.UnexpectedHTTPStatusCode:
        return cls([200, 307], 500)
    if issubclass(cls, (errors.AISNetworkError, errors.ErrInvalidResponse)):
        return cls("boom", method="get", url="http://h/v1/x")
    return cls("what")


@pytest.mark.parametrize("cls", _classes(), ids=lambda c: c.__name__)
def test_pickles_whole_without_token(cls):
    err = _make(cls)
    data = pickle.dumps(err)
    assert b"sesame" not in data
    again = pickle.loads(data)
    assert type(again) is cls
    assert (str(again), again.args) == (str(err), err.args)
    for name, value in vars(err).items():
        if name in {"req", "request"} and value is not None:
            assert getattr(again, name).url == value.url
        elif name == "cause":
            assert repr(again.cause) == repr(value)
        else:
            assert getattr(again, name) == value
    assert getattr(again, "errno", None) == getattr(err, "errno", None)
    assert "sesame" not in f"{err} {err!r}"


@pytest.mark.parametrize("cls", _classes(), ids=lambda c: c.__name__)
def test_one_tree(cls):
    assert issubclass(cls, errors.SDKError)
    assert cls.__name__ in aistore.errors.__doc__


@pytest.mark.parametrize(
    ("cls", "caught"),
    [
        (errors.ErrObjNotFound, FileNotFoundError),
        (errors.ErrBckNotFound, FileNotFoundError),
        (errors.ErrBckAlreadyExists, FileExistsError),
        (errors.AISForbidden, PermissionError),
        (errors.ErrServerFailure, requests.exceptions.RetryError),
        (errors.AISConnectionRefused, requests.ConnectionError),
        (errors.AISConnectionRefused, ConnectionRefusedError),
        (errors.AISConnectTimeout, requests.exceptions.ConnectTimeout),
        (errors.AISConnectTimeout, urllib3.exceptions.TimeoutError),
        (errors.AISReadTimeout, requests.ReadTimeout),
        (errors.AISReadTimeout, urllib3.exceptions.ReadTimeoutError),
        (errors.AISReadTimeout, TimeoutError),
        (errors.AISSSLError, requests.exceptions.SSLError),
        (errors.AISChunkedEncodingError, requests.exceptions.ChunkedEncodingError),
        (errors.AISChunkedEncodingError, urllib3.exceptions.ProtocolError),
        (errors.ErrInvalidResponse, ValueError),
        (errors.InvalidEndpoint, requests.exceptions.InvalidURL),
        (errors.InvalidArgumentType, TypeError),
        (errors.Timeout, TimeoutError),
    ],
)
def test_is_what_programs_catch(cls, caught):
    with pytest.raises(caught):
        raise _make(cls)


def test_texts():
    assert str(_make(errors.AISError)) == "STATUS:404, MESSAGE:no such thing, REQ_URL:http://h/v1/x"
    assert _make(errors.ErrOutOfSpace).errno == errno.ENOSPC
    err = _make(errors.AISConnectionError)
    assert str(err) == "GET http://h/v1/x: boom"
    err.attempts = 3
    assert str(err) == "GET http://h/v1/x: boom (3 attempts)"
    assert str(errors.Timeout("job", "msg")) == "Timed out while waiting for job. msg"
    assert "200, 307" in str(_make(errors.UnexpectedHTTPStatusCode))


def test_the_public_module_has_every_error_of_the_tree():
    tree = {name for name, value in vars(aistore.errors).items() if inspect.isclass(value)}
    tree = {name for name in tree if issubclass(getattr(aistore.errors, name), errors.SDKError)}
    assert tree == set(errors.__all__)
    assert {getattr(errors, name).__module__ for name in tree} == {"aistore.sdk.errors"}
