"""The content of `bench.json`: what each comparison found, as plain data."""

from typing import Literal, NotRequired, TypedDict

ComparisonName = Literal["sampling", "training", "grpo"]


class Circumstances(TypedDict):
    """When it was measured and how busy the machine was."""

    date: str
    load: float
    """Processes that wanted to run, averaged over a minute."""
    cores: int
    libraries: dict[str, str]


class ContenderRow(TypedDict, total=False):
    """One program of a comparison; the figures are absent where it is `missing`."""

    label: str
    ours: bool
    versions: dict[str, str]
    missing: str
    """Why nothing was measured."""
    load_seconds: float
    seconds: list[float]
    tokens: list[int]
    median_seconds: float
    tokens_per_second: float | None
    ratio: float | None
    """How many times as fast we are; None in our own row."""


class Comparison(Circumstances):
    """All programs at the same work, ours first."""

    repeats: int
    rows: list[ContenderRow]


class Point(TypedDict):
    """One point of the growth curves."""

    work: str
    size: str
    batch: int
    length: int


class GrowthRow(Point):
    """A point and what was measured there."""

    parameters: int
    tokens_per_second: float
    seconds: list[float]
    flops_per_second: NotRequired[float]
    peak_share: NotRequired[float]


class Growth(Circumstances):
    """Our own cost as one factor grows."""

    peak_flops_per_second: float
    repeats: int
    rows: list[GrowthRow]


class Workload(TypedDict):
    """What the figures are about: the model's shape and the sizes of the work."""

    num_hidden_layers: int
    hidden_size: int
    num_attention_heads: int
    num_key_value_heads: int
    intermediate_size: int
    vocab_size: int
    dtype: str
    threads: int
    samples: int
    new_tokens: int
    grpo_prompts: int
    train_batch: list[int]
    prompts: int


class Results(TypedDict, total=False):
    """Everything that was measured in a folder; works that were not run are absent."""

    model: Workload
    sampling: Comparison
    training: Comparison
    grpo: Comparison
    growth: Growth
