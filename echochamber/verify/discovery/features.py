"""Structural features of completions: what does not depend on the topic of the problem."""

import ast
import re
import warnings
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np

FEWEST_SHARE = 0.03
"""A feature is used where it holds for at least this share of the completions, and fails for as many."""
HIGHEST_ICC = 0.3
"""Intraclass correlation over problems above which a feature belongs to the problem, not to the writer."""
LONGEST_BEGINNING = 6
"""Tokens of the beginning of a line."""
_CODE = re.compile(r"```(?:\w+)?\n(.*?)(?:```|\Z)|<llm-code>\n(.*?)(?:</llm-code>|\Z)", re.DOTALL)
_ARITHMETIC = re.compile(r"[-+*/=×÷.,()%^]+")
_TOPICAL = (ast.operator, ast.Name, ast.Constant, ast.expr_context, ast.BinOp, ast.unaryop, ast.UnaryOp)
_LONGEST = 20_000
_LENGTHS = (1, 2, 4, 8, 16, 32)
"""Steps of the length of a completion of one line, in tokens."""


class Structure(NamedTuple):
    """What is read of one completion."""

    problem: str
    features: frozenset[str]
    beginnings: tuple[tuple[str, ...], ...]
    """Of each line in its order, its beginnings of one token and more, the longest first."""


def structures(texts: Sequence[str], problems: Sequence[str]) -> list[Structure]:
    """One per completion; `problems` has the id of each one's problem."""
    return [
        Structure(problem, features(text), tuple(_beginnings(line) for line in _lines(text[:_LONGEST])))
        for text, problem in zip(texts, problems, strict=True)
    ]


def features(text: str) -> frozenset[str]:
    """Opening, line shapes, marks, syntax tree of its program, last line, and the length of a sole line."""
    text = text[:_LONGEST]
    lines = _lines(text)
    if not lines:
        return frozenset({"empty"})
    found = {f"mark {mark}" for mark in marks(text)}
    length = len(_tokens(lines[0]))
    if len(lines) > 1 or length > 2:  # an opening that is all of a completion is its answer
        found.add(f"opens {_words(lines[0], 2)}")
    if len(lines) > 1:
        found |= {f"ends {_words(lines[-1], 2)}"} | {f"line {_words(line, 1)}" for line in lines}
    else:  # a word and a sentence differ in little but their length
        found |= {f"tokens > {most}" for most in _LENGTHS if length > most}
    return frozenset(found | _syntax(text))


def marks(text: str) -> set[str]:
    """Runs of punctuation, LaTeX commands and tags; arithmetic is left out."""
    runs = {run for run in re.findall(r"[^\w\s]+", text) if not _ARITHMETIC.fullmatch(run)}
    return runs | set(re.findall(r"\\[A-Za-z]+|</?[A-Za-z][\w-]*>", text))


def _lines(text: str) -> list[str]:
    return [line for line in text.splitlines() if line.strip()]


def _words(line: str, count: int) -> str:
    """The first tokens of a line, with its indentation and with numbers masked."""
    indented = "> " if line[0].isspace() else ""
    return indented + " ".join(_tokens(line)[:count])


def _tokens(line: str) -> list[str]:
    return ["0" if token.isdigit() else token for token in re.findall(r"\w+|[^\w\s]+", line)]


def _beginnings(line: str) -> tuple[str, ...]:
    most = min(len(_tokens(line)), LONGEST_BEGINNING)
    return tuple(_words(line, count) for count in range(most, 0, -1))


def _syntax(text: str) -> set[str]:
    """Kinds of nodes in the program's syntax tree, without those that the problem decides."""
    blocks = [a or b for a, b in _CODE.findall(text)] or ([text] if re.search(r"(?m)^def ", text) else [])
    nodes = _nodes(blocks[0]) if blocks else None
    if blocks and nodes is None:
        # One damaged line must not hide the others: a broken program is no way of answering.
        parts = [
            line.strip() + (" pass" if line.rstrip().endswith(":") else "") for line in _lines(blocks[0])
        ]
        nodes = [node for part in parts for node in _nodes(part) or [] if not isinstance(node, ast.Pass)]
    return {f"syntax {type(node).__name__}" for node in nodes or [] if not isinstance(node, _TOPICAL)}


def _nodes(program: str) -> list[ast.AST] | None:
    """All nodes of a program's tree; None where it cannot be parsed."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return list(ast.walk(ast.parse(program)))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def table(read: Sequence[Structure]) -> tuple[np.ndarray, list[str]]:
    """(N, F) which of the useful features each completion has, and their names, sorted.

    Left out are rare and common features, and those that vary with the problem more than within it.
    """
    return useful([one.features for one in read], [one.problem for one in read])


def useful(rows: Sequence[Iterable[str]], problems: Sequence[str]) -> tuple[np.ndarray, list[str]]:
    """(N, F) which names each row has, and these names, sorted: neither rare, nor common, nor topical."""
    holds, names, correlation = _frequent(rows, problems)
    kept = correlation <= HIGHEST_ICC
    return holds[:, kept], [name for name, keep in zip(names, kept, strict=True) if keep]


class OfProblems(NamedTuple):
    """A feature that is left out, because the problem decides it more than the writer."""

    name: str
    share: float
    """Of the completions."""
    correlation: float
    """Intraclass correlation over problems."""


def of_problems(read: Sequence[Structure]) -> list[OfProblems]:
    """Features that are left out for their problems, those nearest to half of the completions first."""
    rows, problems = [one.features for one in read], [one.problem for one in read]
    holds, names, correlation = _frequent(rows, problems)
    found = [
        OfProblems(name, float(s), float(c))
        for name, s, c in zip(names, holds.mean(0), correlation, strict=True)
    ]
    return sorted(
        (one for one in found if one.correlation > HIGHEST_ICC), key=lambda one: abs(one.share - 0.5)
    )


def _frequent(
    rows: Sequence[Iterable[str]], problems: Sequence[str]
) -> tuple[np.ndarray, list[str], np.ndarray]:
    """(N, F) which names each row has, names that are neither rare nor common, (F,) their correlations."""
    sets = [set(row) for row in rows]
    total = len(sets)
    counts = Counter(name for row in sets for name in row)
    names = sorted(
        name for name, n in counts.items() if FEWEST_SHARE * total <= n <= (1 - FEWEST_SHARE) * total
    )
    place = {name: i for i, name in enumerate(names)}
    holds = np.zeros((total, len(names)), dtype=bool)
    for i, row in enumerate(sets):
        holds[i, [place[name] for name in row if name in place]] = True
    return holds, names, _correlation(holds, problems)


def _correlation(holds: np.ndarray, problems: Sequence[str]) -> np.ndarray:
    """(F,) intraclass correlation by one-way analysis of variance; 0 where no problem has two completions."""
    _, group, sizes = np.unique(np.array(problems), return_inverse=True, return_counts=True)
    total, groups = len(problems), len(sizes)
    if groups in (total, 1):
        return np.zeros(holds.shape[1])
    sums = np.zeros((groups, holds.shape[1]))
    np.add.at(sums, group, holds)
    means, overall = sums / sizes[:, None], holds.mean(0)
    between = (sizes[:, None] * (means - overall) ** 2).sum(0) / (groups - 1)
    within = (sums * (1 - means)).sum(0) / (total - groups)
    typical = (total - (sizes**2).sum() / total) / (groups - 1)
    spread = between + (typical - 1) * within
    return np.divide(between - within, spread, out=np.zeros_like(spread), where=spread > 0)
