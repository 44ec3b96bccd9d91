"""No input makes the grader raise or disagree with itself: fuzzing, threads, processes, memory."""

import gc
import multiprocessing
import resource
import sys
import threading
from concurrent.futures import ProcessPoolExecutor
from fractions import Fraction

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from echochamber.core.formats import classify
from echochamber.core.types import OUTCOMES, Problem, Quantity, SolutionGraph, Step
from echochamber.verify.grade import Grader
from echochamber.verify.grader_config import GraderConfig
from echochamber.verify.programs import Program, parse_quietly
from echochamber.verify.sandbox.lockdown import REQUIRED, available_layers
from echochamber.verify.sandbox.locked import LockedPool
from echochamber.verify.sandbox.monty import MontyPool
from echochamber.verify.sandbox.result import SandboxLimits

from .labelled_cases import labelled_cases

QUICK = GraderConfig.parse({"algebra_seconds": 0.5, "limits": {"seconds": 0.2}}, "test")
GRAPH = SolutionGraph(
    (Quantity("a", Fraction(3)), Quantity("b", Fraction(6))), (Step("c", "*", 0, 1, Fraction(18)),)
)
PIECES = st.sampled_from(
    ["def ", "simple_math_problem", "()", ":", "\n", "    ", "return ", "18", "\\boxed{", "}", "{",
     "<llm-code>", "</llm-code>", "####", " ", "The answer is: ", "\\frac", "\\sqrt", "'''", '"""', "```",
     "\\", "$", "=", "+", "*", "**", "/", "(", ")", "[", "]", ",", ".", "-", "%", "<<", ">>", "x",
     "import math", "\x00", "\ud800", "\u2028", "\t", "\r", "9" * 50, "e9", "^", "_", "\\text{", "lambda",
     "while 1:", "print(", "#", "class A", "@", ";", "\\left(", "\\infty", "\\cup", "٣", "½"]
)  # fmt: skip
TEXTS = st.one_of(
    st.text(max_size=200),
    st.lists(PIECES, max_size=40).map("".join),
    st.binary(max_size=80).map(lambda b: b.decode("latin-1")),
)
FUZZ = settings(max_examples=150, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))


@pytest.fixture(scope="module")
def grader():
    with Grader(QUICK, workers=1) as shared:
        yield shared


@FUZZ
@given(text=TEXTS, reference=st.one_of(st.just("18"), TEXTS))
def test_any_text_gets_a_verdict(grader, text, reference):
    verdict = grader.grade(Problem("p", "", reference, graph=GRAPH), text)
    assert verdict.outcome in OUTCOMES
    assert verdict.outcome != "infrastructure", verdict.detail
    assert verdict.format == classify(text)


@pytest.mark.slow
@settings(FUZZ, max_examples=4000, derandomize=False)
@given(text=TEXTS, reference=st.one_of(st.just("18"), TEXTS))
def test_any_text_gets_a_verdict_at_length(grader, text, reference):
    assert grader.grade(Problem("p", "", reference, graph=GRAPH), text).outcome != "infrastructure"


@FUZZ
@given(body=st.lists(PIECES, max_size=30).map("".join))
@pytest.mark.medium
def test_any_program_gets_a_verdict(grader, body):
    for text in (
        f"def simple_math_problem():\n    {body}",
        f"<llm-code>\n{body}\n</llm-code>",
        f"\\boxed{{{body}}}",
    ):
        assert grader.grade(Problem("p", "", "18"), text).outcome != "infrastructure"


