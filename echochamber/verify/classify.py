"""What is a completion written in? Decided by structure, whether or not the answer is right.

Code marks decide before prose marks: a completion with an `<llm-code>` tag or a function header at
the start of a line is an attempt at a program, finished or not. The first code mark wins, so a
function inside an `<llm-code>` block is `omi1`. Prose is told apart by how it states its answer:
`The answer is:` on a line of its own (metamath, which may have a box too), a box (omi2), a `####`
line or calculator marks (gsm8k). What states nothing by these rules is `other`.
"""

import re

from ..core.formats import FORMAT_NAMES, Format, register_format, registered_formats

FUNCTION_HEADER = re.compile(
    r"^[ \t]{0,8}(?:async[ \t]+)?def[ \t]+[A-Za-z_\\][\w\\]*[ \t]*(?:\(|\Z)", re.MULTILINE
)
"""A header at the start of a line; escaped underscores as models write them; may end at the cut."""
LLM_CODE_TAG = "<llm-code>"
METAMATH_LINE = re.compile(r"^[ \t]*The answer is:[ \t]*(?:\Z|(?![^\n]*\\boxed)[^\s])", re.MULTILINE)
HASH_LINE = re.compile(r"^[ \t]*####[ \t]*[^\s#]", re.MULTILINE)
CALCULATOR_MARK = re.compile(r"<<[^<>\n]{1,120}=[^<>\n]{1,60}>>")


def classify(text: str) -> str:
    """Name of the registered format `text` is written in; exactly one always applies.

    Rows that a user's module registered are asked first, so that a twin of a shipped format can be
    told apart; `other` is asked last.
    """
    rows = registered_formats()
    for name, row in rows.items():
        if name not in FORMAT_NAMES and row.matches(text):
            return name
    return next((name for name in FORMAT_NAMES if rows[name].matches(text)), "other")


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


def _is_code(text: str) -> bool:
    return LLM_CODE_TAG in text or is_function(text)


def _anything(text: str) -> bool:
    return True


SHIPPED = (
    Format("tinygsm", is_function, "function", "def simple_math_problem() -> int:", "Python function"),
    Format(
        "omi1",
        is_llm_code,
        "llm_code",
        "Let's solve this problem using Python code.\n<llm-code>",
        "Code block with output",
    ),
    Format("omi2", is_boxed_prose, "box", "Let's go step by step.", "Natural language with a box"),
    Format("metamath", is_metamath, "metamath", "Let us see what we know.", "Prose, `The answer is:`"),
    Format("gsm8k", is_gsm8k, "hash", "", "Prose with calculator marks"),
    Format("other", _anything, "stated", "", "None of these"),
)
for _row in SHIPPED:
    register_format(_row)
