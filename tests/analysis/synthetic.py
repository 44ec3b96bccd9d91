"""A study folder with a known answer: shares and accuracies follow closed formulas, then are sampled.

Three formats start from `START` and follow the replicator flow on fixed accuracies, so `omi1`, the most
accurate, wins. Texts are tiny; one completion tries to break out of the page's data block.
"""

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from echochamber.core.formats import FORMAT_NAMES
from echochamber.core.records import record, records_frame
from echochamber.core.types import Problem, Verdict
from echochamber.stats.counts import count_completions
from echochamber.stats.summary import summarise_counts

FORMATS = ("tinygsm", "omi1", "omi2")
START = np.array([0.42, 0.33, 0.25])
ACCURACY = np.array([0.72, 0.86, 0.14])
CHECKPOINTS = (1, 2, 4, 8, 16, 32, 48)
HOSTILE = "</script><script>window.broken = 1</script><!--<img src=x onerror='window.broken = 1'>"


def shares_at(step: int, start: np.ndarray = START, rate: float = 0.18) -> np.ndarray:
    """Replicator flow with constant fitness: the accuracy, and 0.45 more for omi1."""
    weights = start * np.exp(rate * step * (ACCURACY + np.array([0.0, 0.45, 0.0])))
    return weights / weights.sum()


def accuracies_at(step: int) -> np.ndarray:
    """Skill rises towards a ceiling: (F,)."""
    return ACCURACY + (np.array([0.85, 0.985, 0.3]) - ACCURACY) * (1 - np.exp(-step / 12))


def text_of(name: str, question: str, a: int, b: int, answer: int) -> str:
    """A completion that looks like its format."""
    if name == "tinygsm":
        return (
            f"def simple_math_problem() -> int:\n    pens_per_box = {a}\n    boxes = {b}\n"
            "    result = pens_per_box * boxes\n    return result"
        )
    if name == "omi1":
        return (
            "Let us compute the pens with Python.\n<llm-code>\n"
            f"pens_per_box = {a}\nboxes = {b}\npens_per_box * boxes\n"
            f"</llm-code>\n<llm-code-output>\n{answer}\n</llm-code-output>\n"
            f"There are \\boxed{{{answer}}} pens."
        )
    return (
        f"Each box holds {a} pens, so {b} boxes hold ${a} \\cdot {b} = {answer}$ pens. "
        f"The answer is \\boxed{{{answer}}}."
    )


def draw_rows(
    problems: Sequence[Problem],
    step: int,
    samples: int,
    stream: np.random.Generator,
    start: np.ndarray,
    **columns: Any,
) -> list[dict[str, Any]]:
    """`samples` completions a problem at `step`, plus one greedy (sample -1) when `samples` > 1."""
    rows = []
    for problem in problems:
        a, b = (int(word) for word in problem.question.split() if word.isdigit())
        ease = stream.normal(0, 0.12)
        for sample in range(-1 if samples > 1 else 0, samples):
            i = (
                int(np.argmax(shares_at(step, start)))
                if sample < 0
                else int(stream.choice(3, p=shares_at(step, start)))
            )
            right = bool(stream.random() < accuracies_at(step)[i] + ease)
            answer = a * b if right else a * b + int(stream.integers(1, 4))
            blank = not right and stream.random() < 0.1
            verdict = Verdict(
                format=FORMATS[i],
                answer=None if blank else str(answer),
                outcome="correct" if right else "no_answer" if blank else "wrong",
                style={"docstring": "yes" if stream.random() < 0.3 else "no"} if i == 0 else {},
            )
            text = text_of(FORMATS[i], problem.question, a, b, answer)
            rows.append(
                record(
                    problem,
                    verdict,
                    text,
                    step=step,
                    sample=sample,
                    temperature=0.0 if sample < 0 else 1.0,
                    num_tokens=len(text) // 3,
                    logprob=-float(stream.random() * 9),
                    truncated=False,
                    **columns,
                )
            )
    return rows


def make_problems(count: int, name: str = "easy", split: str = "test") -> list[Problem]:
    """Products of two small numbers."""
    return [
        Problem(
            id=f"{split}-{i}",
            question=f"A box holds {2 + i % 9} pens. Mia buys {3 + i % 7} boxes. How many pens are there?",
            reference=str((2 + i % 9) * (3 + i % 7)),
            problem_set=name,
            split=split,
            family="boxes",
            difficulty=1,
        )
        for i in range(count)
    ]


