"""Claim sets of a user's own: a module registers its claims before the study runs."""

import re
from dataclasses import replace

from ..core.errors import UserError
from .claim_set import RULE_VERSIONS, ClaimSet
from .declare import Claim

_REGISTRY: dict[str, ClaimSet] = {}
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]*")


def register_claim(set_name: str, claim: Claim, rules: int = 1) -> Claim:
    """Add a claim to a set of the user's own and return it; a recipe then names it `SET/NAME`.

    `rules` is the version of the judging rules of the whole set. The digest of every registered set is
    recorded when the first RL stage of a study starts. `UserError` for a malformed or taken name or
    number, and for rules that do not exist or are not those of the set.
    """
    if rules not in RULE_VERSIONS:
        raise UserError(f"rules={rules} is not known; allowed are {', '.join(map(str, RULE_VERSIONS))}")
    for kind, name in (("claim set", set_name), ("claim", claim.name)):
        if not _NAME.fullmatch(name):
            raise UserError(
                f"{kind} name {name!r} is not allowed; expected a letter, then letters, digits, _ or -"
            )
    found = _REGISTRY.get(set_name, ClaimSet(set_name, (), rules))
    if found.rules != rules:
        raise UserError(f"claim set {set_name!r} is judged by rules {found.rules}; rules={rules} was given")
    for other in found.claims:
        if other != claim and (other.name == claim.name or other.number == claim.number):
            raise UserError(
                f"claim {set_name}/{claim.name} (number {claim.number}): name or number is taken by "
                f"{set_name}/{other.name} (number {other.number})"
            )
    if claim not in found.claims:
        _REGISTRY[set_name] = replace(found, claims=(*found.claims, claim))
    return claim


def registered_sets() -> dict[str, ClaimSet]:
    """Set name -> set of the claims registered so far."""
    return dict(_REGISTRY)
