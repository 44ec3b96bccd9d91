"""How a question becomes a prompt, as settings: plain text with a suffix, or a chat template."""

from collections.abc import Mapping
from pathlib import Path
from typing import Literal, Self

from pydantic import Field, field_validator, model_validator

from ..core.config import Config
from ..core.errors import UserError
from ..core.jsonl import read_jsonl


class Example(Config):
    """A question with a completion as it should be."""

    question: str = Field(min_length=1)
    completion: str = Field(min_length=1)


class PromptConfig(Config):
    """What stands around a question; the suffix is a setting of its own (`prompt_suffix`)."""

    template: Literal["plain", "chat"] = "plain"
    """`plain`: question and suffix. `chat`: one message of a user, in the tokenizer's own template; of the
    suffix what is left without whitespace at its end belongs to the message."""
    system: str | None = None
    """The system message before it; only with `chat`."""
    few_shot: int = Field(default=0, ge=0)
    """Examples before the question, the first so many of `examples`."""
    examples: tuple[Example, ...] = ()
    """Or the path of a file of JSON Lines with `question` and `completion`."""

    @field_validator("examples", mode="before")
    @classmethod
    def _read(cls, value: object) -> object:
        """A file's rows, so that what is computed and recorded depends on their content."""
        match value:
            case str(place) | [str(place)]:  # the base class makes one value a list of one
                rows = read_jsonl(Path(place), ("question", "completion"))
                return [{name: row[name] for name in ("question", "completion")} for _, row in rows]
        return value

    @model_validator(mode="after")
    def _enough_examples(self) -> Self:
        if self.few_shot > len(self.examples):
            raise ValueError(
                f"few_shot: {self.few_shot} examples are asked for, examples holds {len(self.examples)}; "
                "give them as a list of question and completion, or as the path of such a file (--examples)"
            )
        return self

    def changed(self, given: Mapping[str, object]) -> Self:
        """With some keys of another value, as a command's options give them; the rest stays.

        `UserError` where examples are given that nothing shows, and where the whole cannot be.
        """
        kept = self.resolved()
        if given.get("template") == "plain" and "system" not in given:
            kept["system"] = None  # a plain prompt has no place for it
        asked = self.parse({**kept, **given}, "prompt")
        if "examples" in given and not asked.few_shot:
            raise UserError(
                "prompt: examples are given, but few_shot is 0; say how many to show (--few-shot N)"
            )
        return asked

    @property
    def shots(self) -> tuple[Example, ...]:
        """The examples that are shown."""
        return self.examples[: self.few_shot]

    def plain(self, question: str, suffix: str) -> str:
        """A plain prompt: examples with a blank line after each, question and suffix."""
        shown = [f"{shot.question}{suffix}{shot.completion}\n\n" for shot in self.shots]
        return "".join([*shown, question, suffix])

    @model_validator(mode="after")
    def _system_has_a_place(self) -> Self:
        if self.system is not None and self.template != "chat":
            raise ValueError("system: a plain prompt has no place for a system message; use template: chat")
        return self


def prompt_settings(
    template: str | None, system: str | None, few_shot: int | None = None, examples: str | None = None
) -> dict[str, object] | None:
    """What a command's arguments say of the prompt; None where they say nothing."""
    given: dict[str, object | None] = {
        "template": template or ("chat" if system is not None else None),
        "system": system,
        "few_shot": few_shot,
        "examples": examples,
    }
    return {name: value for name, value in given.items() if value is not None} or None
