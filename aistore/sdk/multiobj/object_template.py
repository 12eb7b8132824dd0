"""Objects by a template, with the cluster's grammar.

The forms, in the order in which the cluster tries them:

* bash: `shard-{000..099..3}.tar`, several ranges allowed, the last one varies fastest; numbers are padded
  with zeros to the shorter of the two texts;
* at: `shard-@099.tar` is `shard-000.tar` to `shard-099.tar`;
* fmt: one `%d` or `%03d`, counted from 0 without an end;
* anything else is a prefix.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator

from aistore.sdk.errors import InvalidArgument
from aistore.sdk.multiobj.object_collection import ObjectCollection
from aistore.sdk.utils import expand_braces

_BASH_RANGE = re.compile(r"\{(-?\d+)\.\.(-?\d+)(?:\.\.(-?\d+))?\}")
_AT_RANGE = re.compile(r"@(\d+)")
_FMT_COUNTER = re.compile(r"%(?:0\d+)?d")


class ObjectTemplate(ObjectCollection):
    """A template that stands for many object names.

    Args:
        template: The template, for instance `shard-{000..099}.tar`.
    """

    def __init__(self, template: str) -> None:
        self._template = template

    def get_value(self) -> dict[str, str]:
        """Return `{"template": "..."}`.

        Raises:
            InvalidArgument: The cluster would refuse the template, or fail in the job.
        """
        check_template(self._template)
        return {"template": self._template}

    def __iter__(self) -> Iterator[str]:
        return expand_template(self._template)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ObjectTemplate) and other._template == self._template

    def __hash__(self) -> int:
        return hash(self._template)

    def __str__(self) -> str:
        return self._template

    def __repr__(self) -> str:
        return f"ObjectTemplate({self._template!r})"


def _is_bash(template: str) -> bool:
    opened = template.find("{")
    return opened >= 0 and template.find("}", opened) > opened


def _check_bash(template: str) -> None:
    rest = _BASH_RANGE.sub("", template)
    if "{" in rest or "}" in rest:
        raise InvalidArgument(f"a range must be like {{0001..0010..1}}: {template!r}")
    for start, end, step in _BASH_RANGE.findall(template):
        if int(start) < 0 or int(end) < int(start):
            raise InvalidArgument(f"a range must go up from a number that is not negative: {template!r}")
        if step and int(step) < 1:
            raise InvalidArgument(f"the step of a range must be 1 or more: {template!r}")


def check_template(template: str) -> None:
    """Refuse a template that the cluster refuses; it accepts a range that is not closed as a prefix.

    Raises:
        InvalidArgument: It is malformed. Names with a literal `@`, `%` or braces can only be listed.
    """
    if _is_bash(template):
        _check_bash(template)
    elif "@" in template:
        if "@" in _AT_RANGE.sub("", template):
            raise InvalidArgument(f"'@' must be followed by the last number, such as @099: {template!r}")
    elif "%" in template:  # noqa: SIM102 - one form a branch
        if len(_FMT_COUNTER.findall(template)) != 1 or "%" in _FMT_COUNTER.sub("", template, count=1):
            raise InvalidArgument(f"'%' must be one counter, such as %d or %03d: {template!r}")


def expand_template(template: str) -> Iterator[str]:
    """Return an iterator over the names that a template stands for; a prefix stands for itself.

    Raises:
        InvalidArgument: It is malformed, or has no end (`%d`).
    """
    if _is_bash(template):
        if not _BASH_RANGE.search(template) or "{" in _BASH_RANGE.sub("", template):
            return iter(expand_braces(template))  # lists such as {a,b}: the shell's, not the cluster's
        _check_bash(template)
        return _expand(_BASH_RANGE.split(template), 3)
    check_template(template)
    if "@" in template:
        return _expand(_AT_RANGE.split(template), 1)
    if "%" in template:
        raise InvalidArgument(f"a counter such as %d has no end, so its names cannot be listed: {template!r}")
    return iter((template,))


def _expand(parts: list[str], groups: int) -> Iterator[str]:
    """Join the literal parts with every combination of the numbers between them."""
    literals = parts[:: groups + 1]
    ranges = []
    for at in range(1, len(parts), groups + 1):
        if groups == 1:
            start, end, step = "0" * len(parts[at]), parts[at], None
        else:
            start, end, step = parts[at : at + 3]
        width = min(len(start), len(end))
        ranges.append(
            [str(number).zfill(width) for number in range(int(start), int(end) + 1, int(step or 1))]
        )
    for numbers in itertools.product(*ranges):
        yield "".join(itertools.chain.from_iterable(zip(literals, (*numbers, ""), strict=True)))