NAMES = ("a", "b", "c")
EXPRESSIONS = st.recursive(
    st.one_of(
        st.integers(-50, 50).map(str),
        st.sampled_from(NAMES),
        st.sampled_from(["0.5", "2.25", "1e3", "True", "7 // 2"]),
    ),
    lambda inner: st.one_of(
        st.tuples(inner, st.sampled_from(["+", "-", "*", "/", "//", "%"]), inner).map(
            lambda t: f"({t[0]} {t[1]} {t[2]})"
        ),
        inner.map(lambda t: f"-{t}"),
        inner.map(lambda t: f"abs({t})"),
        inner.map(lambda t: f"int({t})"),
        inner.map(lambda t: f"round({t}, 2)"),
        inner.map(lambda t: f"round({t})"),
        st.tuples(inner, inner).map(lambda t: f"max({t[0]}, {t[1]})"),
        st.tuples(inner, inner, inner).map(lambda t: f"({t[0]} if {t[1]} > 0 else {t[2]})"),
    ),
    max_leaves=8,
)
locked = pytest.mark.skipif(
    not all(available_layers()[n] for n in REQUIRED), reason="this machine cannot lock a process down"
)


@pytest.fixture(scope="module")
def tiers():
    monty, full = MontyPool(SandboxLimits(), 1), LockedPool(SandboxLimits())
    yield monty, full
    monty.close()
    full.close()


