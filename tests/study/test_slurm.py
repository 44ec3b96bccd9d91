"""Stages as jobs of submitit: on this machine by its own executor, and through SLURM's commands."""

import json
import os
import re
import signal
import sys
from pathlib import Path

import pytest

from echochamber.core.errors import UserError
from echochamber.study.execute import open_study, run_study
from echochamber.study.recipe import load_recipe

from .test_killed import _payload
from .test_launch import _wait_for
from .tiny import OVERRIDES


def _study(folder, overrides=(), **settings):
    graph, status = open_study(load_recipe("smoke", [*overrides]), folder)
    return graph, status, run_study(graph, status, **settings)


def _refused(tmp_path, **options):
    with pytest.raises(UserError) as told:
        _study(tmp_path, executor="slurm", slurm=options)
    assert len(str(told.value).splitlines()) == 1
    return str(told.value)


def test_submitit_is_asked_for_by_name_where_it_is_missing(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "submitit", None)
    assert "echochamber[slurm]" in _refused(tmp_path)


class TestJobs:
    """What needs submitit."""

    submitit = None

    @pytest.fixture(autouse=True)
    def _installed(self):
        self.submitit = pytest.importorskip(
            "submitit", reason="the extra [slurm] is not installed: pip install 'echochamber[slurm]'"
        )

    def test_options_that_nobody_knows_or_that_follow_from_the_recipe_are_refused(
        self, tmp_path, monkeypatch
    ):
        monkeypatch.setenv("PATH", "")
        assert "no srun on this machine" in _refused(tmp_path)
        assert "cluster=moon is not known" in _refused(tmp_path, cluster="moon")
        assert "account" in _refused(tmp_path, queue="gpu")
        assert "set launch or runtime.threads" in _refused(tmp_path, gpus_per_node="8")

    def test_a_job_asks_for_what_the_stage_declares(self, tmp_path, monkeypatch):
        from echochamber.study.slurm_executor import SlurmExecutor

        graph, _ = open_study(
            load_recipe("smoke", ["launch.rl.gpus=8", "launch.rl.nodes=2", "runtime.threads=3"]), tmp_path
        )
        told = {}
        jobs = SlurmExecutor(graph, 0.0, {"partition": "gpu", "time": "240"}, 1)

        class Recorder:
            def __init__(self, folder, cluster):
                told.clear()

            def update_parameters(self, **named):
                told.update(named)

            def submit(self, function, task):
                told["task"] = task

        monkeypatch.setattr(self.submitit, "AutoExecutor", Recorder)
        jobs.submit(graph.nodes["rl/tg_omi2/nano-0.2m/grpo/seed0"])
        task = told.pop("task")
        assert (task.resources.nodes, task.resources.ranks) == (2, 8)
        assert told == {
            "name": "rl-tg_omi2-nano-0.2m-grpo-seed0",
            "nodes": 2,
            "tasks_per_node": 1,
            "cpus_per_task": 24,
            "gpus_per_node": 8,
            "slurm_srun_args": ["--kill-on-bad-exit=1"],
            "slurm_partition": "gpu",
            "slurm_time": 240,
        }
        jobs.submit(graph.nodes["tokenizer"])
        assert (told["nodes"], told["gpus_per_node"], told["cpus_per_task"]) == (1, None, 3)

    @pytest.mark.slow
    def test_smoke_as_jobs_has_the_bytes_of_the_local_pool(self, tmp_path):
        assert _study(tmp_path / "pool", workers=2)[2] == 0
        assert _study(tmp_path / "jobs", executor="slurm", workers=2, slurm={"cluster": "local"})[2] == 0
        assert _payload(tmp_path / "jobs") == _payload(tmp_path / "pool")

    @pytest.mark.slow
    def test_two_ranks_a_stage_have_the_same_bytes_as_jobs_and_in_the_local_pool(self, tmp_path):
        ranks = [*OVERRIDES, *RANKS, "launch.rl.ranks=2"]
        assert _study(tmp_path / "pool", ranks)[2] == 0
        assert _study(tmp_path / "jobs", ranks, executor="slurm", slurm={"cluster": "local"})[2] == 0
        assert _payload(tmp_path / "jobs") == _payload(tmp_path / "pool")

    @pytest.mark.slow
    def test_a_killed_job_goes_on_and_changes_no_byte(self, tmp_path, monkeypatch, capsys):
        """Two ranks pretrain, and the process of their job is killed."""
        from echochamber.study import slurm_executor

        kinds = {"pretrain"}
        assert _study(tmp_path / "whole", TRAINED, kinds=kinds)[2] == 0
        wait, cut = slurm_executor.SlurmExecutor.wait, []

        def cut_and_wait(executor, handles):
            handles = list(handles)
            job = next((one for one in handles if one.node.kind == "pretrain"), None)
            if job is not None and not cut:
                partial = tmp_path / "cut" / "artifacts" / ".partial"
                _wait_for(lambda: list(partial.glob("pretrain-*/resume/*")), 300)
                os.kill(_child(job.job._process.pid), signal.SIGKILL)
                cut.append(job)
            return wait(executor, handles)

        monkeypatch.setattr(slurm_executor.SlurmExecutor, "wait", cut_and_wait)
        jobs = {"executor": "slurm", "slurm": {"cluster": "local"}}
        assert _study(tmp_path / "cut", [*TRAINED, *RANKS], kinds=kinds, **jobs)[2] == 0
        again = [line for line in capsys.readouterr().err.splitlines() if line.startswith("again ")]
        assert len(again) == 1
        assert re.fullmatch(r"again pretrain/.*\(retry 1 of 3\): job \d+ ended early .*_log\.err", again[0])
        assert _payload(tmp_path / "cut") == _payload(tmp_path / "whole")
        (times,) = (tmp_path / "cut" / "artifacts").glob("pretrain-*/sittings.json")
        assert len(json.loads(times.read_text())) == 2


TRAINED = [*OVERRIDES, "pretrain.tokens=60K", "pretrain.microbatch_tokens=128", "resume.every=0.5"]
"""Trained for some seconds, with two microbatches a step, which two ranks can share to the same bytes."""
RANKS = ["launch.pretrain.ranks=2", "launch.evaluate.ranks=2", "launch.probe.ranks=2"]


def _child(pid):
    """The process that a process of this machine has started."""
    return int(Path(f"/proc/{pid}/task/{pid}/children").read_text().split()[0])
