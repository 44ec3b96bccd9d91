"""Mixtures, arms and problem sets of the recipe `echo-chamber`, by the names that the claims use."""

from ...claims.declare import Seeds
from ...claims.select import mean_over

THREE = "acc_tg_freq_omi2_short_omi1"
"""The mixture of three formats that most claims are judged on; one of the factorial."""
FACTORIAL = (
    THREE,
    "acc_tg_freq_omi1_short_omi2",
    "acc_omi1_freq_tg_short_omi2",
    "acc_omi1_freq_omi2_short_tg",
    "acc_omi2_freq_tg_short_omi1",
    "acc_omi2_freq_omi1_short_tg",
)
"""Named for the formats meant to be most accurate, most frequent and shortest; all three are measured."""
FORMATS = ("tinygsm", "omi1", "omi2")
TWINS, FREQUENT, MORE_FREQUENT, PLANTED = "twins_even", "tg_4xomi1", "tg_8xomi1", "planted"
COPIES = {1: "tg", 2: "2xtg", 4: "4xtg", 8: "8xtg"}
EQUAL_TOKENS = {1: "tg", 2: "2xtg_equal", 4: "4xtg_equal", 8: "8xtg_equal"}
ONE_FORMAT = "tg"
WITH_OMI2 = (THREE, "acc_omi1_freq_tg_short_omi2", "acc_omi2_freq_tg_short_omi1")
WITHOUT_OMI2 = (ONE_FORMAT, FREQUENT)
FIVE = (*WITH_OMI2, *WITHOUT_OMI2)
HARD_MIXTURES = (THREE, "acc_omi1_freq_tg_short_omi2", ONE_FORMAT)

NEUTRAL, PAPER, OTHER_NEUTRAL = "ppo_lambda_1", "ppo", "rloo"
"""PPO with lambda 1, which decides; the paper's lambda 0.95; RLOO."""
GRPO, GRPO_TUNED = "grpo", "grpo_tuned"
"""At PPO's settings, which decides claim 14; at its own rate."""
SECOND_STREAM = "ppo_lambda_1_again"
KL_0 = ("kl_0", "kl_0_again")
KL_0_001 = (NEUTRAL, SECOND_STREAM)
KL_WEIGHTS = {"0.01": "kl_1e-2", "0.02": "kl_2e-2", "0.05": "kl_5e-2", "0.1": "kl_1e-1"}
EI = {"without duplicates": "ei", "with duplicates": "ei_all"}
EI_LONG = "ei_10_all"
COIN = {NEUTRAL: "coin_ppo_lambda_1", PAPER: "coin_ppo", OTHER_NEUTRAL: "coin_rloo", GRPO: "coin_grpo"} | {
    EI_LONG: "coin_ei_10_all"
}
"""Arm -> the same update under a coin reward."""
HARD_ARM, MATCHED = "ppo_lambda_1_hard", "rloo_matched"

ROOM, HARD, BEYOND = "all", "hard", "beyond"
"""The level with headroom for votes and pass@64, the hard level, and more operations than in pretraining."""
GREEDY = "greedy"
"""pass@1 of greedy answers, which decides; sampled pass@1 is `accuracy`."""

SEEDS = {1: 8, 2: 8, 3: 12, 4: 8, 5: 6, 6: 12, 7: 8, 8: 8, 9: 6, 10: 6, 11: 6, 12: 6, 13: 8, 14: 12} | {
    15: 8, 16: 8, 17: 8, 18: 8, 19: 12, 20: 8, 21: 6, 22: 6}  # fmt: skip
"""Claim -> planned pretraining seeds, from 10 on."""


def place(mixture: str, arm: str) -> str:
    """`mixture/arm`, as declarations name it."""
    return f"{mixture}/{arm}"


def of_streams(parts: dict[str, Seeds]) -> Seeds:
    """seed -> mean over the RL seeds of one base."""
    return mean_over(parts, "the two RL seeds")
