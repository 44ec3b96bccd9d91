"""All claims by number, and the hash of what decides them."""

import hashlib

from ...core.artifacts import canonical_json
from . import algorithms, collapse, copies, penalty, style, transfer, winners
from .declare import Claim

_FAMILIES = (collapse, penalty, copies, winners, style, algorithms, transfer)
CLAIMS: dict[int, Claim] = {
    claim.number: claim for claim in sorted((c for family in _FAMILIES for c in family.CLAIMS), key=lambda c: c.number)
}
"""Claim number -> declaration."""


def criteria_hash() -> str:
    """Sixteen hex digits over the canonical text of every declaration.

    It covers statements, arms, statistics in words, rules, margins and choices; a change in any of
    them after the first RL run of a study is stated in its results.
    """
    text = canonical_json([claim.declared() for claim in CLAIMS.values()])
    return hashlib.sha256(text.encode()).hexdigest()[:16]
