"""Tokens per second of our sampler and of transformers' `generate`, on one model and the same prompts.

    python benchmarks/generate_speed.py FOLDER PROBLEMS [--prompts 8] [--samples 8] [--tokens 24] [--turns 3]

Both sample at temperature 1 in float32, in turns, in one process with the same number of threads, until
the end token or the limit. Prompts are questions with "\\nAnswer:" behind them. Processor time is that of
all threads; beside other work it is the figure to compare. A first turn of each warms up and is left out.
"""

import argparse
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import torch

from echochamber.core.types import Problem
from echochamber.model.load_model import load_model
from echochamber.model.runtime import RuntimeConfig, start_runtime
from echochamber.model.sampling import SamplingConfig
from echochamber.rollout.collect import stream_keys
from echochamber.rollout.engines import start_engine
from echochamber.study.named_problems import named_problems

SUFFIX = "\nAnswer:"
Draw = Callable[[], int]
"""Samples once and returns the number of tokens."""


def ours(folder: Path, problems: list[Problem], samples: int, tokens: int, threads: int) -> Draw:
    """Our engine, as RL and evaluation use it."""
    runtime = start_runtime(RuntimeConfig(threads=threads, dtype="float32"))
    model, tokenizer = load_model(folder, runtime)
    engine = start_engine(model, tokenizer, SamplingConfig(max_new_tokens=tokens), runtime, SUFFIX)
    prompts = engine.encode([problem.question for problem in problems])
    keys = stream_keys(problems, range(samples), seed=0, step=0)
    return lambda: sum(len(c.token_ids) for group in engine.sample(prompts, keys) for c in group)


def theirs(folder: Path, problems: list[Problem], samples: int, tokens: int) -> Draw:
    """`generate` on the same texts in one batch, padded on the left."""
    from transformers import AutoModelForCausalLM, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(folder, padding_side="left")
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    batch = tokenizer([problem.question + SUFFIX for problem in problems], padding=True, return_tensors="pt")
    width = batch.input_ids.shape[1]
    end = tokenizer.eos_token_id

    def draw() -> int:
        found = model.generate(
            **batch,
            do_sample=True,
            temperature=1.0,
            top_k=0,
            num_return_sequences=samples,
            max_new_tokens=tokens,
            pad_token_id=end,
        )[:, width:]
        ended = (found == end).int().cumsum(dim=1) - (found == end).int()
        return int((ended == 0).sum())

    return draw


def timed(draw: Draw) -> tuple[float, float]:
    """Tokens per second of processor time, and of the clock."""
    processor, clock = time.process_time(), time.perf_counter()
    count = draw()
    return count / (time.process_time() - processor), count / (time.perf_counter() - clock)


def main() -> None:
    """Print the medians, and how often ours is as fast."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("problems")
    for name, default in (("prompts", 8), ("samples", 8), ("tokens", 24), ("turns", 3), ("threads", 1)):
        parser.add_argument(f"--{name}", type=int, default=default)
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    problems = named_problems(given.problems, given.prompts)
    draws = {
        "ours": ours(given.folder, problems, given.samples, given.tokens, given.threads),
        "transformers": theirs(given.folder, problems, given.samples, given.tokens),
    }
    for draw in draws.values():
        draw()
    speeds = [{name: timed(draw) for name, draw in draws.items()} for _ in range(given.turns)]
    for place, unit in enumerate(("of processor time", "by the clock")):
        found = {name: median(turn[name][place] for turn in speeds) for name in draws}
        ratio = found["ours"] / found["transformers"]
        print(f"{unit}: " + ", ".join(f"{n} {v:.0f} tokens/s" for n, v in found.items()) + f", {ratio:.2f}x")


if __name__ == "__main__":
    main()
