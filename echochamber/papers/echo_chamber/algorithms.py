"""Claims 14 and 15: GRPO and Expert Iteration beside PPO."""

from ...claims.declare import Claim, Context, Criterion, Evidence, Measurement, NotTestableError, Seeds
from ...claims.select import (
    DEV,
    Arm,
    arm,
    base_shares,
    end,
    end_shares,
    lead,
    minus,
    settings,
    shift,
    top_share,
    winner,
)
from ...core.study_tables import Tables

MIXTURE, EI_MIXTURE = "tg_omi1_omi2", "8xtg"
EI_RATES = ("ei_lr_low", "ei", "ei_lr_high")
MATCHED_SAMPLES = 0.01
ROOM = 0.01
"""Share outside the base's first format under which a shift cannot show."""


def largest_drop(tables: Tables, one: Arm) -> Seeds:
    """seed -> largest fall of the step's mean reward from its running maximum, over the whole run."""
    found = {}
    for seed, steps in tables.training.get((one.mixture, one.size, one.arm, "reward"), {}).items():
        peak = drop = float("-inf")
        for _, reward in sorted(steps.items()):
            peak = max(peak, reward)
            drop = max(drop, peak - reward)
        found[seed] = drop
    if not found:
        raise NotTestableError(f"{one} has no training log")
    return found


def _claim_14(tables: Tables) -> Evidence:
    ppo, grpo = arm(tables, MIXTURE, "ppo"), arm(tables, MIXTURE, "grpo")
    winners = {seed: winner(of) for seed, of in end_shares(tables, ppo).items()}
    ahead = {
        seed: lead(of, winners[seed]) for seed, of in end_shares(tables, grpo).items() if seed in winners
    }
    drops = largest_drop(tables, grpo), largest_drop(tables, ppo)
    context = (
        Context("largest drop of reward", drops[0], "GRPO"),
        Context("largest drop of reward", drops[1], "PPO"),
    )
    return Evidence((Measurement("same_winner", ahead), Measurement("drop", minus(*drops))), context)


def best_on_dev(tables: Tables) -> tuple[Arm, list[str]]:
    """Expert Iteration at the rate of highest mean pass@1 on dev, and what each rate had there."""
    ends = {
        one: end(tables, one, "accuracy", split=DEV)
        for one in (arm(tables, EI_MIXTURE, name) for name in EI_RATES)
    }
    common = sorted(set.intersection(*(set(seeds) for seeds in ends.values())))
    if not common:
        raise NotTestableError(
            "the learning rates of Expert Iteration share no seed that was measured on dev"
        )
    scores = {one: sum(seeds[s] for s in common) / len(common) for one, seeds in ends.items()}
    return max(scores, key=lambda one: scores[one]), [
        f"{one.arm}: pass@1 {score:.3f} on dev" for one, score in scores.items()
    ]


def _claim_15(tables: Tables) -> Evidence:
    ppo = arm(tables, EI_MIXTURE, "ppo")
    ei, notes = best_on_dev(tables)
    samples = settings(tables, ei)["samples"], settings(tables, ppo)["samples"]
    if abs(samples[0] / samples[1] - 1) > MATCHED_SAMPLES:
        raise NotTestableError(
            f"samples are not matched: {samples[0]:,} in Expert Iteration, {samples[1]:,} in PPO"
        )
    shifts = shift(tables, ei), shift(tables, ppo)
    measured = (
        Measurement("shift", minus(*shifts)),
        Measurement("pass@1", minus(end(tables, ei, "accuracy"), end(tables, ppo, "accuracy"))),
    )
    context = [Context("shift", shifts[0], ei.arm), Context("shift", shifts[1], "ppo")]
    start = {seed: 1 - top_share(of) for seed, of in base_shares(tables, ppo).items()}
    none = max(start.values(), default=1.0) < ROOM
    caveats = (
        (
            f"the base writes a second format in under {ROOM:.0%} of its completions on every "
            "seed: there is next to no share to shift, in either direction",
        )
        if none
        else ()
    )
    if all((MIXTURE, ei.size, name) in tables.runs for name in ("ppo", "ei")):
        # The mixture of three leaves more room for a shift than a single format does.
        three = {name: shift(tables, arm(tables, MIXTURE, name)) for name in ("ei", "ppo")}
        context.append(
            Context("shift, Expert Iteration minus PPO", minus(three["ei"], three["ppo"]), MIXTURE)
        )
    settle = (
        {"shift": "a base that writes more than one format; more seeds of this one will not do"}
        if none
        else {}
    )
    return Evidence(measured, tuple(context), (*notes, f"judged: {ei.arm}"), caveats, settle)


CLAIMS = (
    Claim(
        14,
        "GRPO converges like PPO but less stably",
        "3.5, Fig. 14",
        ("tg_omi1_omi2/ppo", "tg_omi1_omi2/grpo"),
        (
            Criterion(
                "same_winner",
                "lead/ppo_winner/end",
                "above",
                0.0,
                "GRPO's share of PPO's winner (same seed) at the end minus its largest other share",
            ),
            Criterion(
                "drop",
                "difference/largest_reward_drop",
                "above",
                0.0,
                "largest fall of the training reward from its running maximum, GRPO minus PPO",
            ),
        ),
        "GRPO ends at another format, or its reward falls less than PPO's",
        _claim_14,
        choices=(
            "reward is the mean over each step's rollouts, unsmoothed, both arms at the same size of batch",
        ),
    ),
    Claim(
        15,
        "Expert Iteration shifts formats less than PPO and ends below it",
        "App. F.2, Fig. 20",
        tuple(f"8xtg/{name}" for name in ("ppo", *EI_RATES)),
        (
            Criterion(
                "shift",
                "difference/total_variation/shares/base,end",
                "below",
                0.0,
                "total variation between base and final shares, Expert Iteration minus PPO",
            ),
            Criterion(
                "pass@1",
                "difference/accuracy/end",
                "below",
                0.0,
                "pass@1 at the end, Expert Iteration minus PPO",
            ),
        ),
        "Expert Iteration shifts more, or ends more accurate",
        _claim_15,
        choices=(
            "the rate is that of highest mean pass@1 on dev over the seeds that all three have, "
            "one rate for all",
            f"matched samples: within {MATCHED_SAMPLES:.0%} of PPO's completions",
        ),
    ),
)
