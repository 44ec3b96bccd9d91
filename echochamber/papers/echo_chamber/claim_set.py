"""The 22 claims of arXiv 2504.07912 as one set."""

from pathlib import Path

from ...claims.claim_set import ClaimSet
from . import algorithms, collapse, collapse_cost, copies, penalty, style, transfer, winners

ECHO_CHAMBER = ClaimSet(
    name="echo_chamber",
    claims=(
        *collapse.CLAIMS,
        *collapse_cost.CLAIMS,
        *penalty.CLAIMS,
        *copies.CLAIMS,
        *winners.CLAIMS,
        *style.CLAIMS,
        *algorithms.CLAIMS,
        *transfer.CLAIMS,
    ),
    rules=1,
    first_declarations=Path(__file__).parent / "declarations_v1.json",
)
CLAIMS = ECHO_CHAMBER.by_number
"""Claim number -> declaration."""
