"""Config base: strict, frozen, and errors that name the key, the value and what is allowed."""

import re
from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, ClassVar, Literal, Self, Union, get_args, get_origin

import yaml
from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SerializationInfo,
    SerializerFunctionWrapHandler,
    ValidationError,
    model_serializer,
    model_validator,
)
from pydantic_core import ErrorDetails

from .errors import UserError
from .jsonl import is_text

_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""The safe loader of libyaml where PyYAML was built with it: a tenth of the time."""
_DUMPER = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
"""Likewise, in half of the time."""
_UNITS = {"": 1, "K": 10**3, "M": 10**6, "B": 10**9, "T": 10**12}


def parse_count(value: object) -> object:
    """`5M` -> 5000000; plain numbers pass; anything else is left for the schema to refuse."""
    match = (
        re.fullmatch(r"([0-9]*\.?[0-9]+)\s*([KMBT]?)", value.strip(), re.IGNORECASE)
        if isinstance(value, str)
        else None
    )
    if not match:
        return value
    scaled = float(match[1]) * _UNITS[match[2].upper()]
    return int(scaled) if scaled == int(scaled) else value


_SECONDS = {"": 1.0, "s": 1.0, "m": 60.0, "h": 3600.0}


def parse_duration(value: object) -> object:
    """`15m` -> 900.0 seconds; plain numbers pass; anything else is left for the schema to refuse."""
    match = re.fullmatch(r"([0-9]*\.?[0-9]+)\s*([smh]?)", value.strip()) if isinstance(value, str) else None
    return float(match[1]) * _SECONDS[match[2]] if match else value


_DURATION_TEXT = Annotated[str, Field(pattern=r"^\s*[0-9]*\.?[0-9]+\s*[smh]?\s*$")]
Duration = Annotated[float, BeforeValidator(parse_duration, json_schema_input_type=float | _DURATION_TEXT)]
"""Seconds that may be written with a unit: `20`, `90s`, `15m`, `1h`."""

_IDENTITY = {"identity": True}

_COUNT_TEXT = Annotated[str, Field(pattern=r"^\s*[0-9]*\.?[0-9]+\s*[KMBTkmbt]?\s*$")]
Count = Annotated[int, BeforeValidator(parse_count, json_schema_input_type=int | _COUNT_TEXT)]
"""A whole number that may be written with a unit: `512`, `60K`, `5M`."""


class Config(BaseModel):
    """A frozen block of settings; extra keys are errors."""

    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True)

    added: ClassVar[frozenset[str]] = frozenset()
    """Keys that came after artifacts had been made: at their default they are no part of an identity."""

    told_alone: ClassVar[frozenset[str]] = frozenset()
    """Keys whose mistake is told without the others, which may follow from it."""

    @model_validator(mode="before")
    @classmethod
    def _as_meant(cls, data: object) -> object:
        """`seeds: 0` is a list of one, and YAML's `off` (which is false) the word where a word is meant."""
        if not isinstance(data, dict):
            return data
        fields = cls.model_fields
        return {
            key: _as_meant(value, fields[key].annotation) if key in fields else value
            for key, value in data.items()
        }

    @classmethod
    def parse(cls, data: Mapping[str, object], source: str) -> Self:
        """Validate `data`; raises `UserError` that names `source`, the key, what was got, what is allowed."""
        if (place := _no_text(data)) is not None:
            raise UserError(f"{source}: key {place!r} holds half of a surrogate pair, which no file can take")
        try:
            return cls.model_validate(data)
        except ValidationError as error:
            raise UserError(f"{source}: {describe(error, cls)}") from None

    def resolved(self) -> dict[str, Any]:
        """Every key with its value, as plain data fit for JSON and YAML."""
        return self.model_dump(mode="json")

    def identity(self) -> dict[str, object]:
        """`resolved` for a fingerprint: a new key at its default leaves what was made before valid."""
        return self.model_dump(mode="json", context=_IDENTITY)

    @model_serializer(mode="wrap")
    def _without_new_defaults(
        self, handler: SerializerFunctionWrapHandler, info: SerializationInfo
    ) -> dict[str, object]:
        data: dict[str, object] = handler(self)
        if info.context is _IDENTITY:
            for name in self.added:
                if getattr(self, name) == type(self).model_fields[name].default:
                    del data[name]
        return data


