"""Templates that name many objects: `bash`, `at` and `fmt` styles, otherwise a prefix (protocol-ml/05)."""

from __future__ import annotations

import itertools
import re
from typing import TYPE_CHECKING, NamedTuple

from aistore.local.errors import InvalidRequest
from aistore.local.names import MAX_OBJECT_NAME
from aistore.local.numbers import whole_number

if TYPE_CHECKING:
    from collections.abc import Iterator

_BASH = re.compile(r"\{([^{}]*)\}")
_AT = re.compile(r"@([0-9]*)")
_FMT = re.compile(r"%(?:0([0-9]+))?d")
_MAX_NUMBER = 2**63 - 1
_MAX_SPANS = 100
_EXPECTING = "(expecting e.g. 'prefix-{0001..0010..1}-suffix')"


class Span(NamedTuple):
    """A range of numbers and the text that follows it; `stop` is None where it is unbounded."""

    start: int
    stop: int | None
    step: int
    width: int
    gap: str

    def texts(self) -> Iterator[str]:
        """The numbers, padded."""
        numbers = (
            itertools.count(self.start) if self.stop is None else range(self.start, self.stop + 1, self.step)
        )
        return (f"{number:0{self.width}d}" for number in numbers)


class Template(NamedTuple):
    """A parsed template: a prefix, then ranges; without ranges it selects by prefix."""

    prefix: str
    spans: tuple[Span, ...] = ()

    @property
    def is_prefix(self) -> bool:
        """Whether it selects by prefix."""
        return not self.spans

    @property
    def is_unbounded(self) -> bool:
        """Whether it never ends by itself."""
        return any(span.stop is None for span in self.spans)

    def names(self) -> Iterator[str]:
        """Every name, the last range varying fastest."""
        return self._expand(self.prefix, self.spans)

    def _expand(self, head: str, spans: tuple[Span, ...]) -> Iterator[str]:
        if not spans:
            yield head
            return
        first, *rest = spans
        for text in first.texts():
            yield from self._expand(f"{head}{text}{first.gap}", tuple(rest))


def parse_template(text: str) -> Template:
    """Parse a template, trying the styles in the cluster's order.

    Raises:
        InvalidRequest: A range that is malformed (`errTemplateInvalid`).
    """
    if "{" in text and "}" in text:
        return _parse_bash(text)
    if "@" in text:
        return _parse_at(text)
    if "%" in text:
        return _parse_fmt(text)
    return Template(text.removesuffix("*"))


def _invalid(style: str, text: str, why: str) -> InvalidRequest:
    return InvalidRequest(f"invalid '{style}' template \"{text}\": {why}", tcode="errTemplateInvalid")


def _parse_bash(text: str) -> Template:
    pieces = _BASH.split(text)
    if len(pieces) == 1 or any("{" in gap or "}" in gap for gap in pieces[::2]):
        raise _invalid("bash", text, _EXPECTING)
    spans = []
    for inside, gap in zip(pieces[1::2], pieces[2::2], strict=True):
        parts = inside.split("..")
        if len(parts) not in {2, 3}:
            raise _invalid("bash", text, _EXPECTING)
        for part in parts:
            if part.startswith("-") and whole_number(part[1:]) is not None:
                which = ("'start' is negative", "'end' is negative", "'step' is non-positive")[
                    parts.index(part)
                ]
                raise _invalid("bash", text, which)
        start, stop, step = map(_number, (*parts, "1")[:3])
        if start > stop:
            raise _invalid("bash", text, "'start' cannot be greater than 'end'")
        if step < 1:
            raise _invalid("bash", text, "'step' is non-positive")
        spans.append(Span(start, stop, step, min(len(parts[0]), len(parts[1])), gap))
    return _bounded("bash", text, Template(pieces[0], tuple(spans)))


def _parse_at(text: str) -> Template:
    pieces = _AT.split(text)
    spans = []
    for digits, gap in zip(pieces[1::2], pieces[2::2], strict=True):
        spans.append(Span(0, _number(digits), 1, len(digits), gap))
    return _bounded("at", text, Template(pieces[0], tuple(spans)))


def _parse_fmt(text: str) -> Template:
    found = _FMT.search(text)
    if found is None or text.count("%") != 1:
        raise _invalid("fmt", text, "expecting e.g. 'prefix-%04d-suffix'")
    span = Span(0, None, 1, _number(found[1] or "0"), text[found.end() :])
    return _bounded("fmt", text, Template(text[: found.start()], (span,)))


def _number(text: str) -> int:
    number = whole_number(text)
    if number is None or number > _MAX_NUMBER:
        why = "invalid syntax" if number is None else "value out of range"
        raise InvalidRequest(f'strconv.ParseInt: parsing "{text}": {why}', tcode="NumError")
    return number


def _bounded(style: str, text: str, template: Template) -> Template:
    """Refuse what takes much memory or time and can't be the name of an object."""
    if len(template.spans) > _MAX_SPANS:
        raise _invalid(style, text, f"more than {_MAX_SPANS} ranges")
    if any(span.width > MAX_OBJECT_NAME for span in template.spans):
        raise _invalid(style, text, f"a number of more than {MAX_OBJECT_NAME} digits")
    return template
