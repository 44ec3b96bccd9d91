"""Logs of a study in trackers: each step once, by each library's own reader, and what a failure says."""

import importlib.util
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from echochamber.core.errors import UserError
from echochamber.core.trackers.interface import check_installed
from echochamber.study import track_logs
from echochamber.study.execute import open_study, run_study
from echochamber.study.graph import build_graph
from echochamber.study.recipe import load_recipe
from echochamber.study.track_logs import LogTail, StageRows, follow, read_record
from echochamber.study.tracking import send_logs

from .tiny import OVERRIDES
from .tracked import METRICS, PRETRAIN, RL, expected, write_logs, write_study

Points = dict[str, list[tuple[int, float]]]
Reader = Callable[[Path], Points]
RUN = "rl/mix/nano-0.8m/grpo/seed0-01234567"


def read_tensorboard(folder: Path) -> Points:
    """Points of the RL run by TensorBoard's EventAccumulator."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    found = EventAccumulator(str(folder / "tensorboard" / RUN), size_guidance={"scalars": 0}).Reload()
    return {tag: [(e.step, e.value) for e in found.Scalars(tag)] for tag in found.Tags()["scalars"]}


def read_trackio(folder: Path) -> Points:
    """Points of the RL run by trackio's own storage, in a process that finds the same folder."""
    ask = """
import json, trackio
from trackio.sqlite_storage import SQLiteStorage
(run,) = [run for run in trackio.Api().runs("tracked") if run.name.startswith("rl/")]
print(json.dumps([run.name, SQLiteStorage.get_logs("tracked", run.name)], default=str))
"""
    said = subprocess.run([sys.executable, "-c", ask], capture_output=True, text=True, check=True).stdout
    name, rows = json.loads(said.splitlines()[-1])
    assert name == RUN
    names = {key for found in rows for key in found} - {"step", "timestamp"}
    return {key: [(found["step"], found[key]) for found in rows if key in found] for key in names}


def read_wandb(folder: Path) -> Points:
    """Points of the RL run from its offline files, records parsed by the library's own protocol."""
    from wandb.proto.wandb_internal_pb2 import Record

    from echochamber.core.trackers.wandb_log import records_of

    points: Points = {}
    for path in sorted((folder / "wandb").glob(f"offline-run-*-{RL}/run-{RL}.wandb")):
        for content in records_of(path.read_bytes()):
            record = Record.FromString(content)
            if record.WhichOneof("record_type") != "history":
                continue
            for item in record.history.item:
                name = item.key or "/".join(item.nested_key)
                if not name.startswith("_"):
                    points.setdefault(name, []).append((record.history.step.num, json.loads(item.value_json)))
    return points


READERS: dict[str, Reader] = {"tensorboard": read_tensorboard, "trackio": read_trackio, "wandb": read_wandb}
INSTALLED = [
    pytest.param(
        name,
        marks=pytest.mark.skipif(
            importlib.util.find_spec(name) is None,
            reason=f"the package {name} is not installed; pip install 'echochamber[{name}]'",
        ),
    )
    for name in READERS
]


@pytest.fixture
def places(tmp_path, monkeypatch):
    """No tracker writes outside the test's folder, and none asks a server."""
    monkeypatch.setenv("TRACKIO_DIR", str(tmp_path / "trackio"))
    monkeypatch.setenv("WANDB_MODE", "offline")
    for name in ("WANDB_CACHE_DIR", "WANDB_CONFIG_DIR", "WANDB_DATA_DIR", "HF_HOME"):
        monkeypatch.setenv(name, str(tmp_path / name.lower()))
    return tmp_path / "study"


@pytest.mark.slow
@pytest.mark.parametrize("tracker", INSTALLED)
def test_a_cut_and_resumed_stage_gives_each_step_once(tracker, places):
    write_study(places, tracker)
    write_logs(places, PRETRAIN, range(5), finished=True)
    write_logs(places, RL, range(1, 7))
    said = send_logs(places)
    assert said == [f"{tracker}: 1 of 2 runs complete, 2 begun; project tracked"]
    # The kill came after the last saved state: steps 4 to 6 are computed again, with other wall times.
    write_logs(places, RL, range(1, 5))
    send_logs(places)
    write_logs(places, RL, range(1, 41), finished=True)
    assert send_logs(places) == [f"{tracker}: 2 of 2 runs complete, 2 begun; project tracked"]
    points = READERS[tracker](places)
    for name in (*METRICS, "step_s"):
        assert points[name] == expected(name, range(1, 41)), name
    assert set(points) == {*METRICS, "step_s"}


@pytest.mark.slow
@pytest.mark.parametrize("tracker", INSTALLED)
def test_without_its_record_a_tracker_is_asked_what_it_has(tracker, places):
    write_study(places, tracker)
    write_logs(places, RL, range(1, 7))
    send_logs(places)
    (places / track_logs.RECORD).unlink()
    write_logs(places, RL, range(1, 10), finished=True)
    send_logs(places)
    assert READERS[tracker](places)["reward/mean"] == expected("reward/mean", range(1, 10))


