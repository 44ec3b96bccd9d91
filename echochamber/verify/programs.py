"""Programs out of text: fences, prose around the code, escaped underscores, several blocks.

Nothing here runs anything. A program is cut by lines, so that a broken tail or prose around the
function does not break it; `ast` is asked only where a value is the last expression.
"""

import ast
import os
import re
import threading
import warnings
from dataclasses import dataclass

MAX_CODE = 20_000
"""Characters of a program; longer ones are refused."""
MAX_BLOCKS = 8
MAX_DEPTH = 60
"""Open brackets at one point; deeper programs are refused before anything parses them."""

_FENCE = re.compile(r"^[ \t]*(?:```|~~~)[^\n]*$", re.MULTILINE)
_DEF = re.compile(r"(?:async[ \t]+)?def[ \t]+([A-Za-z_]\w*)[ \t]*(\(?)")
_IMPORT = re.compile(r"import[ \t]+[\w.]+|from[ \t]+[\w.]+[ \t]+import\b")
_ASSIGN = re.compile(r"[A-Za-z_]\w*(?:[ \t]*,[ \t]*[A-Za-z_]\w*)*[ \t]*(?::[ \t]*[\w.\[\], ]+)?=(?!=)")
_BLOCK = re.compile(r"<llm-code>(.*?)(</llm-code>|<llm-code-output>|\Z)", re.DOTALL)
_OPENERS = re.compile(r"[(\[{]")
_OPENING = re.compile(r"""[\[\](){}]|\"{3}|'{3}""")
_STRINGS = re.compile(r'"""|\'\'\'')
_NO_ARGUMENTS = re.compile(
    r"\(\s*+(?:(?:\*{1,2}\w++|\w++\s*+(?::[^,=()]*+)?=[^,()]*+)\s*+(?:,\s*+|(?=\))))*+\)"
)
_ILLEGAL = re.compile("[\x00\ud800-\udfff]")
_MAY_WARN = re.compile(r"\\|[0-9][A-Za-z_]")
_PARSING = threading.Lock()
# A child that is forked while another thread parses must not inherit a lock that nobody releases.
os.register_at_fork(
    before=_PARSING.acquire, after_in_parent=_PARSING.release, after_in_child=_PARSING.release
)


@dataclass(frozen=True, slots=True)
class Program:
    """Source to run: blocks that share state, and what its value is."""

    blocks: tuple[str, ...]
    entry: str = ""
    """Function to call after the last block; empty: the value is the last block's last expression."""


@dataclass(frozen=True, slots=True)
class NoProgram:
    """Why a text gives no program to run."""

    why: str
    """For the record's `detail` column."""
    refused: bool = False
    """There is a program, but it may not be run: too long, too deep, illegal characters."""


def refusal(code: str) -> str:
    """Why `code` may not go near any parser, or an empty string."""
    if len(code) > MAX_CODE:
        return f"program of {len(code)} characters; at most {MAX_CODE} are run"
    if _ILLEGAL.search(code):
        return "NUL or surrogate in the program"
    return "brackets nested too deeply" if _depth(code) > MAX_DEPTH else ""


def _depth(code: str) -> int:
    """Highest bracket depth if every bracket counted, strings too; an upper bound that is cheap."""
    if len(_OPENERS.findall(code)) <= MAX_DEPTH:
        return 0
    depth = deepest = 0
    for char in code:
        if char in "([{":
            depth += 1
            deepest = max(deepest, depth)
        elif char in ")]}":
            depth = max(depth - 1, 0)
    return deepest


def read_function(text: str) -> Program | NoProgram:
    """The program whose function is the answer."""
    code = _unescape(_fenced_code(text) if "```" in text or "~~~" in text else text)
    why = refusal(code)
    if why:
        return NoProgram(why, refused=True)
    kept, names = _keep_definitions(_restore_indentation(_lines(code.expandtabs(4))))
    if not names:
        return NoProgram("truncated: no complete function header")
    return Program(("\n".join(kept),), _entry(kept, names))


def _fenced_code(text: str) -> str:
    """The fenced pieces that define a function, one after the other; the whole text if none does."""
    pieces = _FENCE.split(text)
    inside = [piece for piece in pieces[1::2] if _has_definition(piece)]
    return "\n".join(inside) if inside else _FENCE.sub("", text)


def _has_definition(piece: str) -> bool:
    return any(_DEF.match(line.replace("\\_", "_").lstrip()) for line in _lines(piece) if "def" in line)


def _unescape(code: str) -> str:
    """Markdown escapes of some writers (`total\\_cost \\* 2`) back to code."""
    if "\\_" not in code:
        return code
    return code.replace("\\_", "_").replace("\\*", "*")


def _keep_definitions(lines: list[str]) -> tuple[list[str], list[str]]:
    """Imports, definitions and the assignments above them; names of the top-level functions.

    Prose, prints and everything else at the top level goes, with its indented body.
    """
    kept: list[str] = []
    names: list[str] = []
    margin = _margin(lines)
    keep, quote, depth = False, "", 0
    for line in (raw[margin:] if raw[:margin].isspace() or not raw.strip() else raw for raw in lines):
        if not quote and depth <= 0 and line[:1] not in ("", " ", "#", ")", "]", "}"):
            definition = _DEF.match(line)
            if definition:
                names.append(definition[1])
            keep = bool(definition or _is_kept_statement(line, bool(names)))
            depth = 0
        if keep:
            kept.append(line)
            quote, depth = _scan(line, quote, depth)
    return kept, [name for name in names if name]


