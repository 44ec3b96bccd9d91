"""Tokens per second of sampling and of one GRPO fit on this machine, without a trained model.

    python benchmarks/bench_engine.py [--size nano-0.8m] [--threads 2] [--repeats 5]

Weights are random and EOS never comes, so every completion has its full 60 tokens; a trained model
ends completions at different lengths and is somewhat slower per token. Medians over the repeats.
"""

import argparse
import statistics
import time
from collections.abc import Callable

import numpy as np
import torch

from echochamber.core.random import key
from echochamber.core.types import Completion, Problem, Verdict
from echochamber.formulas.logprobs import token_logprobs
from echochamber.model.presets import num_parameters, preset
from echochamber.model.runtime import Runtime, RuntimeConfig, start_runtime
from echochamber.model.sampling import SamplingConfig
from echochamber.model.tokenizer import train_tokenizer
from echochamber.model.transformer import Transformer
from echochamber.rollout.batch import batches
from echochamber.rollout.collect import Rollout
from echochamber.rollout.engines import NativeEngine
from echochamber.rollout.score import batch_logits

VOCAB, PROMPT, NEW, PROMPTS, GROUP = 768, 40, 60, 32, 8


def median_seconds(work: Callable[[], object], repeats: int) -> float:
    """Median wall time after one warm-up."""
    times = []
    for _ in range(repeats + 1):
        started = time.perf_counter()
        work()
        times.append(time.perf_counter() - started)
    return statistics.median(times[1:])


def sample(model: Transformer, runtime: Runtime) -> list[list[Completion]]:
    """32 prompts x 8 completions of 60 tokens."""
    tokenizer = train_tokenizer(["a b c"], 300)
    tokenizer.eos_id = VOCAB  # no such token: completions never end early
    prompts = np.random.default_rng(0).integers(0, VOCAB, (PROMPTS, PROMPT)).tolist()
    keys = np.array([[key(p, g) for g in range(GROUP)] for p in range(PROMPTS)], dtype=np.uint64)
    sampling = SamplingConfig(max_new_tokens=NEW, max_rows=512)
    return list(NativeEngine(model, tokenizer, sampling, runtime, "").sample(prompts, keys))


def fit(model: Transformer, runtime: Runtime, rollouts: list[Rollout]) -> None:
    """Forward and backward over all completions."""
    for batch in batches(rollouts, {}, 4096, runtime.compile):
        token_logprobs(batch_logits(model, batch, runtime), batch.targets, 1.0).sum().backward()
    model.zero_grad()


def train(model: Transformer, runtime: Runtime) -> None:
    """Forward and backward of 32 x 256 packed tokens."""
    tokens = torch.randint(0, VOCAB, (32, 257), generator=torch.Generator().manual_seed(0))
    with runtime.autocast():
        logits = model(tokens[:, :-1])
    torch.nn.functional.cross_entropy(logits.float().flatten(0, 1), tokens[:, 1:].reshape(-1)).backward()
    model.zero_grad()


def main() -> None:
    """Print one line per kind of work."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", default="nano-0.8m")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--compile", choices=("on", "off"), default="off")
    args = parser.parse_args()
    runtime = start_runtime(RuntimeConfig(threads=args.threads, compile=args.compile))
    config = preset(args.size, VOCAB)
    model = Transformer(config)
    model.init_weights(torch.Generator().manual_seed(0))
    print(
        f"{args.size}: {num_parameters(config):,} parameters, "
        f"{args.threads} threads, {runtime.dtype}, compile {args.compile}"
    )
    seconds = median_seconds(lambda: sample(model, runtime), args.repeats)
    print(
        f"sampling  {PROMPTS * GROUP * NEW / seconds:10,.0f} tokens/s   "
        f"{seconds:.2f} s for {PROMPTS} x {GROUP} x {NEW}"
    )
    groups = sample(model, runtime)
    prompt = tuple(range(2, 2 + PROMPT))
    rollouts = [
        Rollout(Problem(str(p), "", "1"), g, (p, *prompt[1:]), c, Verdict("other", None, "wrong"), 0.0)
        for p, group in enumerate(groups)
        for g, c in enumerate(group)
    ]
    if runtime.compile:
        model.compile_blocks()
    started = time.perf_counter()
    train(model, runtime)
    print(f"first training pass {time.perf_counter() - started:.1f} s")
    seconds = median_seconds(lambda: train(model, runtime), args.repeats)
    print(f"training  {32 * 256 / seconds:10,.0f} tokens/s   {seconds:.2f} s for 32 x 256")
    started = time.perf_counter()
    fit(model, runtime, rollouts)
    print(f"first fit {time.perf_counter() - started:.1f} s")
    seconds = median_seconds(lambda: fit(model, runtime, rollouts), args.repeats)
    print(
        f"fit       {PROMPTS * GROUP * NEW / seconds:10,.0f} completion tokens/s   "
        f"{seconds:.2f} s for all {PROMPTS * GROUP}"
    )


if __name__ == "__main__":
    main()
