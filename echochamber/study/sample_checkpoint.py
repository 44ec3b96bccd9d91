"""Completions of one question, for a person to read."""

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from ..core.errors import UserError
from ..core.formats import format_row
from ..core.jsonl import is_text
from ..core.types import Problem, Verdict
from ..model.load_model import load_model, take_engine
from ..model.prompt import PromptConfig
from ..model.runtime import start_runtime
from ..model.settings import RuntimeConfig, SamplingConfig
from ..rollout.collect import stream_keys
from ..rollout.engines import start_engine
from ..verify.grade import Grader
from .checkpoint_context import checkpoint_context
from .checkpoints import find_checkpoint


class SampledCompletion(NamedTuple):
    """One completion and what the grader says of it."""

    text: str
    """With a forced opening, where there was one."""
    verdict: Verdict
    truncated: bool
    """It was cut at `max_new_tokens`."""


def sample_checkpoint(
    checkpoint: str | Path,
    question: str,
    number: int,
    format_name: str | None,
    reference: str,
    settings: Mapping[str, object],
    seed: int,
    runtime: RuntimeConfig | None = None,
) -> list[SampledCompletion]:
    """`number` completions of one question; `format_name` forces a format by its opening text.

    Settings that are None have the value of the checkpoint's study.
    """
    for name, text in (("question", question), ("reference", reference)):
        if not is_text(text):
            raise UserError(
                f"{name} {text!r:.60} holds a byte that is not UTF-8, or half of a surrogate pair"
            )
    folder = find_checkpoint(checkpoint)
    context = checkpoint_context(folder, settings=settings)
    given = context.complete(settings)
    suffix, asked = str(given.pop("prompt_suffix")), given.pop("prompt")
    assert isinstance(asked, Mapping), "the context completes it"
    sampling = SamplingConfig.parse(given, "sample")
    problem = Problem("question", question, reference)
    with context.formats():
        opening = format_row(format_name).opening if format_name else ""
        started = start_runtime(take_engine(runtime or RuntimeConfig(), folder))
        model, tokenizer = load_model(folder, started)
        tokenizer = tokenizer.prompting(PromptConfig.parse(asked, "prompt"))
        engine = start_engine(model, tokenizer, sampling, started, suffix)
        prompt = engine.encode([question])[0] + tokenizer.encode(opening)
        (group,) = engine.sample([prompt], stream_keys([problem], range(number), seed, 0))
        texts = [opening + completion.text for completion in group]
        with Grader() as grader:
            verdicts = grader.grade_batch([(problem, text) for text in texts])
    return [
        SampledCompletion(text, verdict, completion.truncated)
        for text, verdict, completion in zip(texts, verdicts, group, strict=True)
    ]
