"""Environments of one turn: questions with answers, and a score of their own for each completion.

A problem of an environment carries the environment's name and the row that its score needs.
"""

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import NamedTuple
from urllib.parse import parse_qsl, quote

import yaml

from .errors import UserError

PREFIX = "env:"
"""Marks a problem set's name as a registered environment: `env:NAME`."""
GYM = "gym:"
"""Marks a problem set's name as one of reasoning-gym: `gym:chain_sum`, `gym:chain_sum?max_terms=3`."""
Row = Mapping[str, object]
"""One task: `question`, `answer`, and whatever else the score needs, all of it JSON."""


@dataclass(frozen=True, slots=True)
class Environment:
    """Tasks and their score."""

    name: str
    rows: Callable[[str, int, int], Iterable[Row]]
    """(split `train`, `dev` or `test`; count; seed) -> rows."""
    score: Callable[[str, Row], float]
    """(completion, row) -> score; 1 and above is correct."""


_REGISTRY: dict[str, Environment] = {}


def register_environment(
    name: str, rows: Callable[[str, int, int], Iterable[Row]], score: Callable[[str, Row], float]
) -> Environment:
    """Add an environment, which recipes name `env:NAME`; a taken name is refused.

    `score` sees text of a model. It runs in this process: it must not evaluate that text.
    """
    if not name.isidentifier():
        raise UserError(f"environment {name!r}: a name is letters, digits and underscores")
    if name in _REGISTRY:
        raise UserError(f"environment {name!r} is registered already; choose another name")
    _REGISTRY[name] = Environment(name, rows, score)
    return _REGISTRY[name]


def forget_environment(name: str) -> None:
    """Remove an environment from the registry."""
    del _REGISTRY[name]


def registered_environments() -> dict[str, Environment]:
    """All environments by name, in the order of their registration."""
    return dict(_REGISTRY)


def environment(name: str) -> Environment:
    """The environment `NAME` or `env:NAME`; `UserError` with the known names for an unknown one."""
    short = name.removeprefix(PREFIX)
    if short not in _REGISTRY:
        known = ", ".join(_REGISTRY) or "none"
        raise UserError(f"environment {short!r} is not registered by a module; there are {known}")
    return _REGISTRY[short]


class GymName(NamedTuple):
    """A set of reasoning-gym with its options."""

    dataset: str
    options: dict[str, object]

    def __str__(self) -> str:
        """The name in one spelling: options sorted, values as JSON."""
        options = "&".join(f"{key}={quote(json.dumps(value))}" for key, value in sorted(self.options.items()))
        return f"{GYM}{self.dataset}{'?' if options else ''}{options}"


def parse_gym_name(name: str) -> GymName:
    """`gym:NAME?KEY=VALUE&...`; values are read as YAML."""
    dataset, _, query = name.removeprefix(GYM).partition("?")
    try:
        pairs = parse_qsl(query, keep_blank_values=True, strict_parsing=bool(query))
        options = {key: yaml.safe_load(value) for key, value in pairs}
    except (ValueError, yaml.YAMLError):
        raise UserError(f"{name}: expected {GYM}NAME or {GYM}NAME?KEY=VALUE&KEY=VALUE") from None
    for key in ("seed", "size"):
        if key in options:
            raise UserError(f"{name}: {key!r} is no option; the study's 'data_seed' and 'count' say it")
    return GymName(dataset, options)


def with_options(name: str, options: Mapping[str, object]) -> str:
    """The name of a set of reasoning-gym with further options, as a recipe's keys give them."""
    known = parse_gym_name(name)
    return str(GymName(known.dataset, known.options | dict(options)))


def packed(row: Row) -> str:
    """A row as JSON, for a problem to carry; sets become sorted lists, and arrays of numpy lists."""
    return json.dumps(row, ensure_ascii=False, default=_plain)


def unpacked(entry: str) -> dict[str, object]:
    """Inverse of `packed`, as far as JSON has it."""
    row: dict[str, object] = json.loads(entry)
    return row


def _plain(value: object) -> object:
    if isinstance(value, set | frozenset):
        return sorted(value)
    if hasattr(value, "tolist"):
        return value.tolist()
    raise TypeError(f"{type(value).__name__} is no JSON")
