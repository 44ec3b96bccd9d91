"""One optimizer step of the paper's 150M model on 8 x 2,048 tokens: seconds and peak memory.

    python benchmarks/step_150m.py [--size paper-150m] [--sequences 8] [--length 2048]
        [--microbatch 1] [--steps 2]

Runs what `pretrain` runs (float32 weights, AdamW, compute in bf16 where the CPU has it, no compiler; the
engine in C where it runs), on random tokens. Prints the machine's load beside the
figures: on a busy machine the time says nothing.
"""

import argparse
import os
import resource
import time

import torch

from echochamber.model.fit_memory import fitting_tokens, free_bytes, token_bytes
from echochamber.model.optimizer import Optimizer, OptimizerConfig
from echochamber.model.presets import PAPER_VOCAB_SIZE, flops_per_token, num_parameters, preset
from echochamber.model.runtime import RuntimeConfig, speed_up, start_runtime
from echochamber.model.transformer import Transformer
from echochamber.stages.pretrain import backward, loss_function


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--size", default="paper-150m")
    for name, value in (("sequences", 8), ("length", 2048), ("microbatch", 1), ("steps", 2), ("threads", 2)):
        parser.add_argument(f"--{name}", type=int, default=value)
    chosen = parser.parse_args()
    runtime = start_runtime(RuntimeConfig(threads=chosen.threads, compile="off"))
    config = preset(chosen.size, PAPER_VOCAB_SIZE, chosen.length)
    free = free_bytes(runtime.device)
    model = Transformer(config)
    model.init_weights(torch.Generator().manual_seed(0))
    optimizer = Optimizer(model, OptimizerConfig())
    speed_up(model, runtime)
    native = runtime.threads if model.native else 0
    loss_of = loss_function(model, runtime)
    shape = (chosen.sequences, chosen.length + 1)
    print(
        f"{chosen.size}: {num_parameters(config):,} parameters, {runtime.dtype}, "
        f"{chosen.sequences} x {chosen.length} tokens, {chosen.microbatch} at once"
    )
    print(
        f"free at the start {free / 2**30:.1f} GiB: room for about "
        f"{fitting_tokens(config, free, native):,.0f} tokens of "
        f"{token_bytes(config, native > 0):,} bytes at once"
    )
    for step in range(chosen.steps):
        tokens = torch.randint(config.vocab_size, shape, generator=torch.Generator().manual_seed(step))
        started = time.perf_counter()
        loss = backward(loss_of, (tokens[:, :-1], tokens[:, 1:], None), chosen.sequences, chosen.microbatch)
        optimizer.step(1.0)
        seconds = time.perf_counter() - started
        count = chosen.sequences * chosen.length
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
        rate = count * flops_per_token(config, chosen.length) / seconds / 1e9
        load = ", ".join(f"{value:.1f}" for value in os.getloadavg())
        print(
            f"step {step + 1}: {seconds:.1f} s, {count / seconds:,.0f} tokens/s, {rate:,.0f} GFLOP/s, "
            f"peak {peak:.1f} GiB, loss {loss:.3f}, load {load}",
            flush=True,
        )


if __name__ == "__main__":
    main()
