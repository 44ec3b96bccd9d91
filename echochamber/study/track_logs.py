"""Sends the logs of a study's training stages to trackers, while they grow or when they are finished.

It runs in a process of its own, so that a tracker that hangs, prints or fails disturbs no stage:

    python -m echochamber.study.track_logs STUDY TRACKER...     until its standard input ends

A step is sent once: each tracker says which step it has last, and `tracked.json` which runs are complete.
"""

import json
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import cast

from filelock import FileLock, Timeout

from ..analysis.study_folder import StoredStage, StoredStudy, load_study
from ..core.files import write_json
from ..core.trackers.interface import TrackedStage, Tracker, TrackerName, figures, open_tracker

LOGGED = ("pretrain", "rl")
"""Kinds of stages that keep a metrics log."""
RECORD = "tracked.json"
"""In the study's folder: tracker -> artifact -> `{"step": last step sent, "complete": whether all was}`."""
POLL_SECONDS = 2.0
LOCK_SECONDS = 5.0
"""Longest wait at the end for another process that sends the same study's logs."""
END_SECONDS = 600.0
"""Longest time that the process goes on after its input has ended, for a tracker that hangs."""
Step = tuple[int, dict[str, float]]


class LogTail:
    """Complete rows of a growing log. After a resume cuts it, rows may come again."""

    def __init__(self) -> None:
        self._offset = 0

    def read(self, path: Path) -> list[dict[str, object]]:
        """Rows since the last call; a last line without its end waits."""
        try:
            with path.open("rb") as stream:
                self._offset = self._offset if stream.seek(0, os.SEEK_END) >= self._offset else 0
                stream.seek(self._offset)
                content = stream.read()
        except FileNotFoundError:
            return []
        whole = content[: content.rfind(b"\n") + 1]
        rows: list[dict[str, object]] = []
        for line in whole.splitlines():
            try:
                row = json.loads(line)
            except ValueError:
                self._offset = 0  # the log was cut and grew again between two calls
                return rows
            if isinstance(row, dict) and isinstance(row.get("step"), int):
                rows.append(row)
        self._offset += len(whole)
        return rows


class StageRows:
    """Figures and wall times of one stage, joined by step."""

    def __init__(self, artifacts: Path, name: str) -> None:
        self._done, self._growing = artifacts / name, artifacts / ".partial" / name
        self._tails = LogTail(), LogTail()
        self._figures: dict[int, dict[str, float]] = {}
        self._times: dict[int, dict[str, float]] = {}

    def read(self) -> tuple[list[Step], bool]:
        """(new steps in order, whether the stage is finished); a running stage's step waits for its times."""
        finished = (self._done / "manifest.json").is_file()
        folder = self._done if finished else self._growing
        logs = zip(self._tails, (self._figures, self._times), ("metrics.jsonl", "timing.jsonl"), strict=True)
        for tail, into, file in logs:
            into.update({cast(int, row["step"]): figures(row) for row in tail.read(folder / file)})
        ready = sorted(step for step in self._figures if finished or step in self._times)
        return [(step, self._figures.pop(step) | self._times.pop(step, {})) for step in ready], finished


class Sent:
    """`tracked.json`: which steps each tracker was sent."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / RECORD
        self._record = read_record(folder)
        self._changed = False

    def last_step(self, tracker: str, artifact: str) -> int | None:
        """Of an earlier sitting, or of this one."""
        step = self._record.get(tracker, {}).get(artifact, {}).get("step")
        return step if isinstance(step, int) else None

    def is_complete(self, tracker: str, artifact: str) -> bool:
        """Whether the finished log was sent."""
        return self._record.get(tracker, {}).get(artifact, {}).get("complete") is True

    def note(self, tracker: str, artifact: str, step: int | None, complete: bool) -> None:
        """Remember, until `save` writes it."""
        now: dict[str, object] = {"step": step, "complete": complete}
        if self._record.setdefault(tracker, {}).get(artifact) != now:
            self._record[tracker][artifact] = now
            self._changed = True

    def save(self) -> None:
        """Write what has changed."""
        if self._changed:
            write_json(self._path, self._record, durable=False)
            self._changed = False


def read_record(folder: Path) -> dict[str, dict[str, dict[str, object]]]:
    """What `tracked.json` says; {} where it is missing or damaged, for trackers know their last steps."""
    try:
        found = json.loads((folder / RECORD).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    if not isinstance(found, dict):
        return {}
    return {
        str(tracker): {str(name): run for name, run in runs.items() if isinstance(run, dict)}
        for tracker, runs in found.items()
        if isinstance(runs, dict)
    }


class Feed:
    """One tracker and the runs that are open in it."""

    def __init__(self, name: TrackerName, sent: Sent, tell: Callable[[str], None]) -> None:
        self.name, self._sent, self._tell = name, sent, tell
        self._open: dict[str, Tracker] = {}
        self.works = True

    def send(self, stage: TrackedStage, rows: Sequence[Step], finished: bool) -> None:
        """Send the steps that the tracker lacks; a finished stage's run is closed."""
        self._guarded(lambda: self._send(stage, rows, finished))

    def close(self) -> None:
        """Close the runs of stages that have not finished."""
        self._guarded(self._close_all)

    def _close_all(self) -> None:
        for name in list(self._open):
            self._open.pop(name).close()

    def _send(self, stage: TrackedStage, rows: Sequence[Step], finished: bool) -> None:
        name = stage.artifact
        if rows and name not in self._open:
            self._open[name] = open_tracker(self.name, stage, self._sent.last_step(self.name, name))
        run = self._open.get(name)
        for step, values in rows if run else ():
            if run and (run.last_step is None or step > run.last_step):
                run.write(step, values)
        if run and rows:
            run.flush()
        if run and finished:
            self._open.pop(name).close()
        if run or finished:
            last = run.last_step if run else self._sent.last_step(self.name, name)
            self._sent.note(self.name, name, last, finished)

    def _guarded(self, action: Callable[[], object]) -> None:
        """A tracker that fails is said once and left alone: its libraries' errors share no base class."""
        if not self.works:
            return
        try:
            action()
        except Exception as error:  # noqa: BLE001
            self.works = False
            reason = f"{type(error).__name__}: {' '.join(str(error).split())[:200]}".rstrip(": ")
            self._tell(f"{self.name} stopped ({reason}); the study goes on, its next run sends the rest")


