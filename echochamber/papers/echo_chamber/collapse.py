"""Claims 1 and 22: the collapse onto one format in the mixture of three."""

import numpy as np

from ...claims.declare import Claim, Context, Criterion, Evidence, Measurement, NotTestableError, Seeds
from ...claims.select import (
    Arm,
    arm,
    base,
    base_shares,
    end_shares,
    settings,
    top_share,
    winners,
)
from ...core.study_tables import Tables
from ...stats.intervals import t_interval
from .nulls import bandit_top_share

MIXTURE, TWINS, EVEN_TWINS, RANDOM = "tg_omi1_omi2", "twins", "twins_even", "ppo_random"
LEAST_BASE = 0.15
"""Lower end of the band in which bases must lie (docs/claims.md); a null model below it is none."""
LAST_STEPS = 4
"""Training steps whose rollouts together stand for the share at the end of an epoch."""
SENSITIVITY = (
    "tg_omi1_omi2/ppo_other_average",
    "tg_omi1_omi2_matched/ppo",
    "tg_omi1_omi2/ppo_box",
    "tg_omi1_omi2/ppo_cold",
    "tg_omi1_omi2/ppo_lr_low",
    "tg_omi1_omi2/ppo_lr_high",
)
"""Other loss average; equal lengths; omi1 graded by its box; temperature 0.7; rate x 1/3 and x 3."""


def epoch_top_share(tables: Tables, one: Arm) -> Seeds:
    """seed -> largest share of a known format in the training rollouts at the end of the first epoch."""
    epoch = round(settings(tables, one)["steps_per_epoch"])
    found: dict[int, dict[str, float]] = {}
    for (mixture, size, name, quantity), by_seed in tables.training.items():
        if (mixture, size, name) == (one.mixture, one.size, one.arm) and quantity.startswith("share/"):
            for seed, steps in by_seed.items():
                wanted = [share for step, share in steps.items() if epoch - LAST_STEPS < step <= epoch]
                if wanted and max(steps) >= epoch:
                    found.setdefault(seed, {})[quantity.removeprefix("share/")] = sum(wanted) / len(wanted)
    if not found:
        raise NotTestableError(
            f"{one} has no training rollouts up to the end of its first epoch (step {epoch})"
        )
    return {seed: top_share(of) for seed, of in sorted(found.items())}


def _claim_1(tables: Tables) -> Evidence:
    one, twins = arm(tables, MIXTURE, "ppo"), arm(tables, TWINS, "ppo")
    top, twin_top = epoch_top_share(tables, one), epoch_top_share(tables, twins)
    if len(twin_top) < 2:
        raise NotTestableError("the neutral twins have fewer than two seeds, so no interval to be above")
    right = float(np.mean(list(base(tables, twins, "accuracy").values())))
    if right < LEAST_BASE:
        raise NotTestableError(
            f"the neutral twins' base is right in {right:.3f} of its completions, under the "
            f"band's {LEAST_BASE}: "
            "with next to no reward RL cannot show what it does between equals; train the twins longer"
        )
    context = [Context("neutral twins: top share after one epoch", twin_top, kind="null")]
    if (EVEN_TWINS, one.size, "ppo") in tables.runs:
        even = arm(tables, EVEN_TWINS, "ppo")
        context.append(
            Context(
                "neutral twins, equally many tokens: top share after one epoch",
                epoch_top_share(tables, even),
                kind="null",
            )
        )
        context.append(
            Context("accuracy of their base", base(tables, even, "accuracy"), "twins of equal length")
        )
    context.append(Context("accuracy of their base", base(tables, twins, "accuracy"), "neutral twins"))
    context.append(
        Context(
            "largest base share, test split", {s: top_share(of) for s, of in base_shares(tables, one).items()}
        )
    )
    context.append(
        Context("bandit on base shares and accuracies: top share", bandit_top_share(tables, one), kind="null")
    )
    notes = [winners("ppo", tables, one)]
    if t_interval(list(twin_top.values()))[1] >= 1:
        notes.append(
            "the neutral twins' interval reaches 1: no share can lie above it until more of "
            "their seeds narrow it"
        )
    if (MIXTURE, one.size, RANDOM) in tables.runs:
        context.append(
            Context(
                "random reward: top share after one epoch",
                epoch_top_share(tables, arm(tables, MIXTURE, RANDOM)),
                kind="null",
            )
        )
    else:
        notes.append(f"null model {MIXTURE}/{RANDOM} has not been run")
    other_arms, other_notes = _sensitivity(tables, one)
    context, notes = context + other_arms, notes + other_notes
    measured = (Measurement("share", top), Measurement("beyond_twins", top, reference=twin_top))
    return Evidence(measured, tuple(context), tuple(notes))


