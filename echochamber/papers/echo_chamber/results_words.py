"""What the words of `docs/RESULTS.md` mean, for a reader who has not read the recipe."""

from ...core.study_tables import Tables
from .results_parts import table

FORMATS = {
    "tinygsm": "a Python function; `tinygsm_single` and `tinygsm_tick` are the same with its docstring in single quotes (the twins)",
    "omi1": "a program between `<llm-code>` tags, in the manner of OpenMathInstruct-1",
    "omi2, metamath": "prose, in the manner of OpenMathInstruct-2 and MetaMathQA",
}
MIXTURES = {
    "`tg_omi1_omi2`, ...": "what a base was trained on besides background text: `tg` is tinygsm, names are joined by `_`",
    "`2xtg`, `tg_4xomi1`, ...": "copies of one source; `_equal` has them at the tokens of one copy",
    "`_matched`, `_planted`": "formats made equally long; background that mentions problems of `overlap`",
    "`twins`, `twins_even`": "null models: one format split 50/50 by its quotes, four tokens apart and of equal length",
}
ARMS = {
    "`ppo`, `grpo`, `ei`": "the algorithms; KL weight 0.001 in the first two but for `ppo_kl_*`; Expert Iteration (`ei`) at three learning rates on as many samples",
    "`ppo_random`, `ppo_hard`": "a coin in the place of the reward; RL on `hard` problems",
    "`ppo_other_average`, `ppo_box`, `ppo_cold`, `ppo_lr_*`": "loss averaged over sequences; omi1 graded by its box; temperature 0.7; learning rate x 1/3 and x 3",
    "`base`": "the model before RL",
}
NUMBERS = {
    "pass@1": "accuracy of one completion at the temperature of training, the mean over all samples; greedy answers are named greedy",
    "pass@k, maj@k": "right at least once in k samples (unbiased); right by majority vote among k",
    "top share, lead": "share of the most written known format; share of a format minus the largest other",
    "distance (2)": "checkpoint intervals between the largest change of shares and the largest gain",
    "fall, late fall, drop": "maximum before the end minus the end, so that a fall is above 0; of the training reward from its running maximum",
    "movement, shift": "total variation between two distributions, of a feature's words or of formats",
    "Brier score": "squared distance of foretold and final shares, summed over formats: 0 to 2",
    "medium, hard, beyond": "problems of 3-4, 5-8 and 9-12 operations; pretraining has 1-8",
}


def words(tables: Tables) -> str:
    """A table of terms, folded; nothing for a study that has none of these arms."""
    if not any(mixture == "tg_omi1_omi2" for mixture, _, _ in tables.runs):
        return ""
    groups = (("format", FORMATS), ("mixture", MIXTURES), ("arm", ARMS), ("number", NUMBERS))
    rows = [[kind, word, meaning] for kind, known in groups for word, meaning in known.items()]
    return (
        "<details><summary>What the words mean</summary>\n\n"
        + table(["kind", "word", "meaning"], rows)
        + "\n\n</details>"
    )
