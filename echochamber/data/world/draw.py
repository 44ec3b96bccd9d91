"""Problem number `index` of a set and split, as a pure function of its name."""

from ...core.errors import UserError
from ...core.numbers import format_number
from ...core.types import Problem
from .config import BEYOND_EXTRA, HELD_OUT, LEVELS, PROBLEM_SETS, WorldConfig
from .draft import Draft
from .families import FAMILIES
from .grow import grow
from .rows import Family
from .stream import Stream, between, pick, stream
from .structure import digest, is_novel, pool_of, split_of
from .wording import question_text

_ATTEMPTS = 20_000
"""Draws before a world is said to have no such problem."""
_PATIENCE = 400
"""Draws without a new structure before a set is said to be exhausted."""
_SPLITS = ("train", "dev", "test")


def draw_problem(config: WorldConfig, seed: int, split: str, index: int, problem_set: str = "all") -> Problem:
    """Problem `index` of a problem set and split; the same whatever was asked before.

    Whole graphs are drawn until one belongs to the split (by the hash of its structure) and to the
    set; words follow afterwards. Training never holds a structure of dev, test, `novel`, `overlap`
    or `overlap_clean`. The two overlap sets ignore the seed, because background text plants them.
    Two indices may give the same structure; `problem_set` gives distinct ones.
    """
    _check(problem_set, split)
    keyed = 0 if problem_set.startswith("overlap") else seed
    families, operations = config.family_names, operations_of(config, problem_set)
    for attempt in range(_ATTEMPTS):
        source = stream("world", keyed, split, problem_set, index, attempt)
        family = FAMILIES[pick(source, families)]
        draft = grow(family, between(source, *operations), config, source)
        if draft is None:
            continue
        structure = digest(draft.expression())
        if split_of(structure) == split and _belongs(structure, draft, problem_set, config):
            name = f"{problem_set}-{split}-{keyed}-{index}"
            return _problem(draft, name, structure, family, config, split, problem_set, source)
    raise UserError(
        f"world: no problem for set {problem_set!r}, split {split!r} in {_ATTEMPTS} draws; "
        "allow more families, operations or values"
    )


def operations_of(config: WorldConfig, problem_set: str) -> tuple[int, int]:
    """Fewest and most operations of a set in this world."""
    low, high = config.operations
    if problem_set == "beyond":
        return high + 1, high + BEYOND_EXTRA
    if problem_set == "novel":
        low = max(low, 3)
    elif problem_set in LEVELS:
        low, high = max(low, LEVELS[problem_set][0]), min(high, LEVELS[problem_set][1])
    if low > high:
        raise UserError(
            f"problem set {problem_set!r} is empty in a world with operations {list(config.operations)}"
        )
    return low, high


def problem_set(config: WorldConfig, name: str, split: str, count: int, seed: int) -> list[Problem]:
    """The first `count` problems of a set and split with distinct structures."""
    found: dict[str, Problem] = {}
    index = last_new = 0
    while len(found) < count and index - last_new < _PATIENCE:
        problem = draw_problem(config, seed, split, index, name)
        index += 1
        if problem.structure not in found:
            found[problem.structure] = problem
            last_new = index
    if len(found) < count:
        raise UserError(
            f"problem set {name!r}, split {split!r}: only {len(found)} distinct structures found, "
            f"{count} asked; allow more values or operations"
        )
    return list(found.values())


def _check(problem_set: str, split: str) -> None:
    if problem_set not in PROBLEM_SETS:
        raise UserError(f"problem set {problem_set!r} is unknown; there are {', '.join(PROBLEM_SETS)}")
    if split not in _SPLITS:
        raise UserError(f"split {split!r} is unknown; there are {', '.join(_SPLITS)}")
    if split == "train" and problem_set in HELD_OUT:
        raise UserError(f"problem set {problem_set!r} is held out of training; ask for split dev or test")


def _belongs(structure: int, draft: Draft, problem_set: str, config: WorldConfig) -> bool:
    pool = pool_of(structure)
    if problem_set.startswith("overlap"):
        return pool == problem_set and not _novel(draft, config)
    if pool:
        return False
    return problem_set == "beyond" or _novel(draft, config) == (problem_set == "novel")


def _novel(draft: Draft, config: WorldConfig) -> bool:
    return is_novel(draft.expression(values=False), draft.operations, config.novel_share)


def _problem(
    draft: Draft,
    name: str,
    structure: int,
    family: Family,
    config: WorldConfig,
    split: str,
    problem_set: str,
    source: Stream,
) -> Problem:
    graph = draft.graph()
    return Problem(
        id=name,
        question=question_text(draft, config, family.distractors, source),
        reference=format_number(graph.steps[-1].value),
        problem_set=problem_set,
        split=split,
        family=family.name,
        difficulty=len(graph.steps),
        structure=f"{structure:016x}",
        graph=graph,
    )
