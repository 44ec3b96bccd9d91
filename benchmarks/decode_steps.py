"""Seconds of one sampled token per row in the engine in C, by model size and rows, beside the read bandwidth.

    python benchmarks/decode_steps.py [--sizes 0.8,10,40,150] [--rows 1,8,64,512] [--seconds 8]
        [--threads 2] [--against FOLDER]

Every step reads all weights but the embeddings, so the seconds that reading as many bytes takes bound it
from below where rows are few. Both are timed in turn, many times; the best of each is what an idle machine
would give. `--against` times the C sources of another version too, turn by turn, and says whether the drawn
tokens and their log-probabilities are the same bytes. Weights are random, prompts have 40 tokens, 30 are
written before.
"""

import argparse
import ctypes
import os
import subprocess
import tempfile
import time
from pathlib import Path

import numpy as np
import torch

from echochamber.core.random import key
from echochamber.model.config import ModelConfig
from echochamber.model.native import library
from echochamber.model.native.built import flags_of
from echochamber.model.native.decode import NativeDecoder
from echochamber.model.presets import num_parameters, preset
from echochamber.model.runtime import RuntimeConfig, start_runtime
from echochamber.model.sampling import SamplingConfig
from echochamber.model.stop import StopStrings
from echochamber.model.tokenizer import train_tokenizer
from echochamber.model.transformer import Transformer

PROMPT, WRITTEN, GROUP, NO_EOS = 40, 30, 8, 1 << 20


def shape(size: str) -> ModelConfig:
    """A Llama shape of about `size` million parameters."""
    if size in ("0.8", "3", "10"):
        return preset(f"nano-{size}m", 768 if size == "0.8" else 2048)
    width, feed_forward, layers, heads, vocabulary = {
        "40": (512, 1408, 12, 8, 4096),
        "150": (768, 2048, 18, 12, 16384),
    }[size]
    return ModelConfig(
        architecture="llama",
        vocab_size=vocabulary,
        hidden_size=width,
        intermediate_size=feed_forward,
        num_layers=layers,
        num_heads=heads,
        num_kv_heads=heads // 2,
        max_positions=512,
    )


def built(sources: Path) -> ctypes.CDLL:
    """The library of other sources; their functions must have today's arguments."""
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / "kernels.so"
        subprocess.run(
            ["cc", *flags_of(library.cell_dtype()), "-o", str(target), str(sources / "kernels.c"), "-lm"],
            check=True,
        )
        loaded = ctypes.CDLL(str(target))
    library._declare(loaded)
    return loaded


class Steps:
    """Rows in the middle of their completions, and one more token for all of them, as often as asked."""

    def __init__(self, config: ModelConfig, rows: int, threads: int) -> None:
        model = Transformer(config)
        model.init_weights(torch.Generator().manual_seed(0))
        model.use_native(threads)
        assert model.native is not None
        trunk, head = model.native
        trunk.weights.renew()
        head.weights.renew()
        group = min(GROUP, rows)
        prompts = np.random.default_rng(0).integers(0, config.vocab_size, (rows // group, PROMPT)).tolist()
        keys = np.array([[key(p, g) for g in range(group)] for p in range(len(prompts))], dtype=np.uint64)
        sampling = SamplingConfig(max_new_tokens=100, max_rows=rows)
        tokenizer = train_tokenizer(["a"], 258)
        self.decoder = NativeDecoder(
            model, trunk, head, prompts, group, sampling, (NO_EOS,), StopStrings((), tokenizer)
        )
        with torch.no_grad():
            self.decoder.admit([(p, g) for p in range(len(prompts)) for g in range(group)][::-1], keys)
        self.step(library.load(), WRITTEN)
        self.before = self.decoder.lengths.clone(), self.decoder.next_token.clone()

    def step(self, engine: ctypes.CDLL, count: int = 1) -> float:
        """Seconds of `count` tokens for every row."""
        d, rows = self.decoder, self.decoder.live.copy()
        started = time.perf_counter()
        engine.echo_decode(
            *d._structures(), rows.ctypes.data, len(rows), count, len(rows) + 1, 1.0, NO_EOS, d.threads
        )
        return time.perf_counter() - started

    def again(self, engine: ctypes.CDLL) -> tuple[float, bytes]:
        """Seconds of the same token once more, and the bytes of what was drawn."""
        self.decoder.lengths.copy_(self.before[0])
        self.decoder.next_token.copy_(self.before[1])
        seconds = self.step(engine)
        return seconds, self.decoder.next_token.numpy().tobytes() + self.decoder.logprobs.numpy().tobytes()


def read_seconds(numbers: torch.Tensor) -> float:
    """Seconds in which all threads of torch read these numbers once."""
    started = time.perf_counter()
    numbers.sum()
    return time.perf_counter() - started


def main() -> None:
    """Print one line per size and number of rows."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--sizes", default="0.8,10,40,150")
    parser.add_argument("--rows", default="1,8,64,512")
    parser.add_argument("--seconds", type=float, default=8.0)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--against", type=Path)
    chosen = parser.parse_args()
    start_runtime(RuntimeConfig(threads=chosen.threads, native="on"))
    engines = {"now": library.load()} | ({"other": built(chosen.against)} if chosen.against else {})
    for size in chosen.sizes.split(","):
        config = shape(size)
        numbers = torch.ones(num_parameters(config) - config.vocab_size * config.hidden_size)
        for rows in map(int, chosen.rows.split(",")):
            steps = Steps(config, rows, chosen.threads)
            best, drawn, read = dict.fromkeys(engines, 1e9), set(), 1e9
            until = time.perf_counter() + chosen.seconds
            while time.perf_counter() < until:
                for name, engine in engines.items():
                    seconds, bytes_ = steps.again(engine)
                    best[name] = min(best[name], seconds)
                    drawn.add(bytes_)
                read = min(read, read_seconds(numbers))
            print(
                f"{size:>4} M, {rows:3} rows: "
                + ", ".join(f"{name} {rows / seconds:,.0f} tokens/s" for name, seconds in best.items())
                + f"; read once a step: {rows / read:,.0f} ({4 * len(numbers) / read / 1e9:.1f} GB/s)"
                + ("" if len(engines) == 1 else f"; same bytes: {len(drawn) == 1}")
                + f"; load {os.getloadavg()[0]:.1f}",
                flush=True,
            )


if __name__ == "__main__":
    main()
