"""Claims 14 and 15: GRPO and Expert Iteration beside PPO with lambda 1."""

from ...claims.declare import Claim, Context, Criterion, Evidence, Measurement, NotTestableError
from ...claims.select import arm, end, minus, settings, shift
from ...core.study_tables import Tables
from ..echo_chamber.algorithms import MATCHED_SAMPLES
from ..echo_chamber.claim_set import CLAIMS as FIRST
from .outcomes import SMOOTHED_STEPS, greedy_end, largest_fall, winner_counts, winners, yes_no
from .places import COIN, EI, GRPO, GRPO_TUNED, NEUTRAL, THREE, place


def _claim_14(tables: Tables) -> Evidence:
    ppo, grpo = arm(tables, THREE, NEUTRAL), arm(tables, THREE, GRPO)
    ends = winners(tables, ppo), winners(tables, grpo)
    same = {s: yes_no(ends[0][s] is not None and ends[0][s] == ends[1][s]) for s in ends[0] if s in ends[1]}
    falls = largest_fall(tables, grpo), largest_fall(tables, ppo)
    context = [
        Context("largest fall of the reward", falls[0], GRPO),
        Context("largest fall of the reward", falls[1], NEUTRAL),
    ]
    for name, kind in ((GRPO_TUNED, "sensitivity"), (COIN[GRPO], "null"), (COIN[NEUTRAL], "null")):
        if (THREE, tables.size, name) in tables.runs:
            fall = largest_fall(tables, arm(tables, THREE, name))
            context.append(
                Context("largest fall of the reward", fall, name, "null" if kind == "null" else "sensitivity")
            )
    measured = (Measurement("same_winner", same), Measurement("fall", minus(*falls)))
    return Evidence(measured, tuple(context), (winner_counts(tables, ppo), winner_counts(tables, grpo)))


def _claim_15(tables: Tables) -> Evidence:
    ppo = arm(tables, THREE, NEUTRAL)
    measured: list[Measurement] = []
    context = [Context("shift", shift(tables, ppo), NEUTRAL)]
    for label, name in EI.items():
        one = arm(tables, THREE, name)
        samples = settings(tables, one)["samples"], settings(tables, ppo)["samples"]
        if abs(samples[0] / samples[1] - 1) > MATCHED_SAMPLES:
            raise NotTestableError(
                f"samples are not matched: {samples[0]:,} in {name}, {samples[1]:,} in {NEUTRAL}"
            )
        measured += [
            Measurement("shift", minus(shift(tables, one), shift(tables, ppo)), label),
            Measurement("pass@1", minus(greedy_end(tables, one), greedy_end(tables, ppo)), label),
        ]
        sampled = minus(end(tables, one, "accuracy"), end(tables, ppo, "accuracy"))
        context += [
            Context("shift", shift(tables, one), name),
            Context("sampled pass@1, minus PPO's", sampled, name),
        ]
    return Evidence(tuple(measured), tuple(context))


CLAIMS = (
    Claim(
        14,
        FIRST[14].statement,
        FIRST[14].source,
        tuple(place(THREE, name) for name in (NEUTRAL, GRPO)),
        (
            Criterion(
                "same_winner",
                "winner_is_ppos/greedy",
                "above",
                0.5,
                "1 where GRPO has the winner of PPO with lambda 1 on the same base, else 0",
                "yes_no",
            ),
            Criterion(
                "fall",
                f"difference/largest_reward_fall/smoothed_{SMOOTHED_STEPS}",
                "above",
                0.0,
                "largest fall of the training reward from its running maximum, GRPO minus PPO",
            ),
        ),
        "GRPO ends at another format, or its reward falls less than PPO's",
        _claim_14,
        nulls=(place(THREE, COIN[GRPO]), place(THREE, COIN[NEUTRAL])),
        sensitivity=(place(THREE, GRPO_TUNED),),
        choices=(
            "at PPO's learning rate, batch and number of updates; GRPO at its own rate stands beside",
            f"the reward is a moving mean over {SMOOTHED_STEPS} steps",
        ),
    ),
    Claim(
        15,
        FIRST[15].statement,
        FIRST[15].source,
        tuple(place(THREE, name) for name in (NEUTRAL, *EI.values())),
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
                "difference/greedy/end",
                "below",
                0.0,
                "greedy pass@1 at the end, Expert Iteration minus PPO",
            ),
        ),
        "Expert Iteration shifts more, or ends more accurate",
        _claim_15,
        choices=(
            "with and without duplicates both must show it",
            "each algorithm has the best of three rates on dev, chosen on seeds 100 to 102 before the runs",
            f"matched samples: within {MATCHED_SAMPLES:.0%} of PPO's completions",
        ),
    ),
)
