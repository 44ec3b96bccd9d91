"""The verdicts as the page shows them; `build_report` takes a function that makes them."""

from collections.abc import Callable
from dataclasses import dataclass

from .study_folder import StoredStudy


@dataclass(frozen=True)
class PageLine:
    """One claim."""

    label: str
    """The claim's number, or `SET/NAME`."""
    statement: str
    verdict: str
    measured: list[str]
    """Criterion, estimate with interval, threshold, and the criterion's own verdict; one text each."""
    reason: str


@dataclass(frozen=True)
class PageLedger:
    """The claims and a sentence on whether their criteria are those of before the first RL run."""

    lines: list[PageLine]
    criteria: str


LedgerOf = Callable[[StoredStudy], PageLedger | None]
"""Judges the claims that a study's recipe names; None where there is nothing to judge."""