def evaluation(
    folder: Path, problems: list[Problem], steps: Sequence[int], seed: int, start: np.ndarray, samples: int
) -> None:
    """records.parquet, problems.parquet, summary.json of one evaluate artifact."""
    rows: list[dict[str, Any]] = []
    summary, tables = [], []
    for step in steps:
        stream = np.random.default_rng([seed, step])
        drawn = draw_rows(problems, step, samples, stream, start, seed=seed, arm="grpo" if step else "")
        if step == 0:
            drawn[1] |= {"text": HOSTILE, "question": problems[0].question}
        sampled = [r for r in drawn if r["sample"] >= 0]
        greedy = {r["problem_id"]: r["correct"] for r in drawn if r["sample"] < 0}
        columns = ([r[name] for r in sampled] for name in ("problem_id", "format", "correct", "answer"))
        counted = count_completions(*columns, greedy, FORMAT_NAMES)
        result = summarise_counts(counted, FORMAT_NAMES, seed=seed)
        head = {"problem_set": "easy", "split": "test", "step": step, "temperature": 1.0}
        summary.append(head | result.row)
        tables.append(
            pl.DataFrame(result.problems).with_columns(step=pl.lit(step), problem_set=pl.lit("easy"))
        )
        rows += drawn
    records_frame(rows).write_parquet(folder / "records.parquet")
    pl.concat(tables).write_parquet(folder / "problems.parquet")
    dump(folder / "summary.json", summary)


def training(folder: Path, seed: int, start: np.ndarray, last: int) -> None:
    """metrics.jsonl, timing.jsonl, rollouts.parquet of one rl artifact."""
    problems, stream, rows = make_problems(12, split="train"), np.random.default_rng([seed, 99]), []
    with (folder / "metrics.jsonl").open("w") as metrics, (folder / "timing.jsonl").open("w") as timing:
        for step in range(1, last + 1):
            counts = stream.multinomial(256, shares_at(step, start))
            right = stream.binomial(counts, np.clip(accuracies_at(step), 0, 1))
            row: dict[str, Any] = {
                "step": step,
                "reward/mean": float(right.sum() / 256),
                "policy/kl": 0.02 * step**0.7,
            }
            row |= {
                "policy/entropy": 0.3 * float(np.exp(-step / 20)),
                "policy/clip_frac": 0.01,
                "reward/frac_zero_std": 0.1,
            }
            row |= {
                "sampler/logprob_diff": 2e-3,
                "completion/length_mean": 60.0 + step / 9,
                "completion/truncated": 0.0,
            }
            for name in FORMAT_NAMES:
                i = FORMATS.index(name) if name in FORMATS else -1
                row[f"format/{name}/share"] = float(counts[i] / 256) if i >= 0 else 0.0
                row[f"format/{name}/accuracy"] = float(right[i] / counts[i]) if i >= 0 and counts[i] else None
            metrics.write(json.dumps(row) + "\n")
            timing.write(
                json.dumps({"step": step, "sample_s": 1.1, "grade_s": 0.4, "fit_s": 1.2, "step_s": 2.9})
                + "\n"
            )
            rows += draw_rows(problems[:4], step, 1, stream, start, seed=seed, arm="grpo")
    records_frame(rows).write_parquet(folder / "rollouts.parquet")


def dump(path: Path, data: Any) -> None:
    path.write_text(json.dumps(data))


def make_study(
    root: Path,
    seeds: Sequence[int] = (0,),
    mixtures: Sequence[str] = ("tg_omi1_omi2",),
    problems: int = 24,
    samples: int = 8,
    notes: Sequence[str] = (),
    checkpoints: Sequence[int] = CHECKPOINTS,
    starts: Sequence[np.ndarray] | None = None,
) -> Path:
    """Write a finished study below `root` and return its folder. `starts`: the base's shares, per mixture."""
    folder = root / "synthetic"
    nodes: list[dict[str, Any]] = []

    def node(kind: str, name: str, parents: list[str], seconds: float, **place: Any) -> Path:
        fingerprint = f"{abs(hash_text(kind + name)):016x}"[:16]
        path = folder / "artifacts" / f"{kind}-{fingerprint}"
        path.mkdir(parents=True)
        dump(
            path / "manifest.json",
            {
                "kind": kind,
                "fingerprint": fingerprint,
                "code_version": "0.1.0",
                "libraries": {"torch": "2.9.0"},
                "config": {},
                "parents": {},
                "seeds": {},
            },
        )
        entry = {"id": name, "kind": kind, "fingerprint": fingerprint, "folder": f"artifacts/{path.name}"}
        entry |= {"mixture": None, "size": None, "arm": None, "seed": None} | place
        nodes.append(entry | {"parents": parents, "status": "done", "seconds": seconds, "error": None})
        return path

    node("tokenizer", "tokenizer", [], 2.0)
    surface = {
        "fixed_expression": {"share": 0.153, "interval": [0.121, 0.212]},
        "nearest_question": {"share": 0.004, "interval": [0.0, 0.022]},
    }
    dump(
        node("problems", "problems/test/easy/40", [], 1.0) / "surface.json",
        {"train_questions": 2000, "problems": 40, "seed": 0, "scores": surface},
    )
    test = make_problems(problems)
    for m, mixture in enumerate(mixtures):
        start = np.roll(START, m) if starts is None else starts[m]
        shards = node("shards", f"shards/{mixture}", ["tokenizer"], 8.5, mixture=mixture)
        sources = [
            {
                "name": name,
                "asked": "copies 1",
                "documents_available": 20000,
                "documents_obtained": 20000,
                "tokens_available": 1_800_000 + 9000 * i,
                "tokens_asked": 1_800_000,
                "tokens_obtained": 1_800_000 - 17 * i,
                "solution_tokens_obtained": 1_100_000,
                "passes": 1.0,
                "fingerprint": f"ab{i}",
                "contamination": [
                    {
                        "problem_set": "files/<b>test",
                        "problems": 1319,
                        "problems_found": 3 * i,
                        "documents": 4 * i,
                        "too_short_to_check": 2,
                        "share_found": 0.0,
                        "examples": ["document 7 <i>"] if i else [],
                    }
                ],
            }
            for i, name in enumerate(FORMATS)
        ]
        dump(shards / "plan.json", {"sources": sources, "budget_tokens": 5_000_000})
        for seed in seeds:
            place = {"mixture": mixture, "size": "nano-0.8m", "seed": seed}
            base = f"pretrain/{mixture}/nano-0.8m/seed{seed}"
            folder_base = node("pretrain", base, [f"shards/{mixture}", "tokenizer"], 170.2, **place)
            rows = [
                {
                    "step": s,
                    "tokens": s * 8192,
                    "loss": 0.5 + 5.5 * float(np.exp(-s / 80)),
                    "lr": 1e-3,
                    "grad_norm": 1.0,
                }
                for s in range(1, 500, 5)
            ]
            (folder_base / "metrics.jsonl").write_text("".join(json.dumps(r) + "\n" for r in rows))
            evaluation(
                node("evaluate", f"evaluate/{base}", [base], 20.0, **place), test, [0], seed, start, samples
            )
            run = f"rl/{mixture}/nano-0.8m/grpo/seed{seed}"
            place |= {"arm": "grpo"}
            training(node("rl", run, [base], 140.9, **place), seed, start, checkpoints[-1])
            evaluation(
                node("evaluate", f"evaluate/{run}", [run], 61.0, **place),
                test,
                checkpoints,
                seed,
                start,
                samples,
            )
    study = {
        "name": "synthetic",
        "question": "Which of three solution formats does reinforcement learning keep?",
        "notes": list(notes),
    }
    study |= {
        "recipe": {"name": "synthetic", "rl": {"grpo": {"lr": 3e-4, "prompts_per_step": 32}}},
        "code_version": "0.1.0",
        "seeds": list(seeds),
    }
    dump(folder / "runs-study.tmp", study | {"nodes": nodes})
    (folder / "runs-study.tmp").rename(folder / "study.json")
    return folder


