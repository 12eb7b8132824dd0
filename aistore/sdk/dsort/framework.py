"""A dSort specification: input, output, and how to sort."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from aistore.sdk.dsort.ekm import ExternalKeyMap
from aistore.sdk.dsort.spec_file import read_spec
from aistore.sdk.errors import InvalidArgument
from aistore.sdk.lazy import lazy_names
from aistore.sdk.models.base import Model
from aistore.sdk.multiobj.object_names import ObjectNames
from aistore.sdk.multiobj.object_range import ObjectRange
from aistore.sdk.types import BucketModel

if TYPE_CHECKING:
    from typing_extensions import Self


class DsortAlgorithm(Model):
    """How records are ordered.

    Args:
        kind: By name (`alphanumeric`), at random (`shuffle`), or by the content of a member (`content`).
            Default: `alphanumeric`.
        decreasing: From the last to the first. Default: `False`.
        seed: Seed of the shuffle, a decimal number. Default: "", the current time.
        extension: File name extension of the member that is the key; for `content` only.
        content_key_type: What that member holds; for `content` only.

    Raises:
        InvalidArgument: A field is wrong, missing or has no meaning for this kind.
    """

    kind: Literal["alphanumeric", "shuffle", "content"] = "alphanumeric"
    decreasing: bool = False
    seed: str | None = ""
    extension: str | None = None
    content_key_type: Literal["int", "float", "string"] | None = None

    def __post_init__(self) -> None:
        if self.kind == "content":
            for name in ("extension", "content_key_type"):
                if not getattr(self, name):
                    raise ValueError(f'For kind="content", the "{name}" field is required.')
        elif self.extension or self.content_key_type:
            raise ValueError(
                'The "extension" and "content_key_type" fields are only allowed for kind="content".'
            )

    def as_dict(self) -> dict[str, Any]:
        """Return the JSON form."""
        wire: dict[str, Any] = {"kind": self.kind, "decreasing": self.decreasing, "seed": self.seed}
        if self.kind == "content":
            wire["extension"] = self.extension
            wire["content_key_type"] = self.content_key_type
        return wire


class DsortShardsGroup:
    """Shards that are read, or those that are made.

    Args:
        bck: Their bucket.
        role: `input` or `output`.
        format: Their names: `ObjectNames` or `ObjectRange` for input, `ObjectRange` or `ExternalKeyMap` for
            output.
        extension: Their file name extension, for instance `.tar`.

    Raises:
        InvalidArgument: `role` or `format` is not one of these (also a `ValueError`).
    """

    def __init__(
        self,
        bck: BucketModel,
        role: Literal["input", "output"],
        format: ObjectNames | ObjectRange | ExternalKeyMap,
        extension: str,
    ) -> None:
        if role == "input":
            if not isinstance(format, (ObjectNames, ObjectRange)):
                raise InvalidArgument(
                    'format of input role must be an instance of "ObjectNames" or "ObjectRange"'
                )
        elif role == "output":
            if not isinstance(format, (ObjectRange, ExternalKeyMap)):
                raise InvalidArgument(
                    'format of output role must be an instance of "ObjectRange" or "ExternalKeyMap"'
                )
        else:
            raise InvalidArgument('role must be either "input" or "output"')
        self.bck = bck
        self.role = role
        self.format = format
        self.extension = extension

    def as_dict(self) -> dict[str, Any]:
        """Return the part of the specification that describes the group."""
        if self.role == "input" and not isinstance(self.format, ExternalKeyMap):
            names: Any = self.format.get_value()
        else:
            names = str(self.format)
        return {
            f"{self.role}_bck": self.bck.as_dict(),
            f"{self.role}_format": names,
            f"{self.role}_extension": self.extension,
        }


class DsortFramework:
    """Everything that a dSort job needs to know.

    Args:
        input_shards: Shards that are read.
        output_shards: Shards that are made.
        algorithm: How records are ordered. Default: by name.
        description: For people. Default: none.
        output_shard_size: Size from which on an output shard is full, for instance `10MB`. Default: not set.
    """

    def __init__(
        self,
        input_shards: DsortShardsGroup,
        output_shards: DsortShardsGroup,
        algorithm: DsortAlgorithm | None = None,
        description: str | None = None,
        output_shard_size: str | None = None,
    ) -> None:
        self.input_shards = input_shards
        self.output_shards = output_shards
        self.algorithm = DsortAlgorithm() if algorithm is None else algorithm
        self.description = description
        self.output_shard_size = output_shard_size
        self.ekm_file: str | None = None
        self.ekm_sep: str | None = None

    @classmethod
    def from_file(cls, spec: str | Path) -> Self:
        """Read a specification from a `.json`, `.yaml` or `.yml` file.

        Raises:
            InvalidArgument: The file is none, or its content cannot be a specification (also a `ValueError`).
        """
        data = read_spec(Path(spec))
        framework = cls(
            input_shards=DsortShardsGroup(
                _bucket(data, "input_bck"), "input", _input_format(data), str(data.get("input_extension", ""))
            ),
            output_shards=DsortShardsGroup(
                _bucket(data, "output_bck"),
                "output",
                _output_format(data),
                str(data.get("output_extension", "")),
            ),
            algorithm=DsortAlgorithm.model_validate(data.get("algorithm") or {}),
            description=data.get("description"),
            output_shard_size=data.get("output_shard_size"),
        )
        framework.ekm_file = data.get("ekm_file")
        framework.ekm_sep = data.get("ekm_file_sep")
        return framework

    def to_spec(self) -> dict[str, Any]:
        """Return the specification as it travels."""
        spec = {
            **self.input_shards.as_dict(),
            **self.output_shards.as_dict(),
            "algorithm": self.algorithm.as_dict(),
            "description": self.description or "",
        }
        if self.output_shard_size:
            spec["output_shard_size"] = self.output_shard_size
        if self.ekm_file:
            spec["ekm_file"] = self.ekm_file
            spec["ekm_file_sep"] = self.ekm_sep
        return spec


def _bucket(data: dict[str, Any], key: str) -> BucketModel:
    value = data.get(key)
    if not isinstance(value, dict):
        raise InvalidArgument(f'"{key}" must be a mapping with "name" and "provider", not {value!r}')
    return BucketModel.model_validate(value)


def _input_format(data: dict[str, Any]) -> ObjectNames | ObjectRange:
    value = data.get("input_format")
    if not isinstance(value, dict):
        raise InvalidArgument("input_format must be a dictionary")
    if "template" in value:
        return ObjectRange.from_string(value["template"])
    if "objnames" in value:
        return ObjectNames(value["objnames"])
    raise InvalidArgument('"input_format" dictionary must contain either the key "template" or "objnames"')


def _output_format(data: dict[str, Any]) -> ObjectRange | ExternalKeyMap:
    value = data.get("output_format", "")
    if not value and data.get("ekm_file"):
        return ExternalKeyMap()
    if not isinstance(value, str):
        raise InvalidArgument(
            f'"output_format" must be a range such as "out-{{0..9}}", or "" with "ekm_file", not {value!r}'
        )
    return ObjectRange.from_string(value)


# Importable from here, too, since the 2.0.0 package.
__getattr__ = lazy_names(__name__, "json")
