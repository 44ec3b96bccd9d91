"""Probe: accuracy under forced formats and other temperatures, and likelihoods of completions.

Forced decoding starts every completion with a format's opening text. The temperature sweep samples
without forcing. The likelihood part (stages/likelihood.py) scores completions under two checkpoints.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import polars as pl

from ..core.errors import UserError
from ..core.files import write_json
from ..core.parquet_chunks import ParquetChunks, join_chunks
from ..core.progress import Bar, progress_bar
from ..core.records import records_frame
from ..core.resume import ResumePoint
from ..core.types import Problem
from ..model.decoder import Decoder
from ..model.load_model import load_model
from ..model.ranks import Ranks
from ..model.runtime import Runtime
from ..model.settings import SamplingConfig
from ..model.tokenizer import Tokenizer
from ..rollout.demonstrations import Demonstration
from ..rollout.engines import start_engine
from ..rollout.sample_and_grade import Graders, Labels, graded_rows
from ..rollout.shared_chunks import meet_with_chunks, missing_chunks
from ..verify.grade import Grader
from ..verify.legacy import LegacyGrader
from .evaluate import GREEDY, check_problems
from .likelihood import Scoring, likelihood_frame
from .probe_summary import forced_rows, likelihood_rows, sweep_rows
from .settings import ProbeConfig

FORCED, SWEEP, LIKELIHOOD = "forced", "sweep", "likelihood"


@dataclass(frozen=True)
class Checkpoint:
    """A checkpoint and the step it is of."""

    step: int
    folder: Path


@dataclass(frozen=True)
class _Job:
    """One measurement on one problem set, in chunks of problems."""

    table: str
    label: str
    name: str
    problems: list[Problem]
    samples: list[int]
    at_once: int
    chunks: ParquetChunks
    temperature: float
    opening: str = ""

    def chunk(self, index: int) -> list[Problem]:
        return self.problems[index * self.at_once : (index + 1) * self.at_once]

    def work(self, indices: Sequence[int]) -> int:
        return sum(len(self.chunk(index)) for index in indices) * len(self.samples)


@dataclass(frozen=True)
class _Loaded:
    """The loaded checkpoint and everything that a probe runs with."""

    config: ProbeConfig
    runtime: Runtime
    graders: Graders
    labels: Labels
    step: int
    model: Decoder
    tokenizer: Tokenizer
    scoring: Scoring


def probe(
    config: ProbeConfig,
    checkpoint: Checkpoint,
    reference: Checkpoint | None,
    demonstrations: Sequence[Demonstration],
    sets: dict[str, list[Problem]],
    folder: Path,
    runtime: Runtime,
    labels: Labels,
) -> None:
    """Probe one checkpoint. After a kill it continues with the first missing chunk, to the same bytes.

    Writes `forced.parquet` and `sweep.parquet` (records, docs/evaluation.md), `likelihood.parquet`
    where there is a `reference` or there are `demonstrations`, and `summary.json`. Ranks share the chunks.
    """
    resume = ResumePoint(folder).folder
    jobs = list(_jobs(config, sets, resume, reference is not None))
    demonstration_chunk = ParquetChunks(resume, "given", 1 if demonstrations else 0)
    chunks = [*(job.chunks for job in jobs), demonstration_chunk]
    ranks, runtime = runtime.ranks, replace(runtime, ranks=Ranks())
    all_missing = missing_chunks(chunks, ranks)
    own = ranks.share(all_missing)
    to_do, left = (
        sum(job.work(_of(number, found)) for number, job in enumerate(jobs)) for found in (own, all_missing)
    )
    total = sum(job.work(range(job.chunks.count)) for job in jobs) - (left - to_do)
    with (
        Grader(config.grader) as ours,
        LegacyGrader(tier2=config.grader.tier2, beside=ours.runner) as legacy,
        progress_bar("probe", total, done=total - to_do, unit="completions") as bar,
    ):
        if own:
            model, tokenizer = load_model(checkpoint.folder, runtime)
            tokenizer = tokenizer.prompting(config.prompt)
            scoring = _scoring(config, model, tokenizer, reference, runtime, ours)
            loaded = _Loaded(
                config, runtime, Graders(ours, legacy), labels, checkpoint.step, model, tokenizer, scoring
            )
            for number, job in enumerate(jobs):
                _run(job, _of(number, own), loaded, bar)
            if _of(len(jobs), own):
                demonstration_chunk.write(0, likelihood_frame(scoring.demonstrated(demonstrations), scoring))
    meet_with_chunks(chunks, ranks)
    if ranks.is_main:
        _finish(jobs, demonstration_chunk, checkpoint, folder)


def _of(number: int, chunks: Sequence[tuple[int, int]]) -> list[int]:
    """Indices of those chunks that are of one table."""
    return [index for table, index in chunks if table == number]


def _scoring(
    config: ProbeConfig,
    model: Decoder,
    tokenizer: Tokenizer,
    reference: Checkpoint | None,
    runtime: Runtime,
    grader: Grader,
) -> Scoring:
    folder = reference.folder if reference else None
    return Scoring.load(
        model,
        tokenizer,
        folder,
        config.temperature,
        config.prompt_suffix,
        config.max_new_tokens,
        runtime,
        grader,
    )


def _jobs(
    config: ProbeConfig, sets: dict[str, list[Problem]], resume: Path, compared: bool
) -> Iterator[_Job]:
    several = list(range(config.samples))
    for index, (name, found) in enumerate(sets.items()):
        problems = found[: config.count]
        check_problems(name, problems)

        def job(table: str, label: str, samples: list[int], temperature: float, opening: str = "") -> _Job:
            at_once = max(1, config.chunk_completions // len(samples))
            chunks = ParquetChunks(resume, f"{table}_{label}_{index}", -(-len(problems) // at_once))  # noqa: B023
            return _Job(table, label, name, problems, samples, at_once, chunks, temperature, opening)  # noqa: B023

        for format_name, opening in config.forced().items():
            yield job(FORCED, format_name, several, config.temperature, opening)
        for position, temperature in enumerate(config.temperatures):
            yield job(SWEEP, str(position), several if temperature else [GREEDY], temperature)
        if compared and config.likelihood_samples:
            yield job(LIKELIHOOD, "own", list(range(config.likelihood_samples)), config.temperature)


def _run(job: _Job, chunks: Sequence[int], loaded: _Loaded, bar: Bar) -> None:
    if not chunks:
        return
    config = loaded.config
    tokens_left = (
        config.max_new_tokens - len(loaded.tokenizer.encode(job.opening))
        if job.opening
        else config.max_new_tokens
    )
    if tokens_left < 1:
        raise UserError(
            f"the opening of {job.label} leaves no token within max_new_tokens {config.max_new_tokens}"
        )
    sampling = SamplingConfig(
        temperature=job.temperature, max_new_tokens=tokens_left, max_rows=config.max_rows
    )
    engine = start_engine(loaded.model, loaded.tokenizer, sampling, loaded.runtime, config.prompt_suffix)
    for index in chunks:
        problems = job.chunk(index)
        if job.table == LIKELIHOOD:
            table = likelihood_frame(
                loaded.scoring.sampled(engine, problems, job.samples, loaded.labels.seed), loaded.scoring
            )
        else:
            rows = graded_rows(
                engine, loaded.graders, problems, job.samples, loaded.labels, loaded.step, job.opening
            )
            table = records_frame(rows)
            table = table.with_columns(forced_format=pl.lit(job.label)) if job.table == FORCED else table
        job.chunks.write(index, table)
        bar.advance(len(problems) * len(job.samples), note=f"{job.table} {job.label}, {job.name}")


def _finish(jobs: Sequence[_Job], given: ParquetChunks, checkpoint: Checkpoint, folder: Path) -> None:
    summary: list[dict[str, object]] = []
    summaries = {FORCED: forced_rows, SWEEP: sweep_rows, LIKELIHOOD: likelihood_rows}
    for table, summarised in summaries.items():
        paths = [path for job in jobs if job.table == table for path in job.chunks.paths]
        paths += given.paths if table == LIKELIHOOD else []
        if paths:
            join_chunks(paths, folder / f"{table}.parquet")
            summary += [
                {"kind": table, "step": checkpoint.step} | row
                for row in summarised(pl.scan_parquet(folder / f"{table}.parquet"))
            ]
    write_json(folder / "summary.json", summary)
