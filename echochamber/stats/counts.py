"""Completions counted per problem: all that scores need, in memory that grows with problems alone."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np


class Counts(NamedTuple):
    """Counts per problem; P problems, F formats."""

    problems: list[str]
    """P ids in order of first appearance."""
    greedy: list[bool | None]
    """P: is the greedy completion right? None where there is none."""
    samples: np.ndarray
    """(P,)"""
    right: np.ndarray
    """(P,)"""
    written: np.ndarray
    """(P, F) completions in each format."""
    written_right: np.ndarray
    """(P, F) correct completions in each format."""
    wrong_votes: list[list[int]]
    """P lists: votes of each distinct wrong answer."""


def count_completions(
    problem_ids: Sequence[str],
    formats: Sequence[str],
    correct: Sequence[bool],
    answers: Sequence[str | None],
    greedy_correct: Mapping[str, bool] | None,
    format_names: Sequence[str],
) -> Counts:
    """Counts of sampled completions (N rows, any order) and of one greedy completion per problem.

    `greedy_correct` maps a problem id to whether its greedy completion is right; None or {} means that
    there was no greedy pass. A completion whose answer is None casts no vote. All right answers of a
    problem count as one answer, however they are spelt.
    """
    assert len(problem_ids) == len(formats) == len(correct) == len(answers), "columns differ in length"
    unknown = set(formats) - set(format_names)
    assert not unknown, f"formats {sorted(unknown)} are not among {list(format_names)}"
    greedy = greedy_correct or {}
    problems = list(dict.fromkeys([*problem_ids, *greedy]))
    place = {name: i for i, name in enumerate(problems)}
    column = {name: i for i, name in enumerate(format_names)}
    rows = np.array([place[name] for name in problem_ids], dtype=int)
    columns = np.array([column[name] for name in formats], dtype=int)
    right = np.array(correct, dtype=bool)
    written, written_right = np.zeros((2, len(problems), len(format_names)))
    np.add.at(written, (rows, columns), 1)
    np.add.at(written_right, (rows[right], columns[right]), 1)
    votes: list[Counter[str]] = [Counter() for _ in problems]
    for row, is_right, answer in zip(rows, right, answers, strict=True):
        if answer is not None and not is_right:
            votes[row][answer] += 1
    wrong_votes = [list(counter.values()) for counter in votes]
    sums = written.sum(1), written_right.sum(1), written, written_right
    return Counts(problems, [greedy.get(name) for name in problems], *sums, wrong_votes)


def join_counts(parts: Sequence[Counts]) -> Counts:
    """Counts of several sets that share no problem, in their order."""
    problems = [name for part in parts for name in part.problems]
    assert len(set(problems)) == len(problems), "a problem is in two of the sets"
    greedy = [value for part in parts for value in part.greedy]
    votes = [votes for part in parts for votes in part.wrong_votes]
    samples, right, written, written_right = (
        np.concatenate([part[i] for part in parts]) for i in range(2, 6)
    )
    return Counts(problems, greedy, samples, right, written, written_right, votes)
