"""The table of docs/algorithms.md, from a finished study of the recipe `algorithms`.

    echochamber study algorithms --out runs/algorithms
    python benchmarks/algorithms_table.py runs/algorithms [--into docs/algorithms.md]
        [--csv results/algorithms.csv]

Every cell is the mean over pretraining seeds with the lowest and the highest behind it.
"""

import argparse
import json
import re
from pathlib import Path

import numpy as np
import polars as pl
import torch

from echochamber.analysis.questions.arms import arm_rows
from echochamber.analysis.runs import Run, find_runs, problem_sets, rl_config
from echochamber.analysis.study_folder import load_study
from echochamber.core.types import Completion, Problem, Verdict
from echochamber.formulas.logprobs import token_entropy
from echochamber.model.checkpoint import load_checkpoint
from echochamber.model.presets import flops_per_token, preset
from echochamber.model.runtime import RuntimeConfig, start_runtime
from echochamber.model.sampling import SamplingConfig
from echochamber.rl.algorithms import algorithm_row
from echochamber.rollout.collect import Rollout
from echochamber.rollout.demonstrations import Demonstration
from echochamber.rollout.engines import start_engine
from echochamber.rollout.score import all_logprobs, batch_logits, per_rollout
from echochamber.study.checkpoints import last_checkpoint

MARKS = re.compile(r"(<!-- table: algorithms -->\n).*?(<!-- end -->)", re.DOTALL)


def floating_point(row: dict, flops: float, critic: bool) -> float:
    """Floating-point operations: 2 N per generated token and 6 N per fitted one.

    A critic fits as much again and is read once (2 N) before.
    The monitoring forward passes of every step are left out.
    """
    forward = flops / 3
    critic_cost = row["fitted_tokens"] * flops + row["generated_tokens"] * forward if critic else 0.0
    return row["generated_tokens"] * forward + row["fitted_tokens"] * flops + critic_cost


def quiet_seconds(folder: Path | None) -> float | None:
    """Wall time of a run, had every step taken as long as the fastest tenth: s.

    This leaves out other work on the machine.
    """
    path = folder / "timing.jsonl" if folder else None
    if path is None or not path.is_file():
        return None
    steps = [json.loads(line)["step_s"] for line in path.read_text().splitlines()]
    return len(steps) * float(np.quantile(steps, 0.1))


def at_the_end(run: Run, temperature: float = 1.0) -> dict[str, float]:
    """KL to the base (k1, nats per token) and entropy of the last policy, over its own test completions."""
    assert run.rl
    assert run.pretrain
    runtime = start_runtime(RuntimeConfig(compile="off"))
    base, tokenizer = load_checkpoint(last_checkpoint(run.pretrain.folder))
    policy, _ = load_checkpoint(last_checkpoint(run.rl.folder))
    records = pl.scan_parquet(
        [node.folder / "records.parquet" for node in run.evaluations if "rl" in "".join(node.parents)]
    )
    rows = (
        records.filter((pl.col("sample") >= 0) & (pl.col("step") == pl.col("step").max()))
        .sort("problem_id", "sample")
        .head(512)
        .collect()
    )
    given = [
        Demonstration(Problem(str(i), q, ""), text)
        for i, (q, text) in enumerate(rows.select("question", "text").rows())
    ]
    engine = start_engine(policy, tokenizer, SamplingConfig(), runtime, "\n\n")
    prompts = engine.encode([g.problem.question for g in given])
    nothing = Verdict("other", None, "no_answer")
    rollouts = [
        Rollout(
            g.problem, 0, tuple(prompt), Completion(g.text, (*ids, tokenizer.eos_id), (), False), nothing, 0.0
        )
        for g, prompt, ids in zip(
            given, prompts, tokenizer.encode_batch([g.text for g in given]), strict=True
        )
    ]
    own, other = (
        torch.cat(all_logprobs(model, rollouts, temperature, 8192, runtime)) for model in (policy, base)
    )
    entropy = per_rollout(
        rollouts,
        8192,
        runtime,
        lambda batch: token_entropy(batch_logits(policy, batch, runtime), temperature),
    )
    return {"kl": float((own - other).mean()), "entropy": float(torch.cat(entropy).mean())}


