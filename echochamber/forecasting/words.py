"""A forecast in sentences and tables, the same for the terminal and the page."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ..core.formats import OTHER, registered_formats
from ..rl.config import RLConfig, num_steps
from ..rollout.rewards import reward_title
from ..stats.bootstrap import problem_weights, ratio_interval
from .baselines import Baseline, BaselineName
from .behaviour_table import FEWEST_SAMPLES, BehaviourTable
from .changes import Tried, flips, keeps_second, smallest_changes
from .outcome import COLLAPSED, LEVEL, Outcome, SimulatedEstimate
from .scenarios import Reason, Scenario

REASON_TITLES: Mapping[Reason, str] = {
    "accuracy": "equal accuracies",
    "frequency": "equal shares at the start",
    "length": "equal lengths",
    "reward": "a coin as reward (null model)",
}
BASELINE_TITLES: Mapping[BaselineName, str] = {
    "most_frequent": "most frequent",
    "most_accurate": "most accurate",
    "shortest": "shortest",
    "most_frequent_correct": "most frequent among right answers",
    "kl_optimum": "KL optimum",
    "replicator": "replicator flow, end",
    "bandit": "bandit on behaviours alone",
}


@dataclass(frozen=True)
class Section:
    """One question with its answer."""

    title: str
    sentences: list[str]
    columns: list[str]
    rows: list[list[str]]


def title_of(behaviour: str) -> str:
    """What a reader sees for a behaviour."""
    if behaviour == OTHER:
        return "no known behaviour"
    row = registered_formats().get(behaviour)
    return (row.title or behaviour) if row else behaviour


def headline(outcome: Outcome) -> str:
    """The answer in one sentence."""
    best = max(outcome.win_probability, key=lambda name: outcome.win_probability[name])
    chance = percent(outcome.win_probability[best])
    if outcome.winner is None:
        return f"Cannot say which behaviour wins: the likeliest, {title_of(best)}, has {chance}."
    return f"RL will amplify {title_of(best)}: it ends with the largest share with probability {chance}."


def what_is_there(table: BehaviourTable, left_out: Mapping[str, int]) -> Section:
    """Share, accuracy and length of each behaviour at the base, with 95% intervals by problem."""
    weights = problem_weights(len(table.problems), 0)
    totals = table.num.sum(1)
    rows = []
    for i, name in enumerate(table.behaviours):
        share = ratio_interval(weights, table.num[:, i], totals)
        accuracy = ratio_interval(weights, table.right[:, i], table.num[:, i])
        rows.append(
            [
                title_of(name),
                _with(table.shares[i], share),
                _with(table.accuracies[i], accuracy),
                f"{table.tokens[i, 1]:.0f}",
                f"{table.num[:, i].sum():,.0f}",
            ]
        )
    sentences = [
        f"{int(totals.sum()):,} completions of {len(table.problems)} problems. "
        "In brackets: 95% intervals, bootstrap by problem. Four times as many problems would halve them."
    ]
    if left_out:
        named = ", ".join(f"{title_of(name)} ({number})" for name, number in left_out.items())
        sentences.append(f"Left out, with fewer than {FEWEST_SAMPLES} completions: {named}.")
    return Section(
        "What the model does before RL",
        sentences,
        ["behaviour", "share", "accuracy", "tokens of right answers", "completions"],
        rows,
    )


def what_rl_does(outcome: Outcome, arm: RLConfig) -> Section:
    """Winner, final shares, collapse and accuracy."""
    rows = [
        [title_of(name), percent(outcome.win_probability.get(name)), _estimate(outcome.final_shares[name])]
        for name in outcome.behaviours
    ]
    steps = num_steps(arm, arm.problems.count)
    step = outcome.collapse_step
    sentences = [
        f"{outcome.runs} simulated runs of {arm.algorithm}, {steps} steps, reward: "
        f"{reward_title(arm.reward)}. In brackets: the interval that holds {percent(LEVEL)} of the runs.",
        f"A share of {percent(COLLAPSED)} is passed in {percent(outcome.collapse_probability)} of the runs"
        + (f", at step {step.value:.0f} [{step.low:.0f}, {step.high:.0f}]." if step else "."),
        f"Accuracy goes from {_estimate(outcome.accuracy_before)} to {_estimate(outcome.accuracy_after)}.",
        f"Of the gain, choice of behaviours is {_points(outcome.choice)}.",
        f"Better answers within behaviours are {_points(outcome.skill)}.",
        f"Both at once are {_points(outcome.interaction)}.",
    ]
    sentences += [
        f"{name}@{k} goes from {_estimate(before)} to {_estimate(after)}."
        for name, curve in (("pass", outcome.pass_at_k), ("maj", outcome.maj_at_k))
        for k, (before, after) in list(curve.items())[-1:]
        if k > 1
    ]
    return Section("What RL will do", sentences, ["behaviour", "wins", "final share"], rows)


def why(outcome: Outcome, tried: Sequence[Tried]) -> Section:
    """The likeliest winner's fate without one difference between behaviours."""
    best = max(outcome.win_probability, key=lambda name: outcome.win_probability[name])
    rows = [["as it is", percent(outcome.win_probability[best]), _estimate(outcome.final_shares[best])]]
    for scenario, found in tried:
        if scenario.kind == "without":
            title = REASON_TITLES[scenario.key]  # type: ignore[index]
            rows.append([title, percent(found.win_probability[best]), _estimate(found.final_shares[best])])
    return Section(
        "Why",
        [f"The same simulation without one difference between behaviours, for {title_of(best)}."],
        ["simulation", "wins", "final share"],
        rows,
    )