def _as_meant(value: object, annotation: object) -> object:
    kinds = get_args(annotation) if get_origin(annotation) in (Union, UnionType) else (annotation,)
    if isinstance(value, bool):
        word = "on" if value else "off"
        return word if bool not in kinds and word in _flatten(annotation) else value
    literals = [word for kind in kinds if get_origin(kind) is Literal for word in get_args(kind)]
    others = [kind for kind in kinds if get_origin(kind) is not Literal and kind is not NoneType]
    only_lists = bool(others) and all(map(_is_list, others))
    return [value] if only_lists and isinstance(value, int | float | str) and value not in literals else value


def _is_list(annotation: object) -> bool:
    return get_origin(annotation) is tuple and get_args(annotation)[-1:] == (Ellipsis,)


def _no_text(data: object) -> str | None:
    """The dotted key of the first text that cannot be written to a file or tokenized; None without one."""
    if isinstance(data, str):
        return None if is_text(data) else ""
    inner: Iterable[tuple[object, object]] = ()
    if isinstance(data, Mapping):
        inner = data.items()
    elif isinstance(data, list | tuple):
        inner = enumerate(data)
    for key, value in inner:
        if not is_text(key) or (below := _no_text(value)) == "":
            return str(key)
        if below is not None:
            return f"{key}.{below}"
    return None


def describe(error: ValidationError, model: type[BaseModel]) -> str:
    """All problems of a validation error on one line; where one may be the cause of others, that one."""
    causes = model.told_alone if issubclass(model, Config) else frozenset()
    found = error.errors()
    first = [item for item in found if item["loc"] and item["loc"][0] in causes]
    return "; ".join(_describe_one(item, model) for item in first or found)


def _describe_one(item: ErrorDetails, model: type[BaseModel]) -> str:
    key = ".".join(str(part) for part in item["loc"])
    if item["type"] == "extra_forbidden":
        allowed = ", ".join(sorted(_known_keys(model, item["loc"][:-1])))
        found = f"unknown key {key!r}, value {_short(item['input'])}{_meant_key(model, item['loc'])}"
        return f"{found}; known keys here: {allowed or 'none'}"
    if item["type"] == "missing":
        return f"key {key!r} is missing and has no default"
    message = item["msg"].removeprefix("Value error, ")
    message = message[:1].lower() + message[1:]
    if item["type"] == "value_error" and isinstance(item["input"], Mapping):
        return f"key {key!r}: {message}" if key else message  # it says itself what of the block is wrong
    return f"key {key!r} has value {_short(item['input'])}: {message}"


def _meant_key(model: object, path: tuple[int | str, ...]) -> str:
    """` (did you mean 'rl.grpo.optimizer.lr'?)`: that key further down, else one here that is spelt alike."""
    *above, key = map(str, path)
    for part in path[:-1]:
        model = _child(model, part)
    deeper = sorted((found for found in _paths_to(key, model) if len(found) > 1), key=len)
    if deeper and len(deeper[0]) < min(map(len, deeper[1:]), default=99):
        return f" (did you mean {'.'.join([*above, *deeper[0]])!r}?)"
    here = get_close_matches(key, _known_keys(model, ()), n=1)
    return f" (did you mean {'.'.join([*above, *here])!r}?)" if here else ""


def _paths_to(key: str, model: object) -> list[list[str]]:
    """Every way down from a model to a key of that name."""
    found = []
    for name in getattr(model, "model_fields", {}):
        if name == key:
            found.append([name])
        found += [[name, *rest] for rest in _paths_to(key, _child(model, name))]
    return found


def _known_keys(model: object, path: tuple[int | str, ...]) -> set[str]:
    """Keys of the model found by walking `path` from `model`."""
    for part in path:
        model = _child(model, part)
    return set(getattr(model, "model_fields", {}))


