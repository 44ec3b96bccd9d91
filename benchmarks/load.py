"""What a large study costs beside its stages: scheduling, the page, a large file of problems.

    python benchmarks/load.py stages [--number 1000]     # overhead of trivial stages
    python benchmarks/load.py report [--number 1000]     # the page of one arm with so many seeds
    python benchmarks/load.py arms [--number 1000]       # the page of so many arms
    python benchmarks/load.py problems [--megabytes 1000]  # memory of a limited evaluation of a large file

Prints one line of JSON for each: seconds of wall-clock and processor time, peak memory, and per stage or run.
A synthetic study's runs share their files by hard links, so that it can be written in seconds.
"""

import argparse
import json
import os
import resource
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Self

sys.path.insert(0, str(Path(__file__).parents[1]))

from echochamber.core.artifacts import Spec, Store
from echochamber.study.execute import open_study, run_study
from echochamber.study.recipe import load_recipe
from echochamber.study.run_node import run_node
from echochamber.study.stage_executor import Ended
from echochamber.study.stage_graph import StageGraph, StageNode
from echochamber.study.stage_task import StageOutcome
from echochamber.study.status import StudyStatus


class Cost:
    """Time of a block, and the peak memory of the process."""

    def __enter__(self) -> Self:
        self.wall, self.cpu = time.perf_counter(), time.process_time()
        return self

    def __exit__(self, *_: object) -> None:
        self.wall, self.cpu = time.perf_counter() - self.wall, time.process_time() - self.cpu
        self.peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024

    def show(self, what: str, number: int, **further: object) -> None:
        each = {
            "ms_each": round(1e3 * self.wall / number, 2),
            "cpu_ms_each": round(1e3 * self.cpu / number, 2),
        }
        took = {
            "seconds": round(self.wall, 2),
            "cpu_seconds": round(self.cpu, 2),
            "peak_mb": round(self.peak_mb),
        }
        print(json.dumps({"what": what, "number": number} | took | each | further), flush=True)


def trivial_graph(folder: Path, number: int) -> tuple[StageGraph, StudyStatus]:
    """A study of the recipe smoke whose graph is a chain of pairs: every second stage has a parent."""
    graph, _ = open_study(load_recipe("smoke", []), folder)
    graph.nodes.clear()

    def write(target: Path, _: object) -> None:
        (target / "payload.json").write_text("{}")

    for index in range(number):
        parents = (f"stage/{index - 1}",) if index % 2 else ()
        prints = {"before": graph.nodes[parents[0]].spec.fingerprint} if parents else {}
        graph.add(StageNode(f"stage/{index}", Spec("problems", {"number": index}, 1, prints), parents, write))
    return graph, StudyStatus(folder, graph)


class InProcess:
    """An executor that builds each stage here at once: what is left is the scheduler's own time."""

    slots = 2

    def __init__(self, graph: StageGraph, *_: object) -> None:
        self.graph, self.ended = graph, list[Ended[str]]()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        return None

    def check(self, node: StageNode) -> None:
        """A stage of this measurement asks for nothing."""

    def has_room(self, node: StageNode) -> bool:
        return True

    def submit(self, node: StageNode) -> str:
        self.ended.append(Ended(node.id, StageOutcome(run_node(node, self.graph))))
        return node.id

    def wait(self, handles: Iterable[str]) -> list[Ended[str]]:
        ended, self.ended = self.ended, []
        return ended


def stages(number: int) -> None:
    """Trivial stages one after another, then through the scheduler of several workers."""
    import echochamber.study.local_executor as local

    for how, workers in (("in order", 1), ("through an executor", 2)):
        with tempfile.TemporaryDirectory(prefix="load-") as folder:
            graph, status = trivial_graph(Path(folder), number)
            local.LocalExecutor = InProcess  # type: ignore[assignment,misc]
            with quiet(), Cost() as cost:
                assert run_study(graph, status, workers=workers) == 0
            size = (Path(folder) / "study.json").stat().st_size
            cost.show(f"stages {how}", number, study_json_kb=size // 1000)
            with quiet(), Cost() as cost:
                again, known = trivial_graph(Path(folder), number)
                assert run_study(again, known, workers=workers) == 0
            cost.show(f"stages {how}, nothing to do", number)
            assert all(Store(Path(folder) / "artifacts").has(node.spec) for node in again.nodes.values())


class quiet:
    """Standard error goes to nowhere, as in a run whose output is not watched."""

    def __enter__(self) -> None:
        sys.stderr.flush()
        self.kept, null = os.dup(2), os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, 2)
        os.close(null)

    def __exit__(self, *_: object) -> None:
        sys.stderr.flush()
        os.dup2(self.kept, 2)
        os.close(self.kept)


def report(number: int, what: str) -> None:
    """The page of a synthetic study of many seeds, or of many arms."""
    from echochamber.analysis.report import build_report
    from tests.analysis.synthetic import make_arms, make_many

    make = make_many if what == "report" else make_arms
    with tempfile.TemporaryDirectory(prefix="load-") as folder:
        study = make(Path(folder), number)
        with Cost() as cost:
            page = build_report(study)
        cost.show(what, number, page_mb=round(page.stat().st_size / 1e6, 1))


def problems(megabytes: int) -> None:
    """Peak memory while the first problems of a large file are read, and while all are gone through."""
    from echochamber.data.problem_sets import load_problems
    from echochamber.data.rows import BadRows, read_rows

    with tempfile.TemporaryDirectory(prefix="load-") as folder:
        path, rows = Path(folder) / "problems.jsonl", 0
        with path.open("w") as stream:
            while stream.tell() < megabytes * 1_000_000:
                for _ in range(10_000):
                    question = (
                        f"Problem {rows}: Mia has {rows % 97} boxes of {rows % 89} pens. How many pens?"
                    )
                    row = {"question": question, "answer": f"{rows % 97} * {rows % 89}\n#### {rows}"}
                    stream.write(json.dumps(row) + "\n")
                    rows += 1
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        with Cost() as cost:
            assert len(load_problems(str(path), 1000)) == 1000
        cost.show("1,000 problems of a large file", 1000, grown_mb=round(cost.peak_mb - before, 1))
        with Cost() as cost:
            assert sum(1 for _ in read_rows(path, BadRows())) == rows
        cost.show("all rows of a large file", rows, grown_mb=round(cost.peak_mb - before, 1))


def main() -> None:
    """One measurement."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("what", choices=["stages", "report", "arms", "problems"])
    parser.add_argument("--number", type=int, default=1000)
    parser.add_argument("--megabytes", type=int, default=1000)
    given = parser.parse_args()
    measures: dict[str, Callable[[], None]] = {
        "stages": lambda: stages(given.number),
        "report": lambda: report(given.number, "report"),
        "arms": lambda: report(given.number, "arms"),
        "problems": lambda: problems(given.megabytes),
    }
    measures[given.what]()


if __name__ == "__main__":
    main()
