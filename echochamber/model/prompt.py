"""How a question becomes a prompt: plain text with a suffix, or the tokenizer's own chat template.

A chat template is a program of a checkpoint's author in Jinja's language. It runs in Jinja's sandbox, knows
no clock, and sees the messages and the names of special tokens only.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Literal, Self

from jinja2 import TemplateError
from jinja2.sandbox import ImmutableSandboxedEnvironment
from pydantic import Field, field_validator, model_validator

from ..core.config import Config
from ..core.errors import UserError
from ..core.jsonl import read_jsonl

_TOKENS = ("bos_token", "eos_token", "pad_token", "unk_token")


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
                "give them as a list of question and completion, or as the path of such a file"
            )
        return self

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


class ChatTemplate:
    """A tokenizer's template; `settings` are those of its folder (`tokenizer_config.json`)."""

    def __init__(self, settings: Mapping[str, object]) -> None:
        self.source = _source(settings.get("chat_template"))
        self.tokens = {name: _text(settings.get(name)) for name in _TOKENS if name in settings}

    def parts(self, question: str, suffix: str, prompt: PromptConfig) -> tuple[str, str, str]:
        """Text before the user's message, the message, and text after it, up to where the answer begins.

        `UserError` where there is no template, where it fails, or where it drops the question.
        """
        message = (question + suffix).strip()
        messages = [{"role": "system", "content": prompt.system}] if prompt.system is not None else []
        for shot in prompt.shots:
            asked = (shot.question + suffix).strip()
            messages += [
                {"role": "user", "content": asked},
                {"role": "assistant", "content": shot.completion},
            ]
        messages.append({"role": "user", "content": message})
        rendered = self._render(messages)
        # The last one: a system message may quote the question.
        before, found, after = rendered.rpartition(message)
        if not found:
            raise UserError(f"chat_template: drops the question {question!r:.60} or changes its text")
        if prompt.system is not None and prompt.system.strip() not in before:
            raise UserError("chat_template: drops the system message; leave prompt.system out")
        if any(shot.completion.strip() not in before for shot in prompt.shots):
            raise UserError("chat_template: drops an answer of an example; leave prompt.few_shot out")
        return before, message, after

    def _render(self, messages: list[dict[str, str]]) -> str:
        environment = ImmutableSandboxedEnvironment(
            trim_blocks=True, lstrip_blocks=True, extensions=["jinja2.ext.loopcontrols"]
        )
        environment.filters["tojson"] = _to_json
        environment.globals["raise_exception"] = _refuse
        if self.source is None:
            raise UserError("prompt.template 'chat': this tokenizer has no chat template; use 'plain'")
        try:
            template = environment.from_string(self.source)
            return template.render(messages=messages, add_generation_prompt=True, **self.tokens)
        except (TemplateError, ArithmeticError, LookupError, TypeError, ValueError, RecursionError) as error:
            reason = " ".join(str(error).split())[:200]
            raise UserError(f"chat_template: fails ({type(error).__name__}: {reason})") from None


def _source(found: object) -> str | None:
    """A template, or of several named ones the one called `default`."""
    if isinstance(found, list):
        named = {row.get("name"): row.get("template") for row in found if isinstance(row, dict)}
        found = named.get("default")
    if found is not None and not isinstance(found, str):
        raise UserError(f"chat_template: expected text, found {type(found).__name__}")
    return found


def _text(token: object) -> object:
    """A special token, written as text or as a mapping with `content`."""
    return token.get("content") if isinstance(token, dict) else token


def _to_json(value: object, indent: int | None = None) -> str:
    return json.dumps(value, ensure_ascii=False, indent=indent)


def _refuse(message: str) -> None:
    """What a template calls for messages that it does not take."""
    raise TemplateError(message)


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
