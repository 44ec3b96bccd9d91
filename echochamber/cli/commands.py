"""All commands by name: each is imported when it is run, not before, so that `--help` costs little."""

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from types import MappingProxyType
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup


@dataclass(frozen=True)
class Entry:
    """Where a command is, and what the list of commands says of it."""

    module: str
    """A module of this package, whose `register` adds the command."""
    help: str
    """The first paragraph of the command's own help; a test keeps them equal."""


COMMANDS: Mapping[str, Entry] = MappingProxyType(
    {
        "study": Entry(
            "study", "Run a study from its recipe, or continue it. Finished stages are not run again."
        ),
        "status": Entry(
            "status",
            "Say how far a study is: what is done, what runs, what failed.",
        ),
        "clean": Entry(
            "clean",
            "List files that a study no longer needs.",
        ),
        "prepare": Entry("stages", "Prepare a recipe's data: problems, tokenizer and token shards."),
        "pretrain": Entry(
            "stages", "Pretrain a recipe's models from scratch. Missing data is prepared first."
        ),
        "rl": Entry(
            "stages",
            "Run a recipe's RL arms. Missing bases are pretrained first, unless --base gives a checkpoint.",
        ),
        "evaluate": Entry(
            "evaluate",
            "Score a checkpoint with greedy and sampled completions. Writes records, problems and summary.",
        ),
        "probe": Entry(
            "probe",
            "Measure accuracy per forced format and per temperature.",
        ),
        "discover": Entry(
            "discover",
            "Find the kinds of a model's completions (extra [discover]).",
        ),
        "forecast": Entry(
            "forecast",
            "Say which behaviours RL would amplify, without training. Writes JSON, Parquet and a page.",
        ),
        "report": Entry("report", "Write the report page of a study, finished or not."),
        "compare": Entry(
            "compare",
            "Print the arms of several studies side by side.",
        ),
        "track": Entry(
            "track",
            "Send the metrics logs of pretraining and RL to trackers. "
            "Steps that they have are not sent again.",
        ),
        "export": Entry(
            "export",
            "Write a study or a checkpoint for the Hugging Face hub.",
        ),
        "ledger": Entry(
            "ledger",
            "Judge claims by criteria that were fixed in advance.",
        ),
        "recipes": Entry("recipes", "List the shipped recipes with their question, contents and cost."),
        "show": Entry("recipes", "Print a recipe as YAML with every key, defaults included."),
        "init": Entry(
            "init",
            "Write NAME.yaml, a small recipe with comments to start from.",
        ),
        "grade": Entry("grade", "Grade completions: format, answer and outcome. Programs run in a sandbox."),
        "sample": Entry(
            "sample",
            "Print completions of one question with format and answer.",
        ),
        "bench": Entry(
            "bench",
            "Compare the speed of sampling and training with other libraries.",
        ),
        "doctor": Entry(
            "doctor",
            "Report what this machine offers and what will be slow.",
        ),
    }
)


class LazyCommand(TyperCommand):
    """A command's name and help; its options are read from its module when it is called."""

    def __init__(self, name: str, entry: Entry) -> None:
        super().__init__(name, help=entry.help, rich_markup_mode=None)
        self.module = entry.module

    def load(self) -> Any:
        """The command itself, from its module."""
        app = typer.Typer(add_completion=False, rich_markup_mode=None)
        import_module(f".{self.module}", __package__).register(app)
        built = typer.main.get_command(app)
        return built.commands[str(self.name)] if isinstance(built, TyperGroup) else built

    def make_context(self, *arguments: Any, **named: Any) -> Any:
        """The context of the command itself, which then parses and runs."""
        return self.load().make_context(*arguments, **named)


class LazyGroup(TyperGroup):
    """All commands, none of them loaded."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        self.commands.update({name: LazyCommand(name, entry) for name, entry in COMMANDS.items()})
