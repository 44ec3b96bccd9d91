"""Claims 2 to 4, on the run of claim 1: when its format shifts, and how maj@64 and pass@64 change."""

from ...claims.crossfit import dev_best, drop_from_maximum
from ...claims.declare import Claim, Context, Criterion, Evidence, Measurement, NotTestableError
from ...claims.estimate import ALPHA
from ...claims.select import arm, gain, settings
from ...core.study_tables import Tables
from .coincidence import (
    chance_rate,
    checkpoint_peaks,
    distances,
    mismatched,
    permutation_p,
    rollout_peaks,
)
from .collapse import MIXTURE


def _claim_2(tables: Tables) -> Evidence:
    one = arm(tables, MIXTURE, "ppo")
    peaks, count = checkpoint_peaks(tables, one)
    distance = distances(peaks)
    chance = (3 * count - 2) / count**2
    hits = sum(d <= 1 for d in distance.values())
    remarks = [
        f"in {hits} of {len(distance)} seeds the two are the same or adjoining ones of {count} "
        "intervals; two intervals drawn at random are as near with "
        f"probability {chance:.2f}, all seeds with {chance ** len(distance):.3f}",
        f"null model, between checkpoints: {chance_rate(peaks, 1)}",
    ]
    steps = rollout_peaks(tables, one)
    if steps:
        remarks.append(f"null model, by training steps over three steps each: {chance_rate(steps, 3)}")
    others = mismatched(peaks)
    caveat = (
        f"curves of different seeds are as near in {sum(d <= 1 for d in others)} of {len(others)} pairs, so "
        "the common schedule explains the coincidence"
    )
    explained = permutation_p(peaks) > ALPHA
    return Evidence(
        (Measurement("distance", distance),), (), tuple(remarks), (caveat,) if others and explained else ()
    )


def _claim_3(tables: Tables) -> Evidence:
    one = arm(tables, MIXTURE, "ppo")
    beside = (Context("pass@1", gain(tables, one, "accuracy")),)
    return Evidence((Measurement("maj@64", gain(tables, one, "maj@64")),), beside)


def _claim_4(tables: Tables) -> Evidence:
    one = arm(tables, MIXTURE, "ppo")
    temperature = settings(tables, one)["temperature"]
    fixed = drop_from_maximum(tables, one, 64, lambda seed, step: temperature)
    best = dev_best(tables, one, "pass@64")
    if max(best.tried) <= temperature:
        raise NotTestableError(
            f"dev was measured at temperatures {', '.join(f'{t:g}' for t in best.tried)}, none "
            f"above that of training ({temperature:g})"
        )
    freed = drop_from_maximum(tables, one, 64, best.at)
    nearest = drop_from_maximum(tables, one, 64, dev_best(tables, one, "pass@64", near=temperature).at)
    remark = (
        f"best temperatures on dev: {best.summary()}; several share the maximum in {best.ties} of "
        f"{len(best.chosen)} checkpoints, where the "
        "criterion's figure takes the lower one"
    )
    context = (
        Context(
            "dev-best temperature, the one nearest to training among equals", nearest, kind="sensitivity"
        ),
    )
    return Evidence(
        (Measurement("training_temperature", fixed), Measurement("dev-best_temperature", freed)),
        context,
        (remark,),
    )


CLAIMS = (
    Claim(
        2,
        "The shift of format coincides with the largest gain in pass@1",
        "3.1, Fig. 2",
        ("tg_omi1_omi2/ppo",),
        (
            Criterion(
                "distance",
                "interval_distance/share_change,accuracy_gain",
                "below",
                1.5,
                "number of intervals between that of the largest share change (total variation) "
                "and that of the largest pass@1 gain",
            ),
        ),
        "the two intervals lie two or more apart",
        _claim_2,
        choices=(
            "intervals are those between evaluated checkpoints, log-spaced from step 0; "
            "adjoining is a distance of 1, so the margin is 1.5",
        ),
        next_experiment="a denser grid of checkpoints",
    ),
    Claim(
        3,
        "maj@64 rises in that run",
        "3.1, Fig. 2",
        ("tg_omi1_omi2/ppo",),
        (Criterion("maj@64", "gain/maj@64", "above", 0.02, "maj@64 at the end minus at the base"),),
        "maj@64 rises by less than 0.02, or falls",
        _claim_3,
    ),
    Claim(
        4,
        "pass@64 falls towards the end of that run",
        "3.1, Fig. 2",
        ("tg_omi1_omi2/ppo",),
        (
            Criterion(
                "training_temperature",
                "fall_from_maximum/pass@64/training_temperature",
                "above",
                0.02,
                "pass@64 at its earlier maximum minus at the end, at the training temperature",
            ),
            Criterion(
                "dev-best_temperature",
                "fall_from_maximum/pass@64/dev_best_temperature",
                "above",
                0.02,
                "the same with every checkpoint at its own best temperature on dev",
            ),
        ),
        "pass@64 ends within 0.02 of its earlier maximum, or the fall vanishes at a better temperature",
        _claim_4,
        choices=(
            "the maximum over the base and all checkpoints before the last is chosen on one half "
            "of the samples and measured on the other; both ways are averaged",
            "pass@64 of one half needs 64 samples in each: 128 completions per problem",
            "the best temperature is that of highest pass@64 on dev, per seed and checkpoint; "
            "one of the recipe's must lie above that of training, where a policy of low entropy "
            "could regain pass@64",
        ),
        next_experiment="128 samples at more checkpoints",
    ),
)