def cell(values: list[float | None], digits: int = 2, scale: float = 1.0) -> str:
    """`0.79 (0.75-0.85)`; seeds where it never happened are counted."""
    known = [value * scale for value in values if value is not None]
    if not known:
        return "never"
    text = f"{np.mean(known):.{digits}f} ({min(known):.{digits}f}-{max(known):.{digits}f})"
    return text if len(known) == len(values) else f"{text}, {len(known)} of {len(values)} seeds"


def rows_of(folder: Path) -> pl.DataFrame:
    """One row per run, with costs added."""
    study = load_study(folder)
    runs = find_runs(study)
    table = arm_rows(runs, problem_sets(runs)[0])
    found = {(run.arm, run.seed): run for run in runs if run.rl}
    model = preset(study.recipe["sizes"][0], study.recipe["tokenizer"]["vocab_size"])
    flops = flops_per_token(model, 128)
    extra = [
        {
            "tflop": floating_point(
                row, flops, algorithm_row(rl_config(study, row["arm"])["algorithm"]).critic
            )
            / 1e12,
            "quiet_seconds": quiet_seconds(found[row["arm"], row["seed"]].rl.folder),
            "lr": rl_config(study, row["arm"])["optimizer"]["lr"],
        }
        | at_the_end(found[row["arm"], row["seed"]])
        for row in table.iter_rows(named=True)
    ]
    return pl.concat([table.drop("kl", "entropy"), pl.DataFrame(extra)], how="horizontal")


def markdown(table: pl.DataFrame) -> str:
    """One line per arm, in the order of the recipe."""
    seeds = sorted(table["seed"].unique())
    base = cell(table.unique("seed")["base_accuracy"].to_list())
    lines = [
        f"Seeds {', '.join(map(str, seeds))}; mean over seeds (lowest-highest). Base accuracy {base}.",
        "",
        "| arm | rate | accuracy | gain | pass@8 | maj@8 | winner | its share "
        "| entropy of formats | entropy per token | KL per token "
        "| steps to 90% | completions to 90% | completions | tokens generated | TFLOP | seconds |",
        "|---|" + "---:|" * 16,
    ]
    for (arm,), group in table.group_by("arm", maintain_order=True):
        column = {name: group[name].to_list() for name in group.columns}
        winners = ", ".join(dict.fromkeys(column["winner"]))
        lines.append(
            f"| `{arm}` | {column['lr'][0]:g} | {cell(column['accuracy'])} "
            f"| {cell(column['gain'])} | {cell(column['pass_at_k'])} | {cell(column['maj_at_k'])} "
            f"| {winners} | {cell(column['winner_share'])} | {cell(column['format_entropy'])} "
            f"| {cell(column['entropy'], 3)} | {cell(column['kl'], 3)} "
            f"| {cell(column['steps_to_90'], 0)} | {cell(column['completions_to_90'], 0)} "
            f"| {cell(column['completions'], 0)} "
            f"| {cell(column['generated_tokens'], 2, 1e-6)} M | {cell(column['tflop'], 1)} "
            f"| {cell(column['quiet_seconds'], 0)} |"
        )
    return "\n".join(lines) + "\n"


def main() -> None:
    """Print the table, and put it where it was asked for."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("study", type=Path)
    parser.add_argument("--into", type=Path, help="a Markdown file with the marks")
    parser.add_argument("--csv", type=Path, help="write the rows of all runs")
    options = parser.parse_args()
    table = rows_of(options.study)
    text = markdown(table)
    print(text)
    if options.csv:
        options.csv.parent.mkdir(parents=True, exist_ok=True)
        table.write_csv(options.csv, float_precision=5)
    if options.into:
        old = options.into.read_text(encoding="utf-8")
        options.into.write_text(MARKS.sub(lambda found: found[1] + text + found[2], old), encoding="utf-8")


if __name__ == "__main__":
    main()
