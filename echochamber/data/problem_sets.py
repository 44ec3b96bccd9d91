"""Problems to answer from files of the known test sets, and the corpus of the study's tokenizer."""

import re
from collections.abc import Iterator, Mapping
from itertools import islice
from pathlib import Path

from ..core.errors import UserError
from ..core.progress import say
from ..core.types import Problem
from .columns import ProblemColumns, mapping_to_paste
from .environments import environment_label, is_environment
from .hub import PREFIX, THE_HUB, HubConfig, HubSplit, hub_files, hub_rows
from .rows import BadRows, OnBadRow, RowAt, read_rows, text_of
from .styles import STYLES, render
from .world import WorldConfig, draw_problem
from .world.stream import stream

_QUESTIONS = ("question", "problem", "Question", "Problem", "prompt")
_ANSWERS = ("reference", "answer", "Answer", "expected_answer")
_IDS = ("id", "unique_id", "ID")
_BOXED = re.compile(r"\\boxed\s*\{")


def load_problems(
    name_or_path: str,
    limit: int | None = None,
    on_bad_row: OnBadRow = "error",
    split: HubSplit = "test",
    columns: ProblemColumns | None = None,
    hub: HubConfig = THE_HUB,
) -> list[Problem]:
    """Problems of a file or folder, or of the hub (`hub:NAME[@COMMIT]`).

    Columns may be those of GSM8K, SVAMP, MATH, MATH-500 or AIME, or plain question and answer.

    The columns say which set it is. References are normalised: the text after `####` without
    thousands commas (GSM8K), whole numbers without `.0` (SVAMP), the last box of a solution (MATH).
    `split` is which part of a hub set is meant; a file is one part as it is. `columns` names those of a file
    with a layout of its own. `hub` says where sets of the hub lie.
    """
    bad = BadRows(on_bad_row)
    rows = _rows(name_or_path, split, bad, hub)
    name = set_label(name_or_path)
    columns = columns or ProblemColumns()
    found = (_whole_problem(placed, name, number, bad, columns) for number, placed in enumerate(rows))
    problems = list(islice((problem for problem in found if problem), limit))
    if not problems:
        raise UserError(f"{name_or_path}: holds no problem ({bad.skipped} rows were skipped)")
    if bad.skipped:
        say(f"{name_or_path}: {bad.skipped} bad rows skipped; the first: {bad.reasons[0]}")
    return problems


def _rows(name_or_path: str, split: HubSplit, bad: BadRows, hub: HubConfig) -> Iterator[RowAt]:
    if not name_or_path.startswith(PREFIX):
        return read_rows(Path(name_or_path), bad)
    place = hub.named(name_or_path)
    if place.folder is None:
        return hub_rows(place, split)
    return (row for file in hub_files(place, split) for row in read_rows(file, bad))


def set_label(name_or_path: str) -> str:
    """What a problem set is called in its problems: a file's name, or a hub set's with `-` for the slash.

    >>> set_label("data/gsm8k/test.jsonl"), set_label("hub:math500"), set_label("hub:owner/name@" + 40 * "0")
    ('test.jsonl', 'math500', 'owner-name')
    """
    if is_environment(name_or_path):
        return environment_label(name_or_path)
    if name_or_path.startswith(PREFIX):
        return name_or_path.removeprefix(PREFIX).partition("@")[0].replace("/", "-")
    return Path(name_or_path).name


def _whole_problem(
    placed: RowAt, set_name: str, number: int, bad: BadRows, columns: ProblemColumns
) -> Problem | None:
    """One problem whose id and reference are text that can be written; columns may be nested without end."""
    try:
        problem = _problem(placed, set_name, number, bad, columns)
        if problem is not None:
            f"{problem.id}{problem.reference}".encode()
        return problem
    except (RecursionError, UnicodeEncodeError, OverflowError) as error:
        bad.refuse(f"{placed[0]}: id or answer cannot be read as text ({type(error).__name__})")
        return None


