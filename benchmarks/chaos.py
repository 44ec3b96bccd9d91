"""Does a study end in the same bytes whatever happens to it? Random faults, each followed by a continuation.

    python benchmarks/chaos.py [--seconds 600] [--faults N] [--seed 0] [--only kill,full] [--out DIR]

A study of a few seconds is run once. Then, until the time is over or N faults were tried, a copy of it loses
some of its stages, a fault is chosen, the study is run and, after the fault, run again until it is finished.
All payload bytes are compared with those of the first run.

kill        SIGKILL at a random instant, twice; state is saved after every step
full        a disk (tmpfs) with room for a random part of what is missing; needs root
fsize       a limit on the size of files
flip        one bit of a random file of an artifact, found by --verify
parent      one bit of an artifact that a missing stage reads, found without being asked for
resume      a kill, then one bit of the partial artifact that it left
lost        a file or manifest is removed, emptied or cut
several     two or three runs on one folder at once
workers     two runs at once, one of them with --workers 2
clock       the clock runs backwards, and files are dated into the future

With `--executor ray` every run is one of a Ray cluster of this machine, which is started for it. The kinds
are then kill, parent, lost, several and

node        SIGKILL to a worker process of the cluster in the middle of a stage

Every fault must end in equal bytes, with exit status 0 after the continuation, and no output may hold a
traceback. Prints faults, failures and seconds of every kind; the exit status is 1 where anything differs. A
run that the kernel kills, for want of memory, is run again and counted.
"""

import argparse
import os
import random
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from contextlib import nullcontext
from importlib.util import find_spec
from pathlib import Path

from parts.chaos_ray import RayNode
from parts.chaos_study import LIMIT, RAY_LIMIT, Run, clock_backwards, flip, payload, save_always

from echochamber.analysis.study_folder import load_study
from echochamber.core.checksums import UNCHECKED

FAULTS = ("kill", "fsize", "flip", "parent", "resume", "lost", "several", "workers", "clock", "full")
RAY_FAULTS = ("kill", "parent", "lost", "several", "node")
KINDS = ("tokenizer", "problems", "shards", "pretrain", "rl", "evaluate", "probe")