def _sensitivity(tables: Tables, one: Arm) -> tuple[list[Context], list[str]]:
    """Top share and winners of each sensitivity arm; a note for one that has not been run."""
    context, notes = [], []
    for place in SENSITIVITY:
        mixture, name = place.split("/")
        if (mixture, one.size, name) not in tables.runs:
            notes.append(f"sensitivity arm {place} has not been run")
            continue
        other = arm(tables, mixture, name)
        top = epoch_top_share(tables, other)
        context.append(Context("top share after one epoch", top, place, "sensitivity"))
        notes.append(winners(place, tables, other))
    return context, notes


def _claim_22(tables: Tables) -> Evidence:
    arms = {"ppo": "ppo", "grpo": "grpo", "expert_iteration": "ei"}
    ends = {label: end_shares(tables, arm(tables, MIXTURE, name)) for label, name in arms.items()}
    measured = tuple(
        Measurement(label, {s: top_share(of) for s, of in by_seed.items()}) for label, by_seed in ends.items()
    )
    start = {s: top_share(of) for s, of in base_shares(tables, arm(tables, MIXTURE, "ppo")).items()}
    notes = tuple(winners(name, tables, arm(tables, MIXTURE, name)) for name in arms.values())
    return Evidence(measured, (Context("top share of the base", start),), notes)


CLAIMS = (
    Claim(
        1,
        "PPO moves a model trained on three formats to one of them within the first epoch",
        "3.1, Fig. 2",
        ("tg_omi1_omi2/ppo", "twins/ppo"),
        (
            Criterion(
                "share",
                "top_share/first_epoch_end",
                "above",
                0.90,
                f"largest format share in the training rollouts of the last {LAST_STEPS} steps of "
                "the first epoch",
            ),
            Criterion(
                "beyond_twins",
                "top_share/first_epoch_end",
                "above",
                None,
                "the same share, against the interval of the neutral twins",
            ),
        ),
        "a top share below 0.90 after one epoch, or one below the interval of neutral twins",
        _claim_1,
        nulls=("twins/ppo", "tg_omi1_omi2/ppo_random", "bandit"),
        sensitivity=SENSITIVITY,
        choices=(
            f"within one epoch: the share at its end, over the rollouts of its last {LAST_STEPS} "
            "steps, never the largest on the way",
            "the twins' interval is Student's 95% interval of the same statistic over their "
            "seeds; above means above its upper end, contradicted means below its lower end, and "
            "overlap decides nothing",
            "shares are of known formats; completions in none of them are no format to collapse onto",
        ),
    ),
    Claim(
        22,
        "PPO, GRPO and Expert Iteration all converge to one dominant format",
        "abstract",
        ("tg_omi1_omi2/ppo", "tg_omi1_omi2/grpo", "tg_omi1_omi2/ei"),
        tuple(
            Criterion(name, "top_share/end", "above", 0.90, "largest format share at the last checkpoint")
            for name in ("ppo", "grpo", "expert_iteration")
        ),
        "one of the three algorithms ends with a top share below 0.90",
        _claim_22,
        choices=(
            "shares are of known formats; which of them it is may differ between algorithms and is printed",
        ),
    ),
)
