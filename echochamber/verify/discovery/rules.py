"""A rule for each kind, from texts that stand in its completions, and the `behaviours:` block to paste."""

import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from typing import NamedTuple

import numpy as np
import yaml

from .features import LONGEST_BEGINNING, marks

LONGEST = 40
"""Characters of a text that may make a rule."""
MOST = 20
"""Candidates tried where no text is common to half of a kind."""


class Rule(NamedTuple):
    """How one kind is told from the completions that no earlier rule takes."""

    key: str
    """`opening` or `contains`."""
    text: str
    precision: float
    recall: float

    def takes(self, completion: str) -> bool:
        """Whether the rule matches."""
        return completion.startswith(self.text) if self.key == "opening" else self.text in completion


def rules_of(texts: Sequence[str], labels: np.ndarray) -> dict[int, Rule]:
    """Kind -> its rule, in the order in which formats are asked: the sharpest rule first.

    Precision and recall are over the completions that no earlier rule takes, and of the kinds' own.
    """
    found: dict[int, Rule] = {}
    left = np.ones(len(texts), dtype=bool)
    kinds = set(range(int(labels.max()) + 1))
    while kinds:
        best = {kind: _best_rule(texts, labels == kind, left) for kind in sorted(kinds)}
        kind = max(best, key=lambda k: (_f1(best[k]), -k))
        found[kind] = best[kind]
        left &= ~np.array([best[kind].takes(text) for text in texts])
        kinds.remove(kind)
    return found


def _f1(rule: Rule) -> float:
    return 2 * rule.precision * rule.recall / max(rule.precision + rule.recall, 1e-9)


def _best_rule(texts: Sequence[str], member: np.ndarray, left: np.ndarray) -> Rule:
    """The text with the highest F1; of equals an opening, and the longest, which says most to a reader."""
    mine = [text for text, inside in zip(texts, member, strict=True) if inside]
    free = [text for text, inside in zip(texts, member & left, strict=True) if inside]
    own = free or mine  # earlier rules may have taken a kind whole
    rules = [_scored(key, text, texts, member, left) for key, text in sorted(_candidates(own))]
    return max(rules, key=lambda rule: (_f1(rule), rule.key == "opening", len(rule.text)))


def _candidates(texts: Sequence[str]) -> set[tuple[str, str]]:
    """Openings, marks, and beginnings of lines that half of the texts have; else words in a row.

    Prose of one line has such words at best, as in " is a child of ". Else the most frequent are tried.
    """
    return (
        _common(texts, _texts_of)
        or _common(texts, _words_in_a_row)
        or _common(texts, _words_in_a_row, half=False)
        or {("contains", text) for text in texts}
    )


def _common(
    texts: Sequence[str], read: Callable[[str], set[tuple[str, str]]], half: bool = True
) -> set[tuple[str, str]]:
    """Candidates that half of the texts have; without `half` the most frequent ones."""
    counts = Counter(candidate for text in texts for candidate in read(text))
    if half:
        return {candidate for candidate, count in counts.items() if 2 * count >= len(texts)}
    return {candidate for candidate, _ in sorted(counts.items(), key=lambda item: (-item[1], item[0]))[:MOST]}


def _words_in_a_row(text: str) -> set[tuple[str, str]]:
    """One to three words with the spaces around them, without digits."""
    words = re.findall(r" [^\W\d]+(?= |$)", text)
    return {
        ("contains", row + end)
        for size in (1, 2, 3)
        for start in range(len(words) - size + 1)
        for end in ("", " ")
        if (row := "".join(words[start : start + size])) + end in text
    }


def _texts_of(text: str) -> set[tuple[str, str]]:
    lines = [line for line in text.splitlines() if line.strip()]
    found = {("contains", mark) for mark in marks(text)}
    for number, line in enumerate(lines):
        starts = list(_starts(line[:LONGEST]))
        found |= {("contains", start) for start in starts}
        found |= {("contains", f"\n{start}") for start in starts if f"\n{start}" in text}
        if number == 0:
            found |= {("opening", start) for start in starts if text.startswith(start)}
    return found


def _starts(line: str) -> Iterator[str]:
    """Beginnings of a line that end with a word or a mark, without digits and longer than a character."""
    for token in islice(re.finditer(r"\w+|[^\w\s]+", line), LONGEST_BEGINNING):
        if any(character.isdigit() for character in token[0]):
            return
        if token.end() > 1:
            yield line[: token.end()]


def _scored(key: str, text: str, texts: Sequence[str], member: np.ndarray, left: np.ndarray) -> Rule:
    bare = Rule(key, text, 0.0, 0.0)
    takes = np.array([bare.takes(one) for one in texts]) & left
    both = int((takes & member).sum())
    return Rule(key, text, both / max(int(takes.sum()), 1), both / max(int(member.sum()), 1))


def labelled_by(rules: dict[int, Rule], texts: Sequence[str]) -> np.ndarray:
    """(N,) the kind of the first rule that takes each completion, -1 for none."""
    return np.array([next((kind for kind, rule in rules.items() if rule.takes(text)), -1) for text in texts])


def behaviours_block(rules: dict[int, Rule]) -> str:
    """YAML to paste into a recipe; names are `kind_1` onwards, in the order in which formats are asked."""
    block = {f"kind_{kind + 1}": {rule.key: rule.text} for kind, rule in rules.items()}
    return yaml.safe_dump({"behaviours": block}, sort_keys=False, allow_unicode=True, width=10_000)
