"""The study that `chaos.py` runs: in forked processes, so that imports are paid for once, and its payload."""

import hashlib
import os
import random
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

from echochamber.analysis import report  # noqa: F401 - imported once here, and not in each forked run
from echochamber.cli import main as command_line
from echochamber.core.checksums import UNCHECKED
from echochamber.core.resume import ResumePoint
from echochamber.papers import catalogue  # noqa: F401
from echochamber.rl import loop  # noqa: F401
from echochamber.stages import evaluate, probe  # noqa: F401
from echochamber.study import run as study_run  # noqa: F401

OVERRIDES = [
    "tokenizer.documents=60",
    "mixtures.tg_omi2.budget_tokens=3K",
    "pretrain.batch_tokens=512",
    "pretrain.sequence_length=32",
    "pretrain.max_positions=160",
    "pretrain.checkpoints=2",
    "rl.grpo.reward=random",
    "rl.grpo.steps=2",
    "rl.grpo.problems.count=6",
    "rl.grpo.prompts_per_step=2",
    "rl.grpo.samples_per_prompt=2",
    "rl.grpo.max_new_tokens=8",
    "evaluate.count=2",
    "evaluate.samples.ends=1",
    "evaluate.samples.between=1",
    "evaluate.max_new_tokens=32",
    "probe.count=1",
    "probe.samples=1",
]
LIMIT = 300.0
"""Seconds after which a run counts as hanging."""
RAY_LIMIT = 1800.0
"""The same where each process of a cluster imports everything first."""


class Run:
    """One run of the study in a forked process, with its output in a file."""

    def __init__(
        self, folder: Path, log: Path, *options: str, before: Callable[[], None] = lambda: None
    ) -> None:
        self.log, self.killed, self.lost = log, False, False
        self.process = _fork()
        if self.process == 0:
            self._child(["echochamber", "study", "smoke", *OVERRIDES, "--out", str(folder), *options], before)

    def _child(self, arguments: list[str], before: Callable[[], None]) -> None:
        status = 70
        try:
            os.setsid()
            # Where memory runs out, the kernel is to end a run, not what counts the faults.
            Path("/proc/self/oom_score_adj").write_text("500")
            descriptor = os.open(self.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
            os.dup2(descriptor, 1)
            os.dup2(descriptor, 2)
            sys.argv = arguments
            before()
            try:
                command_line()
                status = 0
            except SystemExit as stop:
                status = stop.code if isinstance(stop.code, int) else 1 if stop.code else 0
            sys.stdout.flush()
            sys.stderr.flush()
        finally:
            os._exit(status)

    def kill(self) -> None:
        """SIGKILL to the run and everything it started."""
        self.killed = True
        try:
            os.killpg(self.process, signal.SIGKILL)
        except ProcessLookupError:
            os.kill(self.process, signal.SIGKILL)

    def ended(self) -> bool:
        """Whether the run has ended, without waiting for it."""
        return os.waitid(os.P_PID, self.process, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None

    def wait(self, seconds: float = LIMIT) -> int:
        """The exit status; a run that hangs is killed and has status -9."""
        end = time.monotonic() + seconds
        while time.monotonic() < end and not self.ended():
            time.sleep(0.01)
        if not self.ended():
            self.kill()
        status = os.waitstatus_to_exitcode(os.waitpid(self.process, 0)[1])
        self.lost = status == -signal.SIGKILL and not self.killed
        return status


def _fork(tries: int = 60) -> int:
    """`os.fork`, tried again each second while there is no memory for it."""
    for left in reversed(range(tries)):
        try:
            return os.fork()
        except OSError:
            if not left:
                raise
            time.sleep(1)
    raise AssertionError("no try was made")


def payload(folder: Path) -> dict[str, str]:
    """Path -> SHA-256 of every payload file of a study."""
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted((folder / "artifacts").glob("[!.]*/**/*"))
        if path.is_file() and path.name not in UNCHECKED
    }


def flip(path: Path, draw: random.Random) -> None:
    """Change one bit of a file."""
    content = bytearray(path.read_bytes())
    content[draw.randrange(len(content))] ^= 1 << draw.randrange(8)
    path.write_bytes(content)


def save_always() -> None:
    """State is saved after every step."""
    ResumePoint.due = lambda self: True  # type: ignore[method-assign]


def clock_backwards() -> None:
    """Each look at the clock gives an earlier time."""
    save_always()
    start, calls = time.time(), iter(range(10**9))
    time.time = lambda: start - 10.0 * next(calls)
