"""Claims 16 to 20: from easy problems to hard ones, beyond the pretraining, and overlap with it."""

from statistics import mean

from ...claims.declare import Claim, Context, Criterion, Evidence, Measurement
from ...claims.select import arm, base, gain, mean_over, minus
from ...core.study_tables import AFTER_RL, BASE, BEYOND, Tables, floor_item

FIVE = ("tg", "tg_4xomi1", "tg_omi2", "omi2_mmqa", "tg_omi1_omi2")
WITH_OMI2 = ("tg_omi2", "omi2_mmqa", "tg_omi1_omi2")
THREE = ("tg", "tg_omi2", "tg_omi1_omi2")
PLANTED = "tg_omi2_planted"
HARD = "hard"


def _claim_16(tables: Tables) -> Evidence:
    return Evidence(
        tuple(Measurement("gain", gain(tables, arm(tables, m, "ppo"), "accuracy", HARD), m) for m in FIVE)
    )


def _claim_17(tables: Tables) -> Evidence:
    gains = {m: gain(tables, arm(tables, m, "ppo"), "accuracy", HARD) for m in FIVE}
    with_omi2 = mean_over({m: gains[m] for m in WITH_OMI2}, "the mixtures with omi2")
    without = mean_over({m: gains[m] for m in FIVE if m not in WITH_OMI2}, "the mixtures without omi2")
    context = tuple(Context("gain", seeds, m) for m, seeds in gains.items())
    apart = minus(with_omi2, without)
    least = min(gains, key=lambda m: mean(gains[m].values()))
    hidden = mean(apart.values()) > 0 and least in WITH_OMI2
    caveats = (
        (f"of the mean of the three only: {least}, one of them, gains least of all five",) if hidden else ()
    )
    return Evidence((Measurement("difference", apart),), context, (), caveats)


def _claim_18(tables: Tables) -> Evidence:
    measured: list[Measurement] = []
    context: list[Context] = []
    lucky: list[str] = []
    for mixture in FIVE:
        one = arm(tables, mixture, "ppo")
        more = gain(tables, one, "pass@64", BEYOND)
        measured += [
            Measurement("pass@1", gain(tables, one, "accuracy", BEYOND), mixture),
            Measurement("pass@64", more, mixture),
        ]
        # 64 wrong guesses meet some right answer now and then; right steps do not come by chance.
        floors = tables.findings.get((one.mixture, one.size, one.arm), {}).get(f"floors/{BEYOND}", {})
        for kind, label in (
            ("chance", "another problem's answer met by chance"),
            ("steps", "right steps as well"),
        ):
            ends = [floors.get(floor_item(when, kind, 64)) for when in (AFTER_RL, BASE)]
            if ends[0] and ends[1]:
                moved = minus(ends[0], ends[1])
                context.append(
                    Context(
                        f"pass@64, end minus base, {label}",
                        moved,
                        mixture,
                        "null" if kind == "chance" else "context",
                    )
                )
                if kind == "chance" and mean(moved.values()) < mean(more.values()) / 2 < 0:
                    lucky.append(mixture)
    caveat = (
        f"{', '.join(lucky)}: answers met by chance fall by more than half as much as pass@64 does, "
        "so much of the loss is in lucky guesses"
    )
    return Evidence(tuple(measured), tuple(context), (), (caveat,) if lucky else ())


def _claim_19(tables: Tables) -> Evidence:
    one = arm(tables, PLANTED, "ppo")
    seen, clean = gain(tables, one, "accuracy", "overlap"), gain(tables, one, "accuracy", "overlap_clean")
    # A base that already knows the mentioned problems would show it before any RL.
    known = minus(base(tables, one, "accuracy", "overlap"), base(tables, one, "accuracy", "overlap_clean"))
    context = (
        Context("gain on overlap", seen),
        Context("gain on its clean twin", clean),
        Context("base pass@1, overlap minus its clean twin", known),
    )
    return Evidence((Measurement("difference", minus(seen, clean)),), context)


def _claim_20(tables: Tables) -> Evidence:
    measured: list[Measurement] = []
    context: list[Context] = []
    for mixture in THREE:
        hard = gain(tables, arm(tables, mixture, "ppo_hard"), "accuracy", HARD)
        easy = gain(tables, arm(tables, mixture, "ppo"), "accuracy", HARD)
        measured.append(Measurement("difference", minus(hard, easy), mixture))
        context += [
            Context("gain, RL on hard problems", hard, mixture),
            Context("gain, RL on easier problems", easy, mixture),
        ]
    return Evidence(tuple(measured), tuple(context))


CLAIMS = (
    Claim(
        16,
        "RL on easier problems raises pass@1 on hard ones in all five mixtures",
        "4, Table 1",
        tuple(f"{m}/ppo" for m in FIVE),
        (Criterion("gain", "gain/accuracy/hard", "above", 0.0, "pass@1 on hard problems, end minus base"),),
        "in one of the five mixtures it falls",
        _claim_16,
        holm=True,
        choices=("Holm over the five mixtures, for support and for contradiction alike",),
    ),
    Claim(
        17,
        "Mixtures with omi2 gain most on hard problems",
        "4, Table 1",
        tuple(f"{m}/ppo" for m in FIVE),
        (
            Criterion(
                "difference",
                "difference/mean_gain/accuracy/hard",
                "above",
                0.0,
                "mean gain over the three mixtures with omi2 minus over the two without",
            ),
        ),
        "the mixtures with omi2 gain less",
        _claim_17,
    ),
    Claim(
        18,
        "Beyond the pretraining's range pass@1 hardly moves while pass@64 can rise",
        "App. H, Tables 4-6",
        tuple(f"{m}/ppo" for m in FIVE),
        (
            Criterion("pass@1", "gain/accuracy/beyond", "within", 0.02, "pass@1 on `beyond`, end minus base"),
            Criterion("pass@64", "gain/pass@64/beyond", "above", 0.0, "pass@64 on `beyond`, end minus base"),
        ),
        "in one of the five mixtures pass@1 moves by more than 0.02 or pass@64 falls",
        _claim_18,
        choices=(
            "every mixture must meet both conditions; contradiction by one mixture is corrected "
            "by Holm over the five",
        ),
    ),
    Claim(
        19,
        "Gains on problems that overlap the pretraining text are larger",
        "App. H.2",
        (f"{PLANTED}/ppo",),
        (
            Criterion(
                "difference",
                "difference/gain/accuracy/overlap,overlap_clean",
                "above",
                0.0,
                "gain of pass@1 on `overlap` minus on its clean twin",
            ),
        ),
        "the clean twin gains more",
        _claim_19,
    ),
    Claim(
        20,
        "RL on hard problems raises hard pass@1 less than RL on easier problems does",
        "App. I, Table 7",
        tuple(f"{m}/{a}" for m in THREE for a in ("ppo_hard", "ppo")),
        (
            Criterion(
                "difference",
                "difference/gain/accuracy/hard",
                "below",
                0.0,
                "gain of hard pass@1, RL on hard minus RL on easier problems",
            ),
        ),
        "in one of the three mixtures RL on hard problems gains more",
        _claim_20,
        choices=(
            "all three mixtures must show it; contradiction by one mixture is corrected by Holm "
            "over the three",
        ),
    ),
)
