"""What a stage is started with: GPUs, nodes, ranks and retries of the recipe; and what is refused."""

import json
import signal
import subprocess
import sys
import time
from concurrent.futures import Future

import pytest
from filelock import FileLock, Timeout

from echochamber.core.errors import UserError
from echochamber.core.resume_record import saved_state
from echochamber.study.execute import open_study, run_study
from echochamber.study.executors import executor_name, open_executor
from echochamber.study.launch import Resources, resources_of, retries_of
from echochamber.study.local_executor import LocalExecutor
from echochamber.study.recipe import load_recipe
from echochamber.study.stage_process import (
    THREAD_SETTINGS,
    Place,
    run_task,
    stage_command,
    stage_environment,
)
from echochamber.study.stage_task import StageOutcome, StageTask, TaskFiles

from .tiny import OVERRIDES

BASE, ARM = "pretrain/tg_omi2/nano-0.2m/seed0", "rl/tg_omi2/nano-0.2m/grpo/seed0"


def _open(folder, *overrides):
    return open_study(load_recipe("smoke", [*overrides]), folder)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ([], Resources(None, 1, 1)),
        (["launch.rl.gpus=8"], Resources(8, 1, 8)),
        (["launch.rl.gpus=4", "launch.rl.nodes=2"], Resources(4, 2, 4)),
        (["launch.rl.gpus=0"], Resources(0, 1, 1)),
        (["launch.rl.ranks=2"], Resources(0, 1, 2)),
        (["launch.rl.nodes=3"], Resources(0, 3, 1)),
        (["launch.evaluate.gpus=2"], Resources(None, 1, 1)),
    ],
)
def test_each_gpu_has_one_rank_and_ranks_without_gpus_hide_them(tmp_path, changes, expected):
    graph, _ = _open(tmp_path, *changes)
    asked = resources_of(graph.nodes[ARM], graph.recipe)
    assert asked == expected
    assert asked.own_processes == (bool(changes) and "evaluate" not in changes[0])
    assert resources_of(graph.nodes["tokenizer"], graph.recipe) == Resources()


def test_no_fingerprint_knows_of_the_launch(tmp_path):
    changes = ["launch.retries=7", "launch.rl.gpus=8", "launch.pretrain.ranks=2", "launch.probe.retries=0"]
    plain, launched = _open(tmp_path)[0], _open(tmp_path, *changes)[0]
    assert [n.spec.name for n in plain.nodes.values()] == [n.spec.name for n in launched.nodes.values()]
    probe = next(node for node in launched.nodes.values() if node.kind == "probe")
    assert retries_of(launched.nodes["tokenizer"], launched.recipe) == 7
    assert retries_of(probe, launched.recipe) == 0
    assert retries_of(plain.nodes[BASE], plain.recipe) == 3


def test_ranks_beside_gpus_are_refused():
    with pytest.raises(UserError, match=r"launch\.rl.*ranks 2 beside gpus 8") as told:
        load_recipe("smoke", ["launch.rl.gpus=8", "launch.rl.ranks=2"])
    assert len(str(told.value).splitlines()) == 1


def test_one_command_line_for_one_process_one_node_and_several(tmp_path):
    task = tmp_path / "task-0.json"
    stage = ["-m", "echochamber.study.run_stage", str(task)]
    assert stage_command(task, Resources(1, 1, 1), Place()) == [sys.executable, *stage]
    torchrun = [sys.executable, "-m", "torch.distributed.run"]
    assert stage_command(task, Resources(8, 1, 8), Place()) == [
        *torchrun,
        "--standalone",
        "--nproc-per-node=8",
        *stage,
    ]
    assert stage_command(task, Resources(4, 2, 4), Place(1, "node7:29512")) == [
        *torchrun,
        "--nnodes=2",
        "--node-rank=1",
        "--master-addr=node7",
        "--master-port=29512",
        "--nproc-per-node=4",
        *stage,
    ]


def test_a_stage_sees_its_own_gpus_and_has_the_recipe_s_threads(monkeypatch):
    for name in THREAD_SETTINGS:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("RAYON_NUM_THREADS", "7")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "5,6")
    seen = stage_environment(Resources(2, 1, 2), 3, ["0", "4"])
    assert seen["CUDA_VISIBLE_DEVICES"] == "0,4"
    assert [seen[name] for name in THREAD_SETTINGS] == ["3", "3", "7", "3"]
    # Ray and SLURM have set them already; a stage that works without gets none.
    assert stage_environment(Resources(2, 1, 2), 3, None)["CUDA_VISIBLE_DEVICES"] == "5,6"
    assert stage_environment(Resources(0, 1, 2), 3, None)["CUDA_VISIBLE_DEVICES"] == ""


