"""Claims 1, 2 and 22: the collapse onto one format, beside what a coin and even twins do."""

from ...claims.declare import (
    Claim,
    Context,
    Criterion,
    Evidence,
    Measurement,
    NotTestableError,
    Premise,
    Seeds,
)
from ...claims.select import Arm, arm, base, base_shares, minus, top_share
from ...core.study_tables import Tables
from ...stats.permutation import matched_closer
from ..echo_chamber.claim_set import CLAIMS as FIRST
from ..echo_chamber.coincidence import SMOOTHED, Peaks, rollout_peaks
from ..echo_chamber.collapse import LAST_STEPS, epoch_top_share
from .bandits import fitted_bandit
from .outcomes import end_top_share, winner_counts
from .places import (
    COIN,
    EI_LONG,
    FORMATS,
    GRPO,
    NEUTRAL,
    OTHER_NEUTRAL,
    PAPER,
    THREE,
    TWINS,
    place,
)
from .premises import ACCURACY_PREMISE, HIGH, LOW, format_bands

ARMS = (NEUTRAL, PAPER, OTHER_NEUTRAL)
TWINS_PREMISE = Premise(
    "twins_accuracy",
    "base/accuracy",
    LOW,
    HIGH,
    "accuracy of the even twins' base, under which a null says nothing",
)


def nulls(tables: Tables, name: str, at_end: bool = False) -> tuple[Context, ...]:
    """Even twins and a coin under the same update, and the bandit fitted to the run's first tenth.

    What has not been run is left out.
    """
    share = end_top_share if at_end else epoch_top_share
    when = "at the end" if at_end else "after one epoch"
    found = []
    for mixture, other, label in (
        (TWINS, name, "even twins"),
        (THREE, COIN[name], "coin reward"),
    ):
        if (mixture, tables.size, other) in tables.runs:
            top = share(tables, arm(tables, mixture, other))
            found.append(Context(f"{label}: top share {when}", top, name, "null"))
    one = arm(tables, THREE, name)
    found.append(
        Context(
            "bandit at the fitted rate: top share after one epoch", fitted_bandit(tables, one), name, "null"
        )
    )
    return tuple(found)


def _claim_1(tables: Tables) -> Evidence:
    one, twins = arm(tables, THREE, NEUTRAL), arm(tables, TWINS, NEUTRAL)
    top = epoch_top_share(tables, one)
    excess = minus(top, epoch_top_share(tables, twins), "the run and its even twins")
    context: list[Context] = []
    notes: list[str] = []
    for name in ARMS:
        if (THREE, one.size, name) in tables.runs:
            other = arm(tables, THREE, name)
            context.append(Context("top share after one epoch", epoch_top_share(tables, other), name))
            context += nulls(tables, name)
            notes.append(winner_counts(tables, other))
        else:
            notes.append(f"{place(THREE, name)} has not been run")
    start = {seed: top_share(of) for seed, of in base_shares(tables, one).items()}
    context.append(Context("largest share of the base", start))
    premises = (
        Measurement(TWINS_PREMISE.id, base(tables, twins, "accuracy")),
        *format_bands(tables, one, FORMATS),
    )
    measured = (Measurement("share", top), Measurement("excess_over_even_twins", excess))
    return Evidence(measured, tuple(context), tuple(notes), premises=premises)


def all_peaks(tables: Tables) -> dict[tuple[str, int], Peaks]:
    """(arm, seed) -> steps of the largest change of shares and of the largest gain, of all runs."""
    found: dict[tuple[str, int], Peaks] = {}
    for name in ARMS:
        if (THREE, tables.size, name) in tables.runs:
            peaks = rollout_peaks(tables, Arm(THREE, name, tables.size))
            found |= {(name, seed): one for seed, one in peaks.items()}
    return found


def excess_distance(peaks: dict[tuple[str, int], Peaks]) -> Seeds:
    """seed -> distance of its own peaks minus that of its shifts from other pairs' gains, mean over arms."""
    found: dict[int, list[float]] = {}
    for key, one in peaks.items():
        others = [abs(one.shift - other.gain) for name, other in peaks.items() if name != key]
        found.setdefault(key[1], []).append(abs(one.shift - one.gain) - sum(others) / len(others))
    return {seed: sum(parts) / len(parts) for seed, parts in sorted(found.items())}


