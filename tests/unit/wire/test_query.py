"""The query of a URL has one reading."""

from __future__ import annotations

from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aistore.sdk.etl.webserver.exchange import parse_request
from aistore.sdk.etl.webserver.utils import compose_etl_direct_put_url
from aistore.sdk.transport.routing import read_mark
from aistore.wire.query import Parameter, parameters, parse_query


@pytest.mark.parametrize(
    ("raw", "found"),
    [
        ("", {}),
        ("&&", {}),
        ("a=1&b=2", {"a": "1", "b": "2"}),
        ("a=1;b=2", {"a": "1;b=2"}),
        (";b=2&a", {";b": "2", "a": ""}),
        ("a=1&a=2", {"a": "1"}),
        ("%61=x%3By+z", {"a": "x;y z"}),
        ("a=b=c", {"a": "b=c"}),
        ("=x", {"": "x"}),
        ("a=%FF&%zz=%", {"a": "\udcff", "%zz": "%"}),
    ],
)
def test_parameters_are_separated_by_ampersands_only(raw: str, found: dict[str, str]) -> None:
    assert parse_query(raw) == found


def test_a_parameter_without_a_value_is_told_from_an_empty_one() -> None:
    assert list(parameters("uploads&x=")) == [Parameter("uploads", "", ""), Parameter("x", "")]


TEXT = st.text(st.characters(exclude_categories=["Cs"]))


@given(st.lists(st.tuples(TEXT, TEXT), max_size=5))
def test_what_is_encoded_is_read_back(pairs: list[tuple[str, str]]) -> None:
    assert [(name, value) for name, value, _ in parameters(urlencode(pairs))] == pairs


def test_every_reader_has_this_grammar() -> None:
    request = parse_request("PUT", "/b/o", "etl_args=a;etl_fqn=/x&etl_fqn=%2Fy", "")
    assert (request.etl_args, request.fqn) == ("a;etl_fqn=/x", "/y")
    url = compose_etl_direct_put_url("http://h:1?x=1;etl_args=2", "http://t", "b/o", "3")
    assert url == "http://h:1/b/o?x=1%3Betl_args%3D2&etl_args=3"
    mark = read_mark("/v1/objects/b/o?x=1;y", "http://h:1/v1/objects/b/o?x=1;y&pid=p12345&utm=z")
    assert mark is not None
