"""Rows from the hub by data set name: streamed, at a fixed revision (extra `[hub]`)."""

import importlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from ..core.errors import UserError
from .rows import Placed


@dataclass(frozen=True, slots=True)
class HubSet:
    """Where a known data set lies and which of its files are read."""

    repository: str
    files: str | None = None
    """Pattern of the files; None: the configuration's train split."""
    configuration: str | None = None
    revision: str | None = None
    """The commit that was looked at; None: the recipe must name one."""


HUB_SETS: dict[str, HubSet] = {
    "tinygsm": HubSet("TinyGSM/TinyGSM", "data/*.parquet"),
    "openmathinstruct1": HubSet("nvidia/OpenMathInstruct-1", "correct_solutions/train.jsonl"),
    "openmathinstruct2": HubSet("nvidia/OpenMathInstruct-2", "data/train-*.parquet"),
    "metamathqa": HubSet("meta-math/MetaMathQA", "MetaMathQA-395K.json", revision="aa4f34d3d2d3231299b5b03d9b3e5a20da45aa18"),
    "finemath3plus": HubSet("HuggingFaceTB/finemath", configuration="finemath-3plus"),
    "algebraic-stack": HubSet("EleutherAI/proof-pile-2", "algebraic-stack/train/*.jsonl.zst"),
    "gsm8k": HubSet("openai/gsm8k", configuration="main"),
    "math": HubSet("DigitalLearningGmbH/MATH-lighteval"),
}
"""Short name -> place; only train splits are ever read."""


def hub_rows(name: str, revision: str | None) -> Iterator[Placed]:
    """Stream the train rows of a known data set, or of any `owner/name`, at a fixed commit."""
    known = HUB_SETS.get(name) or (HubSet(name) if "/" in name else None)
    if known is None:
        raise UserError(f"hub: data set {name!r} is unknown; there are {', '.join(HUB_SETS)}, or any owner/name")
    commit = revision or known.revision
    if commit is None:
        raise UserError(f"hub: {name!r} has no pinned revision; set revision to a commit of {known.repository}, so that a rerun reads the same rows")
    rows = _load(known, commit)
    return ((f"{known.repository}@{commit[:12]}, row {number}", dict(row)) for number, row in enumerate(rows, start=1))


def _load(known: HubSet, commit: str) -> Any:
    try:
        datasets = importlib.import_module("datasets")
    except ImportError:
        raise UserError("hub: the package datasets is not installed; pip install 'echochamber[hub]', or give path") from None
    try:
        return datasets.load_dataset(
            known.repository, known.configuration, data_files=known.files, split="train", revision=commit, streaming=True
        )
    except (OSError, ValueError) as error:
        raise UserError(f"hub: {known.repository} at {commit} cannot be read ({' '.join(str(error).split())[:200]})") from None
