"""Evaluation: greedy and sampled completions of every checkpoint, graded, with intervals.

Problems are scored in chunks of whole problems, whose bounds follow from the configuration alone. Each
chunk is saved when it is done. So a kill loses at most one, and the result is the same in bytes. Several
ranks share the chunks, to the same bytes too.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import polars as pl

from ..core.errors import UserError
from ..core.files import write_json
from ..core.formats import registered_formats
from ..core.parquet_chunks import ParquetChunks, join_chunks
from ..core.progress import progress_bar, say
from ..core.records import records_frame
from ..core.resume import ResumePoint
from ..core.traits import COLUMN, registered_traits
from ..core.types import UNGRADED_LIMIT, Problem
from ..model.fit_memory import sampling_that_fits
from ..model.load_model import load_model
from ..model.ranks import Ranks
from ..model.runtime import Runtime
from ..rollout.engines import Engine, start_engine
from ..rollout.sample_and_grade import Graders, Labels, graded_rows
from ..rollout.shared_chunks import meet_with_chunks, missing_chunks
from ..stats.bootstrap import problem_weights
from ..stats.counts import Counts, count_completions, join_counts
from ..stats.summary import summarise_counts
from ..stats.traits import TraitCounts, count_traits, join_trait_counts, trait_scores
from ..verify.grade import Grader
from ..verify.legacy import LegacyGrader
from .settings import EvaluateConfig, Target

GREEDY = -1
"""The `sample` of a greedy completion."""


@dataclass(frozen=True)
class _ScoredSet:
    """One checkpoint on one problem set, in chunks of problems."""

    target: Target
    name: str
    problems: list[Problem]
    at_once: int
    chunks: ParquetChunks

    def chunk(self, index: int) -> list[Problem]:
        return self.problems[index * self.at_once : (index + 1) * self.at_once]

    def completions(self, indices: Sequence[int]) -> int:
        return sum(len(self.chunk(index)) for index in indices) * (self.target.samples + 1)


def evaluate(
    config: EvaluateConfig,
    targets: Sequence[Target],
    sets: dict[str, list[Problem]],
    folder: Path,
    runtime: Runtime,
    labels: Labels,
) -> None:
    """Score each checkpoint on each problem set. After a kill it continues with the first missing chunk.

    Writes `records.parquet`, `problems.parquet` and `summary.json` into `folder`. Memory holds one
    chunk of completions and counts per problem, however many samples there are. With several ranks each
    scores its share of the chunks, and rank 0 writes the tables.
    """
    # A file's problems know their file by its bare name; scores and records must use one name.
    sets = {
        name: [replace(problem, problem_set=name) for problem in problems] for name, problems in sets.items()
    }
    parts = _parts(config, targets, sets, ResumePoint(folder).folder)
    chunks, ranks, runtime = [part.chunks for part in parts], runtime.ranks, replace(runtime, ranks=Ranks())
    all_missing = [(parts[number], index) for number, index in missing_chunks(chunks, ranks)]
    own = ranks.share(all_missing)
    to_do = sum(part.completions([index]) for part, index in own)
    of_others = sum(part.completions([index]) for part, index in all_missing) - to_do
    total = sum(part.completions(range(part.chunks.count)) for part in parts) - of_others
    with (
        Grader(config.grader) as ours,
        LegacyGrader(tier2=config.grader.tier2, beside=ours.runner) as legacy,
        progress_bar("evaluate", total, done=total - to_do, unit="completions") as bar,
    ):
        for target in targets:
            missing = [(part, index) for part, index in own if part.target is target]
            waiting = [problem for part, index in missing for problem in part.chunk(index)]
            engines = _engines(config, target, waiting, folder, runtime) if missing else []
            for part, index in missing:
                rows: list[dict[str, object]] = []
                for engine, samples in engines:
                    rows += graded_rows(
                        engine, Graders(ours, legacy), part.chunk(index), samples, labels, target.step
                    )
                    bar.advance(
                        len(part.chunk(index)) * len(samples), note=f"step {target.step}, {part.name}"
                    )
                part.chunks.write(index, records_frame(rows))
    meet_with_chunks(chunks, ranks)
    if ranks.is_main:
        _finish(config, parts, folder)


def _parts(
    config: EvaluateConfig, targets: Sequence[Target], sets: dict[str, list[Problem]], resume: Path
) -> list[_ScoredSet]:
    parts = []
    for target in targets:
        at_once = max(1, config.chunk_completions // target.samples)
        for index, (name, problems) in enumerate(sets.items()):
            check_problems(name, problems)
            count = -(-len(problems) // at_once)
            parts.append(
                _ScoredSet(
                    target,
                    name,
                    problems,
                    at_once,
                    ParquetChunks(resume, f"part_{target.step}_{index}", count),
                )
            )
    return parts


def check_problems(name: str, problems: Sequence[Problem]) -> None:
    """`UserError` where a set is empty or two of its problems share an id."""
    if not problems:
        raise UserError(f"{name}: holds no problems to evaluate on")
    repeated = [id for id, number in Counter(problem.id for problem in problems).items() if number > 1]
    if repeated:
        raise UserError(
            f"{name}: {len(repeated)} problem ids occur more than once, the first is {repeated[0]!r}; "
            "ids must be unique"
        )


def _engines(
    config: EvaluateConfig, target: Target, problems: Sequence[Problem], folder: Path, runtime: Runtime
) -> list[tuple[Engine, list[int]]]:
    """(engine, sample numbers) of one checkpoint: greedy, then sampling, in batches that fit into memory."""
    model, tokenizer = load_model(target.folder, runtime)
    tokenizer = tokenizer.prompting(config.prompt)
    prompts = tokenizer.encode_prompts([problem.question for problem in problems], config.prompt_suffix)
    max_rows = sampling_that_fits(config.sampling(0), model.config, prompts, folder, runtime).max_rows
    found = []
    for temperature, samples in ((0.0, [GREEDY]), (config.temperature, list(range(target.samples)))):
        sampling = config.sampling(temperature).model_copy(update={"max_rows": max_rows})
        engine = start_engine(model, tokenizer, sampling, runtime, config.prompt_suffix)
        found.append((engine, samples))
    return found


def _finish(config: EvaluateConfig, parts: Sequence[_ScoredSet], folder: Path) -> None:
    """Summaries and the two tables, from the chunks on disk."""
    summaries, tables = [], []
    for part in parts:
        row, columns = summarise_part(part.chunks.paths)
        split = part.problems[0].split if part.problems else ""
        head = {
            "problem_set": part.name,
            "split": split,
            "step": part.target.step,
            "temperature": config.temperature,
        }
        summaries.append(head | row)
        _warn_of_ungraded(part, row)
        tables.append(
            pl.DataFrame({"problem_set": part.name, "step": part.target.step} | columns, strict=False)
        )
    write_json(folder / "summary.json", summaries)
    pl.concat(tables, how="diagonal_relaxed").write_parquet(folder / "problems.parquet")
    join_chunks([path for part in parts for path in part.chunks.paths], folder / "records.parquet")


def _warn_of_ungraded(part: _ScoredSet, row: Mapping[str, object]) -> None:
    """Say so where too many completions could not be graded: the numbers are of the others alone."""
    ungraded, total = row["infrastructure"], part.completions(range(part.chunks.count))
    assert isinstance(ungraded, int), "a count"
    if ungraded > UNGRADED_LIMIT * total:
        say(
            f"evaluate, step {part.target.step}, {part.name}: {ungraded} of {total} completions could not be "
            "graded and are left out of every number; run `echochamber doctor`, and check your own "
            "formats' answer rules"
        )


def summarise_part(paths: Sequence[Path]) -> tuple[dict[str, object], dict[str, Sequence[object]]]:
    """Summary row and per-problem columns of one checkpoint on one set, from files of whole problems.

    Completions that the grader could not decide are counted apart and left out of every score.
    """
    counts, sampled, held = [], [], []
    infrastructure = 0
    for known, left_out in _known(paths):
        infrastructure += left_out
        counts.append(_count(known))
        chosen = known.filter(pl.col("sample") != GREEDY)
        held.append(_count_traits(chosen))
        sampled.append(
            chosen.group_by("outcome").agg(pl.len().cast(pl.Int64), pl.col("truncated").sum().cast(pl.Int64))
        )
    summary = summarise_counts(join_counts(counts), list(registered_formats()))
    outcomes = pl.concat(sampled).group_by("outcome").sum().sort("outcome")
    number = int(outcomes["len"].sum())
    truncated = int(outcomes["truncated"].sum()) / number if number else None
    extra = {
        "outcomes": dict(outcomes.select("outcome", "len").iter_rows()),
        "infrastructure": infrastructure,
        "truncated": truncated,
    }
    return summary.row | extra | _traits(summary.row, held), summary.problems


def _traits(row: Mapping[str, object], held: Sequence[TraitCounts]) -> dict[str, object]:
    """Scores of the tracked traits, and the row's intervals with theirs; {} where none is tracked."""
    names = list(registered_traits())
    if not names:
        return {}
    counts = join_trait_counts(held)
    values, bounds = trait_scores(counts, names, problem_weights(max(len(counts.samples), 1), 0))
    intervals = row["intervals"]
    assert isinstance(intervals, dict), "a block of intervals"
    return {"traits": values, "intervals": intervals | {"traits": bounds}}


def _known(paths: Sequence[Path]) -> Iterator[tuple[pl.DataFrame, int]]:
    """Per file the graded completions, without their texts, and how many could not be graded."""
    for path in paths:
        columns = ["problem_id", "sample", "format", "correct", "answer", "outcome", "truncated"]
        table = pl.read_parquet(path, columns=columns + [f"{COLUMN}{name}" for name in registered_traits()])
        known = table.filter(pl.col("outcome") != "infrastructure")
        yield known, len(table) - len(known)


def _count(known: pl.DataFrame) -> Counts:
    greedy = known.filter(pl.col("sample") == GREEDY)
    sampled = known.filter(pl.col("sample") != GREEDY)
    return count_completions(
        sampled["problem_id"].to_list(),
        sampled["format"].to_list(),
        sampled["correct"].to_list(),
        sampled["answer"].to_list(),
        dict(zip(greedy["problem_id"], greedy["correct"], strict=True)),
        list(registered_formats()),
    )


def _count_traits(sampled: pl.DataFrame) -> TraitCounts:
    holds = {name: sampled[f"{COLUMN}{name}"].to_list() for name in registered_traits()}
    return count_traits(sampled["problem_id"].to_list(), sampled["correct"].to_list(), holds)
