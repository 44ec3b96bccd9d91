"""The arithmetic that a completion writes down, as a list of operations in order.

Code is read from its syntax tree, prose from its equations (`12 + 5 = 17`, `$3 \\times 6 = 18$`,
`<<3*6=18>>`). A written operation knows its operands' values and where each came from.
"""

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from typing import NamedTuple

from ..core.numbers import Number
from .programs import Program, parse_quietly

CODE_FORMATS = ("tinygsm", "omi1")
MAX_OPERATIONS = 64
_MAX_BITS = 512
_SIGNS = {ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/", ast.FloorDiv: "/"}
_CLAIM = re.compile(
    r"[ \t]*(-?\$?(?:[0-9]{1,3}(?:,[0-9]{3})++|[0-9]{1,40}+)(?:\.[0-9]{1,40}+)?(?:/[0-9]{1,40}+)?)"
)
_LEFT_SIDE = frozenset("-+*/()0123456789., \t$")
_MAX_LEFT = 200
"""Characters left of an equals sign that may belong to its equation."""
_TOKEN = re.compile(r"\d+(?:\.\d+)?|[-+*/()]")


class Operand(NamedTuple):
    """A number in the text: its value and, where it is a result, the operation that made it."""

    value: Number
    source: int | None = None


class WrittenOperation(NamedTuple):
    """`left op right`, exact `value`, and the `claimed` value where the text states one."""

    op: str
    left: Operand
    right: Operand
    value: Number
    claimed: Number | None = None


@dataclass
class Written:
    """Everything a completion computes."""

    operations: list[WrittenOperation] = field(default_factory=list)
    answer: Operand | None = None
    readable: bool = False
    """False where no program or no equation could be read."""


def read_steps(format_name: str, text: str, program: Program | None) -> Written:
    """Operations of a completion: of its program where its format is code, else of its equations."""
    if format_name in CODE_FORMATS:
        return _read_code("\n".join(program.blocks), program.entry) if program else Written()
    return _read_prose(text)


class _Unreadable(Exception):
    """The code does something that is no plain arithmetic."""


def _read_code(code: str, entry: str) -> Written:
    """Straight-line assignments; anything else makes the program unreadable, not wrong."""
    tree = parse_quietly(code)
    written = Written()
    if tree is None:
        return written
    body = tree.body
    if entry:
        body = next(
            (node.body for node in tree.body if isinstance(node, ast.FunctionDef) and node.name == entry), []
        )
    names: dict[str, Operand] = {}
    try:
        for node in body:
            _read_statement(node, names, written)
    except (_Unreadable, ZeroDivisionError, RecursionError):
        return Written(written.operations)
    written.readable = True
    return written


def _read_statement(node: ast.stmt, names: dict[str, Operand], written: Written) -> None:
    if isinstance(node, ast.Assign) and len(node.targets) == 1 and isinstance(node.targets[0], ast.Name):
        names[node.targets[0].id] = _operand(node.value, names, written)
    elif isinstance(node, ast.Return) and node.value is not None:
        written.answer = _operand(node.value, names, written)
    elif isinstance(node, ast.Expr):
        if not (isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)):
            written.answer = _operand(node.value, names, written)
    else:
        raise _Unreadable


def _operand(node: ast.expr, names: dict[str, Operand], written: Written) -> Operand:
    """Value of an expression; its operations are appended in order of evaluation."""
    if isinstance(node, ast.Constant) and type(node.value) in (int, float):
        return Operand(_number(str(node.value)))
    if isinstance(node, ast.Name) and node.id in names:
        return names[node.id]
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        return Operand(-_operand(node.operand, names, written).value)
    if isinstance(node, ast.Call) and _passes_through(node):
        return _operand(node.args[0], names, written)
    if isinstance(node, ast.BinOp) and type(node.op) in _SIGNS:
        left, right = (_operand(side, names, written) for side in (node.left, node.right))
        return _append(written, _SIGNS[type(node.op)], left, right)
    raise _Unreadable


def _passes_through(node: ast.Call) -> bool:
    """A call of one argument that leaves an exact number what it is."""
    known = isinstance(node.func, ast.Name) and node.func.id in ("int", "float", "print")
    return known and len(node.args) == 1 and not node.keywords


def _number(text: str) -> Number:
    if len(text) > 60 or "e" in text or "n" in text:
        raise _Unreadable
    return int(text) if text.isdigit() else simple(Fraction(text))