def _restore_indentation(lines: list[str]) -> list[str]:
    """A body that lost its indentation as a whole, from the header to its `return`, gets it back.

    Some writers drop it; the record of such programs was taken after the same repair.
    """
    for index, line in enumerate(lines):
        if not (_DEF.match(line) and line.rstrip().endswith(":")):
            continue
        body = next((i for i in range(index + 1, len(lines)) if lines[i].strip()), None)
        if body is None or lines[body][:1] in (" ", "") or _DEF.match(lines[body]):
            continue
        end = next((i for i in range(body, len(lines)) if re.match(r"return\b", lines[i])), None)
        if end is not None:
            indented = ["    " + inner for inner in lines[body : end + 1]]
            return [*lines[:body], *indented, *_restore_indentation(lines[end + 1 :])]
    return lines


def _margin(lines: list[str]) -> int:
    """Common indentation of a program that was indented as a whole."""
    for line in lines:
        if _DEF.match(line.lstrip()):
            return len(line) - len(line.lstrip())
    return 0


def _is_kept_statement(line: str, after_function: bool) -> bool:
    if line.startswith(("class ", "@")) or _IMPORT.match(line):
        return True
    return not after_function and _ASSIGN.match(line) is not None


def _scan(line: str, quote: str, depth: int) -> tuple[str, int]:
    """Open triple quote and open brackets after `line`."""
    if not quote and not _OPENING.search(line):
        return quote, depth
    index = 0
    while quote or '"""' in line[index:] or "'''" in line[index:]:
        match = re.compile(re.escape(quote)).search(line, index) if quote else _STRINGS.search(line, index)
        if match is None:
            return quote, depth
        quote, index = ("" if quote else match[0]), match.end()
    code = line[index:].split("#", 1)[0]
    opened = sum(code.count(c) for c in "([{") - sum(code.count(c) for c in ")]}")
    return quote, max(depth + opened, 0)


def _entry(kept: list[str], names: list[str]) -> str:
    """Which function answers: the customary name, else the last one callable without arguments."""
    if "simple_math_problem" in names:
        return "simple_math_problem"
    for line in reversed(kept):
        match = _DEF.match(line)
        if match and _NO_ARGUMENTS.match(line, match.end() - 1):
            return match[1]
    return names[-1]


def read_llm_code(text: str) -> Program | NoProgram:
    """All closed `<llm-code>` blocks as one program."""
    found = _BLOCK.findall(text)
    if not found or not found[-1][1]:
        return NoProgram("truncated: <llm-code> block is not closed")
    blocks = [_unfence(body) for body, _ in found]
    if len(blocks) > MAX_BLOCKS:
        return NoProgram(f"{len(blocks)} <llm-code> blocks; at most {MAX_BLOCKS} are run")
    why = refusal("\n".join(blocks))
    if why:
        return NoProgram(why, refused=True)
    return Program(tuple(blocks)) if blocks[-1].strip() else NoProgram("<llm-code> block is empty")


def _unfence(code: str) -> str:
    return _FENCE.sub("", code).strip("\n") if "```" in code else code.strip("\n")


def last_expression(code: str) -> tuple[str, str] | None:
    """Split a block into what comes before its last expression and that expression's source.

    None when the last statement is no expression or the block does not parse. Comments behind it and
    several lines are fine: `(a +\\n b)  # total`.
    """
    tree = parse_quietly(code)
    if tree is None or not tree.body or not isinstance(tree.body[-1], ast.Expr):
        return None
    node = tree.body[-1]
    lines = [line + "\n" for line in _lines(code)]
    raw = "".join(lines).encode()
    start = len("".join(lines[: node.lineno - 1]).encode()) + node.col_offset
    end = len("".join(lines[: (node.end_lineno or node.lineno) - 1]).encode()) + (node.end_col_offset or 0)
    return raw[:start].decode(), raw[start:end].decode()


def _lines(code: str) -> list[str]:
    """Lines as Python counts them; `str.splitlines` also cuts at form feeds and Unicode separators."""
    return code.replace("\r\n", "\n").replace("\r", "\n").split("\n")


def parse_quietly(code: str) -> ast.Module | None:
    """`ast.parse` of untrusted text that `refusal` has passed; None for whatever it does not take.

    One text at a time in the whole process, for two reasons. CPython counts the depth of the tree per
    interpreter, so a thread switch in the middle of two parses ends one of them with `SystemError`
    (python/cpython#106905). And warnings about the text (invalid escapes, `1if`) are dropped by a filter
    that is process-wide state.
    """
    with _PARSING:
        if not _MAY_WARN.search(code):
            return _parse(code)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return _parse(code)


def _parse(code: str) -> ast.Module | None:
    """A parse that another thread disturbed (one outside this module) is tried again."""
    for last in (False, False, True):
        try:
            return ast.parse(code)
        except (SyntaxError, ValueError, MemoryError, RecursionError):
            return None
        except SystemError:
            if last:
                raise
    raise AssertionError("unreachable")
