"""Behaviours that a recipe describes: formats of its own, neutral twins of known formats, and traits.

Formats partition completions: exactly one applies. Traits may overlap: several may hold, or none. A neutral
twin is one format split in two by a mark that means nothing. It shows what RL does between equals.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import ClassVar, Literal, Self

from pydantic import Field, model_validator

from ..core.config import Config
from ..core.errors import UserError
from ..core.formats import Format, extra_formats, format_row
from ..core.traits import Trait, extra_traits
from ..core.user_code import user_function
from .answers import check_answer_rule
from .patterns import compiled, is_found
from .reasoning_traits import RULES_VERSION, shipped_trait

RULES = ("matches", "contains", "opening", "python", "shipped")


class BehaviourConfig(Config):
    """A format or trait by one rule: `{contains: "'''", of: tinygsm}`, `{kind: trait, matches: "^Wait"}`."""

    added: ClassVar[frozenset[str]] = frozenset(
        {"matches", "opening", "python", "answer_rule", "title", "kind", "shipped"}
    )

    kind: Literal["format", "trait"] = "format"
    """`format`: one of a partition, by the first rule that matches. `trait`: may hold beside any other."""

    matches: str | None = None
    """A regular expression of RE2 that is found anywhere in the completion."""
    contains: str | None = Field(default=None, min_length=1)
    """Text that stands anywhere in the completion."""
    opening: str | None = Field(default=None, min_length=1)
    """Text that the completion begins with; also given in forced decoding, without whitespace at its end."""
    python: str | None = None
    """`MODULE:FUNCTION` of a file under the recipe's `modules`: completion -> whether it matches."""
    shipped: str | None = None
    """A shipped trait by its name; traits alone have this rule."""
    of: str | None = None
    """A known format that it is a part of; style and steps are then read by that one's rules.

    A trait holds only in completions of that format.
    """
    only: tuple[str, ...] = ()
    """Mixtures whose runs it is tracked in, by name or pattern (`phase_*`); none: all."""
    answer_rule: str | None = None
    """How the answer is read: a rule of `ANSWER_RULES`, or `regex:PATTERN` with one group.

    Default: that of the format `of`, else `stated`.
    """
    title: str | None = None
    """What a reader sees, in the middle of a sentence."""

    @model_validator(mode="after")
    def _one_rule(self) -> Self:
        given = [name for name in RULES if getattr(self, name) is not None]
        if len(given) != 1:
            raise ValueError(
                f"a behaviour has one of {', '.join(RULES)}; found {' and '.join(given) or 'none'}"
            )
        if self.kind == "trait" and self.answer_rule is not None:
            raise ValueError("a trait has no answer_rule: the answer is read by the completion's format")
        if self.shipped is not None:
            if self.kind != "trait":
                raise ValueError("'shipped' names a trait; add 'kind: trait'")
            shipped_trait(self.shipped)
        if self.matches is not None:
            compiled(self.matches)
        return self

    def tracked_in(self, mixture: str | None) -> bool:
        """Whether runs from a base of this mixture know the behaviour; None: a base that is no mixture's."""
        return not self.only or (
            mixture is not None and any(fnmatchcase(mixture, pattern) for pattern in self.only)
        )

    def settings(self) -> dict[str, object]:
        """The keys that decide how a completion is labelled and read, for fingerprints."""
        keys = ("of", *RULES, "answer_rule")
        kind = {"kind": "trait"} if self.kind == "trait" else {}
        found = kind | {key: getattr(self, key) for key in keys if getattr(self, key) is not None}
        version = {"shipped": f"{shipped_trait(self.shipped).name}@{RULES_VERSION}"} if self.shipped else {}
        return found | version

    def rule(self) -> tuple[Callable[[str], bool], str]:
        """(completion -> whether it matches, the rule in words)."""
        if self.matches is not None:
            return _Matches(self.matches), f"matching {self.matches!r}"
        if self.contains is not None:
            return _Contains(self.contains), f"containing {self.contains!r}"
        if self.opening is not None:
            return _Opens(self.opening), f"beginning with {self.opening!r}"
        if self.shipped is not None:
            row = shipped_trait(self.shipped)
            return row.holds, f"with {row.title}"
        assert self.python is not None, "validation asks for one rule"
        user_function(self.python)
        return _Calls(self.python), f"that {self.python} accepts"


@dataclass(frozen=True)
class _Matches:
    pattern: str

    def __call__(self, text: str) -> bool:
        return is_found(self.pattern, text)


@dataclass(frozen=True)
class _Contains:
    mark: str

    def __call__(self, text: str) -> bool:
        return self.mark in text


@dataclass(frozen=True)
class _Opens:
    opening: str

    def __call__(self, text: str) -> bool:
        return text.startswith(self.opening)


@dataclass(frozen=True)
class _Calls:
    name: str

    def __call__(self, text: str) -> bool:
        return bool(user_function(self.name)(text))


@dataclass(frozen=True)
class _Part:
    """Recognises a behaviour inside another format; equal settings are equal rules."""

    of: Format
    rule: Callable[[str], bool]

    def __call__(self, text: str) -> bool:
        return self.rule(text) and self.of.matches(text)


def behaviour_formats(behaviours: Mapping[str, BehaviourConfig]) -> list[Format]:
    """Rows to register while a study runs. They are asked before the shipped formats, in this order."""
    return [_format(name, own) for name, own in behaviours.items() if own.kind == "format"]


def behaviour_traits(behaviours: Mapping[str, BehaviourConfig]) -> list[Trait]:
    """Traits to register while a study runs, in the order of the recipe."""
    return [_trait(name, own) for name, own in behaviours.items() if own.kind == "trait"]


@contextmanager
def extra_behaviours(behaviours: Mapping[str, BehaviourConfig]) -> Iterator[None]:
    """Register the formats and traits of a recipe while the block runs."""
    with extra_formats(behaviour_formats(behaviours)), extra_traits(behaviour_traits(behaviours)):
        yield


def _check_name(name: str) -> None:
    if not name.isidentifier():
        raise UserError(f"behaviours.{name}: a behaviour's name is letters, digits and underscores")


def _trait(name: str, behaviour: BehaviourConfig) -> Trait:
    _check_name(name)
    of = None if behaviour.of is None else format_row(behaviour.of)
    rule, words = behaviour.rule()
    title = behaviour.title or f"{of.title if of else 'text'} {words}"
    if behaviour.shipped and of is None and not behaviour.title:
        title = shipped_trait(behaviour.shipped).title
    return Trait(name, rule if of is None else _Part(of, rule), title)


def _format(name: str, behaviour: BehaviourConfig) -> Format:
    _check_name(name)
    of = None if behaviour.of is None else format_row(behaviour.of)
    rule, words = behaviour.rule()
    row = Format(
        name,
        rule if of is None else _Part(of, rule),
        behaviour.answer_rule or (of.answer_rule if of else "stated"),
        (behaviour.opening or "").rstrip(),
        behaviour.title or f"{of.title if of else 'text'} {words}",
        of.name if of else "",
    )
    check_answer_rule(row)
    return row
