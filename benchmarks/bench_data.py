"""How fast is the data? Rendered documents per second per core; tokens planned and packed per second.

    python benchmarks/bench_data.py [--documents 4000] [--tokens 2M] [--workers 2]

Rates per core divide by this process's CPU time, so they do not depend on what else the machine
does; wall rates do.
"""

import argparse
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

from echochamber.core.config import parse_count
from echochamber.data.background import KINDS
from echochamber.data.mixture import MixtureConfig, plan_mixture
from echochamber.data.problem_sets import reference_corpus
from echochamber.data.shards import TokenShards, write_shards
from echochamber.data.source_config import SourceConfig
from echochamber.data.sources import open_generated
from echochamber.data.styles import STYLES
from echochamber.data.world import WorldConfig
from echochamber.model.tokenizer import Tokenizer, train_tokenizer

WORLDS = {
    "all 20 families, 1-8 operations": WorldConfig(),
    "4 families, 1-4 operations": WorldConfig(
        families=("shopping", "sharing", "collect", "tank"),
        operations=(1, 4),
        max_value=100,
        wordings=1,
        number_words=0,
        irrelevant_facts=0,
        reorder=0,
    ),
}


def document_rates(count: int) -> None:
    """Problems drawn and rendered, one process."""
    for title, world in WORLDS.items():
        for name in (*STYLES, *KINDS[:2]):
            source = open_generated(name, SourceConfig(), world, 0)
            source.document(0)  # type: ignore[attr-defined]
            start = time.process_time()
            for index in range(1, count):
                source.document(index)  # type: ignore[attr-defined]
            print(f"{title:34} {name:10} {count / (time.process_time() - start):8,.0f} documents/s per core")


def encode_rate(tokenizer: Tokenizer, texts: list[str]) -> float:
    """Tokens per second of wall time on all cores, encoding alone."""
    start = time.perf_counter()
    count = sum(map(len, tokenizer.encode_batch(texts)))
    return count / (time.perf_counter() - start)


def packing_rates(tokens: int, workers: int) -> None:
    """A mixture planned (drawn, encoded, spooled), written and read, in wall time."""
    world = WORLDS["all 20 families, 1-8 operations"]
    tokenizer = train_tokenizer(reference_corpus(world, 0, 6000), 2048)
    texts = list(reference_corpus(world, 1, 8000))
    print(f"encoding alone: {encode_rate(tokenizer, texts) / 1e6:.2f} M tokens/s")
    names = ("tinygsm", "omi1", "omi2")
    mixture = MixtureConfig.parse(
        {"budget_tokens": tokens, "sources": {name: {} for name in names}}, "benchmark"
    )
    with (
        ProcessPoolExecutor(workers, mp_context=get_context("forkserver")) as executor,
        tempfile.TemporaryDirectory() as folder,
    ):
        list(executor.map(abs, range(workers)))
        start = time.perf_counter()
        plan = plan_mixture(mixture, world, 0, tokenizer.encode_batch, executor=executor)
        planned = time.perf_counter()
        write_shards(plan, tokenizer.eos_id, tokenizer.vocab_size, Path(folder))
        written = time.perf_counter()
        shards = TokenShards(Path(folder))
        for step in range(200):
            shards.batch(step, 32, 256, 0)
        read = time.perf_counter()
    count = plan.num_tokens
    print(
        f"drawn, encoded and planned with {workers} workers: "
        f"{count / (planned - start) / 1e6:.2f} M tokens/s "
        f"({plan.num_documents / (planned - start):,.0f} documents/s)"
    )
    print(
        f"packed into shards: {count / (written - planned) / 1e6:.1f} M tokens/s; "
        f"read as batches: {200 * 32 * 256 / (read - written) / 1e6:.0f} M tokens/s"
    )


def real_rows_rate(path: Path) -> None:
    """Rows of a file read, encoded and packed, in wall time."""
    tokenizer = train_tokenizer(reference_corpus(WorldConfig(), 0, 3000), 2048)
    mixture = MixtureConfig.parse({"sources": {"rows": {"path": str(path)}}}, "benchmark")
    with tempfile.TemporaryDirectory() as folder:
        start = time.perf_counter()
        plan = plan_mixture(mixture, WorldConfig(), 0, tokenizer.encode_batch)
        write_shards(plan, tokenizer.eos_id, tokenizer.vocab_size, Path(folder))
    print(
        f"{path.name}: {plan.num_tokens:,} tokens at "
        f"{plan.num_tokens / (time.perf_counter() - start) / 1e6:.2f} M tokens/s, reading included"
    )


def main() -> None:
    """Run all parts."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--documents", type=int, default=4000)
    parser.add_argument("--tokens", default="2M")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--rows", type=Path, help="a file of real rows to read and pack")
    arguments = parser.parse_args()
    document_rates(arguments.documents)
    packing_rates(parse_count(arguments.tokens), arguments.workers)
    if arguments.rows:
        real_rows_rate(arguments.rows)


if __name__ == "__main__":
    main()
