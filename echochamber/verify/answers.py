"""What does a completion say? One rule per way of stating an answer.

A text rule finds the stated answer in the text. A program rule finds the program whose value is the
answer; running it is the sandbox's work. Rules see the completion only.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from ..core.errors import UserError
from ..core.formats import Format
from .patterns import compiled, last_group
from .programs import NoProgram, Program, read_function, read_llm_code

_BOX = re.compile(r"\\(?:boxed|fbox)\s*(?=\{)|\\boxed\s+(?=\S)")
_MAX_BOXES = 100
_METAMATH = re.compile(r"^[ \t]*The answer is:[ \t]*([^\n]*)", re.MULTILINE)
_HASH = re.compile(r"^[ \t]*####[ \t]*([^\n#]+)", re.MULTILINE)
_STATED = re.compile(
    r"(?:answer\s+is|answer\s*:|answer\s*=)[ \t]*:?[ \t]*\**\s*(\$?\\?\$?-?[\d.][\d,./]*(?:[ \t]+\d+/\d+)?)",
    re.IGNORECASE,
)
_NUMBER_TAIL = re.compile(r"(?<!\\)[.,/]+$")


@dataclass(frozen=True, slots=True)
class Reading:
    """What a rule found: a stated answer, or a program whose value is the answer, or why neither."""

    answer: str | None = None
    program: Program | None = None
    boxed: str | None = None
    """For code formats, the box that follows the program, to record disagreement."""
    detail: str = ""
    refused: bool = False
    """The program is not run at all: too long, too deep, illegal characters."""
    program_prints: bool = False
    """A printed line answers where the program has no value."""


def last_box(text: str) -> str | None:
    """Content of the last complete `\\boxed{...}`, braces balanced; also `\\boxed 5`."""
    for match in reversed(list(_BOX.finditer(text))[-_MAX_BOXES:]):
        content = _braced(text, match.end()) if text[match.end()] == "{" else _word(text, match.end())
        if content is not None:
            return content
    return None


def _braced(text: str, start: int) -> str | None:
    """Content of the brace group that opens at `start`; None when it never closes."""
    depth = 0
    for index in range(start, min(len(text), start + 2000)):
        char = text[index]
        if char == "{":
            depth += 1
        elif char == "}":
            depth -= 1
            if depth == 0:
                return text[start + 1 : index].strip()
    return None


def _word(text: str, start: int) -> str | None:
    match = re.compile(r"[^\s$]+").match(text, start)
    return match[0].rstrip(".,") if match else None


def read_box(text: str) -> Reading:
    """The last complete box."""
    answer = last_box(text)
    if answer is None:
        return Reading(detail="box is not closed")
    return Reading(answer) if answer else Reading(detail="box is empty")


def read_metamath(text: str) -> Reading:
    """The text behind the last `The answer is:`."""
    return _last(_METAMATH, text, "nothing after `The answer is:`")


def read_hash(text: str) -> Reading:
    """The text behind the last `####`."""
    return _last(_HASH, text, "no #### line")


def read_stated(text: str) -> Reading:
    """A number in so many words (`the answer is 18`); a lone last number is not a statement."""
    return _last(_STATED, text, "no stated answer")


def _last(pattern: re.Pattern[str], text: str, missing: str) -> Reading:
    found = None
    for match in pattern.finditer(text):
        found = match
    answer = _NUMBER_TAIL.sub("", found[1].strip()) if found else ""
    return Reading(answer) if answer else Reading(detail=missing)


def read_program(text: str) -> Reading:
    """The function of a completion, as a program to call."""
    found = read_function(text)
    if isinstance(found, NoProgram):
        return Reading(detail=found.why, refused=found.refused)
    return Reading(program=found)


def read_block(text: str) -> Reading:
    """The `<llm-code>` blocks of a completion as one program, and the box behind them."""
    found, boxed = read_llm_code(text), last_box(text)
    if isinstance(found, NoProgram):
        return Reading(boxed=boxed, detail=found.why, refused=found.refused, program_prints=True)
    return Reading(program=found, boxed=boxed, program_prints=True)


ANSWER_RULES: dict[str, Callable[[str], Reading]] = {
    "function": read_program,
    "llm_code": read_block,
    "box": read_box,
    "metamath": read_metamath,
    "hash": read_hash,
    "stated": read_stated,
}
"""Name of the rule in a format's row -> the rule. A user's module may add its own."""


REGEX = "regex:"
"""Beginning of an answer rule that is a regular expression of RE2 with one group."""


def answer_rule(name: str) -> Callable[[str], Reading]:
    """The rule of that name, or `regex:PATTERN`: the first group of the pattern's last match.

    `UserError` for other names, and where a pattern has no group.
    """
    if name in ANSWER_RULES:
        return ANSWER_RULES[name]
    pattern = name.removeprefix(REGEX)
    if pattern == name:
        raise UserError(
            f"answer_rule {name!r} is not known; there are {', '.join(ANSWER_RULES)}, {REGEX}PATTERN"
        )
    if compiled(pattern).groups != 1:
        raise UserError(f"answer_rule {name!r}: the pattern needs one group, which is the answer")
    return partial(_read_pattern, pattern)


def _read_pattern(pattern: str, text: str) -> Reading:
    answer = (last_group(pattern, text) or "").strip()
    return Reading(answer) if answer else Reading(detail="the answer's pattern matches nothing")


def check_answer_rule(row: Format) -> None:
    """`UserError` where a format names a rule that nothing knows: none of its completions could be graded."""
    try:
        answer_rule(row.answer_rule)
    except UserError as error:
        raise UserError(f"format {row.name!r}: {error}") from None
