"""Preparation: the study's tokenizer, its problem sets, and one mixture as token shards."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from itertools import islice
from pathlib import Path

from ..core.errors import UserError
from ..core.files import write_json
from ..core.jsonl import read_jsonl, write_jsonl
from ..core.progress import progress_bar, say
from ..core.types import Problem
from ..data.columns import ProblemColumns
from ..data.contamination import Overlap, refuse_contaminated
from ..data.document_pool import EncodeBatch
from ..data.environments import environment_problems
from ..data.hub import THE_HUB, HubConfig, HubSplit
from ..data.mixture import MixtureConfig, open_source, plan_mixture
from ..data.mixture_index import plan_index, write_index
from ..data.plan import contamination_lines, plan_table
from ..data.problem_sets import load_problems, reference_corpus
from ..data.rows import OnBadRow
from ..data.shards import write_shards
from ..data.shortcut_baselines import shortcut_line, shortcut_scores
from ..data.source_config import SourceConfig
from ..data.source_tokens import SourceTokens, TokenSource, tokenize_source
from ..data.training_questions import mixed_questions, world_training_questions
from ..data.world import WorldConfig, problem_set
from ..model.tokenizer import load_tokenizer, train_tokenizer
from ..verify.environment_scores import FULL, EnvironmentScores
from .settings import SOURCES, ProblemSetConfig, TokenizerConfig
from .shortcut_baselines import QUESTIONS

OWN_ANSWERS = 8
"""Problems of an environment whose own answers are scored before anything is trained."""


def prepare_tokenizer(
    config: TokenizerConfig,
    world: WorldConfig,
    folder: Path,
    sources: Mapping[str, SourceConfig] | None = None,
    suffix: str = "\n\n",
    hub: HubConfig = THE_HUB,
) -> None:
    """Write `tokenizer.json` and its settings.

    With `corpus: sources` it is trained on the first documents of `sources`, question, `suffix` and solution
    each, as many of one as of another.
    """
    if config.corpus == SOURCES:
        tokenizer = train_tokenizer(
            _source_texts(config, world, sources or {}, suffix, hub), config.vocab_size
        )
    elif config.corpus == "reference":
        tokenizer = train_tokenizer(
            reference_corpus(world, 0, config.documents, config.styles), config.vocab_size
        )
    else:
        tokenizer = load_tokenizer(Path(config.corpus)).without_start()
    tokenizer.save(folder)


def _source_texts(
    config: TokenizerConfig,
    world: WorldConfig,
    sources: Mapping[str, SourceConfig],
    suffix: str,
    hub: HubConfig,
) -> Iterator[str]:
    part = -(-config.documents // max(len(sources), 1))
    for name, source in sources.items():
        for document in islice(open_source(name, source, world, 0, hub).documents(), part):
            yield (document.question + suffix if document.question else "") + document.solution


def prepare_problems(config: ProblemSetConfig, world: WorldConfig, folder: Path) -> None:
    """Write `problems.jsonl`, and in `surface.json` how many of them the shortcut baselines solve."""
    problems = problem_set(world, config.set, config.split, config.count, config.seed)
    write_jsonl(folder / "problems.jsonl", (problem.to_json() for problem in problems))
    train = world_training_questions(world, config.set, config.seed)
    scores = shortcut_scores(train, problems, config.seed)
    say(shortcut_line(config.set, scores))
    write_json(folder / "surface.json", scores)


def prepare_problem_file(
    name_or_path: str,
    count: int,
    on_bad_row: OnBadRow,
    folder: Path,
    split: HubSplit = "test",
    columns: ProblemColumns | None = None,
    hub: HubConfig = THE_HUB,
) -> None:
    """Write `problems.jsonl` from the first `count` problems of a user's file, or of a set of the hub."""
    problems = load_problems(name_or_path, count, on_bad_row, split, columns, hub)
    write_jsonl(folder / "problems.jsonl", (problem.to_json() for problem in problems))


