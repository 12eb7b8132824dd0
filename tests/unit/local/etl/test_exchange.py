"""What an ETL server is told about an object."""

from __future__ import annotations

from urllib.parse import quote, unquote, unquote_plus

import pytest

from aistore.local.etl.exchange import escape_element, escape_fqn


@pytest.mark.parametrize("text", ["plain-1_.~", "a/b", "ü", "a b+c%", "$&+:=@", "x\udcff", ""])
def test_an_element_is_one_whatever_is_in_it(text: str) -> None:
    escaped = escape_element(text)
    assert escaped == quote(text.encode("utf-8", "surrogateescape"), safe="$&+:=@")
    assert unquote(escaped, errors="surrogateescape") == text


@pytest.mark.parametrize("path", ["/tmp/x/t0/1/a3f/2b~image.jpg", "/a b/ü%/t0/1/2/3~+x", "/x", "/~/$&=~é"])
def test_the_path_of_a_file_is_escaped_as_an_element_of_a_path_and_as_a_value(path: str) -> None:
    escaped = escape_fqn(path)
    assert not set(escaped) & set("/?&= ")
    assert unquote(unquote_plus(escaped)) == path
