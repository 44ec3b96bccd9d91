"""How fast a behaviour becomes more accurate as it becomes more certain, from answers that agree.

RL on right answers makes a policy more certain. Where wrong answers are scattered, as after documents with
random errors, this makes it right. Where one wrong answer is as frequent as the right one, it does not.
"""

import numpy as np
import polars as pl

EDGE = 0.02
"""Shares are kept this far from 0 and 1, so that their log-odds are finite."""
PRIOR_PAIRS, PRIOR = 20.0, 1.0
"""A slope of 1 counts as much as 20 pairs of completions that agree."""


def sharpening(rows: pl.DataFrame) -> float:
    """Slope at which log-odds of a right answer rise with certainty, 0 or more; 1 where nothing is known.

    `rows`: graded completions of one behaviour (columns `problem_id`, `answer`, `correct`). With every
    answer's probability squared and normalised, a right one has the chance

        sharp = P(two completions of a problem are both right) / P(two completions have the same answer)

    which pairs of completions estimate without bias. The slope is logit(sharp) - logit(accuracy).
    """
    counted = (
        rows.group_by("problem_id", "answer", "correct")
        .agg(n=pl.len())
        .with_columns(pairs=pl.col("n") * (pl.col("n").cast(pl.Float64) - 1) / 2)
    )
    answered = counted.filter(pl.col("answer").is_not_null())
    agreeing = float(answered["pairs"].sum())
    if not agreeing or not len(rows):
        return PRIOR
    both_right = float(answered.filter(pl.col("correct"))["pairs"].sum())
    slope = _log_odds(both_right / agreeing) - _log_odds(float(rows["correct"].sum()) / len(rows))
    return max(0.0, (agreeing * slope + PRIOR_PAIRS * PRIOR) / (agreeing + PRIOR_PAIRS))


def _log_odds(share: float) -> float:
    kept = float(np.clip(share, EDGE, 1 - EDGE))
    return float(np.log(kept) - np.log1p(-kept))
