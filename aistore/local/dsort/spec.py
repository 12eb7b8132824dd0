"""The specification of a run, checked before anything starts.

A cluster drops the connection for most of what is refused here; the messages are those that it means to send.
"""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from aistore.local.errors import InvalidRequest
from aistore.local.jobs.template import Template, parse_template
from aistore.local.names import bck_from_dict, check_object_name
from aistore.local.options import parse_size
from aistore.sdk.models.prepare import prepared
from aistore.wire.archive.formats import Format, by_name, suffix_of

if TYPE_CHECKING:
    from aistore.local.names import Bck

ALGORITHMS = ("alphanumeric", "none", "md5", "shuffle", "content")
KEY_TYPES = ("int", "float", "string")
REACTIONS = ("ignore", "warn", "abort")
MAX_MEMORY = 64 << 20
"""Bytes that a run holds in memory at most, whatever `max_mem_usage` allows."""

_KIB = 1024
_MAX_NAMES = 2**31 - 1
_SORTERS = ("", "dsort_general", "dsort_mem")
_DEFAULT_MEMORY = "80%"


class _Format(msgspec.Struct):
    template: str | None = None
    objnames: list[str] | None = None


class _Algorithm(msgspec.Struct):
    kind: str | None = ""
    decreasing: bool | None = False
    seed: str | None = ""
    extension: str | None = ""
    content_key_type: str | None = ""


class _Config(msgspec.Struct):
    duplicated_records: str = "ignore"
    missing_shards: str = "ignore"
    ekm_malformed_line: str = "abort"
    ekm_missing_key: str = "abort"
    default_max_mem_usage: str = _DEFAULT_MEMORY


class _Message(msgspec.Struct):
    input_bck: Any = None
    output_bck: Any = None
    input_format: _Format | None = None
    input_extension: str | None = ""
    output_format: str | None = ""
    output_extension: str | None = ""
    output_shard_size: str | None = ""
    algorithm: _Algorithm | None = None
    description: str | None = ""
    ekm_file: str | None = ""
    ekm_file_sep: str | None = ""
    max_mem_usage: str | None = ""
    extract_concurrency_max_limit: int | None = 0
    create_concurrency_max_limit: int | None = 0
    dsorter_type: str | None = ""
    dry_run: bool | None = False
    config: _Config | None = msgspec.field(name="Config", default=None)


class Algorithm(NamedTuple):
    """What records are sorted by; `extension` and `key_type` are for `content`."""

    kind: str = "alphanumeric"
    decreasing: bool = False
    seed: int = 0
    extension: str = ""
    key_type: str = ""


class Reactions(NamedTuple):
    """What happens: `ignore`, `warn` or `abort`."""

    duplicated_records: str = "ignore"
    missing_shards: str = "ignore"
    malformed_line: str = "abort"
    missing_key: str = "abort"


class SortSpec(NamedTuple):
    """A specification.

    Attributes:
        input_bck: Where shards are read from.
        output_bck: Where they go.
        input_names: Of the shards, complete; empty when there is a template.
        input_template: Of their names, complete.
        output_template: Of the names of the results; None with a key map.
        output_extension: For names of results that have none.
        output_kind: Format of the results.
        shard_size: From which on a result is full; 0: as many results as there are names.
        algorithm: The order.
        key_map_url: Where the key map is.
        key_map_separator: Between the two parts of its lines.
        reactions: To what is odd.
        memory: Bytes to hold in memory.
        workers: Results that are written at a time, 0 for automatic.
        dry_run: Write nothing.
        description: For people.
    """

    input_bck: Bck
    output_bck: Bck
    input_names: tuple[str, ...]
    input_template: Template | None
    output_template: Template | None
    output_extension: str
    output_kind: Format
    shard_size: int
    algorithm: Algorithm
    key_map_url: str = ""
    key_map_separator: str = "\t"
    reactions: Reactions = Reactions()
    memory: int = MAX_MEMORY
    workers: int = 0
    dry_run: bool = False
    description: str = ""


def _invalid(why: str) -> InvalidRequest:
    return InvalidRequest(f"[dsort] parse-spec: {why}", tcode="wrapError")


def parse_spec(value: Any) -> SortSpec:
    """The specification in a request's body.

    Raises:
        InvalidRequest: Says what is wrong with it.
    """
    try:
        message = msgspec.convert(value, prepared(_Message))
    except msgspec.ValidationError as err:
        raise _invalid(str(err)) from err
    if not message.input_bck:
        raise _invalid('"input_bck" missing source bucket')
    input_bck = bck_from_dict(message.input_bck)
    output_bck = bck_from_dict(message.output_bck) if message.output_bck else input_bck
    names, template, extension = _input(message)
    output_extension = message.output_extension or extension
    kind = _archive_kind("output_extension", output_extension)
    config = message.config or _Config()
    _check_rest(message)
    output = _output_template(message, kind)
    return SortSpec(
        input_bck=input_bck,
        output_bck=output_bck,
        input_names=names,
        input_template=template,
        output_template=output,
        output_extension=output_extension,
        output_kind=kind,
        shard_size=_shard_size(message, output),
        algorithm=_algorithm(message.algorithm or _Algorithm()),
        key_map_url=message.ekm_file or "",
        key_map_separator=message.ekm_file_sep or "\t",
        reactions=_reactions(config),
        memory=_memory(message.max_mem_usage or config.default_max_mem_usage),
        workers=message.create_concurrency_max_limit or 0,
        dry_run=bool(message.dry_run),
        description=message.description or "",
    )


