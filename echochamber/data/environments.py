"""Problems of environments: sets of reasoning-gym (extra `[gym]`), and those of a user's module."""

import dataclasses
import importlib
from collections.abc import Iterable, Iterator
from hashlib import sha256
from importlib.metadata import PackageNotFoundError, version

from ..core.environments import GYM, PREFIX, GymName, Row, environment, packed, parse_gym_name
from ..core.errors import UserError
from ..core.suggest import did_you_mean
from ..core.types import Problem

SHARES = {"train": 8, "dev": 1, "test": 1}
"""Tenths of all questions that a split has. A question's digest decides, so that no split shares one."""
SEED_STRIDE = 10**7
"""reasoning-gym draws task i from seed + i: seeds must lie further apart than tasks."""
TRIES = 60
"""Tasks that are drawn for one that is wanted, before a set counts as exhausted."""
PACKAGE = "reasoning-gym"


def is_environment(name: str) -> bool:
    """Whether a problem set's name means an environment."""
    return name.startswith((GYM, PREFIX))


def environment_label(name: str) -> str:
    """What such a set is called in tables and folders.

    >>> environment_label("gym:chain_sum?max_terms=3&p=0.5"), environment_label("env:mine")
    ('gym-chain_sum-max_terms=3-p=0,5', 'env-mine')
    """
    text = name.replace(":", "-", 1).replace("?", "-").replace("&", "-").replace(".", ",")
    return "".join(c if c.isalnum() or c in "-_=," else "_" for c in text)


def environment_identity(name: str) -> dict[str, object]:
    """What enters the fingerprint of such a set: options and the library's version.

    `UserError` where the set is not known or refuses its options.
    """
    if name.startswith(PREFIX):
        return {"environment": environment(name).name}
    parsed = parse_gym_name(name)
    _dataset(parsed, 1, 0)
    return {"gym": parsed.dataset, "options": parsed.options, "version": version(PACKAGE)}


def environment_problems(name: str, split: str, count: int, seed: int) -> list[Problem]:
    """`count` problems of a split, each with what its score needs; `UserError` where there are fewer.

    Problems of reasoning-gym are parted by the digest of their question and never repeat.
    """
    label = environment_label(name)
    if name.startswith(PREFIX):
        problems = list(_problems(name, label, split, environment(name).rows(split, count, seed)))[:count]
    else:
        rows = _of_split(_dataset(parse_gym_name(name), TRIES * count + 1000, seed), split)
        problems = [p for p, _ in zip(_problems(name, label, split, rows), range(count), strict=False)]
    if len(problems) < count:
        raise UserError(
            f"{name}: has {len(problems)} different questions in split {split!r}; {count} were asked for"
        )
    return problems


def _problems(name: str, label: str, split: str, rows: Iterable[Row]) -> Iterator[Problem]:
    for number, row in enumerate(rows):
        question, answer = row.get("question"), row.get("answer")
        if not isinstance(question, str) or not question.strip() or answer is None:
            raise UserError(f"{name}: task {number} has no text as 'question', or no 'answer'")
        try:
            entry = packed(row)
        except (TypeError, ValueError) as error:
            raise UserError(f"{name}: task {number} cannot be stored as JSON: {error}") from None
        yield Problem(
            f"{label}-{split}-{number}",
            question.strip(),
            str(answer),
            label,
            split,
            environment=name,
            entry=entry,
        )


def _of_split(rows: Iterable[Row], split: str) -> Iterator[Row]:
    """Rows whose question belongs to the split, without repetitions."""
    seen: set[str] = set()
    for row in rows:
        question = str(row["question"])
        if question not in seen and _split_of(question) == split:
            yield row
        seen.add(question)


def _split_of(question: str) -> str:
    place = int(sha256(question.encode("utf-8", "replace")).hexdigest(), 16) % sum(SHARES.values())
    for name, share in SHARES.items():
        if place < share:
            return name
        place -= share
    raise AssertionError("the shares cover every place")


def _dataset(name: GymName, size: int, seed: int) -> Iterable[Row]:
    try:
        version(PACKAGE)
        factory = importlib.import_module("reasoning_gym.factory")
        importlib.import_module("reasoning_gym")
    except (ImportError, PackageNotFoundError):
        raise UserError(f"{name}: reasoning-gym is not installed; install echochamber[gym]") from None
    known = factory.DATASETS
    if name.dataset not in known:
        raise UserError(
            f"{name}: reasoning-gym has no set {name.dataset!r}{did_you_mean(name.dataset, known)}; "
            f"there are {', '.join(sorted(known))}"
        )
    fields = [field.name for field in dataclasses.fields(known[name.dataset][1])]
    allowed = ", ".join(key for key in fields if key not in ("seed", "size")) or "none"
    unknown = [key for key in name.options if key not in fields]
    if unknown:
        raise UserError(
            f"{name}: {name.dataset} has no option {unknown[0]!r}{did_you_mean(unknown[0], fields)}; "
            f"there are {allowed}"
        )
    try:
        made: Iterable[Row] = factory.create_dataset(
            name.dataset, seed=seed * SEED_STRIDE, size=size, **name.options
        )
    except Exception as error:  # noqa: BLE001  (the library checks by assert, and by errors of many kinds)
        reason = str(error).split("\n")[0] or type(error).__name__
        raise UserError(
            f"{name}: reasoning-gym refuses these options: {reason}; there are {allowed}"
        ) from None
    return made
