"""Options that several commands share, in groups: a command takes a group as one parameter."""

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, is_dataclass
from functools import wraps
from typing import TYPE_CHECKING, cast, get_type_hints

import typer

from .options import (
    ColumnsOption,
    EngineOption,
    ExamplesOption,
    FewShotOption,
    LimitOption,
    MaxNewTokensOption,
    OnBadRowOption,
    PromptSuffixOption,
    StopOption,
    SystemOption,
    TemplateOption,
    TopKOption,
    TopPOption,
    TrustOption,
    WorldOption,
    bad_row_policy,
    column_names,
    stop_strings,
)

if TYPE_CHECKING:
    from ..data.columns import ProblemColumns
    from ..data.rows import OnBadRow
    from ..model.settings import RuntimeConfig


@dataclass(frozen=True)
class SamplingOptions:
    """How tokens are drawn, besides the temperature."""

    top_p: TopPOption = None
    top_k: TopKOption = None
    stop: StopOption = None

    def settings(self) -> dict[str, object]:
        """Keys of a stage's settings; None: as the checkpoint's study has it."""
        return {"top_p": self.top_p, "top_k": self.top_k, "stop": stop_strings(self.stop)}


@dataclass(frozen=True)
class PromptOptions:
    """What stands around a question."""

    prompt_suffix: PromptSuffixOption = None
    template: TemplateOption = None
    system: SystemOption = None
    few_shot: FewShotOption = None
    examples: ExamplesOption = None

    def settings(self) -> dict[str, object]:
        """Keys of a stage's settings; None: as the checkpoint's study has it."""
        from ..model.prompt import prompt_settings

        prompt = prompt_settings(self.template, self.system, self.few_shot, self.examples)
        return {"prompt_suffix": self.prompt_suffix, "prompt": prompt}


@dataclass(frozen=True)
class CompletionOptions(PromptOptions):
    """What stands around a question, and how long a completion may be."""

    max_new_tokens: MaxNewTokensOption = None

    def settings(self) -> dict[str, object]:
        """Keys of a stage's settings; None: as the checkpoint's study has it."""
        return {**PromptOptions.settings(self), "max_new_tokens": self.max_new_tokens}


@dataclass(frozen=True)
class ProblemOptions:
    """Which problems of a set are used, and how a file of them is read."""

    world: WorldOption = None
    limit: LimitOption = None
    on_bad_row: OnBadRowOption = "error"
    columns: ColumnsOption = None

    @property
    def policy(self) -> "OnBadRow":
        """What becomes of rows that cannot be read."""
        return bad_row_policy(self.on_bad_row)

    @property
    def named_columns(self) -> "ProblemColumns | None":
        """Which columns hold what."""
        from ..data.columns import problem_columns

        return problem_columns(column_names(self.columns))


@dataclass(frozen=True)
class EngineOptions:
    """What runs the model."""

    engine: EngineOption = "auto"
    trust_remote_code: TrustOption = False

    def runtime(self) -> "RuntimeConfig":
        """Runtime settings, defaults but for these."""
        from ..model.settings import RuntimeConfig

        return RuntimeConfig(engine=self.engine, trust_remote_code=self.trust_remote_code)


@dataclass(frozen=True)
class GivenOptions:
    """What stood on the command line, for a command that must tell a given option from its default."""

    options: Mapping[str, str]
    """Name of the parameter -> the option as it is written."""

    @classmethod
    def of(cls, context: object) -> "GivenOptions":
        """What typer has read; its context is of a class that typer keeps to itself."""
        known = cast("typer.Context", context)
        sources = {one: known.get_parameter_source(one.name or "") for one in known.command.params}
        return cls(
            {
                one.name or "": max(one.opts, key=len)
                for one, source in sources.items()
                if source is not None and source.name == "COMMANDLINE"
            }
        )


def with_groups(command: Callable[..., None]) -> Callable[..., None]:
    """The command as typer reads it: each parameter that is a group is replaced by the group's options.

    A parameter of type `GivenOptions` is filled from typer's context.
    """
    hints = get_type_hints(command, include_extras=True)
    given_options = [name for name, hint in hints.items() if hint is GivenOptions]
    groups = {
        name: hint
        for name, hint in hints.items()
        if is_dataclass(hint) and isinstance(hint, type) and name not in given_options
    }
    parameters: list[inspect.Parameter] = []
    for name, parameter in inspect.signature(command).parameters.items():
        if name in given_options:
            parameters.append(_keyword(name, typer.Context, inspect.Parameter.empty))
            continue
        if name not in groups:
            parameters.append(_keyword(name, hints[name], parameter.default))
            continue
        inner = get_type_hints(groups[name], include_extras=True)
        parameters += [_keyword(one.name, inner[one.name], one.default) for one in fields(groups[name])]

    @wraps(command)
    def flat(**given: object) -> None:
        made = {
            name: group(**{one.name: given.pop(one.name) for one in fields(group)})
            for name, group in groups.items()
        }
        for name in given_options:
            given[name] = GivenOptions.of(given[name])
        command(**given, **made)

    flat.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    flat.__annotations__ = {one.name: one.annotation for one in parameters}
    return flat


def _keyword(name: str, annotation: object, default: object) -> inspect.Parameter:
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation)
