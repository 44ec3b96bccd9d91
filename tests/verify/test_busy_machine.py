"""A busy machine delays a grade and does not change it: limits on second tries are processor time."""

import os
import signal
import threading
import time
from contextlib import contextmanager

import pytest

from echochamber.core.types import Problem
from echochamber.verify.grade import Grader
from echochamber.verify.grader_config import GraderConfig
from echochamber.verify.programs import Program
from echochamber.verify.sandbox import processor_time
from echochamber.verify.sandbox.monty import MontyPool
from echochamber.verify.sandbox.result import RunResult, SandboxLimits
from echochamber.verify.symbolic import Algebra

pytestmark = pytest.mark.skipif(
    not processor_time.available(), reason="this system cannot limit processor time"
)
LIMITS = SandboxLimits(seconds=0.3, grace_seconds=0.5)
SUM = Program(("x = 6 * 3\nx",))
LOOP = Program(("x = 0\nwhile True:\n    x += 1\nx",))


@contextmanager
def stopped(pid, seconds):
    """The process gets no processor time for so long, as on a machine where others run."""
    os.kill(pid, signal.SIGSTOP)
    timer = threading.Timer(seconds, lambda: os.kill(pid, signal.SIGCONT))
    timer.start()
    yield
    timer.join()


def worker_of(pool):
    with pool._pool.checkout() as session:
        return session.worker_pid


def test_a_program_that_waits_for_the_processor_is_not_late():
    pool = MontyPool(LIMITS, 1, processor_time=True)
    try:
        with stopped(worker_of(pool), 2.0):
            assert pool.run(SUM) == RunResult("value", "int", "18")
    finally:
        pool.close()


def test_a_loop_ends_at_its_processor_time_and_the_worker_is_replaced():
    pool = MontyPool(LIMITS, 1, processor_time=True)
    try:
        assert pool.run(LOOP) == RunResult("timeout", detail="running time limit")
        assert pool.run(SUM).text == "18"
    finally:
        pool.close()


def test_a_program_that_never_got_its_time_is_no_timeout(monkeypatch):
    """Nothing is known of such a program, so it may not count as wrong."""
    monkeypatch.setattr(processor_time, "processor_seconds", lambda pid: 0.0)
    pool = MontyPool(SandboxLimits(seconds=0.02), 1, processor_time=True)
    started = time.monotonic()
    try:
        assert pool.run(LOOP).status == "infrastructure"
    finally:
        pool.close()
    assert time.monotonic() - started >= 0.02 * processor_time.PATIENCE


def test_a_first_timeout_of_a_good_program_is_put_right(monkeypatch):
    run = MontyPool.run

    def late_at_first(self, program):
        if self.processor_time:
            return run(self, program)
        return RunResult("timeout", detail="running time limit")

    monkeypatch.setattr(MontyPool, "run", late_at_first)
    with Grader(GraderConfig(algebra=False, limits=LIMITS), workers=1) as grader:
        verdict = grader.grade(Problem("", "", "18"), "def f():\n    return 6 * 3")
        assert (verdict.outcome, verdict.detail) == ("correct", "")


def test_two_timeouts_keep_the_first_ones_words(monkeypatch):
    words = iter(("killed at the wall-clock limit", "running time limit"))
    monkeypatch.setattr(MontyPool, "run", lambda self, program: RunResult("timeout", detail=next(words)))
    with Grader(GraderConfig(algebra=False, limits=LIMITS), workers=1) as grader:
        verdict = grader.grade(Problem("", "", "18"), "def f():\n    return 6 * 3")
        assert (verdict.outcome, verdict.detail) == ("timeout", "killed at the wall-clock limit")


def test_an_algebra_worker_that_waits_for_the_processor_is_not_late():
    algebra = Algebra(seconds=0.5)
    try:
        algebra._worker.start()
        with stopped(algebra._worker.process.pid, 1.5):
            assert algebra.means_same("2\\sqrt{2}", "\\sqrt{8}") is True
    finally:
        algebra.close()