class Chaos:
    """The finished study, a copy to spoil, and what has been seen."""

    def __init__(self, root: Path, seed: int, ray: RayNode | None = None) -> None:
        self.root, self.draw, self.ray = root, random.Random(seed), ray
        self.whole, self.study, self.log = root / "whole", root / "study", root / "log"
        self.counts, self.failed, self.took = Counter[str](), Counter[str](), Counter[str]()
        self.failures, self.lost = list[str](), 0
        self.mounted = False

    def run(self, *options: str, before: Callable[[], None] = lambda: None) -> Run:
        """A run of the study to be spoilt."""
        where = ("--executor", "ray") if self.ray else ()
        return Run(self.study, self.log, *where, *options, before=before)

    def wait(self, run: Run) -> int:
        """Its exit status; one that the kernel killed is run again to its end."""
        status = run.wait(RAY_LIMIT if self.ray else LIMIT)
        for _ in range(3):
            if run.lost:
                self.lost += 1
                run = self.run()
                status = run.wait(RAY_LIMIT if self.ray else LIMIT)
        return status

    def start(self) -> None:
        """Run the study that all others must equal."""
        started = time.monotonic()
        assert Run(self.whole, self.log).wait() == 0, self.log.read_text()
        self.seconds, self.bytes = time.monotonic() - started, payload(self.whole)
        print(f"{len(self.bytes)} files in {self.seconds:.1f} s", flush=True)

    def fault(self, kind: str) -> None:
        """One fault of a kind, the continuation, and the comparison; an error here is a failure, too."""
        started = time.monotonic()
        self.counts[kind] += 1
        try:
            self._fault(kind)
        except Exception as error:  # noqa: BLE001 - one fault that cannot be made ends no run of hundreds
            self._fail(kind, [f"{type(error).__name__}: {error}"])
        finally:
            self._unmount()
            self.took[kind] += time.monotonic() - started

    def _fail(self, kind: str, wrong: list[str]) -> None:
        self.failed[kind] += 1
        self.failures.append(f"{kind} {self.counts[kind]}: {'; '.join(wrong)}")
        shutil.copy(self.log, self.root / f"failed-{kind}-{self.counts[kind]}.log")
        print(self.failures[-1], flush=True)

    def _fault(self, kind: str) -> None:
        shutil.rmtree(self.study, ignore_errors=True)
        self.log.write_text("")
        self._copy(self.study)
        note = getattr(self, f"_{kind}")() or ""
        status = self.wait(self.run("--verify"))
        said = self.log.read_text(errors="replace")
        wrong = [f"exit status {status}"] if status else []
        wrong += ["traceback"] if "Traceback" in said or "this is a bug" in said else []
        mine = payload(self.study)
        differing = [
            name for name in mine.keys() | self.bytes.keys() if mine.get(name) != self.bytes.get(name)
        ]
        wrong += [f"{len(differing)} files differ, such as {differing[0]}"] if differing else []
        wrong += [note] if note else []
        if wrong:
            self._fail(kind, wrong)

    def summary(self) -> list[str]:
        """A line for every kind, then the whole, then every failure."""
        lines = [
            f"{kind:8} {number:4} faults, {self.failed[kind]} failed, {self.took[kind]:.0f} s"
            for kind, number in self.counts.items()
        ]
        lost = f"; {self.lost} runs were killed from outside and run again" if self.lost else ""
        number = sum(self.counts.values())
        whole = f"{number} faults, {len(self.failures)} with a difference, a traceback or a wrong exit status"
        return [*lines, whole + lost, *(f"  {line}" for line in self.failures)]

    def _copy(self, target: Path) -> None:
        """The study without a random kind of stage and those after it."""
        shutil.copytree(self.whole, target)
        first = self.draw.choice([1, 2, 3, 4, 4, 5, 5, 5, 6, 6, 6])
        for kind in KINDS[first:]:
            for folder in (target / "artifacts").glob(f"{kind}-*"):
                shutil.rmtree(folder)

    def _files(self, pattern: str = "[!.]*") -> list[Path]:
        found = (self.study / "artifacts").glob(f"{pattern}/**/*")
        return [
            path for path in found if path.is_file() and path.name not in UNCHECKED and path.stat().st_size
        ]

    def _cut(self) -> None:
        """A run that saves its state at each step, killed somewhere."""
        run = self.run(before=save_always)
        until = time.monotonic() + self.draw.random() * self.seconds
        while time.monotonic() < until and not run.ended():
            time.sleep(0.005)
        run.kill()
        run.wait()

    def _kill(self) -> None:
        for _ in range(2):
            self._cut()

    def _resume(self) -> None:
        self._cut()
        files = self._files(".partial/*")
        if files:
            flip(self.draw.choice(files), self.draw)

    def _flip(self) -> None:
        flip(self.draw.choice(self._files()), self.draw)

    def _parent(self) -> str:
        flip(self.draw.choice(self._files()), self.draw)
        status = self.wait(self.run())
        if status:
            return f"exit status {status} without --verify"
        # What was not read as a parent may still be damaged here; what was made now must not be.
        mine, old = payload(self.study), {str(path.relative_to(self.study)) for path in self._files()}
        wrong = [name for name in mine if mine[name] != self.bytes.get(name) and name in old]
        return f"{len(wrong)} files differ unsaid" if len(wrong) > 1 else ""

    def _lost(self) -> None:
        files = list((self.study / "artifacts").glob("[!.]*/manifest.json"))
        path = self.draw.choice(files if self.draw.random() < 0.5 else self._files())
        way = self.draw.randrange(4)
        if way == 0:
            path.unlink()
        else:
            path.write_bytes((b"", b"{}", path.read_bytes()[: path.stat().st_size // 2])[way - 1])

    def _stopped(self, status: int) -> str:
        """What is wrong after a run that storage stopped."""
        said = self.log.read_text(errors="replace")
        if status not in (0, 2):
            return f"exit status {status} when storage refused"
        if status == 2 and not [line for line in said.splitlines() if line.startswith("echochamber: ")]:
            return "no line says what could not be written"
        if status == 0 or not (self.study / "study.json").is_file():
            return ""
        states = {node.status for node in load_study(self.study).nodes}
        return "a stage is said to be running" if "running" in states else ""

    def _full(self) -> str:
        used = sum(path.stat().st_size for path in self.study.rglob("*") if path.is_file())
        kept = self.root / "kept"
        shutil.rmtree(kept, ignore_errors=True)
        self.study.rename(kept)
        self.study.mkdir()
        room = used + 300_000 + self.draw.randrange(6_000_000)
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={room}", "tmpfs", self.study], check=True)
        self.mounted = True
        shutil.copytree(kept, self.study, dirs_exist_ok=True)
        status = self.wait(self.run(before=save_always))
        subprocess.run(["mount", "-o", "remount,size=200m", self.study], check=True)
        return self._stopped(status)

    def _fsize(self) -> str:
        size = self.draw.choice([2_000, 20_000, 200_000, 700_000, 1_500_000])

        def limit() -> None:
            save_always()
            resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))

        return self._stopped(self.wait(self.run(before=limit)))

    def _at_once(self, *options: tuple[str, ...]) -> str:
        runs = []
        for each in options:
            runs.append(self.run(*each))
            time.sleep(self.draw.random() * 0.3 * self.seconds)
        statuses = [self.wait(run) for run in runs]
        return "" if not any(statuses) else f"exit statuses {statuses} of runs at once"

    def _several(self) -> str:
        return self._at_once(*[()] * self.draw.choice([2, 3]))

    def _workers(self) -> str:
        return self._at_once(("--workers", "2"), ())

    def _clock(self) -> None:
        for path in self.study.rglob("*"):
            moved = time.time() + self.draw.choice([-1, 1]) * 86_400 * self.draw.random()
            os.utime(path, (moved, moved))
        run = self.run(before=clock_backwards)
        if self.draw.random() < 0.5:
            time.sleep(self.draw.random() * self.seconds)
            run.kill()
        run.wait()

    def _node(self) -> str:
        assert self.ray is not None
        run, until = self.run(), time.monotonic() + self.draw.random() * self.seconds
        while not run.ended() and not (time.monotonic() > until and self.ray.kill_a_worker(self.draw)):
            time.sleep(0.05)
        status = self.wait(run)
        return f"exit status {status} after a lost worker" if status else ""

    def _unmount(self) -> None:
        if self.mounted:
            subprocess.run(["umount", "-l", self.study], check=True)
            self.mounted = False


def main() -> None:
    """Run faults until the time is over."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seconds", type=float, default=None, help="default: 600, or no limit with --faults")
    parser.add_argument("--faults", type=int, default=10**9, metavar="N")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", default="", metavar="KIND,KIND")
    parser.add_argument(
        "--out", type=Path, default=None, metavar="DIR", help="kept; default: a folder that is removed"
    )
    parser.add_argument("--executor", choices=["local", "ray"], default="local")
    arguments = parser.parse_args()
    if arguments.executor == "ray" and find_spec("ray") is None:
        sys.exit("--executor ray needs Ray: pip install 'echochamber[ray]'")
    limit = arguments.seconds or (1e9 if arguments.faults < 10**9 else 600.0)
    known = RAY_FAULTS if arguments.executor == "ray" else FAULTS
    kinds = [kind for kind in known if kind != "full" or os.geteuid() == 0]
    kinds = [kind for kind in kinds if not arguments.only or kind in arguments.only.split(",")]
    root = arguments.out or Path(tempfile.mkdtemp(prefix="chaos-"))
    root.mkdir(parents=True, exist_ok=True)
    with RayNode(root) if arguments.executor == "ray" else nullcontext() as ray:
        chaos, end = Chaos(root, arguments.seed, ray), time.monotonic() + limit
        chaos.start()
        try:
            while time.monotonic() < end and chaos.counts.total() < arguments.faults:
                chaos.fault(kinds[chaos.counts.total() % len(kinds)])
        finally:
            print("\n".join(chaos.summary()), flush=True)
    if arguments.out is None and not chaos.failures:
        shutil.rmtree(root)
    sys.exit(bool(chaos.failures))


if __name__ == "__main__":
    main()
