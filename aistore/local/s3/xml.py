"""XML as S3 uses it: a strict reader of small documents, and a writer.

The reader's invariant: any bytes give an element or raise `MalformedXml`. Document types, and with them
entities, are refused before anything is expanded; depth and the number of elements are bounded.
"""

from __future__ import annotations

import re
from typing import Any
from xml.parsers import expat
from xml.sax.saxutils import escape, quoteattr

NAMESPACE = "http://s3.amazonaws.com/doc/2006-03-01/"

MAX_DEPTH = 16
MAX_ELEMENTS = 100_000

# What XML 1.0 can't hold, not even as a reference.
_ILLEGAL = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_ESCAPES = {'"': "&quot;", "\r": "&#13;", "\n": "&#10;", "\t": "&#9;"}


class MalformedXml(ValueError):  # noqa: N818 - named for what happened
    """The document is not one that is read here."""


class Element:
    """An element: its name without a namespace, its text, its children in order."""

    __slots__ = ("children", "name", "text")

    def __init__(self, name: str) -> None:
        self.name = name
        self.text = ""
        self.children: list[Element] = []

    def find(self, name: str) -> str:
        """Text of the first child of this name; empty if there is none."""
        return next((child.text for child in self.children if child.name == name), "")

    def all(self, name: str) -> list[Element]:
        """Every child of this name."""
        return [child for child in self.children if child.name == name]


class _Builder:
    def __init__(self) -> None:
        self.top = Element("")
        self._open = [self.top]
        self._count = 0

    def start(self, name: str, _attributes: dict[str, str]) -> None:
        self._count += 1
        if len(self._open) > MAX_DEPTH or self._count > MAX_ELEMENTS:
            raise MalformedXml("too many elements, or nested too deeply")
        child = Element(name.rpartition(" ")[2])
        self._open[-1].children.append(child)
        self._open.append(child)

    def end(self, _name: str) -> None:
        self._open.pop()

    def text(self, text: str) -> None:
        self._open[-1].text += text

    @staticmethod
    def refuse(*_: Any) -> None:
        raise MalformedXml("document types and entities are refused")


def parse(data: bytes, root: str) -> Element:
    """The root element of a document.

    Args:
        data (bytes): The document.
        root (str): The name that its root must have.

    Raises:
        MalformedXml: It isn't well-formed, has a document type, or another root.
    """
    parser = expat.ParserCreate(namespace_separator=" ")
    parser.buffer_text = True
    builder = _Builder()
    parser.StartElementHandler = builder.start
    parser.EndElementHandler = builder.end
    parser.CharacterDataHandler = builder.text
    parser.StartDoctypeDeclHandler = builder.refuse
    parser.EntityDeclHandler = builder.refuse
    try:
        parser.Parse(data, True)
    except (expat.ExpatError, ValueError, LookupError) as err:
        raise err if isinstance(err, MalformedXml) else MalformedXml(str(err)) from err
    found = builder.top.children[0]
    if found.name != root:
        raise MalformedXml(f"expecting the element {root}, got {found.name}")
    return found


def element(name: str, *content: str | int | Markup) -> Markup:
    """An element of text and other elements; characters that XML can't hold are replaced."""
    inner = "".join(part if isinstance(part, Markup) else _text(str(part)) for part in content)
    return Markup(f"<{name}>{inner}</{name}>")


class Markup(str):
    """Text that is XML already."""

    __slots__ = ()


def _text(text: str) -> str:
    return escape(_ILLEGAL.sub("\ufffd", text), _ESCAPES)


def document(root: Markup, *, namespace: bool = True) -> bytes:
    """A whole document."""
    body = str(root)
    if namespace:
        end = body.index(">")
        body = f"{body[:end]} xmlns={quoteattr(NAMESPACE)}{body[end:]}"
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{body}'.encode()
