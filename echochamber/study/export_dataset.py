"""A study's completions and problems as a folder that `datasets.load_dataset` reads."""

from collections.abc import Sequence
from pathlib import Path

import polars as pl

from ..analysis.stage_files import scan_table
from ..analysis.study_folder import StoredStage, StoredStudy, load_study
from ..core.errors import UserError
from ..core.files import make_folder, write_text
from ..core.version import __version__
from .cards import as_yaml, card, fenced, one_line, table, without_folders, words_without_folders

PLACE_COLUMNS = ("mixture", "size", "evaluation", "stage")
"""Columns of both tables that say which evaluation a row is of."""
_PROBLEM_KEYS = ("problem_set", "problem_id")
_OF_RECORDS = ("split", "question", "reference", "family", "difficulty")
_COLUMNS = {
    "completions": (
        "One row per completion. `text` is what the model wrote after `question`. `format`, `answer`, "
        "`outcome` and `correct` are the grader's. `step` is the RL step of the checkpoint, 0 for the base. "
        "`sample` counts from 0 within a problem, and greedy decoding is -1. `logprob` is in nats."
    ),
    "problems": (
        "One row per problem and checkpoint: `num_samples`, `num_correct`, `greedy_correct`, and pass@k "
        "and maj@k where they were computed."
    ),
}


def export_dataset(folder: Path, out: Path) -> dict[str, int]:
    """Write `completions/SPLIT.parquet`, `problems/SPLIT.parquet` and `README.md`; returns rows by table.

    Finished evaluations are taken, those of `also_evaluate` too. `UserError` where none can be read.
    """
    study = load_study(folder)
    stages = {node.artifact: node for node in study.of_kind("evaluate") if not node.partial and node.folder}
    tables = {"completions": _completions(study, list(stages.values()))}
    if not tables["completions"]:
        raise UserError(f"{folder}: no finished evaluation can be read, so there are no completions yet")
    tables["problems"] = _problems(study, list(stages.values()))
    counts = {name: _write(scans, out / name) for name, scans in tables.items() if scans}
    write_text(out / "README.md", _card(study, counts, list(stages.values())))
    return {name: sum(rows.values()) for name, rows in counts.items()}


def _completions(study: StoredStudy, stages: Sequence[StoredStage]) -> list[pl.LazyFrame]:
    scans = [(node, scan_table(study, node, "records.parquet")) for node in stages]
    return [_placed(scan, node) for node, scan in scans if scan is not None]


def _problems(study: StoredStudy, stages: Sequence[StoredStage]) -> list[pl.LazyFrame]:
    """With the question, which lies in the records alone."""
    found = []
    for node in stages:
        records = scan_table(study, node, "records.parquet")
        scores = scan_table(study, node, "problems.parquet", (*_PROBLEM_KEYS, "step"))
        if records is not None and scores is not None:
            told = records.select(*_PROBLEM_KEYS, *_OF_RECORDS, "arm", "seed").unique(_PROBLEM_KEYS)
            found.append(_placed(scores.join(told, on=_PROBLEM_KEYS, how="left"), node))
    return found


def _placed(scan: pl.LazyFrame, node: StoredStage) -> pl.LazyFrame:
    values = (node.mixture, node.size, node.evaluation, node.id)
    return scan.with_columns(
        pl.lit(value).alias(name) for name, value in zip(PLACE_COLUMNS, values, strict=True)
    )


def _write(scans: Sequence[pl.LazyFrame], folder: Path) -> dict[str, int]:
    """One file per split, a part at a time in memory; returns rows by split."""
    whole = pl.concat(scans, how="diagonal_relaxed").with_columns(pl.col("split").fill_null(""))
    lengths = whole.group_by("split").len().collect()
    make_folder(folder)
    rows: dict[str, int] = {}
    for split, length in sorted(zip(lengths["split"], lengths["len"], strict=True)):
        name = _split_name(split)
        if name in rows:
            raise UserError(
                f"two splits of this study would be called {name!r}; export them from two studies"
            )
        whole.filter(pl.col("split") == split).sink_parquet(folder / f"{name}.parquet")
        rows[name] = length
    return rows


def _split_name(split: str) -> str:
    """A name that the library takes for a split, and that is a plain file name."""
    plain = "".join(sign if sign.isascii() and sign.isalnum() else "_" for sign in split).strip("_")
    return plain or "all"


def _card(study: StoredStudy, counts: dict[str, dict[str, int]], stages: Sequence[StoredStage]) -> str:
    configs = [
        {"config_name": name}
        | ({"default": True} if name == "completions" else {})
        | {"data_files": [{"split": split, "path": f"{name}/{split}.parquet"} for split in rows]}
        for name, rows in counts.items()
    ]
    header = {
        "pretty_name": f"{study.name}: completions and problems",
        "task_categories": ["text-generation"],
        "tags": ["echochamber", "reinforcement-learning"],
        "configs": configs,
    }
    sizes = [[name, split, number] for name, rows in counts.items() for split, number in rows.items()]
    notes = [*study.notes, *study.warnings]
    return card(
        header,
        [
            f"# {one_line(study.name)}",
            one_line(study.question),
            "Completions of language models before and after reinforcement learning, each graded. "
            f"Exported by echochamber {__version__} from a study that was made with "
            f"{study.code_version or 'an unknown version'}. Programs wrote the text: treat it as untrusted.",
            "## Tables",
            table(["config", "split", "rows"], sizes),
            *(f"**{name}.** {text}" for name, text in _COLUMNS.items() if name in counts),
            "`mixture`, `size`, `arm`, `seed` and `evaluation` say which run and evaluation a row is of.",
            "\n".join(["## Notes", "", *(f"- {one_line(words_without_folders(note))}" for note in notes)])
            if notes
            else "",
            "## Recipe",
            fenced(as_yaml(without_folders(study.recipe)), "yaml"),
            "## Fingerprints",
            table(
                ["evaluation", "artifact", "code version"],
                [[n.id, n.artifact, n.code_version] for n in stages],
            ),
        ],
    )
