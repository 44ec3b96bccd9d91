"""Our own side at work: `python -m echochamber.bench.ours WORK WORKLOAD.json`, driven as the peers are."""

import json
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from ..core.keys import key
from ..core.metrics import read_metrics
from ..core.types import Problem
from ..model.checkpoint import load_checkpoint
from ..model.config import ModelConfig
from ..model.hf_config import from_hf
from ..model.optimizer import Optimizer
from ..model.peak import matrix_peak
from ..model.presets import flops_per_token, num_parameters, preset
from ..model.runtime import Runtime, speed_up, start_runtime
from ..model.settings import OptimizerConfig, RuntimeConfig, SamplingConfig
from ..model.tokenizer import Tokenizer
from ..model.transformer import Transformer
from ..rl.config import RLConfig
from ..rl.loop import rl
from ..rollout.engines import Engine, start_engine
from ..stages.pretrain import backward, loss_function
from .peer import Load, Request, Turns

NO_EOS = 1 << 20
"""An id that no model writes: completions never end early."""


def _runtime(load: Load) -> Runtime:
    return start_runtime(RuntimeConfig.parse({"dtype": load["dtype"], "threads": load["threads"]}, "bench"))


def sampling(load: Load, turns: Turns) -> None:
    """The workload's prompts, all samples of them, from the trained model."""
    runtime = _runtime(load)
    model, tokenizer = load_checkpoint(Path(load["checkpoint"]), runtime.device)
    settings = SamplingConfig(
        max_new_tokens=load["new_tokens"], max_rows=len(load["prompts"]) * load["samples"]
    )
    engine = start_engine(model, tokenizer, settings, runtime, "")
    turns.ready("torch")
    turns.serve(lambda request: draw(engine, load["prompts"], load["samples"], request["turn"]))


def draw(engine: Engine, prompts: list[list[int]], samples: int, turn: int) -> int:
    """Tokens sampled, EOS included."""
    keys = np.array(
        [[key("bench", turn, p, g) for g in range(samples)] for p in range(len(prompts))], dtype=np.uint64
    )
    return sum(len(one.token_ids) for group in engine.sample(prompts, keys) for one in group)


def training(load: Load, turns: Turns) -> None:
    """What `pretrain` does for a batch of random tokens, AdamW as in the peer."""
    runtime = _runtime(load)
    data = json.loads((Path(load["checkpoint"]) / "config.json").read_text(encoding="utf-8"))
    step = training_step(from_hf(data, load["checkpoint"]), load["train_batch"], runtime)

    def work(request: Request) -> int:
        return sum(step() for _ in range(load["train_steps"]))

    turns.ready("torch")
    turns.serve(work)


def training_step(config: ModelConfig, shape: list[int], runtime: Runtime) -> Callable[[], int]:
    """One optimizer step on random tokens of `shape` (B, T); returns how many there were."""
    model = Transformer(config)
    model.init_weights(torch.Generator().manual_seed(0))
    speed_up(model, runtime)
    optimizer = Optimizer(model, OptimizerConfig())
    loss_of = loss_function(model, runtime)
    tokens = torch.randint(
        config.vocab_size, (shape[0], shape[1] + 1), generator=torch.Generator().manual_seed(0)
    )
    batch = (tokens[:, :-1].contiguous(), tokens[:, 1:].contiguous(), None)

    def step() -> int:
        backward(loss_of, batch, shape[0], shape[0])
        optimizer.step(1.0)
        return shape[0] * shape[1]

    return step


def grpo(load: Load, turns: Turns) -> None:
    """The `rl` stage itself, some steps a turn from the trained model. The first one is not reported."""
    config = RLConfig.parse(load["grpo"], "bench")
    problems = [
        Problem(f"bench-{i}", text.removesuffix(config.prompt_suffix), reference)
        for i, (text, reference) in enumerate(load["problems"])
    ]
    runtime = _runtime(load)
    turns.ready("torch")
    while (request := turns.request()) is not None:
        with tempfile.TemporaryDirectory(dir=load["scratch"]) as folder:
            rl(config, request["turn"], Path(load["checkpoint"]), problems, Path(folder), runtime)
            timing = read_metrics(Path(folder) / "timing.jsonl")
            lengths = [row["completion/length_mean"] for row in read_metrics(Path(folder) / "metrics.jsonl")]
        rows = config.prompts_per_step * config.samples_per_prompt
        turns.report(
            seconds=[row["step_s"] for row in timing[1:]], tokens=round(rows * statistics.mean(lengths[1:]))
        )


def peak(load: Load, turns: Turns) -> None:
    """GFLOP/s of square matrix products: tokens stand for GFLOP."""
    _runtime(load)
    turns.ready("torch")
    while turns.request() is not None:
        turns.report(seconds=[1.0], tokens=round(matrix_peak(getattr(torch, load["dtype"])) / 1e9))


def growth(load: Load, turns: Turns) -> None:
    """One point of the growth curves: size, batch and length, on random weights that never stop early."""
    runtime = _runtime(load)
    turns.ready("torch")
    while (request := turns.request()) is not None:
        config = preset(request["size"], load["vocab_size"], 2048)
        measure = _sampling_point if request["work"] == "sampling" else _training_point
        seconds, tokens = measure(config, request, runtime)
        flops = flops_per_token(config, request["length"]) if request["work"] == "training" else 0
        turns.report(seconds=seconds, tokens=tokens, parameters=num_parameters(config), flops_per_token=flops)


def _sampling_point(config: ModelConfig, request: Request, runtime: Runtime) -> tuple[list[float], int]:
    model = Transformer(config).to(runtime.device)
    model.init_weights(torch.Generator().manual_seed(0))
    samples = min(8, request["batch"])
    prompts = (
        np.random.default_rng(0).integers(0, config.vocab_size, (request["batch"] // samples, 40)).tolist()
    )
    settings = SamplingConfig(max_new_tokens=request["length"], max_rows=request["batch"])
    engine = start_engine(model, _endless_tokenizer(), settings, runtime, "")
    return _timed(lambda: draw(engine, prompts, samples, 0), request["repeats"])


def _training_point(config: ModelConfig, request: Request, runtime: Runtime) -> tuple[list[float], int]:
    return _timed(training_step(config, [request["batch"], request["length"]], runtime), request["repeats"])


def _timed(work: Callable[[], int], repeats: int) -> tuple[list[float], int]:
    """Seconds of every repeat after one that is not counted, and the tokens of one."""
    tokens, seconds = work(), []
    for _ in range(repeats):
        started = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - started)
    return seconds, tokens


def _endless_tokenizer() -> Tokenizer:
    """Knows one letter; what it decodes is never looked at."""
    from ..model.tokenizer import train_tokenizer

    tokenizer = train_tokenizer(["a"], 258)
    tokenizer.eos_id = NO_EOS
    return tokenizer


WORKS: dict[str, Callable[[Load, Turns], None]] = {
    "sampling": sampling,
    "training": training,
    "grpo": grpo,
    "peak": peak,
    "growth": growth,
}

if __name__ == "__main__":
    WORKS[sys.argv[1]](json.loads(Path(sys.argv[2]).read_text(encoding="utf-8")), Turns())
