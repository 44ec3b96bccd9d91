"""The 22 claims of arXiv 2504.07912 under the criteria of version 2 as one set."""

from ...claims.claim_set import ClaimSet
from . import algorithms, collapse, coverage, penalty, style, transfer, winners

ECHO_CHAMBER_2 = ClaimSet(
    name="echo_chamber_2",
    claims=(
        *collapse.CLAIMS,
        *coverage.CLAIMS,
        *penalty.CLAIMS,
        *winners.CLAIMS,
        *style.CLAIMS,
        *algorithms.CLAIMS,
        *transfer.CLAIMS,
    ),
    rules=2,
)
