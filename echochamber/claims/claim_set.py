"""A named set of claims, and the digest of the criteria that decide them."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from ..core.files import canonical_json
from .declare import Claim

RULE_VERSIONS = (1, 2)
"""Versions of the judging rules: the keys of `claims.judge.RULES`."""


@dataclass(frozen=True)
class ClaimSet:
    """Claims that are judged together, by one version of the judging rules."""

    name: str
    claims: tuple[Claim, ...]
    rules: int = 1
    """Version of the judging rules (`claims.judge.RULES`). It never changes once the set has been used."""
    first_declarations: Path | None = None
    """Declarations as they were when the digest still covered their wording, as plain data."""

    def __post_init__(self) -> None:
        numbers = [claim.number for claim in self.claims]
        assert len(set(numbers)) == len(numbers), f"claim set {self.name}: numbers {numbers} repeat"

    @cached_property
    def by_number(self) -> dict[int, Claim]:
        """Claims in the order of their numbers."""
        return {claim.number: claim for claim in sorted(self.claims, key=lambda claim: claim.number)}

    def reference(self, claim: Claim) -> str:
        """How a reader of several sets tells a claim: the number of a paper's, `SET/NAME` of a user's own."""
        return f"{self.name}/{claim.name}" if claim.name else str(claim.number)

    def declared(self) -> dict[str, object]:
        """Everything that decides the verdicts, as plain data; no wording."""
        return {"set": self.name, "rules": self.rules, "claims": self._declared_claims()}

    def _declared_claims(self) -> list[dict[str, object]]:
        return [claim.declared() for claim in self.by_number.values()]

    @cached_property
    def digest(self) -> str:
        """Sixteen hex digits over `declared`: a changed arm, statistic, rule or margin changes it."""
        return digest_of(self.declared())

    def recorded(self, criteria: Mapping[str, object]) -> str | None:
        """The digest of this set in the `criteria` of a `study.json`; None where it has none."""
        sets = criteria.get("sets")
        found = sets.get(self.name) if isinstance(sets, dict) else None
        # Before sets had names, `hash` covered the one set that there was.
        first = criteria.get("hash") if self.first_declarations else None
        return found or (None if first is None else str(first))

    def is_unchanged_since(self, digest: str) -> bool:
        """Whether the criteria behind an earlier digest decide as today's do."""
        if digest == self.digest:
            return True
        if self.first_declarations is None:
            return False
        first = json.loads(self.first_declarations.read_text(encoding="utf-8"))
        return digest == digest_of(first) and same_criteria(first, self._declared_claims())


def digest_of(data: object) -> str:
    """First sixteen hex digits of the SHA-256 of canonical JSON."""
    return hashlib.sha256(canonical_json(data).encode()).hexdigest()[:16]


def same_criteria(first: Sequence[Mapping[str, Any]], now: Sequence[Mapping[str, Any]]) -> bool:
    """Whether earlier declarations, whose statistics were in words, have the same arms, rules and margins."""

    def deciding(claim: Mapping[str, Any]) -> list[object]:
        # A criterion was [name, statistic, rule, margin, unit] and is [id, statistic, rule, margin].
        # An arm's name has no space; what followed one was a note to the reader.
        arms = [arm.partition(" ")[0] for arm in claim["arms"]]
        criteria = [criterion[2:4] for criterion in claim["criteria"]]
        return [claim["number"], arms, claim["holds"], claim["holm"], criteria]

    return canonical_json([deciding(c) for c in first]) == canonical_json([deciding(c) for c in now])
