"""All claims by number, and the hash of what decides them."""

import hashlib
from pathlib import Path

from ..core.artifacts import canonical_json
from ..papers.echo_chamber import algorithms, collapse, copies, penalty, style, transfer, winners
from .declare import Claim

_FAMILIES = (collapse, penalty, copies, winners, style, algorithms, transfer)
CLAIMS: dict[int, Claim] = {
    claim.number: claim
    for claim in sorted((c for family in _FAMILIES for c in family.CLAIMS), key=lambda c: c.number)
}
"""Claim number -> declaration."""


def criteria_hash() -> str:
    """Sixteen hex digits over the canonical text of every declaration.

    It covers statements, arms, statistics in words, rules, margins and choices; a change in any of
    them after the first RL run of a study is stated in its results.
    """
    text = canonical_json([claim.declared() for claim in CLAIMS.values()])
    return hashlib.sha256(text.encode()).hexdigest()[:16]


_ANALYSIS = Path(__file__).parents[1] / "analysis"
COMPUTING = ("../stats/*.py", "tables/*.py", "forecast_tables.py")
"""Sources outside this folder, seen from `analysis`, that its numbers come from."""
SHOWING = (
    "figures.py",
    "findings.py",
    "ledger.py",
    "phase.py",
    "results_bases.py",
    "results_page.py",
    "results_parts.py",
    "results_words.py",
)
"""Files of this folder that show what others computed."""


def program_hash() -> str:
    """Sixteen hex digits over the source that turns tables into verdicts.

    Recorded beside the criteria: a mended bug changes this hash and not that of the criteria, and is
    stated in the results as well.
    """
    files = [path for path in sorted(Path(__file__).parent.glob("*.py")) if path.name not in SHOWING]
    files += [path for pattern in COMPUTING for path in sorted(_ANALYSIS.glob(pattern))]
    digest = hashlib.sha256()
    for path in files:
        digest.update(f"{path.name}\n".encode() + path.read_bytes())
    return digest.hexdigest()[:16]
