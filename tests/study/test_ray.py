"""A real Ray cluster of two nodes on this machine, whose GPUs are numbers alone; nodes and tasks killed."""

import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from echochamber.core.errors import UserError
from echochamber.study.execute import open_study, run_study
from echochamber.study.recipe import load_recipe

from .test_killed import _payload
from .tiny import OVERRIDES

# A cluster of these tests lets nobody else in. Ray reads this when it is imported.
os.environ.setdefault("RAY_AUTH_MODE", "token")
os.environ.setdefault("RAY_AUTH_TOKEN", secrets.token_hex(32))
ray = pytest.importorskip("ray", reason="the extra [ray] is not installed: pip install 'echochamber[ray]'")
CHANGES = ("seeds=[0,1]", "pretrain.tokens=400K")
"""Two bases, each trained for several seconds, so that a kill lands in the middle of one."""


def _free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class _Cluster:
    """Head and workers, each a `ray start --block` in a process group of its own."""

    def __init__(self, folder, gpus=0):
        self.folder, self.port, self.processes, self.gpus = folder, _free_port(), [], gpus
        self.address = f"127.0.0.1:{self.port}"

    def start(self, *arguments, gpus=0):
        ray_command = Path(sys.executable).with_name("ray")
        # Ray's workers are nice to others by default, which on a busy machine means that they hardly run.
        environment = os.environ | {"RAY_worker_niceness": "0"}
        with (self.folder / f"node{len(self.processes)}.log").open("w") as log:
            process = subprocess.Popen(
                [
                    str(ray_command),
                    "start",
                    *arguments,
                    "--num-cpus=1",
                    f"--num-gpus={gpus}",
                    "--object-store-memory=80000000",
                    "--disable-usage-stats",
                    "--block",
                ],
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                env=environment,
            )
        self.processes.append(process)
        return process

    def listens(self):
        """Whether the head takes connections."""
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def kill(self, process):
        """The whole node at once, without a word to anybody."""
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()

    def __enter__(self):
        head = ("--head", f"--port={self.port}", "--include-dashboard=false", "--node-ip-address=127.0.0.1")
        self.start(*head, gpus=self.gpus)
        return self

    def __exit__(self, *_):
        for process in reversed(self.processes):
            if process.poll() is None:
                self.kill(process)


def _study(out, *arguments, **environment):
    return subprocess.Popen(
        [sys.executable, "-m", "echochamber", "study", "smoke", *CHANGES, "--out", str(out), *arguments],
        env=os.environ | environment,
    )


def _wait_for(condition, seconds):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "nothing happened in time"
        time.sleep(0.2)


@pytest.mark.slow
def test_a_killed_node_changes_no_byte(tmp_path):
    assert _study(tmp_path / "local").wait(timeout=1200) == 0
    with _Cluster(tmp_path) as cluster:
        _wait_for(cluster.listens, 300)
        worker = cluster.start(f"--address={cluster.address}")
        ray.init(address=cluster.address, log_to_driver=False)
        _wait_for(lambda: ray.cluster_resources().get("CPU", 0) == 2, 300)
        ray.shutdown()
        process = _study(tmp_path / "ray", "--executor", "ray", RAY_ADDRESS=cluster.address)
        partial = tmp_path / "ray" / "artifacts" / ".partial"
        # Both nodes are at work when two bases are being trained, and have taken steps.
        _wait_for(lambda: len(list(partial.glob("pretrain-*/metrics.jsonl"))) == 2, 600)
        cluster.kill(worker)
        assert process.wait(timeout=1200) == 0
    assert _payload(tmp_path / "ray") == _payload(tmp_path / "local")
    sittings = [
        json.loads(path.read_text()) for path in (tmp_path / "ray" / "artifacts").glob("*/sittings.json")
    ]
    # At least one stage was cut with its node and finished by the other.
    assert max(len(found) for found in sittings) > 1


ONE_GPU_ON_EACH_OF_TWO = ["launch.pretrain.gpus=1", "launch.pretrain.nodes=2"]
RANKS = ["launch.pretrain.ranks=2"]
TRAINED = [*OVERRIDES, "pretrain.tokens=60K", "resume.every=0.5"]


def _run(folder, overrides, **settings):
    graph, status = open_study(load_recipe("smoke", overrides), folder)
    return run_study(graph, status, **settings)


def _starter(words):
    """Process id of the Ray worker that started a command with these words in it."""
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if all(word in (folder / "cmdline").read_text() for word in words):
                return int((folder / "stat").read_text().rpartition(")")[2].split()[1])
        except (OSError, UnicodeDecodeError):
            continue
    raise AssertionError(f"no process has {words} in its command line")


@pytest.mark.slow
def test_a_stage_over_two_nodes_goes_on_after_its_task_was_killed_on_one(tmp_path, monkeypatch, capsys):
    """A placement group with a GPU on each; two gloo ranks, as the local pool starts them on one machine."""
    from echochamber.study.ray_executor import RayExecutor

    assert _run(tmp_path / "local", [*TRAINED, *RANKS]) == 0
    wait, cut, partial = RayExecutor.wait, [], tmp_path / "ray" / "artifacts" / ".partial"

    def cut_and_wait(executor, handles):
        handles = list(handles)
        if not cut and any(job.group is not None for job in handles):
            _wait_for(lambda: list(partial.glob("pretrain-*/resume/*")), 300)
            cut.append(_starter(["torch.distributed.run", str(partial), "task-1.json"]))
            os.kill(cut[0], signal.SIGKILL)
        return wait(executor, handles)

    monkeypatch.setattr(RayExecutor, "wait", cut_and_wait)
    with _Cluster(tmp_path, gpus=1) as cluster:
        _wait_for(cluster.listens, 300)
        cluster.start(f"--address={cluster.address}", gpus=1)
        monkeypatch.setenv("RAY_ADDRESS", cluster.address)
        ray.init(log_to_driver=False)
        try:
            _wait_for(lambda: ray.cluster_resources().get("GPU", 0) == 2, 300)
            with pytest.raises(
                UserError, match=r"launch\.rl\.gpus: .* asks for 2 GPUs on 1 node.* have 1, 1"
            ):
                _run(tmp_path / "none", ["launch.rl.gpus=2"], executor="ray")
            ray.init(log_to_driver=False, ignore_reinit_error=True)
            assert _run(tmp_path / "ray", [*TRAINED, *ONE_GPU_ON_EACH_OF_TWO], executor="ray") == 0
        finally:
            ray.shutdown()
    again = [line for line in capsys.readouterr().err.splitlines() if line.startswith("again ")]
    assert len(again) == 1
    assert "(retry 1 of 3): " in again[0]
    assert _payload(tmp_path / "ray") == _payload(tmp_path / "local")
    (times,) = (tmp_path / "ray" / "artifacts").glob("pretrain-*/sittings.json")
    assert len(json.loads(times.read_text())) == 2