@locked
@settings(max_examples=80, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(values=st.lists(EXPRESSIONS, min_size=3, max_size=3), result=EXPRESSIONS)
@pytest.mark.medium
def test_tier_1_computes_what_python_computes(tiers, values, result):
    """Straight-line programs: same value, or the same class of error."""
    lines = [
        "a = 3",
        "b = 4",
        "c = 0.5",
        *(f"{n} = {v}" for n, v in zip(NAMES, values, strict=True)),
        f"return {result}",
    ]
    program = Program(("def f():\n" + "".join(f"    {line}\n" for line in lines),), "f")
    first, second = (tier.run(program) for tier in tiers)
    assert (first.status, first.kind, first.text) == (second.status, second.kind, second.text), lines
    if first.status == "error":
        assert first.detail.split(":")[0] == second.detail.split(":")[0]


SAMPLE = [(Problem("", "", c.reference), c.completion) for c in labelled_cases()[::23]]


def grade_here(items):
    """Run in a process of its own."""
    with Grader(workers=1) as grader:
        return grader.grade_batch(items)


@pytest.mark.medium
def test_threads_processes_and_main_thread_agree():
    with Grader(workers=2) as grader:
        main = grader.grade_batch(SAMPLE)
        found = {}
        threads = [
            threading.Thread(target=lambda n=n: found.update({n: grader.grade_batch(SAMPLE)}))
            for n in range(3)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert [found[n] for n in range(3)] == [main] * 3
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        assert pool.submit(grade_here, SAMPLE).result() == main


def test_a_closed_grader_starts_again():
    grader = Grader(workers=1)
    item = (Problem("", "", "18"), "def f():\n    return 18")
    assert grader.grade(*item).correct
    grader.close()
    grader.close()
    assert grader.grade(*item).correct
    grader.close()


def test_a_dead_worker_is_replaced(grader, monkeypatch):
    """Infrastructure failure is retried alone; if it persists it is no zero reward."""
    from echochamber.verify.sandbox.result import RunResult

    real, broken = MontyPool.run, []

    def once(self, program):
        broken.append(program)
        return (
            RunResult("infrastructure", detail="sandbox worker died")
            if len(broken) == 1
            else real(self, program)
        )

    item = (Problem("", "", "18"), "def f():\n    return 18")
    monkeypatch.setattr(MontyPool, "run", once)
    assert grader.grade(*item).correct
    assert len(broken) == 2
    monkeypatch.setattr(MontyPool, "run", lambda self, program: RunResult("infrastructure", detail="gone"))
    assert grader.grade(*item).outcome == "infrastructure"
    monkeypatch.setattr(MontyPool, "run", lambda self, program: 1 // 0)
    assert grader.grade(*item).outcome == "infrastructure"


def resident_mb(pid="self"):
    with open(f"/proc/{pid}/statm") as stream:  # noqa: PTH123
        return int(stream.read().split()[1]) * resource.getpagesize() / 2**20


@pytest.mark.slow
def test_memory_is_flat_over_100_000_programs():
    with Grader(GraderConfig(algebra=False), workers=2) as grader:
        sizes = []
        for block in range(10):
            for part in range(10):
                start = block * 10_000 + part * 1000
                items = [
                    (Problem("", "", str(n)), f"def f():\n    pens = {n}\n    return pens")
                    for n in range(start, start + 1000)
                ]
                assert all(v.correct for v in grader.grade_batch(items))
            gc.collect()
            sizes.append(resident_mb())
    assert sizes[-1] - sizes[1] < 8, sizes


PUMPED = [
    "1" * 150_000, "1 " * 80_000, "1+" * 80_000, "(" * 150_000, "1=" * 80_000, "=" * 150_000, "$" * 150_000,
    "<<" * 80_000, "<<1=" * 40_000, "1,111" * 30_000, "\\boxed{" * 25_000, "\\boxed{1}" * 15_000,
    "\\boxed " * 20_000, "#### " * 30_000, "#### 1\n" * 20_000, "The answer is: 1\n" * 8_000,
    "the answer is " * 10_000, "The answer is: " + "(" * 150_000, "The answer is: " + "1," * 70_000,
    "\\frac{" * 25_000, "\\text{" * 25_000 + "\\boxed{1}", "a" * 150_000, "a." * 70_000, " " * 150_000,
    "\n" * 150_000, "<llm-code>" * 15_000, "<llm-code>\n</llm-code>" * 7_000, "def f(" + "a=b=" * 4_000,
    "def f(" + "*a" * 4_000, "def f(" + "a:b" * 4_000, "def f():\n" * 2_000, "def f():" + " " * 19_000,
    "def f():\n" + '"""' * 6_000, "def f():\n" + "x = (\n" * 3_000, "def f():\n    " + "x=" * 9_000,
    "```" * 50_000, "```\n" * 30_000, "~~~\n" * 30_000, "def f():\n" + "\\_" * 9_000,
    "import a\n" * 2_000 + "def f():\n    return 1", "\\boxed{" + "1 " * 900 + "}",
    "\\boxed{" + "x" * 1900 + "}", "\\boxed{" + "{" * 900 + "}" * 900 + "}", "\\boxed{" + "a b " * 400 + "}",
    "\\boxed{" + "(1," * 300 + ")" * 300 + "}", "\\boxed{" + "\\text{a}" * 200 + "}",
    "<llm-code>\n" + "x\n" * 9_000 + "</llm-code>",
]  # fmt: skip


@pytest.mark.parametrize("place", range(len(PUMPED)))
def test_long_repetitions_take_linear_time(place):
    """Pumped strings, with a solution graph so that steps are read too; a blow-up would take minutes."""
    from time import perf_counter

    from echochamber.verify.legacy import legacy_program

    started = perf_counter()
    with Grader(GraderConfig(algebra=False), workers=1) as grader:
        grader.grade(Problem("p", "", "18", graph=GRAPH), PUMPED[place])
        grader.grade(Problem("q", "", "(1,(2,3))"), PUMPED[place])
    legacy_program(PUMPED[place])
    assert perf_counter() - started < 4.0


@pytest.mark.medium
def test_threads_that_parse_do_not_disturb_each_other():
    """CPython's depth count of a syntax tree is shared between threads (python/cpython#106905)."""
    code, failed = "x = " + " + ".join(["(a * b)"] * 60) + "\n", []

    def parse():
        for _ in range(60):
            try:
                assert parse_quietly(code * 5) is not None
            except SystemError as error:
                failed.append(error)

    def switch(phase, info):
        for _ in range(20):
            pass

    interval, threshold = sys.getswitchinterval(), gc.get_threshold()
    sys.setswitchinterval(1e-6)
    gc.set_threshold(5)
    gc.callbacks.append(switch)
    try:
        threads = [threading.Thread(target=parse) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        gc.callbacks.remove(switch)
        gc.set_threshold(*threshold)
        sys.setswitchinterval(interval)
    assert not failed
