"""Nothing a model can write escapes, hangs, crashes the grader or earns a reward it should not."""

import socket
import threading
import time

import pytest

from echochamber.core.types import Problem
from echochamber.verify.grade import Grader
from echochamber.verify.grader_config import GraderConfig
from echochamber.verify.programs import Program
from echochamber.verify.sandbox.lockdown import REQUIRED, available_layers
from echochamber.verify.sandbox.locked import LockedPool
from echochamber.verify.sandbox.result import SandboxLimits

from .hostile_programs import BODIES, HEADER, SLOW_TEXTS, TEXTS

BENIGN = HEADER + "    boxes = 3\n    return boxes * 6\n"
WRONG = HEADER + "    boxes = 3\n    return boxes * 7\n"
PROBLEM = Problem("p", "", "18")
LIMIT = 0.1
QUICK = GraderConfig.parse(
    {"algebra_seconds": 0.4, "limits": {"seconds": LIMIT, "grace_seconds": 1.0, "memory_mb": 48}}, "test"
)


@pytest.fixture
def canary(tmp_path):
    """A path that must not appear and a port that must not be called."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        listener.setblocking(False)
        path = tmp_path / "canary"
        yield lambda text: text.replace("{CANARY}", str(path)).replace(
            "{PORT}", str(listener.getsockname()[1])
        )
        with pytest.raises(BlockingIOError):
            listener.accept()
        assert not path.exists()


def as_function(body):
    return HEADER + "".join(f"    {line}\n" for line in body.split("\n"))


def as_block(body):
    lines = "".join(f"    {line}\n" for line in body.split("\n"))
    return f"<llm-code>\n{HEADER}{lines}\nsimple_math_problem()\n</llm-code>"


def test_the_corpus_is_large():
    assert sum(map(len, BODIES.values())) + len(TEXTS) > 250


SLOW_KINDS = ("loop", "c_loop", "memory", "structure")
"""Their programs end at a limit, so the everyday run takes every fourth and the slow one all."""


@pytest.mark.parametrize("kind", BODIES)
@pytest.mark.medium
def test_tier_1_withstands(kind, canary):
    withstand(BODIES[kind][:: 4 if kind in SLOW_KINDS else 1], canary)


@pytest.mark.slow
@pytest.mark.parametrize("kind", SLOW_KINDS)
def test_tier_1_withstands_all(kind, canary):
    withstand(BODIES[kind], canary)


def withstand(bodies, canary):
    with Grader(QUICK, workers=1) as grader:
        for body in bodies:
            started = time.monotonic()
            verdict = grader.grade(PROBLEM, as_function(canary(body)))
            took = time.monotonic() - started
            assert not verdict.correct, body
            assert verdict.outcome != "infrastructure", (body, verdict)
            assert took < 2 * (LIMIT + 2), body
            assert grader.grade(PROBLEM, BENIGN).correct, body
            assert grader.grade(PROBLEM, WRONG).outcome == "wrong", body


@pytest.mark.medium
def test_texts_that_are_no_programs(canary):
    withstand_texts(TEXTS, canary)


@pytest.mark.slow
def test_algebra_that_never_ends(canary):
    withstand_texts(SLOW_TEXTS, canary)


def withstand_texts(texts, canary):
    with Grader(QUICK, workers=1) as grader:
        for text in map(canary, texts):
            verdict = grader.grade(PROBLEM, text)
            assert not verdict.correct, text[:80]
            assert verdict.outcome in ("wrong", "no_answer", "error", "unsupported"), (text[:80], verdict)
        assert grader.grade(PROBLEM, BENIGN).correct


locked = pytest.mark.skipif(
    not all(available_layers()[name] for name in REQUIRED), reason="this machine cannot lock a process down"
)


@locked
@pytest.mark.slow
@pytest.mark.parametrize("kind", BODIES)
def test_tier_2_withstands(kind, canary):
    pool = LockedPool(SandboxLimits(locked_seconds=0.7))
    benign = Program(("def f():\n    return 18\n",), "f")
    pool.run(benign)
    try:
        for body in BODIES[kind]:
            started = time.monotonic()
            result = pool.run(Program((as_function(canary(body)),), "simple_math_problem"))
            assert time.monotonic() - started < 0.7 + 2, body
            assert not (
                result.status == "value" and result.text in ("18", "18.0") and "os.write" not in body
            ), body
            assert result.status != "infrastructure", (body, result)
            assert pool.run(benign).text == "18", body
    finally:
        pool.close()


@locked
def test_tier_2_promises(canary):
    """One promise each, fast enough for every run."""
    pool = LockedPool(SandboxLimits(locked_seconds=2.0))

    def run(code):
        return pool.run(Program((canary(code),)))

    try:
        assert run("import sympy\nsympy.Rational(4, 6)").text == "2/3"
        assert "Permission" in run("open('/etc/passwd').read()").detail
        assert "not permitted" in run("open('{CANARY}', 'w')").detail
        for fatal in (
            "import os\nos.fork()",
            "import os\nos.system('touch {CANARY}')",
            "import os\nos.kill(os.getppid(), 9)",
            "import socket\nsocket.create_connection(('127.0.0.1', {PORT}))",
            "import threading\nthreading.Thread(target=print).start()",
        ):
            assert run(fatal).detail == "ended by the sandbox", fatal
        assert run("x = bytes(10**10)\n1").detail.startswith("MemoryError")
        assert run("print('x' * 10**6)").detail == "MemoryError: output limit exceeded"
        assert run("[i for i in range(3)]").text == "[0, 1, 2]"
        assert run("x = 3\nx * 6").text == "18"
    finally:
        pool.close()


@locked
def test_a_late_second_tier_program_is_killed():
    pool = LockedPool(SandboxLimits(locked_seconds=1.0, grace_seconds=1.0))
    try:
        assert pool.run(Program(("while True: pass",))).status == "timeout"
        assert pool.run(Program(("18",))).text == "18"
    finally:
        pool.close()


def test_tier_2_fails_closed(monkeypatch):
    pool = LockedPool(SandboxLimits())
    monkeypatch.setattr(LockedPool, "missing_layers", staticmethod(lambda worker: ["seccomp"]))
    result = pool.run(Program(("18",)))
    assert (result.status, result.detail) == ("unsupported", "second tier cannot be locked down: no seccomp")
    monkeypatch.setattr("echochamber.verify.sandbox.locked.supported", lambda: False)
    assert pool.run(Program(("18",))).status == "unsupported"


def test_hostile_neighbours_do_not_change_a_batch(canary):
    bodies = [canary(body) for kind in ("file", "introspection", "forgery") for body in BODIES[kind]]
    items = [
        (PROBLEM, text)
        for body in bodies
        for text in (as_function(body), BENIGN.replace("boxes", f"b{len(body)}"))
    ]
    with Grader(QUICK, workers=2) as grader:
        verdicts = grader.grade_batch(items)
    assert all(v.correct for v in verdicts[1::2])
    assert not any(v.correct for v in verdicts[::2])


def test_no_threads_are_left_behind():
    before = threading.active_count()
    with Grader(QUICK, workers=2) as grader:
        grader.grade_batch([(PROBLEM, BENIGN), (PROBLEM, WRONG)])
    assert threading.active_count() <= before
