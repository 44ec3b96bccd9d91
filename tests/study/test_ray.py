"""A real Ray cluster of two nodes on this machine, one of them killed in the middle of a study."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from .test_killed import _payload

ray = pytest.importorskip("ray", reason="the extra [ray] is not installed: pip install 'echochamber[ray]'")
CHANGES = ("seeds=[0,1]", "pretrain.tokens=400K")
"""Two bases, each trained for several seconds, so that a kill lands in the middle of one."""


def _free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class _Cluster:
    """Head and workers, each a `ray start --block` in a process group of its own."""

    def __init__(self, folder):
        self.folder, self.port, self.processes = folder, _free_port(), []
        self.address = f"127.0.0.1:{self.port}"

    def start(self, *arguments):
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
        self.start(
            "--head", f"--port={self.port}", "--include-dashboard=false", "--node-ip-address=127.0.0.1"
        )
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