class _Pool:
    """Takes tasks and finishes none."""

    def __init__(self):
        self.devices = []

    def submit(self, function, task, devices):
        self.devices.append(devices)
        return Future()


def test_local_stages_share_the_gpus_out_and_wait_for_free_ones(tmp_path, monkeypatch):
    monkeypatch.setattr("echochamber.study.local_executor.visible_gpus", lambda: ["0", "1", "2"])
    graph, _ = _open(tmp_path, "launch.pretrain.gpus=2", "launch.rl.gpus=1", "launch.probe.gpus=0")
    base, arm = graph.nodes[BASE], graph.nodes[ARM]
    probe = next(node for node in graph.nodes.values() if node.kind == "probe")
    executor = LocalExecutor(graph, 4, 0.0)
    executor._pool = _Pool()
    first = executor.submit(base)
    assert not executor.has_room(base)
    assert executor.has_room(arm)
    executor.submit(arm)
    assert not executor.has_room(arm)
    for node in (probe, graph.nodes["tokenizer"]):
        assert executor.has_room(node)
        executor.submit(node)
    assert executor._pool.devices == [["0", "1"], ["2"], [], None]
    first.future.set_result(StageOutcome(1.0))
    assert [one.outcome for one in executor.wait([first])] == [StageOutcome(1.0)]
    assert executor.has_room(base)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        (["launch.rl.gpus=8"], ["launch.rl.gpus is 8", "1 GPU", "ray or slurm"]),
        (["launch.evaluate.nodes=2"], ["launch.evaluate.nodes is 2", "this machine alone"]),
    ],
)
def test_more_than_this_machine_has_is_refused_before_anything_runs(tmp_path, monkeypatch, changes, words):
    monkeypatch.setattr("echochamber.study.local_executor.visible_gpus", lambda: ["0"])
    graph, status = _open(tmp_path, *changes)
    with pytest.raises(UserError) as told:
        run_study(graph, status)
    assert all(word in str(told.value) for word in words)
    assert len(str(told.value).splitlines()) == 1
    assert {state.status for state in status.nodes.values()} == {"pending"}
    assert not list((tmp_path / "artifacts").glob("*-*"))


def test_an_unknown_executor_is_told_which_there_are():
    assert executor_name("slurm") == "slurm"
    with pytest.raises(UserError, match=r"'pbs' is not known; there are local, ray and slurm"):
        executor_name("pbs")


def test_one_local_worker_needs_no_executor_unless_a_stage_has_processes_of_its_own(tmp_path):
    graph, _ = _open(tmp_path)
    nodes = list(graph.nodes.values())
    assert open_executor("local", nodes, graph, 1, 0.0, {}) is None
    ranked, _ = _open(tmp_path, "launch.rl.ranks=2")
    assert isinstance(open_executor("local", list(ranked.nodes.values()), ranked, 1, 0.0, {}), LocalExecutor)
    # Nothing that is missing asks for ranks.
    assert open_executor("local", [ranked.nodes[BASE]], ranked, 1, 0.0, {}) is None
    with pytest.raises(UserError, match="--slurm partition: is for --executor slurm"):
        open_executor("local", nodes, graph, 1, 0.0, {"partition": "gpu"})


def test_processes_of_their_own_are_refused_under_torchrun(tmp_path, monkeypatch):
    monkeypatch.setattr("echochamber.study.execute.join_ranks", lambda device: Pair())
    graph, status = _open(tmp_path, "launch.rl.ranks=2")
    with pytest.raises(UserError, match=r"launch\.rl.* under torchrun: 2 ranks"):
        run_study(graph, status)
    graph, status = _open(tmp_path)
    with pytest.raises(UserError, match="--executor slurm under torchrun"):
        run_study(graph, status, executor="slurm")
    with pytest.raises(UserError, match="--workers 3 under torchrun"):
        run_study(graph, status, workers=3)


class Pair:
    """Two ranks, of which this is the first."""

    world_size, is_main = 2, True


def _task(folder, *overrides, node=BASE):
    graph, _ = _open(folder, *overrides)
    return StageTask.of(graph.nodes[node], graph, 0.0), graph


def test_a_task_is_read_as_it_was_written(tmp_path):
    task, _ = _task(tmp_path, "launch.pretrain.ranks=2")
    assert TaskFiles.read_task(task.files.write_task(task, 0)) == task


