"""Structural rules: which shipped format is a text written in, whether or not its answer is right.

Code marks decide before prose marks. A text with an `<llm-code>` tag, or with a function header at
the start of a line, is an attempt at a program, finished or not. The first code mark wins: a function
inside an `<llm-code>` block is `omi1`. Prose formats differ in how they state the answer.
metamath has `The answer is:` on a line of its own, and may have a box too. omi2 has a box, gsm8k a
`####` line or calculator marks. At most one rule applies to a text.
"""

import re

FUNCTION_HEADER = re.compile(
    r"^[ \t]{0,8}(?:async[ \t]+)?def[ \t]+[A-Za-z_\\][\w\\]*[ \t]*(?:\(|\Z)", re.MULTILINE
)
"""A header at the start of a line; escaped underscores as models write them; may end at the cut."""
LLM_CODE_TAG = "<llm-code>"
METAMATH_LINE = re.compile(r"^[ \t]*The answer is:[ \t]*(?:\Z|(?![^\n]*\\boxed)[^\s])", re.MULTILINE)
HASH_LINE = re.compile(r"^[ \t]*####[ \t]*[^\s#]", re.MULTILINE)
CALCULATOR_MARK = re.compile(r"<<[^<>\n]{1,120}=[^<>\n]{1,60}>>")


def is_function(text: str) -> bool:
    """A Python function comes before any `<llm-code>` tag."""
    if "def" not in text:
        return False
    header = FUNCTION_HEADER.search(text)
    tag = text.find(LLM_CODE_TAG)
    return header is not None and (tag < 0 or header.start() < tag)


def is_llm_code(text: str) -> bool:
    """An `<llm-code>` tag that no function header precedes."""
    return LLM_CODE_TAG in text and not is_function(text)


def is_metamath(text: str) -> bool:
    """Prose that closes with a line `The answer is: X`."""
    return "The answer is:" in text and not _is_code(text) and METAMATH_LINE.search(text) is not None


def is_boxed_prose(text: str) -> bool:
    """Prose with a `\\boxed{}`."""
    return ("\\boxed" in text or "\\fbox" in text) and not _is_code(text) and not is_metamath(text)


def is_gsm8k(text: str) -> bool:
    """Prose with a `####` line, or cut after a calculator mark such as `<<6*3=18>>`."""
    if _is_code(text) or is_metamath(text) or is_boxed_prose(text):
        return False
    return HASH_LINE.search(text) is not None or CALCULATOR_MARK.search(text) is not None


def is_anything(text: str) -> bool:
    """Every text; the rule of the last row, so that shares over a registry add up to 1."""
    return True


def _is_code(text: str) -> bool:
    return LLM_CODE_TAG in text or is_function(text)
