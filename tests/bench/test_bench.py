"""The bench command: workers take turns, absent and failing peers are said, results reach the page."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from echochamber.bench import sessions, tables
from echochamber.bench.peer import last_number_reward
from echochamber.bench.run import run_bench
from echochamber.bench.sessions import OURS, Contender, Session, compare, peer_pythons
from echochamber.bench.works import comparison
from echochamber.cli.app import app
from echochamber.core.errors import UserError

WORKER = """
import json, sys, time
from echochamber.bench.peer import Turns
turns = Turns()
print("noise of a library")
turns.ready("numpy")
turns.serve(lambda request: time.sleep({seconds}) or {tokens})
"""


def _script(folder: Path, name: str, text: str) -> list[str]:
    path = folder / f"{name}.py"
    path.write_text(text)
    return [sys.executable, str(path)]


def _state(pid: int) -> str:
    """The one-letter process state that the kernel shows."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]


def _is_stopped(pid: int) -> bool:
    """True once the kernel has stopped it, which on a busy machine takes a while."""
    until = time.monotonic() + 30
    while _state(pid) != "T" and time.monotonic() < until:
        time.sleep(0.02)
    return _state(pid) == "T"


def test_a_worker_answers_each_turn_and_is_stopped_between(tmp_path):
    with Session(
        _script(tmp_path, "worker", WORKER.format(seconds=0.01, tokens=7)), tmp_path / "log"
    ) as session:
        assert list(session.answer()["versions"]) == ["numpy"]
        answer = session.turn({"turn": 0})
        assert answer["tokens"] == 7
        assert answer["seconds"][0] >= 0.01
        assert _is_stopped(session.process.pid)
    assert session.process.returncode is not None
    assert "noise of a library" in (tmp_path / "log").read_text()


@pytest.mark.skipif(sys.platform != "linux", reason="asks the Linux kernel")
def test_a_stopped_worker_ends_with_the_process_that_started_it(tmp_path):
    command = _script(tmp_path, "worker", WORKER.format(seconds=0, tokens=1))
    starter = (
        f"import sys, time; from pathlib import Path; from echochamber.bench.sessions import Session\n"
        f"s = Session({command!r}, Path({str(tmp_path / 'log')!r})); s.answer(); "
        "print(s.process.pid, flush=True); time.sleep(60)"
    )
    parent = subprocess.Popen([sys.executable, "-c", starter], stdout=subprocess.PIPE, text=True)
    pid = int(parent.stdout.readline())
    assert _is_stopped(pid)
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    parent.stdout.close()
    until = time.monotonic() + 30
    while Path(f"/proc/{pid}").exists() and _state(pid) != "Z" and time.monotonic() < until:
        time.sleep(0.05)
    assert not Path(f"/proc/{pid}").exists() or _state(pid) == "Z"


@pytest.fixture
def workers(tmp_path, monkeypatch):
    """Contenders played by scripts: `workers[work]` is the script's text."""
    texts: dict[str, str] = {}

    def start(contender, pythons, workload, logs):
        return Session(
            _script(tmp_path, contender.work, texts[contender.work]), tmp_path / f"{contender.work}.log"
        )

    monkeypatch.setattr(sessions, "worker", start)
    monkeypatch.setattr(sessions, "is_installed", lambda module, python: module != "trl")
    return texts


FAST, SLOW, GONE, ABSENT = (
    Contender("us", OURS, "fast"),
    Contender("slow", "vllm", "slow"),
    Contender("gone", "vllm", "gone"),
    Contender("absent", "trl", "absent"),
)


