"""Completions of one question, for a person to read."""

from pathlib import Path
from typing import Any

from ..core.formats import format_row
from ..core.types import Problem, Verdict
from ..model.checkpoint import load_checkpoint
from ..model.runtime import RuntimeConfig, start_runtime
from ..model.sampling import SamplingConfig
from ..rollout.collect import stream_keys
from ..rollout.engines import NativeEngine
from ..verify.grade import Grader
from .checkpoints import find_checkpoint

PROMPT_SUFFIX = "\n\n"


def sample_checkpoint(
    checkpoint: str | Path,
    question: str,
    number: int,
    form: str | None,
    reference: str,
    settings: dict[str, Any],
    seed: int,
) -> list[tuple[str, Verdict, bool]]:
    """(text, verdict, truncated) of `number` completions; a forced opening is part of the text."""
    opening = format_row(form).opening if form else ""
    sampling = SamplingConfig.parse(settings, "sample")
    runtime = start_runtime(RuntimeConfig())
    model, tokenizer = load_checkpoint(find_checkpoint(checkpoint), runtime.device)
    engine = NativeEngine(model, tokenizer, sampling, runtime, PROMPT_SUFFIX)
    problem = Problem("question", question, reference)
    prompt = engine.encode([question])[0] + tokenizer.encode(opening)
    (group,) = engine.sample([prompt], stream_keys([problem], range(number), seed, 0))
    texts = [opening + completion.text for completion in group]
    with Grader() as grader:
        verdicts = grader.grade_batch([(problem, text) for text in texts])
    return [
        (text, verdict, completion.truncated)
        for text, verdict, completion in zip(texts, verdicts, group, strict=True)
    ]
