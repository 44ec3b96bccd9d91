"""Real training sets: which columns they have, what is left out and why."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from ..core.errors import UserError
from .hub import THE_HUB, HubConfig, hub_files, hub_rows
from .rows import BadRows, RowAt, data_files, read_rows, text_of
from .source_config import SourceConfig
from .sources import Document
from .test_splits import refuse_test_split


@dataclass(frozen=True, slots=True)
class ColumnLayout:
    """The columns of one data set."""

    question: str
    """Column of the question; empty for plain text."""
    solution: str
    keep: Callable[[Mapping[str, object]], bool] | None = None
    """Rows for which this is false are left out and counted."""
    needs: tuple[str, ...] = ()
    """Further columns by which the layout is told from others."""


LAYOUTS: dict[str, ColumnLayout] = {
    "tinygsm": ColumnLayout("question", "code"),
    "openmathinstruct1": ColumnLayout(
        "question", "generated_solution", keep=lambda row: row.get("is_correct") in (True, "True", "true")
    ),
    "openmathinstruct2": ColumnLayout("problem", "generated_solution"),
    "metamathqa": ColumnLayout("query", "response"),
    "gsm8k": ColumnLayout("question", "answer"),
    "math": ColumnLayout("problem", "solution"),
    "text": ColumnLayout("", "text"),
}
"""Layout name -> columns; `text` serves FineMath-3+ and Algebraic-Stack."""


@dataclass
class RowSource:
    """Rows of files or of a hub data set as documents."""

    name: str
    config: SourceConfig
    hub: HubConfig = THE_HUB
    filtered: int = 0
    """Rows left out by the layout's rule."""
    bad: BadRows = field(default_factory=BadRows)
    limited = True

    def __post_init__(self) -> None:
        self.bad.policy = self.config.on_bad_row
        if self.config.columns is not None and self.config.columns not in LAYOUTS:
            raise UserError(
                f"source {self.name!r}: columns {self.config.columns!r} is unknown; "
                f"there are {', '.join(LAYOUTS)}"
            )

    @property
    def note(self) -> str:
        """What was left out, for the plan."""
        parts = [f"{self.filtered} rows filtered"] if self.filtered else []
        return ", ".join(parts + ([f"{self.bad.skipped} bad rows skipped"] if self.bad.skipped else []))

    def documents(self) -> Iterator[Document]:
        """All rows in order; bad ones are errors or skipped, as the recipe says."""
        return self._documents(self._rows())

    def documents_of(self, file: Path) -> Iterator[Document]:
        """Those of one file."""
        return self._documents(read_rows(file, self.bad))

    def _documents(self, rows: Iterator[RowAt]) -> Iterator[Document]:
        layout = LAYOUTS[self.config.columns] if self.config.columns else None
        for where, row in rows:
            layout = layout or self._layout(row, where)
            if layout.keep and not layout.keep(row):
                self.filtered += 1
                continue
            question = text_of(row, (layout.question,), where, self.bad) if layout.question else ""
            solution = text_of(row, (layout.solution,), where, self.bad) if question is not None else None
            if question is not None and solution is not None:
                yield Document(question.strip(), solution.strip("\n"))

    def _rows(self) -> Iterator[RowAt]:
        if self.config.hub and self.hub.folder is None:
            return hub_rows(self.hub.place(self.config.hub, self.config.revision), "train")
        return (placed for file in self.files() for placed in read_rows(file, self.bad))

    def files(self) -> list[Path]:
        """The local files that are read, in order."""
        if self.config.hub:
            return hub_files(self.hub.place(self.config.hub, self.config.revision), "train")
        return training_files(Path(self.config.path or ""))

    def _layout(self, row: Mapping[str, object], where: str) -> ColumnLayout:
        for layout in LAYOUTS.values():
            if layout.solution in row and (not layout.question or layout.question in row):
                return layout
        known = "; ".join(
            f"{name}: {item.question + ', ' if item.question else ''}{item.solution}"
            for name, item in LAYOUTS.items()
        )
        raise UserError(
            f"source {self.name!r}, {where}: columns {', '.join(map(str, row))} fit no known layout "
            f"({known}); set columns"
        )


def training_files(path: Path) -> list[Path]:
    """The data files of a path, without subsets of files that are there in full.

    OpenMathInstruct-2 keeps `train_1M`, `train_2M` and `train_5M` beside `train`, so that a plain
    pattern reads many rows twice.
    """
    files = data_files(path)
    refuse_test_split(path)
    if any(file.name.startswith("train-") for file in files):
        files = [file for file in files if not file.name.startswith(("train_1M", "train_2M", "train_5M"))]
    for file in files:
        refuse_test_split(file)
        for folder in file.parents[: len(file.relative_to(path).parts) - 1] if path.is_dir() else ():
            refuse_test_split(folder)
    return files
