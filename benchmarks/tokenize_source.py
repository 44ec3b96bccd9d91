"""How fast a source of real rows becomes token ids, beside `tokenizers` alone, and how much memory it takes.

    python benchmarks/tokenize_source.py HUB_FOLDER SET TOKENIZER OUT [WORKERS]

HUB_FOLDER has local copies as `hub.folder` of a recipe takes them. The source is searched for GSM8K, MATH-500
and AIME where the folder has them. The digest at the end is that of all files. It must depend neither on the
number of workers nor on kills.
"""

import hashlib
import os
import resource
import sys
import time
from functools import partial
from itertools import islice
from pathlib import Path

os.environ["TOKENIZERS_PARALLELISM"] = "false"

from echochamber.core.errors import UserError
from echochamber.core.files import remove_temporary
from echochamber.core.types import Problem
from echochamber.data.hub import HubConfig
from echochamber.data.local_sources import RowSource
from echochamber.data.problem_sets import load_problems
from echochamber.data.source_config import SourceConfig
from echochamber.data.source_tokens import SourceTokens, TokenSource, tokenize_source
from echochamber.model.tokenizer import load_tokenizer
from echochamber.stages.prepare import _encode_function


def alone(hub: HubConfig, config: SourceConfig, tokenizer: Path, documents: int = 8000) -> float:
    """Tokens per second of processor time of the tokenizer on texts in memory."""
    encode = load_tokenizer(tokenizer).encode_batch
    texts = [item.solution for item in islice(RowSource("source", config, hub).documents(), documents)]
    started = time.process_time()
    tokens = sum(len(ids) for at in range(0, len(texts), 512) for ids in encode(texts[at : at + 512]))
    return tokens / (time.process_time() - started)


def problem_sets(hub: HubConfig) -> dict[str, list[Problem]]:
    """The evaluation sets that the folder has."""
    found = {}
    for name in ("hub:gsm8k", "hub:math500", "hub:aime"):
        try:
            found[name] = load_problems(name, on_bad_row="skip", hub=hub)
        except UserError as error:
            print(f"not searched for {name}: {error}")
    return found


def digest(folder: Path) -> str:
    """Of the names and contents of all files."""
    whole = hashlib.sha256()
    for file in sorted(path for path in folder.rglob("*") if path.is_file()):
        whole.update(file.name.encode() + hashlib.sha256(file.read_bytes()).digest())
    return whole.hexdigest()[:16]


def main(hub_folder: str, name: str, tokenizer: str, out: str, workers: str = "2") -> None:
    """Measure one source."""
    hub, config, folder = HubConfig(folder=hub_folder), SourceConfig(hub=name), Path(out)
    loaded = load_tokenizer(Path(tokenizer))
    source = TokenSource("source", config, "\n\n", loaded.eos_id, loaded.vocab_size, 1.0, hub)
    rate = alone(hub, config, Path(tokenizer))
    folder.mkdir(exist_ok=True)
    fresh = not any(folder.iterdir())
    against, start = problem_sets(hub), partial(_encode_function, Path(tokenizer))
    before, began = _processor_seconds(), time.monotonic()
    tokenize_source(source, start, against, folder, int(workers))
    remove_temporary(folder)  # left by a kill in the middle of a file; a stage does so before it publishes
    wall, seconds = time.monotonic() - began, _processor_seconds() - before
    tokens, share = SourceTokens(folder).num_tokens, SourceTokens(folder).num_tokens / seconds / rate
    print(f"{tokens:,} tokens in {wall:.0f} s of wall time, {seconds:.0f} s of processor time")
    if fresh:  # else some of the tokens were made before
        print(f"{tokens / seconds:,.0f} tokens per s of processor time, {share:.0%} of {rate:,.0f} alone")
    worker = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    print(f"most memory of a worker: {worker:.0f} MB; digest {digest(folder)}")


def _processor_seconds() -> float:
    """Of this process and the workers that have ended."""
    kinds = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    return sum(used.ru_utime + used.ru_stime for used in map(resource.getrusage, kinds))


if __name__ == "__main__":
    if len(sys.argv) not in (5, 6):
        sys.exit("usage: python benchmarks/tokenize_source.py HUB_FOLDER SET TOKENIZER OUT [WORKERS]")
    main(*sys.argv[1:])