def _append(written: Written, op: str, left: Operand, right: Operand) -> Operand:
    value = compute(op, left.value, right.value)
    if (
        len(written.operations) >= MAX_OPERATIONS
        or value.numerator.bit_length() + value.denominator.bit_length() > _MAX_BITS
    ):
        raise _Unreadable
    written.operations.append(WrittenOperation(op, left, right, value))
    return Operand(value, len(written.operations) - 1)


def compute(op: str, left: Number, right: Number) -> Number:
    """Exact value of one operation; division by zero raises."""
    if op == "+":
        return left + right
    if op == "-":
        return left - right
    return left * right if op == "*" else simple(Fraction(left) / right)


def simple(value: Number) -> Number:
    """Whole fractions as int, which is several times faster to hash and compare."""
    return value.numerator if value.denominator == 1 else value


def _read_prose(text: str) -> Written:
    """Equations in order; an operand that equals an earlier result is taken to be that result."""
    written = Written()
    try:
        for left, claim in _equations(_plain_maths(text)):
            tokens = _TOKEN.findall(left.replace(",", "").replace("$", ""))
            if any(token in "+-*/" for token in tokens[1:]):
                _read_equation(tokens, simple(Fraction(claim.replace(",", "").replace("$", ""))), written)
    except (_Unreadable, ZeroDivisionError, RecursionError):
        return written
    written.readable = bool(written.operations)
    if written.operations:
        last = len(written.operations) - 1
        written.answer = Operand(written.operations[last].claimed or written.operations[last].value, last)
    return written


def _equations(text: str) -> Iterator[tuple[str, str]]:
    """Both sides of the first equations; found from the signs, so in linear time on any text."""
    position = -1
    for _ in range(MAX_OPERATIONS * 2):
        position = text.find("=", position + 1)
        if position < 0:
            return
        start = position
        while start > 0 and position - start < _MAX_LEFT and text[start - 1] in _LEFT_SIDE:
            start -= 1
        claim = _CLAIM.match(text, position + 1)
        if claim and start < position:
            yield re.split(r"[,.]\s", text[start:position])[-1], claim[1]


def _plain_maths(text: str) -> str:
    """LaTeX arithmetic as plain signs; calculator marks, which repeat the equation, go."""
    text = re.sub(r"<<[^<>\n]*>>", "", text)
    text = re.sub(r"\\[dt]?frac\{(-?[\d.,]+)\}\{(-?[\d.,]+)\}", r"(\1/\2)", text)
    for sign, plain in (
        ("\\times", "*"),
        ("\\cdot", "*"),
        ("\\div", "/"),
        ("×", "*"),
        ("÷", "/"),
        ("−", "-"),
        ("\\$", ""),
    ):
        text = text.replace(sign, plain)
    return text


def _read_equation(tokens: list[str], claimed: Number, written: Written) -> None:
    """Parse by precedence; the claim belongs to the last operation of the equation."""
    reader = _Reader(tokens, written)
    before = len(written.operations)
    reader.total()
    if reader.position != len(tokens) or len(written.operations) == before:
        del written.operations[before:]
        return
    last = written.operations[-1]
    written.operations[-1] = WrittenOperation(last.op, last.left, last.right, last.value, claimed)


class _Reader:
    """Recursive descent over + - * / and brackets."""

    def __init__(self, tokens: list[str], written: Written) -> None:
        self.tokens, self.written, self.position = tokens[:200], written, 0

    def peek(self) -> str:
        """Next token or nothing."""
        return self.tokens[self.position] if self.position < len(self.tokens) else ""

    def total(self) -> Operand:
        """Sums and differences."""
        left = self.product()
        while self.peek() in ("+", "-"):
            op = self.take()
            left = _append(self.written, op, left, self.product())
        return left

    def product(self) -> Operand:
        """Products and quotients."""
        left = self.atom()
        while self.peek() in ("*", "/"):
            op = self.take()
            left = _append(self.written, op, left, self.atom())
        return left

    def atom(self) -> Operand:
        """A number, a bracket, a sign."""
        token = self.take()
        if token == "-":
            return Operand(-self.atom().value)
        if token == "(":
            inner = self.total()
            if self.take() != ")":
                raise _Unreadable
            return inner
        if not token or not token[0].isdigit():
            raise _Unreadable
        value = _number(token)
        claims = [(op.claimed if op.claimed is not None else op.value) for op in self.written.operations]
        source = max((position for position, known in enumerate(claims) if known == value), default=None)
        return Operand(value, source)

    def take(self) -> str:
        """Consume one token."""
        token = self.peek()
        self.position += 1
        return token