def _problem(
    placed: RowAt, set_name: str, number: int, bad: BadRows, columns: ProblemColumns
) -> Problem | None:
    where, row = placed
    question = _question(row, where, bad, columns)
    reference = _reference(row, where, bad, columns) if question is not None else None
    if question is None or reference is None:
        return None
    name = next(
        (str(row[key]) for key in columns.first("id", _IDS) if row.get(key) not in (None, "")),
        f"{set_name}-{number}",
    )
    return Problem(id=name, question=question.strip(), reference=reference, problem_set=set_name)


def _question(row: Mapping[str, object], where: str, bad: BadRows, columns: ProblemColumns) -> str | None:
    names = columns.first("question", _QUESTIONS)
    own = columns.question is not None and columns.question in row
    if not own and "Body" in row and "Question" in row:  # SVAMP: the story and what is asked about it
        body, ask = text_of(row, ("Body",), where, bad), text_of(row, ("Question",), where, bad)
        return None if body is None or ask is None else f"{body.strip()} {ask.strip()}"
    if not any(name in row for name in names):
        bad.refuse(f"{where}: {_missing(names, row)}; {mapping_to_paste(row)}")
        return None
    return text_of(row, names, where, bad)


def _reference(row: Mapping[str, object], where: str, bad: BadRows, columns: ProblemColumns) -> str | None:
    answers, solutions = columns.first("answer", _ANSWERS), columns.first("solution", ("solution",))
    column = next((name for name in answers if name in row), None)
    solution = next((name for name in solutions if name in row), None)
    if column is None and solution is None:
        names = (*columns.first("answer", ("answer", "reference")), *solutions)
        bad.refuse(f"{where}: {_missing(names, row)}; {mapping_to_paste(row)}")
        return None
    value = None if column is None else row[column]
    if solution is not None and value in ("", None):  # MATH: a few answers are missing
        value = last_boxed(str(row[solution]))
    text = normalise_reference(value)
    if not text:
        bad.refuse(f"{where}: column {column or solution!r} gives no answer (value {str(value)[:60]!r})")
        return None
    return text


def _missing(names: tuple[str, ...], row: Mapping[str, object]) -> str:
    found = ", ".join(map(str, row)) or "none"
    return f"column {' or '.join(map(repr, names))} is missing; columns found: {found}"


def normalise_reference(value: object) -> str:
    """An answer as the grader wants it: what follows the last `####`, no thousands commas, no `.0`."""
    if isinstance(value, bool) or value is None:
        return ""
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    text = str(value).rsplit("####", 1)[-1].strip()
    text = re.sub(r"^(\d+) or \d+ \(both were accepted\)$", r"\1", text)  # AIME 2022-II-8
    bare = text.removeprefix("$").strip()
    if re.fullmatch(r"-?\d{1,3}(,\d{3})+(\.\d+)?", bare):
        bare = bare.replace(",", "")
    if re.fullmatch(r"-?\d+(\.0+)?", bare):  # SVAMP's 51.0, which is text where the file is CSV
        whole = bare.partition(".")[0]
        return str(int(whole)) if len(whole) < 400 else whole
    return bare if re.fullmatch(r"-?\d+\.\d+", bare) else text


def last_boxed(text: str) -> str:
    r"""What stands in the last `\boxed{...}`, braces matched; empty when there is none."""
    starts = [match.end() for match in _BOXED.finditer(text)]
    if not starts:
        return ""
    depth, start = 1, starts[-1]
    for end in range(start, len(text)):
        depth += {"{": 1, "}": -1}.get(text[end], 0)
        if depth == 0:
            return text[start:end].strip()
    return ""


def reference_corpus(
    world: WorldConfig, seed: int, count: int, styles: tuple[str, ...] = tuple(STYLES)
) -> Iterator[str]:
    """`count` texts to train a study's one tokenizer on: all styles in turn, train split only."""
    for index in range(count):
        problem = draw_problem(world, seed, "train", index)
        solution = render(problem, styles[index % len(styles)], stream("corpus", seed, index))
        yield f"{problem.question}\n\n{solution}"
