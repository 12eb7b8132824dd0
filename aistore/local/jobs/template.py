"""Templates that name many objects: `bash`, `at` and `fmt` styles, otherwise a prefix (protocol-ml/05)."""

from __future__ import annotations

import itertools
import re
from typing import TYPE_CHECKING, NamedTuple

from aistore.local.errors import InvalidRequest

if TYPE_CHECKING:
    from collections.abc import Iterator

_BASH = re.compile(r"\{([^{}]*)\}")
_AT = re.compile(r"@(\d*)")
_FMT = re.compile(r"%(?:0(\d+))?d")
_NUMBER = re.compile(r"\d+")
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
            if part.startswith("-") and _NUMBER.fullmatch(part[1:]):
                which = ("'start' is negative", "'end' is negative", "'step' is non-positive")[
                    parts.index(part)
                ]
                raise _invalid("bash", text, which)
            if not _NUMBER.fullmatch(part):
                raise InvalidRequest(f'strconv.ParseInt: parsing "{part}": invalid syntax', tcode="NumError")
        start, stop = int(parts[0]), int(parts[1])
        step = int(parts[2]) if len(parts) == 3 else 1
        if start > stop:
            raise _invalid("bash", text, "'start' cannot be greater than 'end'")
        if step < 1:
            raise _invalid("bash", text, "'step' is non-positive")
        spans.append(Span(start, stop, step, min(len(parts[0]), len(parts[1])), gap))
    return Template(pieces[0], tuple(spans))


def _parse_at(text: str) -> Template:
    pieces = _AT.split(text)
    spans = []
    for digits, gap in zip(pieces[1::2], pieces[2::2], strict=True):
        if not digits:
            raise InvalidRequest('strconv.ParseInt: parsing "": invalid syntax', tcode="NumError")
        spans.append(Span(0, int(digits), 1, len(digits), gap))
    return Template(pieces[0], tuple(spans))


def _parse_fmt(text: str) -> Template:
    found = _FMT.search(text)
    if found is None or text.count("%") != 1:
        raise _invalid("fmt", text, "expecting e.g. 'prefix-%04d-suffix'")
    return Template(text[: found.start()], (Span(0, None, 1, int(found[1] or 0), text[found.end() :]),))
