"""Structural features of completions: what does not depend on the topic of the problem."""

import ast
import re
import warnings
from collections.abc import Sequence

import numpy as np

FEWEST_SHARE = 0.03
"""A feature is used where it holds for at least this share of the completions, and fails for as many."""
HIGHEST_ICC = 0.3
"""Intraclass correlation over problems above which a feature belongs to the problem, not to the writer."""
_CODE = re.compile(r"```(?:\w+)?\n(.*?)(?:```|\Z)|<llm-code>\n(.*?)(?:</llm-code>|\Z)", re.DOTALL)
_ARITHMETIC = re.compile(r"[-+*/=×÷.,()%^]+")
_TOPICAL = (ast.operator, ast.Name, ast.Constant, ast.expr_context, ast.BinOp, ast.unaryop, ast.UnaryOp)
_LONGEST = 20_000


def features(text: str) -> frozenset[str]:
    """Opening, line shapes, marks, syntax tree of its program, and form of the last line."""
    text = text[:_LONGEST]
    lines = [line for line in text.splitlines() if line.strip()]
    if not lines:
        return frozenset({"empty"})
    found = {f"opens {_words(lines[0], 2)}", f"ends {_words(lines[-1], 2)}"}
    found |= {f"line {_words(line, 1)}" for line in lines}
    found |= {f"mark {mark}" for mark in marks(text)}
    return frozenset(found | _syntax(text))


def marks(text: str) -> set[str]:
    """Runs of punctuation, LaTeX commands and tags; arithmetic is left out."""
    runs = {run for run in re.findall(r"[^\w\s]+", text) if not _ARITHMETIC.fullmatch(run)}
    return runs | set(re.findall(r"\\[A-Za-z]+|</?[A-Za-z][\w-]*>", text))


def _words(line: str, count: int) -> str:
    """The first tokens of a line, with its indentation and with numbers masked."""
    indented = "> " if line[0].isspace() else ""
    tokens = re.findall(r"\w+|[^\w\s]+", line)[:count]
    return indented + " ".join("0" if token.isdigit() else token for token in tokens)


def _syntax(text: str) -> set[str]:
    """Kinds of nodes in the program's syntax tree, without those that the problem decides."""
    blocks = [a or b for a, b in _CODE.findall(text)] or ([text] if re.search(r"(?m)^def ", text) else [])
    if not blocks:
        return set()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = ast.parse(blocks[0])
        return {f"syntax {type(node).__name__}" for node in ast.walk(tree) if not isinstance(node, _TOPICAL)}
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return {"syntax broken"}


def table(texts: Sequence[str], problems: Sequence[str]) -> tuple[np.ndarray, list[str]]:
    """(N, F) which of the useful features each completion has, and their names, sorted.

    Left out are rare and common features, and those that vary with the problem more than within it.
    """
    rows = [features(text) for text in texts]
    names = sorted({name for row in rows for name in row})
    place = {name: i for i, name in enumerate(names)}
    holds = np.zeros((len(rows), len(names)), dtype=bool)
    for i, row in enumerate(rows):
        holds[i, [place[name] for name in row]] = True
    share = holds.mean(0) if len(rows) else np.zeros(len(names))
    kept = (share >= FEWEST_SHARE) & (share <= 1 - FEWEST_SHARE)
    kept &= _of_problems(holds, problems) <= HIGHEST_ICC
    return holds[:, kept], [name for name, keep in zip(names, kept, strict=True) if keep]


def _of_problems(holds: np.ndarray, problems: Sequence[str]) -> np.ndarray:
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
