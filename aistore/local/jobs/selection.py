"""Which objects of a bucket a request is about: a list of names, or a template (protocol-ml/05)."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, NamedTuple

from aistore.local import work
from aistore.local.errors import InvalidRequest
from aistore.local.jobs.template import Template, parse_template
from aistore.local.names import check_object_name, check_prefix
from aistore.local.numbers import whole_number

if TYPE_CHECKING:
    from collections.abc import Iterator

    from aistore.local.catalog import Bucket, ObjectMeta
    from aistore.local.store import Store

_MAX_NAMES = 10_000_000
_PAGE = 128
# What was looked up so recently could as well have changed after a look-up of now.
_KNOWN_SECONDS = 0.05


class Found(NamedTuple):
    """A selected object: its name, and what the catalog said of it if that was just now."""

    name: str
    meta: ObjectMeta | None = None


class Selection(NamedTuple):
    """Explicit names, or a template; names of an explicit list must exist, those of a range need not."""

    names: tuple[str, ...] = ()
    template: Template | None = None
    recursive: bool = True
    since: int = 0

    @property
    def is_list(self) -> bool:
        """Whether the names were given one by one."""
        return self.template is None

    def objects(self, store: Store, bucket: Bucket) -> Iterator[str]:
        """The selected names: all of an explicit list, of a template those that exist."""
        return (found.name for found in self.found(store, bucket))

    def found(self, store: Store, bucket: Bucket) -> Iterator[Found]:
        """The same with what is known of them."""
        template = self.template
        if template is None:
            yield from map(Found, self.names)
        elif template.is_prefix:
            yield from self._below(store, bucket, template.prefix)
        elif template.is_unbounded:
            # Only names that exist are of interest, and those have the template's prefix.
            [span] = template.spans
            for found in self._below(store, bucket, template.prefix):
                name = found.name
                number = whole_number(name[len(template.prefix) :].removesuffix(span.gap))
                if number is not None and name == f"{template.prefix}{number:0{span.width}d}{span.gap}":
                    yield found
        else:
            for name in template.names():
                work.check()  # there may be none for a long time
                if store.exists(bucket, name):
                    yield Found(name)

    def _below(self, store: Store, bucket: Bucket, prefix: str) -> Iterator[Found]:
        for page in store.catalog.objects.pages(bucket.id, prefix, batch=_PAGE):
            work.check()
            known_until = time.monotonic() + _KNOWN_SECONDS
            for meta in page:
                if self.since and meta.mtime > self.since:
                    continue
                if self.recursive or "/" not in meta.name[len(prefix) :]:
                    yield Found(meta.name, meta if time.monotonic() < known_until else None)


def parse_selection(value: Any, action: str) -> Selection:
    """The selection in the value of an action.

    The cluster takes an empty selection for the whole bucket; here that is the template `*`.

    Raises:
        InvalidRequest: Nothing is selected, or it is malformed.
    """
    if not isinstance(value, dict):
        raise InvalidRequest(f"{action}: expecting a list of object names or a template, got {value!r}")
    names = value.get("objnames")
    if names is not None and not (isinstance(names, list) and all(isinstance(name, str) for name in names)):
        raise InvalidRequest(f"{action}: objnames must be a list of strings")
    recursive = not value.get("non-recurs")
    if names:
        for name in names:
            check_object_name(name)
        return Selection(tuple(dict.fromkeys(names)), None, recursive)
    template = value.get("template")
    if not isinstance(template, str) or not template:
        raise InvalidRequest(
            f"{action}: nothing is selected, objnames and template are empty (a whole bucket's is '*')"
        )
    parsed = parse_template(template)
    check_prefix(parsed.prefix)
    _check_count(parsed, action)
    return Selection((), parsed, recursive)


def _check_count(template: Template, action: str) -> None:
    count = 1
    for span in template.spans:
        if span.stop is not None:
            count *= (span.stop - span.start) // span.step + 1
    if count > _MAX_NAMES:
        raise InvalidRequest(f"{action}: the template names {count} objects, the limit is {_MAX_NAMES}")
