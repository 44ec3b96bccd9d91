"""Preparation: the study's tokenizer, its problem sets, and one mixture as token shards."""

from pathlib import Path

from pydantic import Field

from ..core.artifacts import write_json
from ..core.config import Config, Count
from ..core.jsonl import read_jsonl, write_jsonl
from ..core.progress import progress_bar, say
from ..core.types import Problem
from ..data.mixture import MixtureConfig, plan_mixture
from ..data.problem_sets import reference_corpus
from ..data.shards import write_shards
from ..data.world import WorldConfig, problem_set
from ..model.tokenizer import load_tokenizer, train_tokenizer

TOKENIZER_VERSION = 1
PROBLEMS_VERSION = 1
SHARDS_VERSION = 1


class TokenizerConfig(Config):
    """One tokenizer per study, trained on a fixed corpus, so that arms differ in data only."""

    vocab_size: int = Field(default=512, ge=258)
    corpus: str = "reference"
    """`reference` (world documents in every style) or the path of an HF tokenizer folder."""
    documents: Count = Field(default=6000, gt=0)


class ProblemSetConfig(Config):
    """One fixed set of world problems."""

    set: str
    split: str
    count: Count = Field(gt=0)
    seed: int = 0


def prepare_tokenizer(config: TokenizerConfig, world: WorldConfig, folder: Path) -> None:
    """Write `tokenizer.json` and its settings."""
    if config.corpus == "reference":
        tokenizer = train_tokenizer(reference_corpus(world, 0, config.documents), config.vocab_size)
    else:
        tokenizer = load_tokenizer(Path(config.corpus))
    tokenizer.save(folder)


def prepare_problems(config: ProblemSetConfig, world: WorldConfig, folder: Path) -> None:
    """Write `problems.jsonl`."""
    problems = problem_set(world, config.set, config.split, config.count, config.seed)
    write_jsonl(folder / "problems.jsonl", (problem.to_json() for problem in problems))


def read_problems(folder: Path) -> list[Problem]:
    """The problems of a finished `problems` artifact."""
    return [Problem.from_json(row) for _, row in read_jsonl(folder / "problems.jsonl")]


def prepare_shards(mixture: MixtureConfig, world: WorldConfig, prompt_suffix: str, seed: int, tokenizer_folder: Path, folder: Path) -> None:
    """Plan the mixture, print the plan, write `plan.json` and the token shards."""
    tokenizer = load_tokenizer(tokenizer_folder)
    plan = plan_mixture(mixture, world, seed, tokenizer.encode_batch, prompt_suffix)
    say(plan.table())
    write_json(folder / "plan.json", plan.to_json())
    total = plan.num_documents
    with progress_bar("tokenize and pack", total, unit="documents") as bar:
        write_shards(plan, tokenizer.encode_batch, tokenizer.eos_id, tokenizer.vocab_size, folder, on_progress=bar.advance)
