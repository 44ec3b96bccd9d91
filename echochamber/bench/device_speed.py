"""`doctor --gpu`: how fast a device trains, samples and saves, beside what it could reach."""

import operator
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import torch
from torch import nn

from ..model.attention_ranges import AttentionRanges
from ..model.checkpoint import save_checkpoint
from ..model.peak import matrix_peak, stated_peak
from ..model.presets import flops_per_token
from ..model.settings import SamplingConfig
from ..model.training_memory import TrainingShape, training_estimate
from ..model.transformer import Transformer
from ..rollout.engines import NativeEngine
from .device_parts import Check, Finding, Sizes, random_model, runtime_on, tiny_tokenizer

_STEPS = 3
_PROMPT, _GROUP = 64, 8


def speed_checks(device: torch.device, sizes: Sizes) -> list[tuple[str, Check]]:
    """Ceilings first, then this project's own work."""
    steps = [
        (
            f"{size}, {rows} x {width}, {'compiled' if compiled else 'eager'}",
            lambda size=size, rows=rows, width=width, compiled=compiled: _training(
                device, sizes, size, rows, width, compiled
            ),
        )
        for number, (size, rows, width) in enumerate(sizes.training)
        for compiled in ((False, True) if number == 0 and device.type == "cuda" else (False,))
    ]
    return [
        ("ceilings", lambda: _ceilings(device, sizes)),
        *steps,
        ("attention of packed rows", lambda: _attention(device, sizes)),
        ("sampler", lambda: _sampler(device, sizes)),
        ("saving", lambda: _saving(device, sizes)),
    ]


def _ceilings(device: torch.device, sizes: Sizes) -> Iterator[Finding]:
    """The fastest bf16 product and the fastest copy."""
    reached = matrix_peak(torch.bfloat16, device, sizes.products)
    stated = stated_peak(device, torch.bfloat16)
    beside = f"; stated {stated / 1e12:.0f}" if stated else "; no stated peak is known for this device"
    yield Finding("bf16 product", "measured", f"{reached / 1e12:.2f} TFLOP/s{beside}")
    source = torch.zeros(sizes.products[-1] ** 2, device=device)
    target = torch.empty_like(source)
    seconds = seconds_of(lambda: target.copy_(source), device)
    yield Finding("copy", "measured", f"{2 * source.numel() * 4 / seconds / 1e9:.1f} GB/s read and written")


