"""The JSON data of the page, typed once: `page_data` builds it, the page's scripts read it.

Numbers are plain JSON numbers; null stands for what is not known. Shares and accuracies are
between 0 and 1.
"""

from typing import Any, NamedTuple, TypedDict

Curve = list[float | None]
"""One value per logged step."""
ScoreRowData = dict[str, Any]
"""A row of scores as in an evaluation's `summary.json`: `stored_files.ScoreRow` by its file names."""


class FormatData(TypedDict):
    """A format that some completion is written in."""

    name: str
    title: str
    """What a reader sees; empty where nobody gave one."""


class DenseData(TypedDict):
    """Training metrics as columns over the logged steps."""

    step: list[int]
    share: dict[str, Curve]
    """By format."""
    accuracy: dict[str, Curve]
    """By format."""
    metrics: dict[str, Curve]
    """By metric; the keys are those of `PageData.diagnostics`."""


class PretrainingData(TypedDict):
    """The loss of pretraining, in nats per token, over the tokens seen."""

    tokens: list[int | None]
    loss: Curve


class RunData(TypedDict):
    """One run: a base model and, where there is one, its RL."""

    id: str
    label: str
    """Of the group of runs that differ in their seed alone."""
    seed: int
    partial: bool
    """Its last stage is still being written."""
    status: str
    dense: DenseData
    checkpoints: list[ScoreRowData]
    null: dict[str, list[float]] | None
    """Format -> shares of the null model at the logged steps; None where it is not defined."""
    pretraining: PretrainingData
    complete: list[bool]
    """Per problem set: both ends are evaluated."""


class ArmScoreData(TypedDict):
    """A number of an arm before and after RL, over its finished seeds."""

    before: float | None
    after: float | None
    after_interval: list[float] | None
    direction: str
    """`up` or `down` where the change is clear, else `unclear`."""


class ArmData(TypedDict):
    """One row of the comparison of arms."""

    label: str
    seeds: int
    """That have both ends."""
    planned: int
    winners: dict[str, int]
    """Format -> finished seeds in which it is the most used one after RL."""
    null: float | None
    """What the null model gives the winners, mean over seeds."""
    k: int
    """Samples per problem of the score `pass@k`, for all arms alike; 1: there is no such score."""
    scores: dict[str, ArmScoreData]
    """By `share`, `accuracy` and `pass@k`; empty where an end is not evaluated."""


class ProblemData(TypedDict):
    """One problem whose completions the page carries."""

    problem_set: str
    split: str
    problem_id: str
    question: str | None
    reference: str | None
    family: str | None
    difficulty: int | None


class CompletionRow(NamedTuple):
    """One graded completion."""

    run: int
    """Index into `PageData.runs`."""
    source: int
    """0: evaluation; 1: training rollout."""
    problem: int
    """Index into `CompletionData.problems`."""
    step: int
    sample: int
    """-1: the greedy completion."""
    format: str
    outcome: str
    answer: str | None
    detail: str | None
    """What the grader noted, but for a box that says something else."""
    boxed: str | None
    """What the box says, where that is not the program's answer, which counts."""
    num_tokens: int | None
    truncated: bool | None
    text: str


class CountRow(NamedTuple):
    """How many sampled completions of one kind a checkpoint has, whether or not the page carries them."""

    run: int
    problem_set: str
    split: str
    step: int
    format: str
    outcome: str
    number: int


class CompletionData(TypedDict):
    """A sample of completions and complete counts. Rows are arrays in the order of their columns."""

    carried: list[int]
    """Indices of the runs whose completions are among `rows`; all, but in a study of very many runs."""
    problems: list[ProblemData]
    row_columns: tuple[str, ...]
    rows: list[CompletionRow]
    count_columns: tuple[str, ...]
    counts: list[CountRow]


class PageData(TypedDict):
    """Everything that the page's scripts draw."""

    formats: list[FormatData]
    """In order of display."""
    colors: dict[str, int]
    """Format -> index into the palette of the page, `--format-0` onwards in report.css."""
    sets: list[tuple[str, str]]
    """Evaluated (problem set, split), test splits first."""
    diagnostics: dict[str, str]
    """RL metric -> its title with unit."""
    runs: list[RunData]
    joined: dict[str, list[ScoreRowData]]
    """Label of a group of several seeds -> its checkpoints averaged, with intervals over seeds."""
    arms: list[list[ArmData]]
    """Per problem set of `sets`: every arm with RL, where there are several."""
    completions: CompletionData