def _check_rest(message: _Message) -> None:
    limits = (message.extract_concurrency_max_limit, message.create_concurrency_max_limit)
    for limit in limits:
        if (limit or 0) < 0:
            raise _invalid(f"negative concurrency limit {limit}")
    if (message.dsorter_type or "") not in _SORTERS:
        raise _invalid(f'dsorter_type: "{message.dsorter_type}", expecting one of {list(_SORTERS[1:])}')


def _archive_kind(field: str, extension: str) -> Format:
    kind = by_name(extension)
    if kind is None or not extension.startswith("."):
        raise _invalid(
            f'{field}: invalid extension "{extension}", expecting .tar, .tgz, .tar.gz, .zip or .tar.lz4'
        )
    return kind


def _input(message: _Message) -> tuple[tuple[str, ...], Template | None, str]:
    """Names or template, complete, and the extension."""
    given = message.input_format or _Format()
    extension = message.input_extension or ""
    if given.objnames:
        first = next((name for name in given.objnames if by_name(name)), "")
        extension = extension or suffix_of(first)
        _archive_kind("input_extension", extension)
        names = tuple(name if by_name(name) else name + extension for name in given.objnames)
        for name in names:
            check_object_name(name)
        return names, None, extension
    text = (given.template or "").strip()
    if not text:
        raise _invalid("input_format: objnames or a template of the shards' names must be given")
    own = by_name(text)
    extension = extension or suffix_of(text)
    kind = _archive_kind("input_extension", extension)
    if own is not None and own is not kind:
        raise _invalid(f'input_extension: "{suffix_of(text)}" vs "{extension}"')
    template = parse_template(text if own else text + extension)
    if template.is_prefix:
        raise _invalid(
            f'input_format: template "{text}" has no range, expecting for instance "in-{{00..99}}"'
        )
    return (), template, extension


def _output_template(message: _Message, kind: Format) -> Template | None:
    text = (message.output_format or "").strip()
    if message.ekm_file:
        return None
    if not text:
        raise _invalid("output_format must be set, for instance to out-{000..999}")
    own = by_name(text)
    if own is not None and own is not kind:
        raise _invalid(f'output_extension: "{suffix_of(text)}" vs "{kind.value}"')
    template = parse_template(text)
    if template.is_prefix:
        raise _invalid(f'output_format: "{text}" has no range, expecting for instance "out-{{000..999}}"')
    check_object_name(template.prefix + "0")
    return template


def count_names(template: Template) -> int | None:
    """How many names a template gives; None if it never ends."""
    count = 1
    for span in template.spans:
        if span.stop is None:
            return None
        count *= (span.stop - span.start) // span.step + 1
    return count


def _shard_size(message: _Message, output: Template | None) -> int:
    text = (message.output_shard_size or "").strip()
    try:
        size = _size(text) if text else 0
    except ValueError as err:
        if text.startswith("-"):
            raise _invalid(f"output shard size must be >= 0, got {text}") from err
        raise _invalid(f"output_shard_size: {err}") from err
    count = count_names(output) if output is not None else None
    if not size and (count is None or count > _MAX_NAMES):
        raise _invalid("output shard size must be set (cannot be 0 and cannot be omitted)")
    return size


def _size(text: str) -> int:
    """A size as the cluster reads it: KB are KiB."""
    return parse_size(text, kilo=_KIB)


def _algorithm(given: _Algorithm) -> Algorithm:
    kind = given.kind or "alphanumeric"
    if kind not in ALGORITHMS:
        raise _invalid(f"invalid sorting algorithm (expecting one of: {list(ALGORITHMS)}), got {kind!r}")
    seed = 0
    if kind == "shuffle":
        text = given.seed or str(time.time_ns())
        if not text.isascii() or not text.isdigit() or len(text) > 20:
            raise _invalid(f'invalid seed "{text}" (expecting integer value)')
        seed = int(text)
    extension, key_type = given.extension or "", given.content_key_type or ""
    if kind == "content":
        if not extension.startswith(".") or len(extension) < 2 or "/" in extension:
            raise _invalid(f'algorithm: invalid extension "{extension}", expecting for instance ".cls"')
        if key_type not in KEY_TYPES:
            raise _invalid(
                f"invalid content sorting key \"{key_type}\", expecting one of: 'int', 'float', 'string'"
            )
    return Algorithm(kind, bool(given.decreasing), seed, extension, key_type)


def _reactions(config: _Config) -> Reactions:
    given = Reactions(
        config.duplicated_records, config.missing_shards, config.ekm_malformed_line, config.ekm_missing_key
    )
    for field, reaction in zip(Reactions._fields, given, strict=True):
        if reaction not in REACTIONS:
            raise _invalid(f'{field}: "{reaction}", expecting one of {list(REACTIONS)}')
    return given


def _memory(text: str) -> int:
    """Bytes of `80%` (of this machine's memory) or `8GB`, and not more than `MAX_MEMORY`."""
    try:
        if text.endswith("%"):
            percent = int(text[:-1])
            if not 1 <= percent <= 100:
                raise ValueError(f"{text}: expecting 1% to 100%")
            size = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") * percent // 100
        else:
            size = _size(text)
    except ValueError as err:
        raise _invalid(f"max_mem_usage: {err}") from err
    return min(size, MAX_MEMORY)
