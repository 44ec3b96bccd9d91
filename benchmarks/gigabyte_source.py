"""A gigabyte of text in the hub's layout becomes token ids: in one go, and killed ten times.

    python benchmarks/gigabyte_source.py SETS WORK [MEGABYTES] [KILLS]

SETS is a folder with `gsm8k/train.jsonl.gz` and `math/train.jsonl.gz`. Their problems and solutions fill
files of 16 MB, drawn with replacement and with other numbers each time. A tokenizer of 32,000 tokens is
trained on the first. Both runs use two workers and search for GSM8K, MATH-500 and AIME. Their digests must be
equal.
"""

import gzip
import json
import os
import random
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import polars as pl

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks.hub_layout import lay_out
from echochamber.model.tokenizer import train_tokenizer

FILE_BYTES = 16_000_000
ROWS = "nvidia/OpenMathInstruct-2/data"
SETS = {"gsm8k": ("question", "answer"), "math": ("problem", "solution")}


def documents(sets: Path, seed: int) -> Iterator[tuple[str, str]]:
    """Problems and solutions without end. Numbers of two digits and more are drawn anew."""
    pairs = []
    for name, columns in SETS.items():
        with gzip.open(sets / name / "train.jsonl.gz", "rt", encoding="utf-8") as lines:
            pairs += [tuple(json.loads(line)[column] for column in columns) for line in lines]
    draw = random.Random(seed)
    while True:
        pair = draw.choice(pairs)
        yield tuple(re.sub(r"\d{2,}", lambda _: str(draw.randrange(10, 10_000)), text) for text in pair)


def write_rows(sets: Path, hub: Path, total_bytes: int) -> int:
    """Files of rows below `hub`, `total_bytes` of text in all; returns how many files."""
    lay_out(sets, hub)
    for old in (hub / ROWS).glob("*.parquet"):
        old.unlink()
    count = max(1, total_bytes // FILE_BYTES)
    for number in range(count):
        rows, size = [], 0
        for problem, solution in documents(sets, number):
            rows.append({"problem": problem, "generated_solution": solution})
            size += len(problem.encode()) + len(solution.encode())
            if size >= FILE_BYTES:
                break
        pl.DataFrame(rows).write_parquet(hub / ROWS / f"train-{number:05d}-of-{count:05d}.parquet")
    return count


def tokenize(hub: Path, tokenizer: Path, out: Path) -> subprocess.Popen[str]:
    """The measurement of `tokenize_source.py` as a process group of its own."""
    script = Path(__file__).with_name("tokenize_source.py")
    command = [sys.executable, str(script), str(hub), "openmathinstruct2", str(tokenizer), str(out)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, start_new_session=True)


def killed(hub: Path, tokenizer: Path, out: Path, kills: int, within: float) -> list[float]:
    """Kill a run at random instants, each a new process that goes on; returns the seconds that each had."""
    draw, lived = random.Random(0), []
    for _ in range(kills):
        process, seconds = tokenize(hub, tokenizer, out), draw.uniform(5.0, within)
        time.sleep(seconds)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        lived.append(round(seconds, 1))
    return lived


def finished(process: subprocess.Popen[str]) -> str:
    """What the run printed; an error where it failed. The last word is the digest."""
    printed = process.communicate()[0]
    if process.returncode:
        sys.exit(f"the run failed with status {process.returncode}")
    print(printed.strip())
    return printed.split()[-1]


def main(sets: str, work: str, megabytes: str = "1000", kills: str = "10") -> None:
    """Write the rows, then measure both runs."""
    folder, tokenizer = Path(work), Path(work) / "tokenizer"
    tokenizer.mkdir(parents=True, exist_ok=True)
    files = write_rows(Path(sets), folder / "hub", int(megabytes) * 1_000_000)
    first = pl.read_parquet(sorted((folder / "hub" / ROWS).glob("*.parquet"))[0])
    train_tokenizer([text for row in first.rows() for text in row], 32_000).save(tokenizer)
    print(f"{files} files", flush=True)
    started = time.monotonic()
    whole = finished(tokenize(folder / "hub", tokenizer, folder / "whole"))
    each = (time.monotonic() - started) / int(kills) / 2
    lived = killed(folder / "hub", tokenizer, folder / "killed", int(kills), 5.0 + each)
    print(f"killed after {lived} s", flush=True)
    again = finished(tokenize(folder / "hub", tokenizer, folder / "killed"))
    print("equal bytes" if again == whole else f"DIFFERENT BYTES: {whole} and {again}")
    sys.exit(again != whole)


if __name__ == "__main__":
    if not 3 <= len(sys.argv) <= 5:
        sys.exit("usage: python benchmarks/gigabyte_source.py SETS WORK [MEGABYTES] [KILLS]")
    main(*sys.argv[1:])