@pytest.mark.slow
@pytest.mark.parametrize("tracker", INSTALLED)
def test_a_killed_sender_leaves_no_double_points(tracker, places):
    write_study(places, tracker)
    write_logs(places, RL, range(1, 200))
    command = [sys.executable, "-P", "-m", "echochamber.study.track_logs", str(places), tracker]
    with subprocess.Popen(command, stdin=subprocess.PIPE) as child:
        deadline = time.monotonic() + 300
        while not read_record(places) and time.monotonic() < deadline:
            time.sleep(0.05)
        child.send_signal(signal.SIGKILL)
    assert read_record(places)[tracker][RL]["step"] == 199
    write_logs(places, RL, range(1, 220), finished=True)
    send_logs(places)
    points = READERS[tracker](places)["reward/mean"]
    assert [step for step, _ in points] == sorted({step for step, _ in points})
    assert points[-1] == (219, 219 / 8)


class Held:
    """A tracker in memory."""

    steps: list[tuple[str, int]] = []
    fails_at = 10**9

    def __init__(self, stage, remembered):
        self.stage, self.last_step = stage, remembered

    def write(self, step, values):
        if step >= self.fails_at:
            raise ConnectionError("[Errno -3] Temporary failure\nin name resolution")
        self.steps.append((self.stage.stage, step))
        self.last_step = step

    def flush(self): ...

    def close(self): ...


@pytest.fixture
def held(monkeypatch):
    """Every tracker keeps its steps in memory."""
    monkeypatch.setattr(Held, "steps", [])
    monkeypatch.setattr(track_logs, "open_tracker", lambda name, stage, last: Held(stage, last))
    monkeypatch.setattr(track_logs, "POLL_SECONDS", 0.02)
    return Held


def send(folder: Path, *names: str) -> list[str]:
    """One pass in this process; returns what was said."""
    said: list[str] = []
    ended = threading.Event()
    ended.set()
    follow(folder, names, ended, said.append)
    return said


def test_a_tracker_that_breaks_is_said_once_and_goes_on_later(held, monkeypatch, tmp_path):
    write_study(tmp_path)
    write_logs(tmp_path, PRETRAIN, range(4), finished=True)
    write_logs(tmp_path, RL, range(1, 5), finished=True)
    monkeypatch.setattr(Held, "fails_at", 2)
    (line,) = send(tmp_path, "wandb")
    assert line == (
        "wandb stopped (ConnectionError: [Errno -3] Temporary failure in name resolution); "
        "the study goes on, its next run sends the rest"
    )
    monkeypatch.setattr(Held, "fails_at", 10**9)
    held.steps.clear()
    assert send(tmp_path, "wandb") == []
    assert [step for stage, step in held.steps if stage.startswith("rl/")] == [1, 2, 3, 4]
    assert all(run["complete"] for run in read_record(tmp_path)["wandb"].values())


def test_one_tracker_that_breaks_stops_no_other(held, monkeypatch, tmp_path):
    write_study(tmp_path)
    write_logs(tmp_path, RL, range(1, 5), finished=True)

    def opened(name, stage, last):
        if name == "wandb":
            raise RuntimeError("no key")
        return Held(stage, last)

    monkeypatch.setattr(track_logs, "open_tracker", opened)
    said = send(tmp_path, "wandb", "tensorboard")
    assert len(said) == 1
    assert said[0].startswith("wandb stopped (RuntimeError: no key)")
    assert [step for _, step in held.steps] == [1, 2, 3, 4]


def test_a_growing_log_is_followed_while_it_grows(held, tmp_path):
    write_study(tmp_path)
    write_logs(tmp_path, RL, range(1, 3))
    ended = threading.Event()
    thread = threading.Thread(target=follow, args=(tmp_path, ["tensorboard"], ended, print))
    thread.start()
    for steps in (range(1, 3), range(1, 6), range(1, 4), range(1, 9)):
        write_logs(tmp_path, RL, steps)
        deadline = time.monotonic() + 20
        while len(held.steps) < len(steps) and time.monotonic() < deadline:
            time.sleep(0.01)
    ended.set()
    thread.join()
    assert [step for _, step in held.steps] == list(range(1, 9))
    assert read_record(tmp_path)["tensorboard"][RL] == {"step": 8, "complete": False}


def test_of_two_senders_one_sends_and_the_other_says_so(held, tmp_path):
    write_study(tmp_path)
    write_logs(tmp_path, RL, range(1, 3), finished=True)
    ended = threading.Event()
    first = threading.Thread(target=follow, args=(tmp_path, ["tensorboard"], ended, print))
    first.start()
    while not held.steps:
        time.sleep(0.01)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(track_logs, "LOCK_SECONDS", 0.1)
        assert send(tmp_path, "tensorboard") == [
            "another process sends this study's logs; this one leaves them to it"
        ]
    ended.set()
    first.join()
    assert len(held.steps) == 2


