"""A Ray cluster of one node on this machine, for `chaos.py --executor ray`."""

import os
import random
import signal
import socket
import subprocess
import sys
import time
import uuid
from pathlib import Path
from typing import Self


class RayNode:
    """Head and only node, in a process group of its own; `RAY_ADDRESS` leads runs to it while it stands."""

    def __init__(self, folder: Path, cores: int = 2) -> None:
        self.log, self.cores, self.mark = folder / "ray.log", cores, f"CHAOS_RAY={uuid.uuid4().hex}"

    def __enter__(self) -> Self:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        name, _, value = self.mark.partition("=")
        # Ray's workers are nice to others by default, which on a busy machine means that they hardly run.
        environment = os.environ | {name: value, "RAY_worker_niceness": "0"}
        command = [str(Path(sys.executable).with_name("ray")), "start", "--head", f"--port={port}"]
        command += ["--node-ip-address=127.0.0.1", "--include-dashboard=false", "--disable-usage-stats"]
        command += [f"--num-cpus={self.cores}", "--object-store-memory=80000000", "--block"]
        with self.log.open("w") as log:
            self.process = subprocess.Popen(
                command, stdout=log, stderr=log, start_new_session=True, env=environment
            )
        os.environ["RAY_ADDRESS"] = f"127.0.0.1:{port}"
        end = time.monotonic() + 300
        while "Ray runtime started" not in self.log.read_text(errors="replace"):
            assert self.process.poll() is None, self.log.read_text(errors="replace")
            assert time.monotonic() < end, "no Ray cluster after 300 s"
            time.sleep(0.5)
        return self

    def __exit__(self, *_: object) -> None:
        del os.environ["RAY_ADDRESS"]
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        for worker in self.workers():
            os.kill(worker, signal.SIGKILL)

    def workers(self) -> list[int]:
        """Processes of this cluster that are building a stage."""
        found = []
        for place in Path("/proc").glob("[0-9]*"):
            try:
                own = self.mark.encode() in (place / "environ").read_bytes().split(b"\0")
                if own and (place / "cmdline").read_bytes().startswith(b"ray::run_named"):
                    found.append(int(place.name))
            except OSError:
                continue
        return found

    def kill_a_worker(self, draw: random.Random) -> bool:
        """SIGKILL to one of them; False where there is none yet."""
        workers = self.workers()
        if workers:
            os.kill(draw.choice(workers), signal.SIGKILL)
        return bool(workers)