def tracked_stages(study: StoredStudy) -> list[TrackedStage]:
    """Stages that keep a log, one per artifact: stages with equal settings share one."""
    found: dict[str, TrackedStage] = {}
    for node in study.nodes:
        if node.kind in LOGGED:
            found.setdefault(node.artifact, _tracked(study, node))
    return list(found.values())


def _tracked(study: StoredStudy, node: StoredStage) -> TrackedStage:
    settings = study.recipe.get(node.kind) or {}
    settings = settings.get(node.arm) or {} if node.kind == "rl" else settings
    place = {name: getattr(node, name) for name in ("mixture", "size", "arm", "seed", "fingerprint")}
    group = node.id.rpartition("/")[0]
    config = {"stage": node.kind} | place | {node.kind: settings}
    return TrackedStage(study.name, node.id, node.artifact, group, study.folder, config)


def is_all_sent(folder: Path, names: Iterable[str]) -> bool:
    """Whether every log of a finished study was sent to every one of these trackers."""
    sent, stages = Sent(folder), tracked_stages(load_study(folder))
    return all(sent.is_complete(name, stage.artifact) for name in names for stage in stages)


def follow(
    folder: Path, names: Sequence[TrackerName], ended: threading.Event, tell: Callable[[str], None]
) -> None:
    """Send what the logs hold and gain, until `ended` is set and once more. `tell` takes one line each."""
    stages = tracked_stages(load_study(folder))
    rows = {stage.artifact: StageRows(folder / "artifacts", stage.artifact) for stage in stages}
    lock = FileLock(folder / "artifacts" / ".partial" / "tracking.lock")
    if not _taken(lock, ended):
        tell("another process sends this study's logs; this one leaves them to it")
        return
    sent = Sent(folder)
    feeds = [Feed(name, sent, tell) for name in names]
    try:
        last = False
        while not last:
            last = ended.wait(POLL_SECONDS)
            _pass(stages, rows, feeds, sent)
        for feed in feeds:
            feed.close()
    finally:
        sent.save()
        lock.release()


def _taken(lock: FileLock, ended: threading.Event) -> bool:
    """Hold the lock: of several runs of one study one sends, and another goes on when it ends."""
    while True:
        last = ended.is_set()
        try:
            lock.acquire(timeout=LOCK_SECONDS if last else POLL_SECONDS)
        except Timeout:
            if last:
                return False
        else:
            return True


def _pass(stages: list[TrackedStage], rows: dict[str, StageRows], feeds: list[Feed], sent: Sent) -> None:
    for stage in stages:
        waiting = [feed for feed in feeds if not sent.is_complete(feed.name, stage.artifact)]
        if not waiting:
            continue
        new, finished = rows[stage.artifact].read()
        for feed in waiting:
            if new or finished:
                feed.send(stage, new, finished)
    sent.save()


def main(arguments: Sequence[str]) -> None:
    """The process: one line on standard output for what went wrong, nothing else there."""
    out = os.fdopen(os.dup(1), "w", encoding="utf-8", errors="backslashreplace")
    with Path(os.devnull).open("wb") as nothing:  # what the libraries print belongs to no study
        os.dup2(nothing.fileno(), 1)
        os.dup2(nothing.fileno(), 2)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C ends the study, whose end ends this
    ended = threading.Event()

    def tell(line: str) -> None:
        print(line, file=out, flush=True)

    def watch() -> None:
        sys.stdin.buffer.read()
        ended.set()
        time.sleep(END_SECONDS)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
    try:
        follow(Path(arguments[0]), cast(Sequence[TrackerName], arguments[1:]), ended, tell)
    except Exception as error:  # noqa: BLE001 - a study never ends by its trackers
        tell(f"stopped ({type(error).__name__}: {' '.join(str(error).split())[:200]}); the study goes on")


if __name__ == "__main__":
    main(sys.argv[1:])