def hash_text(text: str) -> int:
    """Stable across processes, unlike `hash`."""
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big")


def make_arms(root: Path, arms: int, seeds: int = 1, written: int = 2, **size: Any) -> Path:
    """A study of so many arms in seconds: RL of `written` seeds is written, every arm's is hard links to it.

    `omi1` wins in the arms of even number, `tinygsm` in the others: their base writes hardly anything else.
    `size`: problems, samples and checkpoints, as for `make_study`.
    """
    mixtures = ("tg_omi1_omi2", "mostly_tg")
    starts = (START, np.array([0.999, 0.0005, 0.0005]))
    study = make_study(root, seeds=range(written), mixtures=mixtures, starts=starts, **size)
    data = json.loads((study / "study.json").read_text())
    trained = [node for node in data["nodes"] if node["arm"]]
    nodes = [node for node in data["nodes"] if not node["arm"]]
    for arm in range(arms):
        own = {(arm // 2 + seed) % written for seed in range(seeds)}
        place = [node for node in trained if node["mixture"] == mixtures[arm % 2] and node["seed"] in own]
        nodes += [_linked(study, node, ("/grpo/", f"/arm{arm:04d}/"), arm=f"arm{arm:04d}") for node in place]
    settings = data["recipe"]["rl"]["grpo"]
    data["recipe"]["rl"] = {f"arm{arm:04d}": settings for arm in range(arms)}
    dump(study / "study.json", data | {"nodes": nodes})
    return study


def _linked(study: Path, node: dict[str, Any], renamed: tuple[str, str], **place: Any) -> dict[str, Any]:
    """Another stage with the same files, its id and its parents' ids renamed."""
    name = node["id"].replace(*renamed)
    fingerprint = f"{hash_text(node['kind'] + name):016x}"
    copy = node | place | {"id": name, "fingerprint": fingerprint}
    copy |= {"parents": [parent.replace(*renamed) for parent in node["parents"]]}
    copy |= {"folder": f"artifacts/{node['kind']}-{fingerprint}"}
    (study / copy["folder"]).mkdir()
    for file in (study / node["folder"]).iterdir():
        (study / copy["folder"] / file.name).hardlink_to(file)
    return copy


def make_many(root: Path, runs: int, different: int = 4) -> Path:
    """A study of so many seeds in seconds: `different` are written, the rest are hard links to these."""
    study = make_study(root, seeds=range(different))
    data = json.loads((study / "study.json").read_text())
    written: dict[int, list[dict[str, Any]]] = {}
    for node in data["nodes"]:
        if node["seed"] is not None:
            written.setdefault(node["seed"], []).append(node)
    for seed in range(different, runs):
        renamed = (f"seed{seed % different}", f"seed{seed}")
        data["nodes"] += [_linked(study, node, renamed, seed=seed) for node in written[seed % different]]
    dump(study / "study.json", data | {"seeds": list(range(runs))})
    return study
