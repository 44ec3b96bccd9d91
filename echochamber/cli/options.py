"""Arguments that several commands share."""

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal

import typer

from ..core.errors import UserError


def _recipes_beginning(typed: str) -> list[str]:
    """Shipped recipes that a shell offers; where there is none it offers files."""
    from ..study.recipe_files import shipped_recipes

    return [name for name in shipped_recipes() if name.startswith(typed)]


RecipeArgument = Annotated[
    str,
    typer.Argument(
        metavar="RECIPE",
        help="A shipped recipe (see `echochamber recipes`) or a path ending in .yaml.",
        autocompletion=_recipes_beginning,
    ),
]
Overrides = Annotated[
    list[str] | None,
    typer.Argument(metavar="KEY=VALUE", help="Dotted overrides, for example seeds=[0,1,2] rl.grpo.steps=20."),
]
OutOption = Annotated[
    Path | None, typer.Option("--out", metavar="DIR", help="Output folder. Default: runs/RECIPE.")
]
TopPOption = Annotated[
    float | None,
    typer.Option(
        "--top-p",
        min=0.0001,
        max=1,
        metavar="SHARE",
        help="Sample from the likeliest tokens that together have this probability. "
        "Default: the study's, else 1.",
    ),
]
TopKOption = Annotated[
    int | None,
    typer.Option(
        "--top-k",
        min=0,
        metavar="K",
        help="Sample from the K likeliest tokens; 0: from all. Default: the study's, else 0.",
    ),
]
WorldOption = Annotated[
    str | None,
    typer.Option(
        "--world",
        metavar="default|RECIPE",
        help="Draw generated sets from this recipe's world instead of the world of the checkpoint's study.",
    ),
]
StopOption = Annotated[
    list[str] | None,
    typer.Option(
        "--stop",
        metavar="TEXT",
        help=r"End a completion before this text (\n is a new line); may be given several times.",
    ),
]
ModuleOption = Annotated[
    list[Path] | None,
    typer.Option(
        "--module",
        metavar="F.py",
        help="Your own Python file that registers formats, rewards or claims; may be repeated.",
    ),
]
WorkersOption = Annotated[
    int,
    typer.Option(
        "--workers",
        min=1,
        metavar="N",
        help="Number of stages that run at once, each with runtime.threads threads.",
    ),
]
PLACES = (
    "a checkpoint folder, an artifact that has checkpoints, a study with one, or hub:OWNER/NAME[@REVISION]"
)
"""Where a checkpoint can be, in words."""
CheckpointOption = Annotated[
    str, typer.Option("--checkpoint", metavar="PLACE", help=f"{PLACES[0].upper()}{PLACES[1:]}.")
]
PromptSuffixOption = Annotated[
    str | None,
    typer.Option(
        "--prompt-suffix",
        help="Text between question and completion, as in training. Default: the study's, or an empty line.",
    ),
]
TemplateOption = Annotated[
    str | None,
    typer.Option(
        "--template",
        metavar="plain|chat",
        help="chat: ask in the tokenizer's own chat template. Default: the study's, else plain.",
    ),
]
SystemOption = Annotated[
    str | None, typer.Option("--system", metavar="TEXT", help="System message; implies --template chat.")
]
FewShotOption = Annotated[
    int | None,
    typer.Option(
        "--few-shot",
        min=0,
        metavar="N",
        help="Show N examples before the question: of --examples, else of the checkpoint's study.",
    ),
]
ExamplesOption = Annotated[
    str | None,
    typer.Option(
        "--examples", metavar="FILE", help="JSON Lines with question and completion, for --few-shot."
    ),
]
ProblemsOption = Annotated[
    str,
    typer.Option(
        "--problems",
        metavar="NAME_OR_FILE",
        help="A generated set (all, easy, medium, hard), a file (JSONL, JSONL.gz, JSON, CSV, Parquet), or "
        "hub:NAME[@COMMIT].",
    ),
]
ColumnsOption = Annotated[
    str | None,
    typer.Option(
        "--columns",
        metavar="question=Q,answer=A",
        help="Which columns of a problem file hold question, answer, solution and id, where it has a layout "
        "of its own. Default: the study's.",
    ),
]
OnBadRowOption = Annotated[
    str,
    typer.Option(
        "--on-bad-row",
        metavar="error|skip",
        help="For rows of a problem file that cannot be read: stop and name the first, or skip and count "
        "them.",
    ),
]
LimitOption = Annotated[
    int | None, typer.Option("--limit", min=1, help="Use only the first so many problems.")
]
MaxNewTokensOption = Annotated[
    int | None,
    typer.Option(
        "--max-new-tokens", min=1, help="Most tokens of a completion. Default: the study's, else 160."
    ),
]
EngineOption = Annotated[
    str,
    typer.Option(
        "--engine",
        metavar="auto|native|transformers|vllm",
        help="What runs the model. auto: native where it computes the model, else transformers. "
        "vllm: as auto, and vLLM samples.",
    ),
]
TrustOption = Annotated[
    bool,
    typer.Option("--trust-remote-code", help="Let transformers run Python files of the checkpoint's folder."),
]
SeedOption = Annotated[int, typer.Option("--seed", help="Seed of the random streams for sampling.")]


JsonOption = Annotated[
    bool,
    typer.Option("--json", help="Print the result as one JSON object, and nothing else, on standard output."),
]


def _be_quiet(asked: bool) -> bool:
    if asked:
        from ..core.progress import be_quiet

        be_quiet()
    return asked


QuietOption = Annotated[
    bool,
    typer.Option("--quiet", help="No progress and no notes; errors and the result stay.", callback=_be_quiet),
]


def print_json(data: Mapping[str, object]) -> None:
    """One object on standard output; numbers that JSON has no word for become null."""
    print(json.dumps(_finite(data), ensure_ascii=False, indent=2))


def _finite(value: object) -> object:
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, Mapping):
        return {str(key): _finite(inner) for key, inner in value.items()}
    return [_finite(inner) for inner in value] if isinstance(value, list | tuple) else value


def bad_row_policy(given: str) -> Literal["error", "skip"]:
    """The value of `--on-bad-row`."""
    if given == "skip":
        return "skip"
    if given != "error":
        raise UserError(f"--on-bad-row {given!r} is not known; there are error and skip")
    return "error"


def stop_strings(given: list[str] | None) -> list[str] | None:
    """The texts of `--stop`, where a shell can hardly write a new line or a tab; None: none given."""
    if given is None:
        return None
    return [text.replace(r"\n", "\n").replace(r"\t", "\t") for text in given]


def load_modules(paths: list[Path] | None) -> None:
    """Import the files of `--module`."""
    if paths:
        from ..study.user_modules import load_user_modules

        load_user_modules([str(path) for path in paths])


def format_title(name: str) -> str:
    """A format's title as a reader sees it; the name where this process does not know the format."""
    from ..core.formats import registered_formats

    row = registered_formats().get(name)
    return (row.title or name) if row else name


def column_names(text: str | None) -> dict[str, str] | None:
    """`question=Q,answer=A` as a mapping; `UserError` for another form."""
    if text is None:
        return None
    pairs = [part.partition("=") for part in text.split(",")]
    if not all(key.strip() and value.strip() for key, _, value in pairs):
        raise UserError(f"--columns is {text!r}; expected question=COLUMN,answer=COLUMN")
    return {key.strip(): value.strip() for key, _, value in pairs}
