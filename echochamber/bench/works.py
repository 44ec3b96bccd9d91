"""The comparisons: who takes part in each, and what is kept of it as plain data."""

import datetime
import os
import statistics
from pathlib import Path

from ..core.manifest import library_versions
from ..core.progress import progress_bar
from .results import Circumstances, Comparison, ContenderRow, Growth, GrowthRow, Point
from .sessions import OURS, Contender, Measured, compare, worker

SAMPLING = (
    Contender("echochamber", OURS, "sampling"),
    Contender("transformers `generate`", "transformers", "transformers-sampling"),
    Contender("OpenVINO through optimum", "openvino", "openvino-sampling"),
    Contender("onnxruntime through optimum, float32", "onnxruntime", "onnx-sampling"),
    Contender("llama.cpp through xllamacpp", "llama.cpp", "llama-cpp-sampling"),
    Contender("vLLM, CPU build", "vllm", "vllm-sampling"),
)
TRAINING = (
    Contender("echochamber", OURS, "training"),
    Contender("transformers + `torch.compile`", "transformers", "transformers-training-compiled"),
    Contender("transformers", "transformers", "transformers-training"),
)
GRPO = (Contender("echochamber", OURS, "grpo"), Contender("TRL `GRPOTrainer`", "trl", "trl-grpo"))

SIZES = ("nano-0.2m", "nano-0.8m", "nano-3m", "nano-10m")
BATCHES = (1, 8, 64, 256, 1024)
LENGTHS = (64, 128, 256, 512, 1024)
GROWTH_REPEATS = 3


def comparison(
    contenders: tuple[Contender, ...],
    pythons: dict[str, str],
    workload: Path,
    logs: Path,
    repeats: int,
    quick: bool,
) -> Comparison:
    """Medians over the turns and how many times as fast as each peer we are."""
    measured = compare(contenders, pythons, workload, logs, repeats, 0 if quick else 2)
    ours = measured[0]
    return {"repeats": repeats, "rows": [_row(one, ours) for one in measured], **_circumstances()}


def _row(one: Measured, ours: Measured) -> ContenderRow:
    row: ContenderRow = {"label": one.label, "ours": one.ours, "versions": one.versions}
    if one.missing:
        return {**row, "missing": one.missing}
    rate, our_rate = one.rate(), ours.rate()
    seconds, our_seconds = statistics.median(one.seconds), statistics.median(ours.seconds)
    # Tokens per second where both count tokens, since lengths differ; else seconds for the same work.
    ratio = our_rate / rate if rate and our_rate else seconds / our_seconds
    return {
        **row,
        "load_seconds": one.load_seconds,
        "seconds": one.seconds,
        "tokens": one.tokens,
        "median_seconds": seconds,
        "tokens_per_second": rate,
        "ratio": None if one.ours else ratio,
    }


def peak(workload: Path, logs: Path, repeats: int) -> float:
    """This machine's matrix peak in FLOP/s: the median of the repeats."""
    (measured,) = compare((Contender("matrix product", OURS, "peak"),), {}, workload, logs, repeats, 0)
    rate = measured.rate()
    assert rate is not None
    return rate * 1e9


def growth(workload: Path, logs: Path, quick: bool) -> Growth:
    """Our own sampling by size, batch and length and our training by size, the rest held fixed."""
    points = growth_points(quick)
    machine_peak = peak(workload, logs, 1 if quick else 5)
    rows: list[GrowthRow] = []
    with (
        worker(Contender("growth", OURS, "growth"), {}, workload, logs) as session,
        progress_bar("cost growth", len(points), unit="points") as bar,
    ):
        session.answer()
        for point in points:
            answer = session.turn({**point, "repeats": 1 if quick else GROWTH_REPEATS})
            seconds = statistics.median(answer["seconds"])
            rate = answer["tokens"] / seconds
            row: GrowthRow = {
                **point,
                "parameters": answer["parameters"],
                "tokens_per_second": rate,
                "seconds": answer["seconds"],
            }
            if point["work"] == "training":
                flops = rate * answer["flops_per_token"]
                row = {**row, "flops_per_second": flops, "peak_share": flops / machine_peak}
            rows.append(row)
            bar.advance(note=f"{point['work']} {point['size']} {rate:,.0f} tokens/s")
    return {
        "peak_flops_per_second": machine_peak,
        "rows": rows,
        "repeats": 1 if quick else GROWTH_REPEATS,
        **_circumstances(),
    }


def growth_points(quick: bool) -> list[Point]:
    """One factor at a time around the comparison's point: 0.8 M parameters, 512 completions of 100 tokens."""
    if quick:
        return [
            {"work": work, "size": "nano-0.2m", "batch": 4, "length": 16} for work in ("sampling", "training")
        ]
    sampling = [(size, 512, 100) for size in SIZES]
    sampling += [("nano-0.8m", batch, 100) for batch in BATCHES] + [
        ("nano-0.8m", 64, length) for length in LENGTHS
    ]
    points: list[Point] = [
        {"work": "sampling", "size": size, "batch": batch, "length": length}
        for size, batch, length in sampling
    ]
    points += [{"work": "training", "size": size, "batch": 32, "length": 256} for size in SIZES]
    return points


def _circumstances() -> Circumstances:
    """When it was measured and how busy the machine had been; nothing that names the machine."""
    today = datetime.datetime.now(datetime.UTC).date().isoformat()
    return {
        "date": today,
        "load": os.getloadavg()[0],
        "cores": len(os.sched_getaffinity(0)),
        "libraries": library_versions(),
    }