def test_the_outcome_of_a_rank_with_bad_input_counts_before_those_it_dragged_along(tmp_path):
    files = TaskFiles(tmp_path)
    assert files.outcome() is None
    files.write_outcome(StageOutcome(None, "connection closed", bug=True), 0)
    files.write_outcome(StageOutcome(None, "no such file", bad_input=True), 10)
    assert files.outcome().error == "no such file"
    files.write_outcome(StageOutcome(3.5), 0)
    assert files.outcome() == StageOutcome(3.5)


@pytest.mark.parametrize(
    ("code", "words"), [("os.kill(os.getpid(), 9)", "signal 9"), ("sys.exit(3)", "status 3")]
)
def test_a_process_that_ends_without_an_outcome_is_lost_and_its_log_is_named(
    tmp_path, monkeypatch, code, words
):
    program = f"import os, sys; print('last words', flush=True); {code}"
    monkeypatch.setattr(
        "echochamber.study.stage_process.stage_command", lambda *_: [sys.executable, "-c", program]
    )
    task, _ = _task(tmp_path)
    task.files.write_task(task, 0)
    task.files.write_outcome(StageOutcome(None, "of an earlier attempt", bug=True), 0)
    outcome = run_task(task, alone=True)
    assert outcome.lost
    assert words in outcome.error
    assert str(task.log(0)) in outcome.error
    assert task.log(0).read_text() == "last words\n"


def test_a_further_node_that_ends_well_says_nothing_and_leaves_the_outcome_to_the_first(
    tmp_path, monkeypatch
):
    monkeypatch.setattr(
        "echochamber.study.stage_process.stage_command", lambda *_: [sys.executable, "-c", ""]
    )
    task, _ = _task(tmp_path, "launch.pretrain.nodes=2")
    assert run_task(task, place=Place(1, "here:1")) == StageOutcome()
    task.files.write_outcome(StageOutcome(2.5), 0)
    assert run_task(task, place=Place(1, "here:1")) == StageOutcome()
    assert task.files.outcome() == StageOutcome(2.5)


@pytest.mark.medium
def test_a_stage_in_a_process_of_its_own_is_built_and_bad_input_comes_back(tmp_path):
    task, graph = _task(tmp_path, node="tokenizer")
    outcome = run_task(task, alone=True)
    assert outcome.error is None
    assert outcome.seconds > 0
    assert graph.store.has(graph.nodes["tokenizer"].spec)
    assert not task.files.folder.exists()
    assert not list(task.files.folder.parent.glob("*.progress"))
    unreadable = StageTask(**vars(task) | {"recipe": task.recipe | {"sizes": ["huge"]}, "name": "another"})
    outcome = run_task(unreadable, alone=True)
    assert outcome.bad_input
    assert "size 'huge' is not known" in outcome.error


STARTER = """
import pathlib, sys
from echochamber.study.stage_process import run_task
from echochamber.study.stage_task import TaskFiles
run_task(TaskFiles.read_task(pathlib.Path(sys.argv[1])), alone=True)
"""


@pytest.mark.slow
@pytest.mark.parametrize("ranks", [1, 2])
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_a_stage_s_processes_end_with_the_one_that_started_them(tmp_path, ranks, how):
    """Asked to stop, as by Ctrl-C, they save their state before; a killed starter can ask nothing."""
    changes = [f"launch.pretrain.ranks={ranks}", "pretrain.tokens=40M", "resume.every=1h"]
    graph, status = _open(tmp_path, *OVERRIDES, *changes)
    assert run_study(graph, status, {"shards"}) == 0
    task = StageTask.of(graph.nodes[BASE], graph, 0.0)
    path, partial = task.files.write_task(task, 0), graph.store.partial(graph.nodes[BASE].spec)
    starter = subprocess.Popen([sys.executable, "-c", STARTER, str(path)], stderr=subprocess.DEVNULL)
    try:
        _wait_for(lambda: (partial / "metrics.jsonl").is_file(), 300)
        starter.send_signal(how)
        starter.wait(120)
    finally:
        starter.kill()
        starter.wait()
    _wait_for(lambda: _is_free(partial.with_name(f"{partial.name}.lock")), 60)
    assert (saved_state(partial) is not None) == (how == signal.SIGINT)
    assert json.loads((partial / "sittings.json").read_text())[-1][1] is None


def _is_free(lock):
    try:
        with FileLock(lock, timeout=0):
            return True
    except Timeout:
        return False


def _wait_for(condition, seconds):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "nothing happened in time"
        time.sleep(0.2)