def _claim_2(tables: Tables) -> Evidence:
    peaks = all_peaks(tables)
    if len(peaks) < 2:
        raise NotTestableError(f"fewer than two runs of {THREE} have training curves to pair with each other")
    table = [[abs(a.shift - b.gain) for b in peaks.values()] for a in peaks.values()]
    p_values = matched_closer(table), matched_closer([[-value for value in row] for row in table])
    own = {seed: 0.0 for _, seed in peaks}
    for seed in own:
        parts = [abs(one.shift - one.gain) for (_, other), one in peaks.items() if other == seed]
        own[seed] = sum(parts) / len(parts)
    measured = Measurement("excess_distance", excess_distance(peaks), p_values=p_values)
    said = ", of the opposite ".join(f"{value:.3f}" for value in p_values)
    note = f"{len(peaks)} pairs of curves; p by permutation {said}"
    context = (Context("steps between the run's own two peaks", own),)
    return Evidence((measured,), context, (note,))


LONG = {"ppo_lambda_1": NEUTRAL, "grpo": GRPO, "expert_iteration": EI_LONG}


def _claim_22(tables: Tables) -> Evidence:
    measured: list[Measurement] = []
    context: list[Context] = []
    notes: list[str] = []
    for label, name in LONG.items():
        one = arm(tables, THREE, name)
        measured.append(Measurement("share", end_top_share(tables, one), label))
        context += nulls(tables, name, at_end=True)
        notes.append(winner_counts(tables, one))
    start = base_shares(tables, arm(tables, THREE, NEUTRAL))
    context.append(Context("largest share of the base", {s: top_share(of) for s, of in start.items()}))
    return Evidence(tuple(measured), tuple(context), tuple(notes))


CLAIMS = (
    Claim(
        1,
        FIRST[1].statement,
        FIRST[1].source,
        (*(place(THREE, name) for name in ARMS), *(place(TWINS, name) for name in ARMS)),
        (
            Criterion(
                "share",
                "top_share/first_epoch_end/ppo_lambda_1",
                "above",
                0.90,
                f"largest format share in the rollouts of the last {LAST_STEPS} steps of the first epoch",
                "share",
            ),
            Criterion(
                "excess_over_even_twins",
                "difference/top_share/first_epoch_end/ppo_lambda_1,twins_even",
                "above",
                0.10,
                "the same share minus that of the even twins of the same seed under the same update",
            ),
        ),
        "a top share below 0.90 after one epoch, or one less than 0.10 above the even twins'",
        _claim_1,
        premises=(TWINS_PREMISE, ACCURACY_PREMISE),
        nulls=(place(TWINS, NEUTRAL), *(place(THREE, COIN[name]) for name in ARMS), "bandit"),
        choices=(
            "PPO with lambda 1 decides; the paper's PPO and RLOO stand beside",
            f"within an epoch: at its end, over the rollouts of its last {LAST_STEPS} steps",
            "shares have a beta-binomial interval by moments: Wilson's form, trials from the measured spread",
        ),
    ),
    Claim(
        2,
        FIRST[2].statement,
        FIRST[2].source,
        tuple(place(THREE, name) for name in ARMS),
        (
            Criterion(
                "excess_distance",
                f"permutation/step_distance/share_change,reward_gain/smoothed_{SMOOTHED}",
                "below",
                0.0,
                "steps between the largest share change and the largest gain of reward of one run, minus the "
                "mean distance to the gains of other runs",
                "permutation",
            ),
        ),
        "a run's own two peaks lie farther apart than those of different runs",
        _claim_2,
        choices=(
            f"training rollouts, moving mean over {SMOOTHED} steps, ties at the midpoint",
            "all runs of three arms and all seeds are permuted together; one-sided at 5% for either side",
        ),
    ),
    Claim(
        22,
        FIRST[22].statement,
        FIRST[22].source,
        tuple(place(THREE, name) for name in LONG.values()),
        (
            Criterion(
                "share",
                "top_share/end",
                "above",
                0.90,
                "largest format share at the last checkpoint",
                "share",
            ),
        ),
        "one of the three algorithms ends with a top share below 0.90",
        _claim_22,
        nulls=tuple(place(THREE, COIN[name]) for name in LONG.values()),
        choices=("PPO has lambda 1; Expert Iteration has ten rounds and keeps duplicates",),
    ),
)
