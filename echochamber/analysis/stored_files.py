"""The JSON files that the analyses read, typed once: fields, defaults, and their validation.

A key that is absent or null takes its default, so that files of earlier versions stay readable. Keys
that no analysis reads are ignored. Values are never converted: `"3"` is no number.
"""

from typing import Annotated, Any, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator


class StoredFile(BaseModel):
    """Base of all: types are strict, further keys are ignored, null means absent."""

    model_config = ConfigDict(strict=True, frozen=True, extra="ignore", populate_by_name=True)

    @model_validator(mode="before")
    @classmethod
    def _without_nulls(cls, data: object) -> object:
        return (
            {key: value for key, value in data.items() if value is not None} if type(data) is dict else data
        )

    @classmethod
    def read(cls, data: object) -> Self:
        """The typed file; raises `ValueError` with one line that names the first bad key."""
        try:
            return cls.model_validate(data)
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            place = ".".join(str(part) for part in first["loc"])
            raise ValueError(f"{place}: {first['msg']}" if place else first["msg"]) from None


class MixtureSettings(StoredFile):
    """A mixture in the recipe, as far as the analyses read it."""

    sources: dict[str, dict[str, object] | None] = {}


class RecipeParts(StoredFile):
    """The parts of the resolved recipe that the analyses read."""

    rl: dict[str, dict[str, object] | None] = {}
    mixtures: dict[str, MixtureSettings | None] = {}
    claims: list[int | str] = []
    behaviours: dict[str, object] = {}
    scope: str = ""


def _checked_recipe(recipe: dict[str, object]) -> dict[str, object]:
    RecipeParts.model_validate(recipe)
    return recipe


class StageEntry(StoredFile):
    """One stage in `study.json`."""

    id: str
    kind: str = ""
    fingerprint: str = ""
    folder: str = ""
    """Where its artifact lies; empty: the usual place."""
    mixture: str = ""
    size: str = ""
    arm: str = ""
    seed: int | None = None
    parents: list[str] = []
    status: str = "pending"
    seconds: float | None = None
    error: str = ""
    evaluation: str = ""
    """Name of a further evaluation; empty for the study's own."""
    from_step: int | None = None


class OwnFormat(StoredFile):
    """A format that is not shipped, or a tracked trait, in `study.json`."""

    name: str
    title: str = ""


class StudyFile(StoredFile):
    """`study.json`."""

    name: str = ""
    question: str = ""
    notes: list[str] = []
    recipe: Annotated[dict[str, Any], AfterValidator(_checked_recipe)] = {}
    code_version: str = ""
    criteria: dict[str, object] = {}
    algorithms: dict[str, dict[str, object]] = {}
    """Name -> how the algorithm weighs rewards; absent in studies that were written before this key."""
    commands: list[str] = []
    own_formats: list[OwnFormat] = []
    """In order of registration; absent in studies that were written before this key."""
    traits: list[OwnFormat] = []
    """Tracked traits; absent without any."""
    nodes: list[StageEntry]

    def format_titles(self) -> dict[str, str]:
        """Name -> title of the own formats; without the key, the names of the recipe's twins."""
        if self.own_formats:
            return {row.name: row.title for row in self.own_formats}
        behaviours = self.recipe.get("behaviours") or {}
        return {
            name: ""
            for name, own in behaviours.items()
            if not (isinstance(own, dict) and own.get("kind") == "trait")
        }

    def trait_titles(self) -> dict[str, str]:
        """Name -> title of the tracked traits."""
        return {row.name: row.title for row in self.traits}


class ManifestFile(StoredFile):
    """What the analyses read of an artifact's `manifest.json`."""

    code_version: str = ""
    libraries: dict[str, str] = {}
    files: dict[str, Annotated[tuple[int, str], Field(strict=False)]] = {}
    """Path -> (bytes, SHA-256); empty in manifests from before checksums."""


class Intervals(StoredFile):
    """The 95% intervals of a row of scores, each `[low, high]` or null."""

    model_config = ConfigDict(extra="allow")

    pass_at_k: dict[str, list[float] | None] = Field(default={}, alias="pass@k")
    maj_at_k: dict[str, list[float] | None] = Field(default={}, alias="maj@k")
    formats: dict[str, dict[str, list[float] | None] | None] = {}
    traits: dict[str, dict[str, list[float] | None] | None] = {}


class ScoreRow(StoredFile):
    """One checkpoint on one problem set in an evaluation's `summary.json`; further keys are kept."""

    model_config = ConfigDict(extra="allow")

    step: int
    problem_set: str = ""
    split: str = ""
    accuracy: float | None = None
    greedy_accuracy: float | None = None
    pass_at_k: dict[str, float | None] = Field(default={}, alias="pass@k")
    maj_at_k: dict[str, float | None] = Field(default={}, alias="maj@k")
    formats: dict[str, dict[str, float | None] | None]
    traits: dict[str, dict[str, float | None] | None] = {}
    intervals: Intervals = Intervals()

    def as_row(self) -> dict[str, Any]:
        """The row as plain data under the names of the file; `traits` only where some are tracked."""
        row = self.model_dump(by_alias=True)
        for block in (row, row["intervals"]):
            if not block["traits"]:
                del block["traits"]
        return row


class SimulatedRange(StoredFile):
    """Mean over simulated runs, and the range that holds them."""

    value: float
    low: float
    high: float


class SimulatedForecast(StoredFile):
    """`forecast.json` of an arm: either `reason`, why there is no forecast, or the rest."""

    reason: str = ""
    problem_set: str = ""
    runs: int = 0
    win_probability: dict[str, float] = {}
    final_shares: dict[str, SimulatedRange] = {}
    accuracy_after: SimulatedRange | None = None
    warnings: list[str] = []


class ContaminationRow(StoredFile):
    """Problems of one set that were found in one source."""

    problem_set: str = ""
    problems: int | None = None
    problems_found: int | None = None
    documents: int | None = None
    too_short_to_check: int | None = None
    dropped: bool = False
    examples: list[str] = []


class StoredSourcePlan(StoredFile):
    """One source of a mixture's plan: what was asked for and what was obtained."""

    name: str = ""
    asked: str = ""
    documents_asked: int | float | None = None
    documents_available: int | None = None
    documents_obtained: int | None = None
    tokens_asked: int | float | None = None
    tokens_obtained: int = 0
    solution_tokens_obtained: int | None = None
    passes: int | float | None = None
    contamination: list[ContaminationRow] = []


class PlanFile(StoredFile):
    """`plan.json` of a mixture's shards."""

    sources: list[StoredSourcePlan] = []


class BaselineScore(StoredFile):
    """Share of the problems that a shallow baseline solves."""

    share: float
    interval: list[float] = Field(min_length=2, max_length=2)


class BaselineScores(StoredFile):
    """Both baselines."""

    fixed_expression: BaselineScore
    nearest_question: BaselineScore


class ShortcutScores(StoredFile):
    """What two shallow baselines solve of one problem set."""

    train_questions: int | None = None
    problems: int | None = None
    scores: BaselineScores


class MixtureShortcuts(StoredFile):
    """`surface.json` of a mixture: the same per problem set.

    None where no training question has an answer.
    """

    sets: dict[str, ShortcutScores | None]

    @model_validator(mode="before")
    @classmethod
    def _by_set(cls, data: object) -> object:
        return (
            {"sets": {name: scores or None for name, scores in data.items()}} if type(data) is dict else data
        )
