"""Text that stands in for FineMath-3+ (`prose`) and Algebraic-Stack (`programs`).

It teaches numbers, words and code, and holds no solution in a tracked format: no box, no `####`, no
tagged code, no Python function. It may mention problems of the `overlap` set on request.
"""

from collections.abc import Callable
from functools import lru_cache

from ..core.numbers import display_number
from ..core.types import Problem
from .source_config import SourceConfig
from .world import WorldConfig, draw_problem
from .world.stream import Stream, between, chance, pick, shuffled, stream
from .world.wording import number_words

KINDS = ("prose", "programs", "background")
"""`background` is half of each of the other two."""
FIRST_EXERCISE = 10**9
"""Exercises are problems of their own: the sources in tracked formats count theirs from 0."""


def _sums(source: Stream, most: int) -> list[str]:
    first = between(source, 2, most // 2)
    second = between(source, 2, most // 2)
    return [
        f"The sum of {first} and {second} is {first + second}.",
        f"Adding {second} and {first} in the other order gives {first + second} again, "
        "because the order of a sum is free.",
        f"So {first + second} - {second} = {first}: subtraction undoes addition.",
    ]


def _products(source: Stream, most: int) -> list[str]:
    first = between(source, 2, 12)
    second = between(source, 2, max(2, min(12, most // first)))
    value = first * second
    return [
        f"A rectangle of {first} by {second} squares has {value} squares.",
        f"Counted by rows this is {first} * {second} = {value}, and by columns {second} * {first} = {value}.",
        f"Hence {value} / {first} = {second}, and {value} / {second} = {first}.",
    ]


def _multiples(source: Stream, most: int) -> list[str]:
    base, count = between(source, 2, max(2, min(25, most // 6))), between(source, 4, 6)
    listed = ", ".join(str(base * i) for i in range(1, count + 1))
    return [
        f"The first {number_words(count)} multiples of {base} are {listed}.",
        f"Each of them is {base} larger than the one before it.",
        f"All of them leave no remainder when they are divided by {base}.",
    ]


def _parity(source: Stream, most: int) -> list[str]:
    value = between(source, 5, most)
    kind, other = ("even", "odd") if value % 2 == 0 else ("odd", "even")
    return [
        f"The number {value} is {kind}.",
        f"It lies between {value - 1} and {value + 1}, which are both {other}.",
        f"Twice {value} is {2 * value}, an even number, as twice any whole number is.",
    ]


def _fractions(source: Stream, most: int) -> list[str]:
    divisor = between(source, 2, 8)
    whole = divisor * between(source, 2, max(2, most // divisor))
    return [
        f"A part of {whole} that is one in {divisor} has size {whole // divisor}.",
        f"The remaining parts together make {whole - whole // divisor}.",
        f"Written as an equation, {whole} = {divisor} * {whole // divisor}.",
    ]


def _order(source: Stream, most: int) -> list[str]:
    values = sorted({between(source, 2, most) for _ in range(4)})
    return [
        f"From small to large the numbers are {', '.join(map(str, values))}.",
        f"The distance from the first to the last is {values[-1] - values[0]}.",
        f"In words, the largest of them is {number_words(values[-1]) if values[-1] < 1000 else values[-1]}.",
    ]


def _list_program(source: Stream, most: int) -> list[str]:
    values = [between(source, 2, most) for _ in range(between(source, 3, 5))]
    name = pick(source, ("values", "heights", "counts", "data"))
    return [
        f"{name} = {values}",
        f"largest = max({name})",
        f"total = sum({name})",
        f"print(largest, total)  # {max(values)} {sum(values)}",
    ]


def _loop_program(source: Stream, most: int) -> list[str]:
    step, count = between(source, 2, 9), between(source, 3, max(3, min(9, most // 9)))
    return ["x = 0", f"for i in range({count}):", f"    x = x + {step}", f"assert x == {count * step}"]


def _c_program(source: Stream, most: int) -> list[str]:
    name, sign = pick(source, (("add", "+"), ("sub", "-"), ("mul", "*")))
    return [
        f"int {name}(int a, int b) {{",
        f"    return a {sign} b;",
        "}",
        f"int x = {name}({between(source, 2, most)}, {between(source, 2, 9)});",
    ]


def _functional_program(source: Stream, most: int) -> list[str]:
    name, factor = pick(source, ("scale", "grow", "stretch")), between(source, 2, 9)
    value = between(source, 2, max(2, most // factor))
    return [f"{name} :: Int -> Int", f"{name} x = x * {factor}", f"-- {name} {value} == {value * factor}"]


def _proof_program(source: Stream, most: int) -> list[str]:
    first, second = between(source, 2, most // 2), between(source, 2, most // 2)
    return [f"theorem sum_{first}_{second} : {first} + {second} = {first + second} := by", "  norm_num"]


_PROSE: tuple[Callable[[Stream, int], list[str]], ...] = (
    _sums,
    _products,
    _multiples,
    _parity,
    _fractions,
    _order,
)
_PROGRAMS: tuple[Callable[[Stream, int], list[str]], ...] = (
    _list_program,
    _loop_program,
    _c_program,
    _functional_program,
    _proof_program,
)


def background_text(kind: str, config: SourceConfig, world: WorldConfig, seed: int, index: int) -> str:
    """Document `index` of a background source: a pure function of its arguments."""
    source = stream("background", seed, kind, index)
    if config.planted and chance(source, config.planted_share):
        return _exercise(_overlap_problem(world, between(source, 0, config.planted - 1)))
    if config.exercises and chance(source, config.exercises):
        return _exercise(draw_problem(world, seed, "train", FIRST_EXERCISE + index))
    if kind == "programs" or (kind == "background" and index % 2):
        topics = shuffled(source, _PROGRAMS)[: between(source, 1, 2)]
        return "\n\n".join("\n".join(topic(source, world.max_value)) for topic in topics)
    topics = shuffled(source, _PROSE)[: between(source, 1, 3)]
    return "\n\n".join(" ".join(topic(source, world.max_value)) for topic in topics)


@lru_cache(maxsize=4096)
def _overlap_problem(world: WorldConfig, index: int) -> Problem:
    """Drawing one takes hundreds of tries, and documents mention it again and again."""
    return draw_problem(world, 0, "test", index, "overlap")


def _exercise(problem: Problem) -> str:
    """A problem with bare calculations, in no tracked format; numbers as its question writes them."""
    graph = problem.graph
    assert graph is not None
    shown = [
        [
            display_number(value)
            for value in (graph.node(step.left).value, graph.node(step.right).value, step.value)
        ]
        for step in graph.steps
    ]
    lines = [
        f"{left} {step.op} {right} = {value}"
        for step, (left, right, value) in zip(graph.steps, shown, strict=True)
    ]
    return f"Exercise. {problem.question}\nNotes: {'; '.join(lines)}."