def test_a_torn_last_line_waits_and_a_cut_log_is_read_anew(tmp_path):
    log, tail = tmp_path / "metrics.jsonl", LogTail()
    assert tail.read(log) == []
    log.write_text('{"step": 1, "a": 1}\n{"step": 2, "a"')
    assert [row["step"] for row in tail.read(log)] == [1]
    log.write_text('{"step": 1, "a": 1}\n{"step": 2, "a": 2}\n')
    assert [row["step"] for row in tail.read(log)] == [2]
    log.write_text('{"step": 1, "a": 1}\n')
    assert [row["step"] for row in tail.read(log)] == [1]
    # Cut and longer again between two calls, so that the old place lies within a line.
    log.write_text('{"step": 1, "a": 1.25}\n{"step": 2, "a": 2}\n')
    assert tail.read(log) == []
    assert [row["step"] for row in tail.read(log)] == [1, 2]


def test_a_running_stage_s_step_waits_for_its_wall_times(tmp_path):
    write_study(tmp_path)
    write_logs(tmp_path, RL, range(1, 3))
    times = tmp_path / "artifacts" / ".partial" / RL / "timing.jsonl"
    whole = times.read_text()
    times.write_text(whole.splitlines(keepends=True)[0])
    rows = StageRows(tmp_path / "artifacts", RL)
    (only,), finished = rows.read()
    assert (only[0], only[1]["step_s"], finished) == (1, 0.25, False)
    times.write_text(whole)
    assert [step for step, _ in rows.read()[0]] == [2]


def test_a_damaged_record_is_written_anew(held, tmp_path):
    write_study(tmp_path)
    write_logs(tmp_path, RL, range(1, 3), finished=True)
    for content in ("[", "[1]", '{"tensorboard": 3}', '{"tensorboard": {"x": 3}}'):
        (tmp_path / track_logs.RECORD).write_text(content)
        held.steps.clear()
        assert send(tmp_path, "tensorboard") == []
        assert len(held.steps) == 2
        assert read_record(tmp_path)["tensorboard"][RL]["complete"] is True


def test_track_changes_no_fingerprint(tmp_path, monkeypatch):
    monkeypatch.setattr("echochamber.study.recipe.check_installed", lambda names, source: None)
    prints = []
    for overrides in ([], ["track=[tensorboard,wandb]"], ["track=trackio"]):
        recipe = load_recipe("smoke", [*OVERRIDES, *overrides])
        graph, _ = open_study(recipe, tmp_path)
        prints.append({node.id: node.spec.fingerprint for node in graph.nodes.values()})
    assert prints[0] == prints[1] == prints[2]
    assert build_graph(recipe, graph.store).recipe.track == ("trackio",)


def test_a_missing_package_is_refused_when_the_recipe_is_read(monkeypatch, tmp_path):
    real = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "wandb" else real(name))
    with pytest.raises(UserError, match=r"recipe smoke: track has 'wandb', but .*\[wandb\]'"):
        load_recipe("smoke", ["track=wandb"])
    with pytest.raises(UserError, match=r"key 'track\.0' has value 'wandbb'.*'tensorboard', 'trackio' or"):
        load_recipe("smoke", ["track=[wandbb]"])


def test_a_folder_named_like_a_package_is_no_package(monkeypatch, tmp_path):
    (tmp_path / "trackio_like").mkdir()
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(UserError, match="is not installed"):
        check_installed(["trackio_like"], "here")


BROKEN = "track: tensorboard stopped (ImportError: no module named absl); the study goes on, "


@pytest.fixture
def broken(monkeypatch, tmp_path):
    """A TensorBoard that cannot be imported, in the process that sends."""
    package = tmp_path / "broken" / "tensorboard"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("raise ImportError('no module named absl')")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(package.parent), *sys.path]))
    for place in ("recipe", "tracking"):
        monkeypatch.setattr(f"echochamber.study.{place}.check_installed", lambda names, source: None)


@pytest.mark.usefixtures("broken")
def test_a_tracker_that_cannot_be_imported_is_one_line(tmp_path, capsys):
    write_study(tmp_path / "study")
    write_logs(tmp_path / "study", RL, range(1, 3), finished=True)
    said = send_logs(tmp_path / "study", ["tensorboard"])
    assert said == ["tensorboard: 0 of 2 runs complete, 0 begun; project tracked"]
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(BROKEN)


@pytest.mark.slow
@pytest.mark.usefixtures("broken")
def test_a_failing_start_of_a_tracker_leaves_the_study_as_it_is(tmp_path, capsys):
    recipe = load_recipe("smoke", [*OVERRIDES, "track=tensorboard"])
    graph, status = open_study(recipe, tmp_path / "study")
    assert run_study(graph, status, {"pretrain"}) == 0
    (line,) = [line for line in capsys.readouterr().err.splitlines() if line.startswith("track:")]
    assert line.startswith(BROKEN)
