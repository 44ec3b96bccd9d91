"""Which claims there are, by name alone: what judges them is loaded where they are judged."""

from collections.abc import Iterable

from ..claims.registry import registered_sets

NUM_CLAIMS = 22
"""Claims of the set `echo_chamber`, which plain numbers from 1 mean."""
NUMBERED_SETS = ("echo_chamber", "echo_chamber_2")
"""Shipped sets of so many claims each, which `SET/NUMBER` means."""


def check_claims(wanted: Iterable[int | str]) -> None:
    """`UserError` where a recipe names a claim that there is not, as from `catalogue.find_claims`."""
    unknown = [reference for reference in wanted if not _is_known(reference)]
    if unknown:
        from .catalogue import find_claims  # its error lists what there is

        find_claims(unknown)


def _is_known(reference: int | str) -> bool:
    if isinstance(reference, int):
        return 1 <= reference <= NUM_CLAIMS
    set_name, _, name = reference.partition("/")
    if set_name in NUMBERED_SETS:
        return name in map(str, range(1, NUM_CLAIMS + 1))
    found = registered_sets().get(set_name)
    return found is not None and name in {claim.label for claim in found.claims}
