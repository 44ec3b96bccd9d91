"""Preparation: the study's tokenizer, its problem sets, and one mixture as token shards."""

import random
from pathlib import Path
from typing import Any

from pydantic import Field, field_validator

from ..core.artifacts import write_json
from ..core.config import Config, Count
from ..core.errors import UserError
from ..core.jsonl import read_jsonl, write_jsonl
from ..core.progress import progress_bar, say
from ..core.random import key
from ..core.types import Problem
from ..data.mixture import MixtureConfig, MixturePlan, plan_mixture
from ..data.problem_sets import load_problems, reference_corpus
from ..data.rows import OnBadRow
from ..data.shards import write_shards
from ..data.styles import STYLES
from ..data.surface_scores import (
    TRAIN_QUESTIONS,
    answered,
    surface_line,
    surface_scores,
    world_training_questions,
)
from ..data.world import WorldConfig, problem_set
from ..model.tokenizer import load_tokenizer, train_tokenizer

TOKENIZER_VERSION = 2
PROBLEMS_VERSION = 2
SHARDS_VERSION = 2


class TokenizerConfig(Config):
    """One tokenizer per study, trained on a fixed corpus, so that arms differ in data only."""

    vocab_size: int = Field(default=512, ge=258)
    corpus: str = "reference"
    """`reference` (world documents in every style) or the path of an HF tokenizer folder."""
    documents: Count = Field(default=6000, gt=0)
    styles: tuple[str, ...] = tuple(STYLES)
    """Solution styles of the reference corpus."""

    @field_validator("styles")
    @classmethod
    def _known(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        unknown = [name for name in value if name not in STYLES]
        if unknown or not value:
            raise ValueError(f"expected some of {', '.join(STYLES)}, got {', '.join(unknown) or 'none'}")
        return value


class ProblemSetConfig(Config):
    """One fixed set of world problems."""

    set: str
    split: str
    count: Count = Field(gt=0)
    seed: int = 0


def prepare_tokenizer(config: TokenizerConfig, world: WorldConfig, folder: Path) -> None:
    """Write `tokenizer.json` and its settings."""
    if config.corpus == "reference":
        tokenizer = train_tokenizer(reference_corpus(world, 0, config.documents, config.styles), config.vocab_size)
    else:
        tokenizer = load_tokenizer(Path(config.corpus))
    tokenizer.save(folder)


def prepare_problems(config: ProblemSetConfig, world: WorldConfig, folder: Path) -> None:
    """Write `problems.jsonl`, and in `surface.json` how many of them surface cues answer."""
    problems = problem_set(world, config.set, config.split, config.count, config.seed)
    write_jsonl(folder / "problems.jsonl", (problem.to_json() for problem in problems))
    scores = surface_scores(world_training_questions(world, config.set, config.seed), problems, config.seed)
    say(surface_line(config.set, scores))
    write_json(folder / "surface.json", scores)


def prepare_problem_file(path: Path, count: int, on_bad_row: OnBadRow, folder: Path) -> None:
    """Write `problems.jsonl` from the first `count` problems of a user's file."""
    problems = load_problems(str(path), count, on_bad_row)
    if not problems:
        raise UserError(f"{path}: holds no problems")
    write_jsonl(folder / "problems.jsonl", (problem.to_json() for problem in problems))


def read_problems(folder: Path) -> list[Problem]:
    """The problems of a finished `problems` artifact."""
    return [Problem.from_json(row) for _, row in read_jsonl(folder / "problems.jsonl")]


def prepare_shards(
    mixture: MixtureConfig, world: WorldConfig, prompt_suffix: str, seed: int, tokenizer_folder: Path, folder: Path,
    against: dict[str, list[Problem]] | None = None,
) -> None:  # fmt: skip
    """Plan the mixture, print the plan, write `plan.json` and the token shards.

    `against` holds problem sets that no source may contain (see `data.contamination`); how many of
    them the sources' own questions answer by surface cues goes to `surface.json`.
    """
    tokenizer = load_tokenizer(tokenizer_folder)
    plan = plan_mixture(mixture, world, seed, tokenizer.encode_batch, prompt_suffix, against=against)
    say(plan.table())
    write_json(folder / "plan.json", plan.to_json())
    if against:
        surface = surface_of_sources(plan, against, seed)
        for name, scores in surface.items():
            say(surface_line(name, scores))
        write_json(folder / "surface.json", surface)
    total = plan.num_documents
    with progress_bar("tokenize and pack", total, unit="documents") as bar:
        write_shards(plan, tokenizer.encode_batch, tokenizer.eos_id, tokenizer.vocab_size, folder, on_progress=bar.advance)


def surface_of_sources(plan: MixturePlan, against: dict[str, list[Problem]], seed: int) -> dict[str, dict[str, Any]]:
    """`surface_scores` of each problem set, fitted on a sample of all sources' questions; by set."""
    documents = [document for pool in plan.pools if pool.reservoir for document in pool.reservoir.kept]
    train = answered(random.Random(key("surface", seed)).sample(documents, len(documents)))[:TRAIN_QUESTIONS]
    return {name: surface_scores(train, problems, seed) for name, problems in against.items()}
