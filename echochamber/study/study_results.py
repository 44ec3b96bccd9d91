"""A study's results for a notebook: its arms, its tables as polars frames, its figures, its page."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import polars as pl
from matplotlib.figure import Figure

from ..analysis.plots.save import study_figures
from ..analysis.runs import find_runs
from ..analysis.study_folder import StoredStage, StoredStudy, load_study
from ..core.errors import UserError
from ..core.metrics import read_metrics
from .results import write_report

PARQUET_TABLES = {
    "records": ("evaluate", "records.parquet"),
    "problems": ("evaluate", "problems.parquet"),
    "rollouts": ("rl", "rollouts.parquet"),
    "forced": ("probe", "forced.parquet"),
    "sweep": ("probe", "sweep.parquet"),
    "likelihood": ("probe", "likelihood.parquet"),
}
"""Table -> the kind of stage and the file that it is read from."""
METRIC_TABLES = {"pretraining": "pretrain", "training": "rl"}
"""Table -> the kind of stage whose `metrics.jsonl` it is."""
SCORE_COLUMNS = ("problem_set", "split", "step", "num_problems", "accuracy", "greedy_accuracy")


class StudyTables(Mapping[str, pl.DataFrame]):
    """The tables of a study by name; each is read when it is asked for.

    - `scores`: one row per checkpoint and problem set: accuracy, pass@k, maj@k, and per format its share
      and accuracy.
    - `records`: one row per evaluated completion; `problems`: one row per evaluated problem.
    - `rollouts`: a sample of the completions of RL; `training`: RL metrics, one row per step.
    - `pretraining`: pretraining metrics. `forced`, `sweep`, `likelihood`: what probes measured.

    Every row says its `mixture`, `size`, `arm` (`base` before RL) and `seed`.
    """

    def __init__(self, stored: StoredStudy) -> None:
        self._stored = stored

    def __iter__(self) -> Iterator[str]:
        if any(run.rows for run in find_runs(self._stored)):
            yield "scores"
        yield from (name for name, place in PARQUET_TABLES.items() if self._stages(*place))
        yield from (name for name, kind in METRIC_TABLES.items() if self._stages(kind, "metrics.jsonl"))

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def __getitem__(self, name: str) -> pl.DataFrame:
        if name not in list(self):
            raise KeyError(f"{name!r}; this study has {', '.join(self) or 'no tables yet'}")
        if name == "scores":
            return self._scores()
        if name in METRIC_TABLES:
            parts = [
                _labelled(
                    pl.DataFrame(read_metrics(folder / "metrics.jsonl"), infer_schema_length=None), stage
                )
                for stage, folder in self._stages(METRIC_TABLES[name], "metrics.jsonl")
            ]
        else:
            kind, file = PARQUET_TABLES[name]
            parts = [
                _labelled(pl.read_parquet(folder / file), stage) for stage, folder in self._stages(kind, file)
            ]
        return pl.concat(parts, how="diagonal_relaxed")

    def _stages(self, kind: str, file: str) -> list[tuple[StoredStage, Path]]:
        """Stages of a kind that have this file, with their folders. A shared artifact counts once."""
        found: dict[Path, StoredStage] = {}
        for stage in self._stored.of_kind(kind):
            if stage.folder is not None and not stage.partial and (stage.folder / file).is_file():
                found.setdefault(stage.folder, stage)
        return [(stage, folder) for folder, stage in found.items()]

    def _scores(self) -> pl.DataFrame:
        rows = []
        for run in find_runs(self._stored):
            for row in run.rows:
                curves = {
                    f"{curve[:4]}@{k}": value
                    for curve in ("pass@k", "maj@k")
                    for k, value in (row.get(curve) or {}).items()
                }
                formats = {
                    f"{name}/{part}": cell.get(part)
                    for name, cell in (row.get("formats") or {}).items()
                    for part in ("share", "accuracy")
                }
                label = {"mixture": run.mixture, "size": run.size, "arm": run.arm or "base", "seed": run.seed}
                rows.append(label | {name: row.get(name) for name in SCORE_COLUMNS} | curves | formats)
        return pl.DataFrame(rows, infer_schema_length=None)


def _labelled(frame: pl.DataFrame, stage: StoredStage) -> pl.DataFrame:
    labels = {"mixture": stage.mixture, "size": stage.size, "arm": stage.arm or "base", "seed": stage.seed}
    new = [pl.lit(value).alias(name) for name, value in labels.items() if name not in frame.columns]
    return frame.with_columns(new).select(*labels, pl.exclude(*labels))


@dataclass(frozen=True)
class Study:
    """A study's folder, finished or still running. Properties are read from its files at each use."""

    folder: Path

    def __init__(self, folder: str | Path) -> None:
        object.__setattr__(self, "folder", Path(folder))
        load_study(self.folder)  # a folder that is no study is refused here

    @property
    def name(self) -> str:
        """The recipe's name."""
        return self._stored.name

    @property
    def arms(self) -> pl.DataFrame:
        """One row per trained model: mixture, size, arm (`base` before RL), seed, status, checkpoint.

        `checkpoint` is a folder for `load_checkpoint`, `sample` and `evaluate`; null while there is none.
        """
        rows = []
        for stage in (*self._stored.of_kind("pretrain"), *self._stored.of_kind("rl")):
            ready = stage.folder is not None and not stage.partial
            rows.append(
                {
                    "mixture": stage.mixture,
                    "size": stage.size,
                    "arm": stage.arm or "base",
                    "seed": stage.seed,
                    "status": stage.status,
                    "checkpoint": str(stage.folder) if ready else None,
                }
            )
        return pl.DataFrame(rows, infer_schema_length=None)

    @property
    def tables(self) -> StudyTables:
        """Tables by name: `study.tables["scores"]`; `list(study.tables)` names those that there are."""
        return StudyTables(self._stored)

    @cached_property
    def _figures(self) -> dict[str, Figure]:
        return dict(study_figures(self._stored))

    @property
    def figures(self) -> list[str]:
        """Names of the figures that the study has data for."""
        return list(self._figures)

    def plot(self, name: str = "dynamics") -> Figure:
        """A matplotlib figure by its name, or the first whose name begins so; `UserError` without one."""
        found = [known for known in self._figures if known == name or known.startswith(name)]
        if not found:
            raise UserError(
                f"figure {name!r} is not known here; there are {', '.join(self._figures) or 'none yet'}"
            )
        return self._figures[name if name in found else found[0]]

    def report(self, out: str | Path | None = None) -> Path:
        """Write the page as it stands and return its path, report.html in the study's folder by default."""
        return write_report(self.folder, Path(out) if out is not None else None)

    @property
    def _stored(self) -> StoredStudy:
        return load_study(self.folder)