def _child(model: object, part: int | str) -> object:
    fields = getattr(model, "model_fields", {})
    annotation = fields[part].annotation if part in fields else model
    for candidate in _flatten(annotation):
        if hasattr(candidate, "model_fields"):
            return candidate
    return None


def _flatten(annotation: object) -> list[object]:
    arguments = getattr(annotation, "__args__", ())
    return [annotation] + [leaf for inner in arguments for leaf in _flatten(inner)]


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 80 else text[:77] + "..."


_UNREADABLE = (
    yaml.YAMLError,
    ValueError,
    TypeError,
    AttributeError,
    LookupError,
    RecursionError,
    OverflowError,
)
"""What PyYAML raises for text that is no YAML, or that Python has no value for: `2024-13-45`, `!!bool 3`."""
_MOST_VALUES = 1_000_000
"""Values in a YAML document, aliases written out; a few hundred bytes of aliases can mean billions."""


def parse_yaml(text: str) -> object:
    """Plain data from YAML text, by a loader that builds nothing else; raises one of `_UNREADABLE`."""
    data: object = yaml.load(text, Loader=_LOADER)
    if _written_out(data, {}) > _MOST_VALUES:
        raise ValueError(f"more than {_MOST_VALUES:,} values once its aliases are written out")
    return data


def _written_out(data: object, known: dict[int, int]) -> int:
    """How many values there are, an alias as often as it is used; a value within itself is an error."""
    inner = (
        data.values() if isinstance(data, dict) else data if isinstance(data, list | tuple | set) else None
    )
    if inner is None:
        return 1
    if id(data) in known:
        if known[id(data)] == 0:
            raise ValueError("a value that contains itself")
        return known[id(data)]
    known[id(data)] = 0
    known[id(data)] = 1 + sum(_written_out(value, known) for value in inner)
    return known[id(data)]


def dump_yaml(data: Mapping[str, object]) -> str:
    """Plain data as YAML, keys in their order."""
    text: str = yaml.dump(data, Dumper=_DUMPER, sort_keys=False, allow_unicode=True)
    return text


def read_yaml(path: Path) -> dict[str, Any]:
    """A YAML mapping from a file; raises `UserError` with file, line and what is wrong."""
    try:
        data = parse_yaml(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror or error})") from None
    except _UNREADABLE as error:
        reason = " ".join(str(error).split())
        raise UserError(f"{path}: is not valid YAML ({reason[:300] or type(error).__name__})") from None
    if not isinstance(data, dict):
        raise UserError(f"{path}: holds {type(data).__name__}, expected a mapping of keys to values")
    if odd := [key for key in data if not isinstance(key, str)]:
        raise UserError(
            f"{path}: key {_short(odd[0])} is {type(odd[0]).__name__}, expected text; put it in quotes"
        )
    return data


def apply_overrides(data: Mapping[str, object], overrides: list[str]) -> dict[str, object]:
    """Dotted overrides (`rl.grpo.lr=1e-4`) laid over nested data; later ones win.

    Values are YAML, so `seeds=[0,1]` and `kl.coef=0` mean what they look like.
    """
    result = dict(data)
    for override in overrides:
        key, separator, text = override.partition("=")
        if not separator or not key:
            raise UserError(f"override {override!r}: expected KEY=VALUE, for example seeds=[0,1,2]")
        try:
            value = parse_yaml(text)
        except _UNREADABLE:
            raise UserError(f"override {override!r}: the value is not valid YAML") from None
        _assign(result, key.split("."), value, override)
    return result


def _assign(data: dict[str, object], path: list[str], value: object, override: str) -> None:
    for depth, part in enumerate(path[:-1]):
        inner = data.get(part)
        if inner is None:
            inner = {}
        if not isinstance(inner, dict):
            found = ".".join(path[: depth + 1])
            raise UserError(f"override {override!r}: {found!r} holds {_short(inner)}, not a mapping of keys")
        data[part] = nested = dict(inner)
        data = nested
    data[path[-1]] = value
