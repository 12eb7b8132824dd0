"""Reading and writing XML."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aistore.local.s3 import xml

NS = 'xmlns="http://s3.amazonaws.com/doc/2006-03-01/"'


def test_reads_elements_with_and_without_namespace() -> None:
    for text in (
        f"<Delete {NS}><Quiet>true</Quiet><Object><Key>a&amp;b</Key></Object><Object/></Delete>",
        f"<n:Delete {NS.replace('xmlns', 'xmlns:n')}><n:Quiet>true</n:Quiet><n:Object><n:Key>a&#38;b</n:Key>"
        "</n:Object><n:Object/></n:Delete>",
    ):
        root = xml.parse(text.encode(), "Delete")
        assert root.find("Quiet") == "true"
        assert [item.find("Key") for item in root.all("Object")] == ["a&b", ""]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "no xml",
        "<Delete>",
        "<Other/>",
        "<Delete/><Delete/>",
        "<!DOCTYPE Delete><Delete/>",
        '<!DOCTYPE d [<!ENTITY a "b">]><Delete>&a;</Delete>',
        '<!DOCTYPE d [<!ENTITY a SYSTEM "file:///etc/hostname">]><Delete>&a;</Delete>',
        '<!DOCTYPE d SYSTEM "http://127.0.0.1:1/x.dtd"><Delete/>',
        "<Delete>&unknown;</Delete>",
        "<Delete>" + "<a>" * xml.MAX_DEPTH + "</a>" * xml.MAX_DEPTH + "</Delete>",
        '<?xml version="1.0" encoding="nosuch"?><Delete/>',
        "<Delete>\x01</Delete>",
    ],
)
def test_refuses(text: str) -> None:
    with pytest.raises(xml.MalformedXml):
        xml.parse(text.encode(), "Delete")


def test_refuses_too_many_elements() -> None:
    with pytest.raises(xml.MalformedXml, match="too many"):
        xml.parse(b"<Delete>" + b"<a/>" * xml.MAX_ELEMENTS + b"</Delete>", "Delete")


@given(st.binary(max_size=100))
def test_any_input_parses_or_raises_its_error(data: bytes) -> None:
    with contextlib.suppress(xml.MalformedXml):
        xml.parse(b"<a>" + data, "a")


@given(st.text())
def test_text_makes_the_round_trip(text: str) -> None:
    document = xml.document(xml.element("a", xml.element("b", text)))
    found = xml.parse(document, "a").find("b")
    expected = "".join(char if char in "\t\n\r" or char >= " " else "\ufffd" for char in text)
    assert found == expected.replace("\ufffe", "\ufffd").replace("\uffff", "\ufffd")


def test_names_that_are_not_unicode_are_replaced() -> None:
    assert b"\xef\xbf\xbd" in xml.document(xml.element("a", "\udcff"))
