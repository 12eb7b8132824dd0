"""The base of everything that travels as JSON or msgpack: validated, mutable value objects on `msgspec`."""

from __future__ import annotations

import copy
import enum
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import asdict, is_dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Generic, NamedTuple, TypeVar, cast

import msgspec

from aistore.sdk.errors import InvalidArgument
from aistore.sdk.models.prepare import prepared
from aistore.wire.serialization import decode_json, encode_json

if TYPE_CHECKING:
    from typing_extensions import Self

T = TypeVar("T")

_HERE = __name__.rpartition(".")[0]
_PUBLIC_MODULES = {
    f"{_HERE}.{name}": "aistore.sdk.types"
    for name in ("base", "bucket", "cluster", "etl", "job", "listing", "transfer")
} | {f"{_HERE}.failure": "aistore.sdk.utils"}
_WORDS = dict.fromkeys(("yes", "y", "on", "t"), True) | dict.fromkeys(("no", "n", "off", "f"), False)
_PLAIN = frozenset({str, bytes, int, float, bool, type(None)})


def _checked(data: Any, cls: type[T], name: str) -> T:
    """Convert plain data into `cls`; what is wrong with it is said with the name of the model."""
    try:
        return msgspec.convert(data, prepared(cls), strict=False, dec_hook=decode_hook)
    except msgspec.ValidationError as err:
        loose = _from_texts(data, cls)
        if loose != data:
            return _checked(loose, cls, name)
        raise InvalidArgument(f"{name}: {err}") from err


def _from_texts(data: Any, cls: Any) -> Any:
    """Convert what programs wrote for the models of the 2.0.0 package: words for a bool, bytes for text."""
    if not isinstance(data, dict) or not isinstance(cls, type(msgspec.Struct)):
        return data
    types = {field.encode_name: field.type for field in msgspec.structs.fields(cls)}
    loose = dict(data)
    for key, value in data.items():
        if types.get(key) is bool and isinstance(value, str):
            loose[key] = _WORDS.get(value.lower(), value)
        elif types.get(key) is str and isinstance(value, bytes):
            loose[key] = value.decode("utf-8", "surrogateescape")
    return loose