def seconds_of(step: Callable[[], object], device: torch.device) -> float:
    """Median seconds of a step after one that is not counted, until the device is done."""
    times = []
    for _ in range(1 + _STEPS):
        started = time.perf_counter()
        step()
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        times.append(time.perf_counter() - started)
    return sorted(times[1:])[_STEPS // 2]


def _training(
    device: torch.device, sizes: Sizes, size: str, rows: int, width: int, compiled: bool
) -> Iterator[Finding]:
    """Forward, backward and AdamW in bf16: tokens per second, share of the peak, peak memory and estimate."""
    model, runtime = random_model(size, sizes.vocabulary, width, device), runtime_on(device, torch.bfloat16)
    model.low_memory = True
    if compiled:
        model.compile_blocks()
    optimizer = torch.optim.AdamW(model.parameters(), fused=True)
    ids = torch.randint(0, sizes.vocabulary, (rows, width + 1), device=device)

    def step() -> None:
        with runtime.autocast():
            loss = -model(ids[:, :-1], None, ids[:, 1:]).mean()
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()

    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
    rate = rows * width / seconds_of(step, device)
    peak = stated_peak(device, torch.bfloat16) or matrix_peak(torch.bfloat16, device, sizes.products)
    share = rate * flops_per_token(model.config, width) / peak
    way = "compiled" if compiled else "eager"
    detail = f"{rate:,.0f} tokens/s, {share:.1%} of the peak"
    yield Finding(f"{size}, {rows} x {width}, {way}", "measured", detail)
    estimate = training_estimate(model.config, TrainingShape(rows, width, low_memory=True))
    found = (
        f"{torch.cuda.max_memory_allocated(device) / 1e9:.2f} GB" if device.type == "cuda" else "not known"
    )
    yield Finding(
        f"{size}, {rows} x {width}, memory", "measured", f"{found}; estimate {estimate / 1e9:.2f} GB"
    )


def _attention(device: torch.device, sizes: Sizes) -> Iterator[Finding]:
    """Packed documents with a mask of all pairs, and by blocks."""
    size, rows, width = sizes.training[0]
    numbers = (torch.arange(width) // max(1, width // 8)).expand(rows, width)
    ranges = AttentionRanges.documents(numbers)
    ids = torch.randint(0, sizes.vocabulary, (rows, width), device=device)
    model, runtime = random_model(size, sizes.vocabulary, width, device), runtime_on(device, torch.bfloat16)
    model.low_memory = True
    ways = {"mask": False} | ({"blocks": True} if device.type == "cuda" else {})

    def step() -> None:
        with runtime.autocast():
            (-model(ids, ranges, ids)).mean().backward()
        model.zero_grad(set_to_none=True)

    rates = {}
    for name, blocks in ways.items():
        model.block_attention = blocks
        rates[name] = rows * width / seconds_of(step, device)
    detail = ", ".join(f"{name} {rate:,.0f} tokens/s" for name, rate in rates.items())
    yield Finding("attention of packed rows", "measured", detail)


def _sampler(device: torch.device, sizes: Sizes) -> Iterator[Finding]:
    """Completion tokens per second, beside `generate` of transformers where that is installed."""
    size = sizes.training[0][0]
    model = random_model(size, sizes.vocabulary, _PROMPT + sizes.new_tokens, device)
    runtime, tokenizer = runtime_on(device, torch.bfloat16), tiny_tokenizer()
    sampling = SamplingConfig(max_new_tokens=sizes.new_tokens, max_rows=sizes.prompts * _GROUP)
    engine = NativeEngine(model, tokenizer, sampling, runtime, "")
    keys = np.arange(sizes.prompts * _GROUP, dtype=np.uint64).reshape(sizes.prompts, _GROUP)
    prompts = [[(7 * i + j) % 250 + 2 for j in range(_PROMPT)] for i in range(sizes.prompts)]
    counts: list[int] = []

    def sample() -> None:
        counts.append(sum(len(one.token_ids) for group in engine.sample(prompts, keys) for one in group))

    seconds = seconds_of(sample, device)
    rate = counts[-1] / seconds
    theirs = _generate_rate(model, prompts, sizes, device)
    beside = "transformers is not installed" if theirs is None else f"generate {theirs:,.0f} tokens/s"
    yield Finding("sampler", "measured", f"{rate:,.0f} tokens/s; {beside}")


def _generate_rate(
    model: Transformer, prompts: list[list[int]], sizes: Sizes, device: torch.device
) -> float | None:
    try:
        from transformers import AutoModelForCausalLM
    except ImportError:
        return None
    with tempfile.TemporaryDirectory() as folder:
        save_checkpoint(Path(folder), model, tiny_tokenizer())
        other: nn.Module = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.bfloat16)
    ids = torch.tensor(prompts, device=device).repeat_interleave(_GROUP, dim=0)
    settings = {"max_new_tokens": sizes.new_tokens, "min_new_tokens": sizes.new_tokens, "do_sample": True}
    generate = operator.methodcaller("generate", ids, attention_mask=torch.ones_like(ids), **settings)
    other.to(device)
    seconds = seconds_of(lambda: generate(other), device)
    return len(ids) * sizes.new_tokens / seconds


def _saving(device: torch.device, sizes: Sizes) -> Iterator[Finding]:
    """A checkpoint of the first timed size."""
    model = random_model(sizes.training[0][0], sizes.vocabulary, sizes.training[0][2], device)
    with tempfile.TemporaryDirectory() as folder:
        seconds = seconds_of(lambda: save_checkpoint(Path(folder), model, tiny_tokenizer()), device)
        size = sum(path.stat().st_size for path in Path(folder).iterdir())
    yield Finding("saving", "measured", f"{size / 1e9:.3f} GB in {seconds:.2f} s")
