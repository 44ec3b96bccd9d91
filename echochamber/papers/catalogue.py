"""All claim sets: those of the papers here, and those that a user's modules registered."""

from collections.abc import Iterable

from ..claims.claim_set import ClaimSet
from ..claims.declare import Claim
from ..claims.registry import registered_sets
from ..core.errors import UserError
from .echo_chamber.claim_set import ECHO_CHAMBER
from .echo_chamber_2.claim_set import ECHO_CHAMBER_2

DEFAULT_SET = ECHO_CHAMBER
"""The set that plain numbers in a recipe's `claims` belong to."""
SHIPPED = {claim_set.name: claim_set for claim_set in (ECHO_CHAMBER, ECHO_CHAMBER_2)}


def claim_sets() -> dict[str, ClaimSet]:
    """Set name -> set; `UserError` where a user's set has the name of a shipped one."""
    own = registered_sets()
    taken = next((name for name in own if name in SHIPPED), None)
    if taken:
        raise UserError(f"claim set {taken!r} is a shipped one; choose another name")
    return SHIPPED | own


def find_claim_set(name: str) -> ClaimSet:
    """The set of that name; an unknown name lists what there is."""
    known = claim_sets()
    if name not in known:
        raise UserError(
            f"claim set {name!r} is not registered; there are {', '.join(known)}. "
            "A set of your own is registered by a module that the recipe or --module names"
        )
    return known[name]


def find_claims(wanted: Iterable[int | str]) -> list[tuple[ClaimSet, Claim]]:
    """The claims that a recipe names: numbers of the paper or `SET/NAME`; `UserError` for an unknown one."""
    return [_find(reference) for reference in wanted]


def _find(reference: int | str) -> tuple[ClaimSet, Claim]:
    if isinstance(reference, int):
        claim_set, name = DEFAULT_SET, str(reference)
    else:
        set_name, slash, name = reference.partition("/")
        if not slash:
            raise UserError(f"claims: {reference!r} is neither a number nor SET/NAME")
        claim_set = find_claim_set(set_name)
    known = {claim.label: claim for claim in claim_set.by_number.values()}
    if name not in known:
        raise UserError(f"claims: {reference!r} is not known; set {claim_set.name} has {', '.join(known)}")
    return claim_set, known[name]
