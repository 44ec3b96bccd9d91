"""How fast is the grader? Rates per core, cold cache, on world solutions.

    python benchmarks/bench_grading.py [--programs 2000] [--workers 2]

Rates per core divide by the CPU time of this process and of its sandbox workers together, so they
do not depend on what else the machine does; wall times do.
"""

import argparse
import ast
import os
import resource
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from echochamber.core.random import generator
from echochamber.core.types import Problem
from echochamber.data.styles import render
from echochamber.data.world import WorldConfig, draw_problem
from echochamber.verify.grade import Grader
from echochamber.verify.grader_config import GraderConfig

Item = tuple[Problem, str]


def world_items(style: str, count: int, first: int = 0, graph: bool = True) -> list[Item]:
    """Distinct problems with their solutions in one style."""
    stream = generator("bench", style, first)
    drawn = [draw_problem(WorldConfig(), 0, "dev", first + index) for index in range(count)]
    return [(p if graph else replace(p, graph=None), render(p, style, stream)) for p in drawn]


def worker_seconds() -> float:
    """CPU time so far of the live child processes of this one."""
    ticks, own = os.sysconf("SC_CLK_TCK"), str(os.getpid())
    total = 0.0
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text().rsplit(")", 1)[1].split()
        except OSError:
            continue
        if fields[1] == own:
            total += (int(fields[11]) + int(fields[12])) / ticks
    return total


def own_seconds() -> float:
    """CPU time of this process, all threads."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def measure(name: str, run: Callable[[], object], count: int) -> None:
    """One line: wall rate and rate per core."""
    wall, own, workers = time.perf_counter(), own_seconds(), worker_seconds()
    run()
    wall = time.perf_counter() - wall
    cpu = own_seconds() - own + worker_seconds() - workers
    print(f"{name:44s} {count / wall:9,.0f} /s wall  {count / cpu:9,.0f} /s per core  {wall * 1000:8.1f} ms")


def rl_batch(first: int) -> list[Item]:
    """512 completions as in mid-training: 64 problems x 8 samples, half of them repeated texts."""
    items: list[Item] = []
    for style in ("tinygsm", "omi1", "omi2"):
        items += world_items(style, 86, first)
    return (items + items)[:512]


def main() -> None:
    """Warm up, then measure each case on texts not seen before."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--programs", type=int, default=2000, help="distinct completions per line (default 2000)"
    )
    parser.add_argument(
        "--workers", type=int, default=2, help="sandbox workers of the batch lines (default 2)"
    )
    options = parser.parse_args()
    count = options.programs
    sources = [text for _, text in world_items("tinygsm", count)]
    measure("for scale: ast.parse of the same programs", lambda: [ast.parse(text) for text in sources], count)
    plain = GraderConfig(style=False, process=False)
    for label, config in (
        ("answers only", plain),
        ("with style", GraderConfig(process=False)),
        ("with style and steps", GraderConfig()),
    ):
        with Grader(config, workers=1) as grader:
            grader.grade_batch(world_items("tinygsm", 50, 10**6))
            for style in ("tinygsm", "omi1", "omi2", "gsm8k"):
                items = world_items(style, count)
                measure(f"{style}, {label}", lambda g=grader, i=items: g.grade_batch(i), count)
    with Grader(workers=options.workers) as grader:
        grader.grade_batch(world_items("tinygsm", 50, 10**6))
        distinct = [
            item for style in ("tinygsm", "omi1", "omi2") for item in world_items(style, 171, 5 * 10**5)
        ][:512]
        measure(
            f"512 distinct completions, {options.workers} workers",
            lambda d=distinct: grader.grade_batch(d),
            512,
        )
        distinct = [
            item for style in ("tinygsm", "omi1", "omi2") for item in world_items(style, 171, 6 * 10**5)
        ][:512]
        measure("the same as the RL loop asks, 32 described", lambda: grader.grade_batch(distinct, 32), 512)
        batch = rl_batch(2 * 10**5)
        measure(
            f"RL batch of 512, half repeated, {options.workers} workers",
            lambda: grader.grade_batch(batch),
            512,
        )
        same = world_items("tinygsm", 1, 3 * 10**5) * 512
        measure("512 times the same program", lambda: grader.grade_batch(same), 512)


if __name__ == "__main__":
    main()