def what_would_change_it(outcome: Outcome, tried: Sequence[Tried], arm: RLConfig) -> Section:
    """The smallest changes of a setting that flip the winner or keep a second behaviour."""
    now = {"kl.coef": arm.kl.coef, "optimizer.lr": arm.optimizer.lr}
    made = {id(scenario): found for scenario, found in tried}
    flipping = smallest_changes(tried, now, lambda found: flips(found, outcome.winner))
    keeping = [] if keeps_second(outcome) else smallest_changes(tried, now, keeps_second)
    rows = [_change("another winner", scenario, made[id(scenario)]) for scenario in flipping]
    rows += [_change("a second behaviour stays", scenario, made[id(scenario)]) for scenario in keeping]
    changes = [scenario for scenario, _ in tried if scenario.kind == "change"]
    sentences = [f"{len(changes)} changed arms were simulated, each with one setting of another value."]
    if not rows:
        sentences.append("None of them gives another winner, or keeps a second behaviour that would be lost.")
    return Section("What would change it", sentences, ["what happens", "setting", "wins", "shares"], rows)


def simpler(found: Sequence[Baseline]) -> Section:
    """Simpler forecasts."""
    rows = [
        [BASELINE_TITLES[one.name], title_of(one.winner), "–" if one.share is None else percent(one.share)]
        for one in found
    ]
    return Section("Simpler forecasts", [], ["rule", "winner", "its share"], rows)


def sections(
    table: BehaviourTable,
    left_out: Mapping[str, int],
    outcome: Outcome,
    tried: Sequence[Tried],
    arm: RLConfig,
    rules: Sequence[Baseline],
) -> list[Section]:
    """All of them, in reading order."""
    return [
        what_is_there(table, left_out),
        what_rl_does(outcome, arm),
        why(outcome, tried),
        what_would_change_it(outcome, tried, arm),
        simpler(rules),
    ]


def _change(what: str, scenario: Scenario, found: Outcome) -> list[str]:
    best = max(found.win_probability, key=lambda name: found.win_probability[name])
    shares = sorted(found.final_shares.items(), key=lambda item: -item[1].value)[:2]
    return [
        what,
        f"{scenario.key}={scenario.value}",
        f"{title_of(best)} ({percent(found.win_probability[best])})",
        ", ".join(f"{title_of(name)} {percent(estimate.value)}" for name, estimate in shares),
    ]


def percent(value: float | None) -> str:
    """`57%`, `99.6%`; a dash for what has no number."""
    if value is None:
        return "–"
    return f"{100 * value:.1f}%" if 0 < value < 0.01 or 0.99 < value < 1 else f"{100 * value:.0f}%"


def _with(value: float, interval: tuple[float, float]) -> str:
    low, high = interval
    return f"{percent(value)} [{percent(low)}, {percent(high)}]"


def _estimate(found: SimulatedEstimate) -> str:
    return f"{percent(found.value)} [{percent(found.low)}, {percent(found.high)}]"


def _points(found: SimulatedEstimate) -> str:
    return f"{100 * found.value:+.1f} points [{100 * found.low:+.1f}, {100 * found.high:+.1f}]"
