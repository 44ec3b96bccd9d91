"""RL arms side by side: what each gained, what it cost, how far it collapsed; one row per run."""

from collections.abc import Sequence

import numpy as np
import polars as pl

from ..runs import Run
from ..study_folder import JsonObject

TAKEN_OVER = 0.9


def arm_rows(runs: Sequence[Run], problem_set: tuple[str, str], k: int = 8) -> pl.DataFrame:
    """One row per run with RL: gains at the last checkpoint against the base, costs from the training log.

    Scores: arm, seed, base_accuracy, accuracy, gain, pass_at_k, pass_at_k_gain, maj_at_k. The collapse:
    winner, winner_share, format_entropy (nats), steps_to_90, completions_to_90. Distance and cost: entropy
    and kl to the base (nats per token), steps, completions, generated_tokens, fitted_tokens (each pass
    counted). Null where unknown.
    """
    rows = [row for run in runs if run.rl is not None and (row := _row(run, problem_set, str(k))) is not None]
    return pl.DataFrame(rows, infer_schema_length=None)


def _row(run: Run, problem_set: tuple[str, str], k: str) -> JsonObject | None:
    steps = run.steps(problem_set)
    first, last = (
        (run.row(problem_set, step) for step in (steps[0], steps[-1])) if len(steps) > 1 else (None, None)
    )
    if first is None or last is None or steps[0] != 0:
        return None
    shares = {name: cell.get("share") or 0.0 for name, cell in last["formats"].items()}
    winner = max(shares, key=lambda name: shares[name])
    present = np.array([share for share in shares.values() if share > 0])
    return {
        "arm": run.arm,
        "seed": run.seed,
        "base_accuracy": first["accuracy"],
        "accuracy": last["accuracy"],
        "gain": last["accuracy"] - first["accuracy"],
        "pass_at_k": last["pass@k"].get(k),
        "pass_at_k_gain": _difference(last["pass@k"].get(k), first["pass@k"].get(k)),
        "maj_at_k": last["maj@k"].get(k),
        "winner": winner,
        "winner_share": shares[winner],
        "format_entropy": float(-(present * np.log(present)).sum()),
    } | _training(run.dense)


def _training(dense: Sequence[JsonObject]) -> JsonObject:
    """Cost and distance from the training log."""
    completions = np.cumsum([row.get("num_completions") or 0 for row in dense])
    over = [
        index
        for index, row in enumerate(dense)
        if any(name.endswith("/share") and (value or 0.0) > TAKEN_OVER for name, value in row.items())
    ]
    last = dense[-1] if dense else {}
    return {
        "entropy": last.get("policy/entropy"),
        "kl": last.get("policy/kl"),
        "steps": len(dense),
        "steps_to_90": dense[over[0]]["step"] if over else None,
        "completions_to_90": int(completions[over[0]]) if over else None,
        "completions": int(completions[-1]) if dense else 0,
        "generated_tokens": sum(row.get("num_tokens") or 0 for row in dense),
        "fitted_tokens": sum(row.get("policy/tokens") or 0 for row in dense),
    }


def _difference(after: float | None, before: float | None) -> float | None:
    return None if after is None or before is None else after - before
