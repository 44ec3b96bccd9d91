"""Nine shipped traits of reasoning text, by lexical and structural rules.

Verification, backtracking, subgoals and working backward are the behaviours of Gandhi et al. 2025 (arXiv
2503.01307); the others describe the form. docs/traits.md has the criteria, and the precision and recall.
"""

import re
from collections import Counter
from collections.abc import Callable

from ..core.errors import UserError
from ..core.traits import Trait
from .languages import switches_language
from .patterns import is_found, matches_of

RULES_VERSION = 1
"""Part of the fingerprint of a run that tracks a shipped trait."""
LONG = 8
"""Words of a line or sentence whose second occurrence is a repetition."""
PASSAGE = 18
"""Words in a row whose second occurrence is a repetition, within a line or across lines."""
LOOP = 5
"""Occurrences of a shorter line that make a loop."""

_VERIFICATION = (
    r"(?i)\bverif(?:y|ies|ied|ying|ication)\b|\b(?:double|sanity)[- ]check|"
    r"\bcheck(?:ing)? (?:if|whether|our|my|this|the (?:answer|result|solution))\b|"
    r"\blet(?:'s| us|’s) (?:check|test)\b|\b(?:roots|solutions|values|answers) are valid\b|"
    r"\b(?:plug|substitut)\w* [^.\n]{0,40}\bback into the (?:original|given)\b"
)
_ASSERT = r"(?m)^\s*assert\b"
_BACKTRACKING = (
    r"(?i)(?:^|[.!?\n]\s*)(?:wait|hold on|oops|hmm)\b|\b(?:mistakes?|an error|the error)\b|"
    r"\blet(?:'s| us|’s) (?:try again|re-?evaluate|re-?consider|re-?think|start (?:over|again)|go back)\b|"
    r"\b(?:different|simpler|another|alternative|better|easier) (?:approach|way|method)\b|"
    r"\b(?:was|were|is) (?:incorrect|wrong)\b|\b(?:does|did) not work\b|"
    r"\bhowever, (?:this|that) is not (?:the|possible|correct|right)\b|"
    r"\b(?:equation|inequality) has no\b"
)
_GOAL = (
    r"(?:find|determine|calculate|compute|identify|obtain|derive|solve|simplify|factor|convert|count|choose|"
    r"consider|recall|understand|recognize|investigate|analy[sz]e|set up|substitute|replace|evaluate|test|"
    r"sum|add|subtract|multiply|perform|create|express|scale|apply)"
)
_SUBGOAL = (
    rf"(?i)\b(?:first|next|now|finally)\b,? (?:(?:let(?:'s| us|’s)|we|i) )?"
    rf"(?:(?:'ll|will|can|must|have to) )?(?:need to |want to |first )?{_GOAL}\b|"
    rf"(?m:^\s*(?:#+ *)?(?:\*\*)?(?:step )?\d+[.:)] (?:\*\*)?(?:\w+, )?(?:we need to )?(?:to )?{_GOAL}\b)|"
    rf"\bwe first need to {_GOAL}\b|\blet(?:'s| us|’s) first {_GOAL}\b|(?m:^to find the\b)"
)
_PLAN = (
    rf"(?i)\bfirst {_GOAL} [^\n]{{5,200}}\bthen,? (?:\w+ ){{0,4}}{_GOAL}\b|"
    rf"\b(?:need to|we can|will|let's) {_GOAL} [^.\n]{{5,150}}\band then {_GOAL}\b"
)
"""One sentence that announces two goals."""
_BACKWARD = (
    r"(?i)\b(?:work|go|reason|step|start|mov)(?:ing|ed|e)? (?:\w+ )?(?:backwards?|in reverse)\b|"
    r"\bstart(?:ing)? (?:from|with|at) the (?:end|final|answer|target|goal|last)\b|"
    r"\bundo(?:ing)? (?:the|each|this|that)\b|"
    r"\brevers(?:e|ing) (?:the|each) (?:steps?|operations?|process)\b|"
    r"\bto (?:get|reach|end (?:up )?with|obtain) [-$\d][\d.,]*,? (?:we|i|it|there) (?:need|must|have to)\b"
)
_PROGRAM = r"(?m)^\s*def [\w\\]+\(|^\s*import \w+|^\s*from [\w.]+ import |```python|<llm-code>"
_COMMANDS = (
    r"\\(?:d?frac|sqrt|cdot|times|text|pi|left|right|begin|sum|int|lim|angle|circ|binom|infty|leq?|geq?|neq?|"
    r"Rightarrow|quad|math\w+|sin|cos|tan|log|ln|alpha|beta|theta|overline|pm|lfloor|lceil|pmod|equiv|approx|div)"
    r"(?:[^a-zA-Z]|$)"
)
_MATHEMATICS = r"\$[^\s$](?:[^$\n]*[^\s$])?\$(?:[^0-9]|$)|\\\[|\\\("
_STEP = r"(?mi)^\s*(?:#+ *)?(?:\*\*)?step \d+\b"
_NUMBERED = r"(?m)^\s*\d+[.)] "
_BULLET = r"(?m)^\s*[-*•] [^\n]*="
_FENCE = re.compile(r"```.*?(?:```|\Z)|<llm-code>.*?(?:</llm-code>|\Z)", re.DOTALL)