def _without_enums(value: Any) -> Any:
    # `msgspec.convert` makes members of an enum from their values, and takes nothing else.
    if isinstance(value, enum.Enum):
        to_wire = getattr(value, "to_wire", None)
        return to_wire() if to_wire else value.value
    if isinstance(value, dict):
        return {key: _without_enums(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_without_enums(item) for item in value]
    return value


def decode_hook(cls: type[Any], data: Any) -> Any:
    """Build the types that `msgspec` does not know: pass it as `dec_hook` to every decoder of models."""
    if issubclass(cls, RootModel):
        return cls.model_validate(data)
    raise NotImplementedError(f"{cls.__name__} cannot be decoded")


class _Form(NamedTuple):
    """How models become dictionaries, as the arguments of `model_dump` say."""

    by_alias: bool = False
    exclude_none: bool = False
    exclude_defaults: bool = False


def to_plain(value: Any, form: _Form = _Form()) -> Any:  # noqa: B008 - it is immutable
    """Return `value` with every model in it turned into a dictionary."""
    if isinstance(value, RootModel):
        value = value.root
    if isinstance(value, msgspec.Struct):
        names = value.__struct_encode_fields__ if form.by_alias else value.__struct_fields__
        defaults = _defaults(type(value)) if form.exclude_defaults else {}
        pairs = (
            (key, getattr(value, field))
            for key, field in zip(names, value.__struct_fields__, strict=True)
            if not (field in defaults and getattr(value, field) == defaults[field])
        )
        return {key: to_plain(item, form) for key, item in pairs if not (form.exclude_none and item is None)}
    if is_dataclass(value) and not isinstance(value, type):
        return asdict(value)
    if isinstance(value, dict):
        return {k: to_plain(v, form) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [to_plain(item, form) for item in value]
    return value


def _defaults(cls: type[msgspec.Struct]) -> dict[str, Any]:
    return {
        field.name: field.default if field.default_factory is msgspec.NODEFAULT else field.default_factory()
        for field in msgspec.structs.fields(cls)
        if not field.required
    }


def _to_json(value: Any, indent: int | None) -> str:
    text = encode_json(value)
    found = text if indent is None else msgspec.json.format(text, indent=indent)
    return found.decode("utf-8", "surrogateescape")


class ModelField(NamedTuple):
    """What is known about a field of a model.

    Attributes:
        annotation: Its type.
        alias: Its name on the wire where that differs, else `None`.
        default: Its default; `None` too where there is none, or one is made for each instance.
        default_factory: Makes its default for each instance, else `None`.
        required: Whether the constructor wants it.
    """

    annotation: Any
    alias: str | None
    default: Any
    default_factory: Callable[[], Any] | None
    required: bool

    def is_required(self) -> bool:
        """Return `required`."""
        return self.required


def _optional(value: Any) -> Any:
    return None if value is msgspec.NODEFAULT else value


if TYPE_CHECKING:
    _Struct = msgspec.Struct  # the type checker sees the constructor that the fields define
else:

    class _ModelMeta(type(msgspec.Struct)):
        """Makes the constructor take what a decoder takes: nested dictionaries, wire names, unknown keys.

        `msgspec` does not call it when it decodes, so that decoding costs nothing more.
        """

        def __call__(cls, *args: Any, **kwargs: Any) -> Any:
            if args:  # how pickle and copy rebuild a struct
                kwargs.update(zip(cls.__struct_fields__, args, strict=False))
            return cls.model_validate(kwargs)

        @property
        def model_fields(cls) -> dict[str, ModelField]:
            return {
                field.name: ModelField(
                    field.type,
                    field.encode_name if field.encode_name != field.name else None,
                    _optional(field.default),
                    _optional(field.default_factory),
                    field.required,
                )
                for field in msgspec.structs.fields(cls)
            }

    class _Struct(msgspec.Struct, metaclass=_ModelMeta):
        def __init_subclass__(cls, **kwargs: Any) -> None:
            super().__init_subclass__(**kwargs)
            # Pickles name classes by module, also those for programs that have the 2.0.0 package. `msgspec`
            # looks names of annotations up there: the modules of models have none that are strings.
            cls.__module__ = _PUBLIC_MODULES.get(cls.__module__, cls.__module__)


class Model(_Struct):
    """A value object with named fields.

    Construct it with keyword arguments (field names or wire names; values are checked and nested dictionaries
    converted) or from the wire with `model_validate` and `model_validate_json`. Unknown keys are ignored:
    newer clusters send more than this package knows. The class's `model_fields` describes its fields.

    Raises:
        InvalidArgument: A value is missing or has the wrong type (also a `ValueError`).
    """

    @classmethod
    def model_validate(cls, obj: Any) -> Self:
        """Make an instance from a dictionary with field names or wire names, or return `obj` if it is one."""
        if isinstance(obj, cls):
            return obj
        if isinstance(obj, dict):
            wire = dict(zip(cls.__struct_fields__, cls.__struct_encode_fields__, strict=True))
            obj = {wire.get(k, k): v if type(v) in _PLAIN else _without_enums(v) for k, v in obj.items()}
        return _checked(obj, cls, cls.__name__)

    @classmethod
    def model_validate_json(cls, json_data: str | bytes) -> Self:
        """Make an instance from JSON text."""
        return cls.model_validate(_from_json(json_data))

    @classmethod
    def model_construct(cls, _fields_set: Collection[str] | None = None, /, **values: Any) -> Self:
        """Return `cls(**values)`, checked like it: programs call this to save a check that is cheap here."""
        return cls(**values)

    parse_obj = model_validate
    parse_raw = model_validate_json

    def model_dump(
        self,
        *,
        mode: str = "python",
        include: Collection[str] | None = None,
        exclude: Collection[str] | None = None,
        by_alias: bool = False,
        exclude_unset: bool = False,
        exclude_defaults: bool = False,
        exclude_none: bool = False,
    ) -> dict[str, Any]:
        """Return the fields as a dictionary, nested models too.

        Args:
            mode: `json` for values that JSON has, `python` for values as they are. Default: `python`.
            include: Only these fields. Default: all.
            exclude: Fields to leave out. Default: none.
            by_alias: Use the names on the wire instead of those of the fields. Default: `False`.
            exclude_unset: As `exclude_defaults`: it is not kept which fields were given. Default: `False`.
            exclude_defaults: Leave out fields that have their default. Default: `False`.
            exclude_none: Leave out fields that are `None`. Default: `False`.
        """
        form = _Form(by_alias, exclude_none, exclude_unset or exclude_defaults)
        plain = cast("dict[str, Any]", to_plain(self, form))
        if include is not None or exclude:
            named = zip(self.__struct_encode_fields__, self.__struct_fields__, strict=True)
            name_of = dict(named) if by_alias else {}
            plain = {
                key: value
                for key, value in plain.items()
                if (include is None or name_of.get(key, key) in include)
                and name_of.get(key, key) not in (exclude or ())
            }
        return cast("dict[str, Any]", msgspec.to_builtins(plain)) if mode == "json" else plain

    def model_dump_json(self, *, indent: int | None = None, **kwargs: Any) -> str:
        """Return the fields as JSON text.

        Args:
            indent: How many spaces a level is indented. Default: compact text on one line.
            **kwargs: As `model_dump`.
        """
        return _to_json(self.model_dump(**kwargs), indent)

    def model_copy(self, *, update: Mapping[str, Any] | None = None, deep: bool = False) -> Self:
        """Return a copy.

        Args:
            update: New values by field name, not checked. Default: none.
            deep: Copy the values, too. Default: `False`.
        """
        return msgspec.structs.replace(copy.deepcopy(self) if deep else self, **(update or {}))

    def __iter__(self) -> Iterator[tuple[str, Any]]:
        return ((name, getattr(self, name)) for name in self.__struct_fields__)

    def copy(self, *, update: Mapping[str, Any] | None = None, deep: bool = False) -> Self:
        """Return `model_copy(update=update, deep=deep)`."""
        return self.model_copy(update=update, deep=deep)

    def dict(self, **kwargs: Any) -> dict[str, Any]:
        """Return `model_dump(**kwargs)`."""
        return self.model_dump(**kwargs)

    def json(self, **kwargs: Any) -> str:
        """Return `model_dump_json(**kwargs)`."""
        return self.model_dump_json(**kwargs)


def _from_json(data: str | bytes) -> Any:
    try:
        return decode_json(data)
    except msgspec.DecodeError as err:
        raise InvalidArgument(f"not JSON: {err}") from err


class RootModel(Generic[T]):
    """A model that is one list or map on the wire, kept as the attribute `root`.

    A subclass names the type of `root` as `root_type`.
    """

    __slots__ = ("root",)

    root_type: ClassVar[Any] = Any

    root: T

    def __init__(self, root: T) -> None:
        self.root = cast("T", _checked(root, self.root_type, type(self).__name__))

    @classmethod
    def model_validate(cls, obj: Any) -> Self:
        """Make an instance from plain data, or return `obj` if it is one."""
        return obj if isinstance(obj, cls) else cls(obj)

    @classmethod
    def model_validate_json(cls, json_data: str | bytes) -> Self:
        """Make an instance from JSON text."""
        return cls(_from_json(json_data))

    parse_obj = model_validate
    parse_raw = model_validate_json

    def model_dump(self, *, by_alias: bool = False, exclude_none: bool = False) -> Any:
        """Return the list or map with every model in it as a dictionary."""
        return to_plain(self.root, _Form(by_alias, exclude_none))

    def model_dump_json(
        self, *, indent: int | None = None, by_alias: bool = False, exclude_none: bool = False
    ) -> str:
        """Return the list or map as JSON text, compact unless `indent` spaces are asked for."""
        return _to_json(self.model_dump(by_alias=by_alias, exclude_none=exclude_none), indent)

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and other.root == self.root

    __hash__ = None  # type: ignore[assignment]  # mutable, like the list or map it holds

    def __repr__(self) -> str:
        return f"{type(self).__name__}(root={self.root!r})"
