"""Worker processes that take the input files of a source one by one."""

import multiprocessing
import os
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from typing import Protocol

from ..core.errors import UserError
from ..core.progress import say
from .source_files import SourceFile

_TRIES = 3
"""How often a pool of workers is started again after one was killed, for want of memory say."""


class FileWorker(Protocol):
    """What a worker process holds from file to file."""

    def write(self, number: int, file: SourceFile) -> None:
        """Write what comes of a file, whole or not at all."""


StartWorker = Callable[[], FileWorker]
"""Makes the worker, in every process anew; it is sent there, so it must be picklable."""
_here: FileWorker | None = None
"""In a worker process: its state."""


def written(
    source: str, start: StartWorker, files: Sequence[SourceFile], todo: Sequence[int], workers: int
) -> Iterator[int]:
    """Have the files with these numbers worked on; yields each one's number when that is done.

    `UserError` where worker processes are killed again and again.
    """
    workers = min(workers, len(todo))
    if workers <= 1:
        worker = start() if todo else None
        for number in todo:
            assert worker is not None
            worker.write(number, files[number])
            yield number
        return
    left = set(todo)
    for _ in range(_TRIES):
        try:
            for number in _by_pool(start, files, [number for number in todo if number in left], workers):
                left.discard(number)
                yield number
            return
        except BrokenProcessPool:
            say(f"{source}: a worker process was killed; going on with {len(left)} files")
    raise UserError(
        f"source {source!r}: worker processes were killed {_TRIES} times; is memory short? "
        "runtime.threads is their number"
    )


def _by_pool(start: StartWorker, files: Sequence[SourceFile], todo: list[int], workers: int) -> Iterator[int]:
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(
        workers, mp_context=context, initializer=_start_worker, initargs=(os.getpid(), start)
    ) as pool:
        futures = {pool.submit(_write_here, number, files[number]): number for number in todo}
        try:
            for future in as_completed(futures):
                future.result()
                yield futures[future]
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _start_worker(parent: int, start: StartWorker) -> None:
    """In a new process: one thread for the tokenizer, and an end with the process that started it."""
    global _here
    os.environ["TOKENIZERS_PARALLELISM"] = "false"

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(0.5)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
    _here = start()


def _write_here(number: int, file: SourceFile) -> None:
    assert _here is not None, "the pool's initializer ran"
    _here.write(number, file)