def verifies(text: str) -> bool:
    """A stated result is checked, in words or by an assertion of the program."""
    return is_found(_VERIFICATION, text) or is_found(_ASSERT, text)


def backtracks(text: str) -> bool:
    """A path or result is given up or revised."""
    return is_found(_BACKTRACKING, text)


def sets_subgoals(text: str) -> bool:
    """Two intermediate goals or more are announced in prose."""
    prose = _FENCE.sub("\n", text)
    return matches_of(_SUBGOAL, prose) >= 2 or is_found(_PLAN, prose)


def works_backward(text: str) -> bool:
    """It says that it starts from the goal or an end state."""
    return is_found(_BACKWARD, text)


def has_program(text: str) -> bool:
    """Python, complete or cut off."""
    return is_found(_PROGRAM, text)


def has_latex(text: str) -> bool:
    """Mathematics between LaTeX's marks, or its commands; sums of money are none."""
    return is_found(_COMMANDS, text) or is_found(_MATHEMATICS, text.replace("\\$", ""))


def lists_steps(text: str) -> bool:
    """Two numbered lines, headings of steps, or bullets that compute, or more."""
    return any(matches_of(pattern, text) >= 2 for pattern in (_STEP, _NUMBERED, _BULLET))


def repeats(text: str) -> bool:
    """A line or sentence of `LONG` words or a passage of `PASSAGE` occurs twice, or a line `LOOP` times."""
    parts = (" ".join(part.strip(" \t#*.").lower().split()) for part in re.split(r"[.!?]\s+|\n", text))
    counted = Counter(part for part in parts if len(part.split()) >= 3)
    if any(n >= LOOP or (n >= 2 and len(part.split()) >= LONG) for part, n in counted.items()):
        return True
    words = text.lower().split()
    first: dict[tuple[str, ...], int] = {}
    passages = (tuple(words[i : i + PASSAGE]) for i in range(len(words) - PASSAGE + 1))
    return any(i - first.setdefault(passage, i) >= PASSAGE for i, passage in enumerate(passages))


_RULES: dict[str, tuple[Callable[[str], bool], str]] = {
    "verification": (verifies, "a check of a stated result"),
    "backtracking": (backtracks, "a path given up or a result revised"),
    "subgoals": (sets_subgoals, "two announced intermediate goals"),
    "working_backward": (works_backward, "reasoning from the goal back"),
    "program": (has_program, "a program"),
    "latex": (has_latex, "LaTeX"),
    "step_list": (lists_steps, "a list of steps"),
    "repetition": (repeats, "a repeated line or sentence"),
    "language_switch": (switches_language, "a second language"),
}
SHIPPED_TRAITS = {name: Trait(name, holds, title) for name, (holds, title) in _RULES.items()}
"""Name -> shipped trait; none is tracked unless it is declared."""


def shipped_trait(name: str) -> Trait:
    """The trait that `NAME` or `NAME@VERSION` means; `UserError` for another version than the present one."""
    known, _, version = name.partition("@")
    if known not in SHIPPED_TRAITS:
        raise UserError(f"shipped trait {name!r} is not known; there are {', '.join(SHIPPED_TRAITS)}")
    if version and version != str(RULES_VERSION):
        raise UserError(f"shipped trait {name!r}: the rules have version {RULES_VERSION} now")
    return SHIPPED_TRAITS[known]
