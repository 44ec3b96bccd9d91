"""Knobs that change how a solution looks and never what it answers. Each is a share of documents."""

from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

from pydantic import Field, model_validator

from ...core.config import Config
from ..world.config import Share
from ..world.stream import Stream, pick


class StyleKnobs(Config):
    """Shares of documents with each habit; 0 and 1 are never and always."""

    docstring: Share = 1.0
    """tinygsm: a docstring under the function's head."""
    full_docstring: Share = 1.0
    """tinygsm: the docstring repeats the whole question, else only its last sentence."""
    double_quotes: Share = 0.9
    """tinygsm: the docstring stands in double quotes, else in single quotes."""
    type_hints: Share = 1.0
    """tinygsm: the function's head says `-> int`."""
    comments: Share = 0.0
    """tinygsm, omi1: each step has a comment above it."""
    named_givens: Share = 1.0
    """tinygsm, omi1: the question's numbers get variables of their own."""
    short_names: Share = 0.0
    """tinygsm, omi1: variables are initials."""
    generic_names: Share = 0.0
    """tinygsm, omi1: variables are a, b, c."""
    stepwise: Share = 1.0
    """tinygsm, omi1: one assignment per step, else one expression for all."""
    lead_in: Share = 1.0
    """omi1, omi2, metamath: a sentence before the solution starts."""
    restate: Share = 0.0
    """omi2, metamath: the solution opens by repeating the question's last sentence."""
    latex: Share = 1.0
    """omi2: steps are LaTeX maths, else plain arithmetic."""
    spaced: Share = 1.0
    """gsm8k, metamath: spaces around the signs of a calculation."""
    phrasings: Literal["all"] | Annotated[int, Field(ge=1)] = "all"
    """How many phrasings of each sentence are used."""
    docstring_form: Literal["block", "line"] = "block"
    """tinygsm: triple quotes on lines of their own, or one string on one line.

    On one line both kinds of quotes have equally many tokens.
    """

    added: ClassVar[frozenset[str]] = frozenset({"docstring_form"})

    @model_validator(mode="after")
    def _names_add_up(self) -> "StyleKnobs":
        if self.short_names + self.generic_names > 1:
            raise ValueError(
                f"short_names + generic_names is {self.short_names + self.generic_names}; at most 1"
            )
        return self


@dataclass(slots=True)
class Choices:
    """What one document does: the knobs, tossed once per document and in a fixed order."""

    docstring: bool
    full_docstring: bool
    double_quotes: bool
    type_hints: bool
    comments: bool
    named_givens: bool
    names: str
    stepwise: bool
    lead_in: bool
    restate: bool
    latex: bool
    spaced: bool
    phrasings: int | None
    docstring_form: str
    stream: Stream

    def phrase(self, wordings: tuple[str, ...]) -> str:
        """One of the wordings in use."""
        return pick(self.stream, wordings if self.phrasings is None else wordings[: self.phrasings])


_TOSSED = (
    "docstring",
    "full_docstring",
    "double_quotes",
    "type_hints",
    "comments",
    "named_givens",
    "stepwise",
    "lead_in",
    "restate",
    "latex",
    "spaced",
)


def toss(knobs: StyleKnobs, stream: Stream) -> Choices:
    """Decide every knob for one document; the same draws whatever the shares are."""
    habits = {name: stream.random() < getattr(knobs, name) for name in _TOSSED}
    draw = stream.random()
    names = (
        "short"
        if draw < knobs.short_names
        else "generic"
        if draw < knobs.short_names + knobs.generic_names
        else "descriptive"
    )
    phrasings = None if knobs.phrasings == "all" else knobs.phrasings
    return Choices(
        **habits, names=names, phrasings=phrasings, docstring_form=knobs.docstring_form, stream=stream
    )
