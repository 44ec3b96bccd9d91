"""Log-probabilities of the same completions under two checkpoints, token by token."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from ..core.errors import UserError
from ..core.types import Problem
from ..model.decoder import Decoder
from ..model.load_model import load_model
from ..model.runtime import Runtime
from ..model.settings import SamplingConfig
from ..model.tokenizer import Tokenizer
from ..rollout.collect import Rollout
from ..rollout.demonstrations import Demonstration, collect_demonstrations
from ..rollout.engines import Engine, start_engine
from ..rollout.sample_and_grade import drawn
from ..rollout.score import all_logprobs
from ..verify.grade import Grader

TOKENS_AT_ONCE = 8192
"""Packed tokens of one forward pass; affects memory only."""
OWN, REFERENCE, GIVEN = "checkpoint", "reference", "given"
SCHEMA: dict[str, pl.DataType | type[pl.DataType]] = {
    "problem_set": pl.String,
    "problem_id": pl.String,
    "writer": pl.String,  # whose completion it is: checkpoint, reference or given
    "sample": pl.Int32,
    "text": pl.String,
    "format": pl.String,
    "correct": pl.Boolean,
    "num_tokens": pl.Int32,  # EOS included
    "logprob": pl.Float64,  # sum over the tokens under the checkpoint, nats
    "logprob_reference": pl.Float64,  # the same under the reference; null without one
    "tokens": pl.List(pl.String),
    "logprobs": pl.List(pl.Float32),  # token by token, as long as `tokens`
    "logprobs_reference": pl.List(pl.Float32),
}
"""Columns of `likelihood.parquet`."""


@dataclass(frozen=True)
class Scoring:
    """The checkpoint and its reference, and how they score completions."""

    model: Decoder
    reference: Decoder | None
    tokenizer: Tokenizer
    runtime: Runtime
    grader: Grader
    temperature: float
    prompt_suffix: str
    max_new_tokens: int

    @classmethod
    def load(
        cls,
        model: Decoder,
        tokenizer: Tokenizer,
        reference: Path | None,
        temperature: float,
        prompt_suffix: str,
        max_new_tokens: int,
        runtime: Runtime,
        grader: Grader,
    ) -> "Scoring":
        """Also load the reference; `UserError` where its tokenizer differs from the checkpoint's."""
        other = None
        if reference is not None:
            other, its_tokenizer = load_model(reference, runtime)
            sample = "def f(x):\n    return 17 * x  # Let's go, \\boxed{18}"
            if (
                its_tokenizer.encode(sample) != tokenizer.encode(sample)
                or its_tokenizer.vocab_size != tokenizer.vocab_size
            ):
                raise UserError(
                    f"{reference}: has another tokenizer than the checkpoint, so their log-probabilities "
                    "cannot be compared token by token"
                )
        return cls(model, other, tokenizer, runtime, grader, temperature, prompt_suffix, max_new_tokens)

    def sampled(
        self, engine: Engine, problems: list[Problem], samples: Sequence[int], seed: int
    ) -> dict[str, list[Rollout]]:
        """Completions of the checkpoint and of its reference, by writer."""
        assert self.reference is not None
        other = start_engine(
            self.reference, self.tokenizer, engine.sampling, self.runtime, self.prompt_suffix
        )
        return {
            name: self._rollouts(one, problems, samples, seed)
            for name, one in ((OWN, engine), (REFERENCE, other))
        }

    def _rollouts(
        self, engine: Engine, problems: list[Problem], samples: Sequence[int], seed: int
    ) -> list[Rollout]:
        prompts = dict(
            zip((p.id for p in problems), engine.encode([p.question for p in problems]), strict=True)
        )
        items = drawn(engine, problems, samples, seed)
        verdicts = self.grader.grade_batch([(p, c.text) for p, c in items])
        return [
            Rollout(p, samples[i % len(samples)], tuple(prompts[p.id]), c, verdict, None)
            for i, ((p, c), verdict) in enumerate(zip(items, verdicts, strict=True))
        ]

    def demonstrated(self, demonstrations: Sequence[Demonstration]) -> dict[str, list[Rollout]]:
        """Completions of a file; one that does not fit the model's positions is a `UserError`."""
        engine = start_engine(self.model, self.tokenizer, SamplingConfig(), self.runtime, self.prompt_suffix)
        rollouts = collect_demonstrations(
            demonstrations, engine, self.grader, self.model.config.max_positions
        ).rollouts
        for rollout in rollouts:
            length = len(rollout.prompt_ids) + len(rollout.completion.token_ids)
            if length > self.model.config.max_positions:
                raise UserError(
                    f"{rollout.problem.problem_set}, {rollout.problem.id}: {length} tokens, "
                    f"the model has {self.model.config.max_positions} positions"
                )
        return {GIVEN: list(rollouts)}


def likelihood_frame(written: dict[str, list[Rollout]], scoring: Scoring) -> pl.DataFrame:
    """One row per completion with its log-probabilities under the checkpoint and under the reference."""
    rollouts = [rollout for found in written.values() for rollout in found]
    writers = [writer for writer, found in written.items() for _ in found]
    own = _scores(scoring.model, rollouts, scoring)
    other = (
        _scores(scoring.reference, rollouts, scoring)
        if scoring.reference is not None
        else [None] * len(rollouts)
    )
    rows = [_row(*cells, scoring.tokenizer) for cells in zip(rollouts, writers, own, other, strict=True)]
    return pl.DataFrame(rows, schema=SCHEMA, orient="row")


def _scores(model: Decoder, rollouts: list[Rollout], scoring: Scoring) -> list[list[float]]:
    found = all_logprobs(model, rollouts, scoring.temperature, TOKENS_AT_ONCE, scoring.runtime)
    return [values.tolist() for values in found]


def _row(
    rollout: Rollout, writer: str, own: list[float], other: list[float] | None, tokenizer: Tokenizer
) -> dict[str, object]:
    problem, completion = rollout.problem, rollout.completion
    ids = completion.token_ids
    texts = tokenizer.decode_batch([[token] for token in ids])
    return {
        "problem_set": problem.problem_set,
        "problem_id": problem.id,
        "writer": writer,
        "sample": rollout.sample,
        "text": completion.text,
        "format": rollout.verdict.format,
        "correct": rollout.verdict.correct,
        "num_tokens": len(ids),
        "logprob": sum(own),
        "logprob_reference": None if other is None else sum(other),
        "tokens": [
            "<end>" if token == tokenizer.eos_id else text for token, text in zip(ids, texts, strict=True)
        ],
        "logprobs": own,
        "logprobs_reference": other,
    }