def test_a_failing_and_an_absent_peer_do_not_end_the_comparison(workers, tmp_path):
    workers |= {
        "fast": WORKER.format(seconds=0.02, tokens=100),
        "slow": WORKER.format(seconds=0.3, tokens=100),
        "gone": "raise SystemExit('no such instruction set')",
    }
    pythons = {"vllm": sys.executable, "trl": sys.executable}
    found = comparison(
        (FAST, SLOW, GONE, ABSENT), pythons, tmp_path / "w.json", tmp_path, repeats=3, quick=True
    )
    us, slow, gone, absent = found["rows"]
    assert len(us["seconds"]) == len(slow["seconds"]) == 3
    assert us["ratio"] is None
    assert slow["ratio"] == pytest.approx(us["tokens_per_second"] / slow["tokens_per_second"])
    assert slow["ratio"] > 1
    assert gone["missing"] == "failed: no such instruction set"
    assert absent["missing"] == "not installed"


def test_the_best_peer_is_named():
    rows = [
        {"label": "us", "ours": True, "ratio": None},
        {"label": "slow", "ours": False, "ratio": 9.0},
        {"label": "near", "ours": False, "ratio": 0.875},
        {"label": "absent", "ours": False, "missing": "not installed"},
    ]
    assert tables._best_peer(rows) == ["", "Best peer: near, ratio 0.88."]
    assert tables._best_peer(rows[:1]) == []


def test_our_own_failure_is_not_excused(workers, tmp_path):
    workers["fast"] = "raise SystemExit('broken')"
    with pytest.raises(UserError, match="us broke off: broken"):
        compare([FAST], {}, tmp_path / "w.json", tmp_path, 1, 0)


def test_warm_up_turns_are_not_counted(workers, tmp_path):
    workers["fast"] = WORKER.format(seconds=0, tokens=1)
    (us,) = compare([FAST], {}, tmp_path / "w.json", tmp_path, repeats=2, warmups=3)
    assert us.tokens == [1, 1]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("vllm", "expected NAME=PATH"),
        ("jax=/bin/sh", "one of transformers, openvino, onnxruntime, llama.cpp, vllm, trl"),
        ("trl=/no/such/python", "is no file"),
    ],
)
def test_a_wrong_peer_python_is_named(given, said):
    with pytest.raises(UserError, match=said):
        peer_pythons([given])


def test_an_unknown_work_is_named_before_anything_runs(tmp_path):
    with pytest.raises(UserError, match="'singing' is not known; there are sampling, training, grpo, growth"):
        run_bench(tmp_path / "out", ["singing"], [], 1, True)
    assert not (tmp_path / "out").exists()


def test_the_peer_reward_reads_the_last_number():
    assert last_number_reward(
        ["2 + 3 = 5", "the answer is -4.", "none", "5 apples, 6"], ["5", "-4", "5", "5"]
    ) == [1.0, 1.0, 0.0, 0.0]


def test_only_the_marked_part_of_a_page_is_replaced(tmp_path):
    page = tmp_path / "page.md"
    page.write_text(f"# Title\n{tables.BEGIN}\nold\n{tables.END}\nBy hand.\n")
    tables.fill_page(page, "new")
    tables.fill_page(page, "newer")
    assert page.read_text() == f"# Title\n{tables.BEGIN}\n\nnewer\n{tables.END}\nBy hand.\n"
    page.write_text("# Title\n")
    with pytest.raises(UserError, match="found no such place"):
        tables.fill_page(page, "new")
    assert page.read_text() == "# Title\n"


@pytest.mark.slow
def test_the_quick_bench_measures_us_in_every_work(tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(sys.path))
    out, page = tmp_path / "bench", tmp_path / "page.md"
    app(["bench", "--quick", "--out", str(out), "--page", str(page)], standalone_mode=False)
    results = json.loads((out / "bench.json").read_text())
    for work in ("sampling", "training", "grpo"):
        ours = results[work]["rows"][0]
        assert ours["ours"]
        assert ours["median_seconds"] > 0
        assert all(seconds > 0 for row in results[work]["rows"] for seconds in row.get("seconds", []))
    sampled, trained = results["growth"]["rows"]
    assert sampled["tokens_per_second"] > 0
    assert 0 < trained["peak_share"] < 1
    printed = capsys.readouterr().out
    assert "| echochamber |" in printed
    assert str(tmp_path) not in page.read_text()
    assert page.read_text().count("###") == 4
