"""Workers in processes of their own, one of them running at a time.

Every contender, ours as well as a peer, is set up once. It is then asked for one repeat after the other,
in turn with the others, so that all of them see the same machine. While it is not a
worker's turn its processes are stopped (SIGSTOP), or waiting threads would take a share of a small
machine.
"""

import contextlib
import ctypes
import json
import os
import re
import select
import signal
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self, TypedDict

from ..core.errors import UserError
from ..core.progress import say
from .peer import Request

PEER_SCRIPT = Path(__file__).with_name("peer.py")
OURS = "echochamber"
PEERS = {
    "transformers": "transformers",
    "openvino": "optimum.intel",
    "onnxruntime": "optimum.onnxruntime",
    "llama.cpp": "xllamacpp",
    "vllm": "vllm",
    "trl": "trl",
}
"""Name on the command line -> module that must be there."""
_PATIENCE = 900.0
"""Seconds for a set-up or a turn; vLLM takes a minute to load."""
_PR_SET_PDEATHSIG = 1


@dataclass(frozen=True)
class Contender:
    """One line of a comparison."""

    label: str
    who: str
    """OURS or a name of `PEERS`."""
    work: str
    """What its worker is asked to do."""


@dataclass
class Measured:
    """What was seen of one contender."""

    label: str
    ours: bool
    load_seconds: float = 0.0
    versions: dict[str, str] = field(default_factory=dict)
    seconds: list[float] = field(default_factory=list)
    tokens: list[int] = field(default_factory=list)
    missing: str = ""
    """Why nothing was measured."""

    def rate(self) -> float | None:
        """Median tokens per second over the turns; None where tokens were not counted."""
        rates = [count / seconds for count, seconds in zip(self.tokens, self.seconds, strict=True) if count]
        return statistics.median(rates) if rates else None


class Answer(TypedDict, total=False):
    """What a worker says: its versions when it is ready, then what each turn took."""

    versions: dict[str, str]
    seconds: list[float]
    """Of every repeat."""
    tokens: int
    """In each repeat; 0 where they are not counted."""
    parameters: int
    flops_per_token: float


class WorkerError(RuntimeError):
    """A worker ended or went silent; the message is the last that it said."""


def _die_with_parent() -> None:
    """Ask the kernel to end this process with its parent: a stopped process would stay for ever."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


class Session:
    """A running worker."""

    def __init__(self, command: Sequence[str], log: Path) -> None:
        self.log = log
        with log.open("w", encoding="utf-8") as stream:
            self.process = subprocess.Popen(
                list(command),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=stream,
                text=True,
                process_group=0,
                preexec_fn=_die_with_parent,
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Let it end by itself, or end it with all that it started."""
        self._signal(signal.SIGCONT)
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        with contextlib.suppress(subprocess.TimeoutExpired, BrokenPipeError):
            self.process.stdin.close()
            self.process.wait(timeout=20)
        self._signal(signal.SIGKILL)
        self.process.wait()
        self.process.stdout.close()

    def answer(self) -> Answer:
        """The next line of the worker, which is stopped afterwards."""
        assert self.process.stdout is not None
        if not select.select([self.process.stdout], [], [], _PATIENCE)[0]:
            raise WorkerError(f"silent for {_PATIENCE:.0f} s")
        line = self.process.stdout.readline()
        if not line:
            raise WorkerError(self._last_words())
        self._signal(signal.SIGSTOP)
        return json.loads(line)

    def turn(self, request: Request) -> Answer:
        """Wake it, ask, wait for the answer."""
        assert self.process.stdin is not None
        self._signal(signal.SIGCONT)
        try:
            self.process.stdin.write(json.dumps(request) + "\n")
            self.process.stdin.flush()
        except BrokenPipeError:
            raise WorkerError(self._last_words()) from None
        return self.answer()

    def _signal(self, number: int) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, number)

    def _last_words(self) -> str:
        lines = [
            line.strip()
            for line in self.log.read_text(encoding="utf-8", errors="replace").splitlines()
            if line.strip()
        ]
        errors = [line for line in lines if re.match(r"[\w.]*(Error|Exception)\b", line)]
        return (errors or lines or ["ended without a word"])[-1][:200]


def worker(contender: Contender, pythons: dict[str, str], workload: Path, logs: Path) -> Session:
    """A worker of ours in this environment, a peer's in the one named for it."""
    log = logs / f"{contender.work}.log"
    if contender.who == OURS:
        return Session([sys.executable, "-m", "echochamber.bench.ours", contender.work, str(workload)], log)
    return Session([pythons[contender.who], "-P", str(PEER_SCRIPT), contender.work, str(workload)], log)


def peer_pythons(given: Sequence[str]) -> dict[str, str]:
    """Name -> interpreter from `NAME=PATH` arguments; this one's own for peers that are not named."""
    pythons = dict.fromkeys(PEERS, sys.executable)
    for text in given:
        name, equals, path = text.partition("=")
        if name not in PEERS or not equals:
            raise UserError(f"--peer-python {text!r}: expected NAME=PATH with NAME one of {', '.join(PEERS)}")
        if not Path(path).is_file():
            raise UserError(
                f"--peer-python {text!r}: {path} is no file; expected the python of an environment"
            )
        pythons[name] = path
    return pythons


def is_installed(module: str, python: str) -> bool:
    """Whether an environment has a module; nothing of it is imported."""
    question = f"import importlib.util, sys; sys.exit(importlib.util.find_spec({module!r}) is None)"
    return subprocess.run([python, "-P", "-c", question], capture_output=True, check=False).returncode == 0


def compare(
    contenders: Sequence[Contender],
    pythons: dict[str, str],
    workload: Path,
    logs: Path,
    repeats: int,
    warmups: int,
) -> list[Measured]:
    """Set up every program, then let them take turns: `warmups` uncounted rounds, `repeats` counted ones."""
    sessions: list[tuple[Session, Measured]] = []
    results = [Measured(contender.label, contender.who == OURS) for contender in contenders]
    try:
        for contender, measured in zip(contenders, results, strict=True):
            if contender.who != OURS and not is_installed(PEERS[contender.who], pythons[contender.who]):
                measured.missing = "not installed"
                continue
            say(f"  set up {contender.label}")
            started = time.perf_counter()
            session = worker(contender, pythons, workload, logs)
            sessions.append((session, measured))
            measured.versions = _guarded(session.answer, measured).get("versions", {})
            measured.load_seconds = time.perf_counter() - started
        for turn in range(warmups + repeats):
            for session, measured in sessions:
                if not measured.missing:
                    _take_turn(session, measured, turn, counted=turn >= warmups)
    finally:
        for session, _ in sessions:
            session.__exit__()
    return results


def _take_turn(session: Session, measured: Measured, turn: int, counted: bool) -> None:
    answer = _guarded(lambda: session.turn({"turn": turn}), measured)
    if counted and answer:
        measured.seconds += answer["seconds"]
        measured.tokens += [answer["tokens"]] * len(answer["seconds"])


def _guarded(ask: Callable[[], Answer], measured: Measured) -> Answer:
    """An answer, or {} with the reason noted where a peer fails; a failure of ours is not excused."""
    try:
        return ask()
    except WorkerError as error:
        if measured.ours:
            raise UserError(f"bench: {measured.label} broke off: {error}") from None
        measured.missing = f"failed: {error}"
        say(f"  {measured.label} failed: {error}")
        return {}