def prepare_environment(name: str, split: str, count: int, seed: int, folder: Path) -> None:
    """Write `problems.jsonl` from an environment, whose score must accept its own answers.

    `UserError` where it does not: answers that are text of another shape could then earn nothing.
    """
    problems = environment_problems(name, split, count, seed)
    with EnvironmentScores() as scores:
        for problem in problems[:OWN_ANSWERS]:
            try:
                score = scores.score(problem, problem.reference, f"<answer>{problem.reference}</answer>")
            except OSError as error:
                raise UserError(f"{name}: answers cannot be scored here: {error}") from None
            if score < FULL:
                raise UserError(
                    f"{name}: the score of its own answer {problem.reference!r:.60} is {score:g}, not 1; "
                    "answers of this set cannot be judged"
                )
    write_jsonl(folder / "problems.jsonl", (problem.to_json() for problem in problems))


def read_problems(folder: Path) -> list[Problem]:
    """The problems of a finished `problems` artifact."""
    return [Problem.from_json(row) for _, row in read_jsonl(folder / "problems.jsonl")]


def prepare_source(
    source: TokenSource,
    tokenizer_folder: Path,
    folder: Path,
    against: Mapping[str, Sequence[Problem]],
    workers: int,
) -> None:
    """Write the token ids of a source of real rows, by `workers` processes (`data.source_tokens`)."""
    tokenizer = load_tokenizer(tokenizer_folder)
    source = replace(source, eos_id=tokenizer.eos_id, vocab_size=tokenizer.vocab_size)
    start = partial(_encode_function, tokenizer_folder)
    tokenize_source(source, start, against, folder, workers)


def _encode_function(tokenizer_folder: Path) -> EncodeBatch:
    """In a worker process: the encode function of a tokenizer."""
    return load_tokenizer(tokenizer_folder).encode_batch


def prepare_index(
    mixture: MixtureConfig, prompt_suffix: str, seed: int, sources: Mapping[str, Path], folder: Path
) -> None:
    """Write a mixture as an index over the token ids of its sources; print the plan and write `plan.json`.

    A source that holds too much of an evaluation set is refused, as in `prepare_shards`.
    """
    opened = {name: SourceTokens(path) for name, path in sources.items()}
    for name, source in opened.items() if not mixture.drops else ():
        overlaps = [Overlap.from_json(row) for row in source.contamination]
        refuse_contaminated(name, overlaps, mixture.max_contamination)
    names = {name: path.name for name, path in sources.items()}
    prints = {name: artifact.rpartition("-")[2] for name, artifact in names.items()}
    plan = plan_index(mixture, seed, prompt_suffix, opened, prints)
    data = plan.to_json()
    say("\n".join([plan_table(data), *contamination_lines(data)]))
    write_json(folder / "plan.json", data)
    documents = [document for source in opened.values() for document in source.questions()]
    write_jsonl(folder / QUESTIONS, (problem.to_json() for problem in mixed_questions(documents, seed)))
    first = next(iter(opened.values()))
    write_index(plan, names, first.eos_id, first.vocab_size, folder)


def prepare_shards(
    mixture: MixtureConfig,
    world: WorldConfig,
    prompt_suffix: str,
    seed: int,
    tokenizer_folder: Path,
    folder: Path,
    against: dict[str, list[Problem]] | None = None,
    hub: HubConfig = THE_HUB,
) -> None:
    """Plan the mixture, print the plan, write `plan.json` and the token shards.

    `against` holds problem sets that no source may contain (see `data.contamination`). Where sources
    are compared, a sample of their questions stays in `questions.jsonl`: real rows are read only once.
    """
    tokenizer = load_tokenizer(tokenizer_folder)
    plan = plan_mixture(mixture, world, seed, tokenizer.encode_batch, prompt_suffix, against=against, hub=hub)
    say(plan.table())
    write_json(folder / "plan.json", plan.to_json())
    if against:
        documents = [document for pool in plan.pools if pool.reservoir for document in pool.reservoir.kept]
        write_jsonl(folder / QUESTIONS, (problem.to_json() for problem in mixed_questions(documents, seed)))
    total = plan.num_documents
    with progress_bar("tokenize and pack", total, unit="documents") as bar:
        write_shards(
            plan,
            tokenizer.eos_id,
            tokenizer.vocab_size,
            folder,
            on_progress=bar.advance,
        )
