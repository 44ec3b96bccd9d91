"""A tokenizer's chat template, which makes a prompt of a question.

It is a program of a checkpoint's author in Jinja's language. It runs in Jinja's sandbox, knows no clock, and
sees the messages and the names of special tokens only.
"""

import json
from collections.abc import Mapping

from jinja2 import TemplateError
from jinja2.sandbox import ImmutableSandboxedEnvironment

from ..core.errors import UserError
from .prompt import PromptConfig

_TOKENS = ("bos_token", "eos_token", "pad_token", "unk_token")


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
