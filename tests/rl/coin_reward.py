"""What a coin reward does to the expected length, in exact expectation over a policy that can be listed.

A batch is one problem with three completions over {EOS, a, b}: 343 batches, each with all eight outcomes of
three coins. The real `estimate`, `token_losses`, `averaging` and `whiten` give each batch's first update.
`python -m tests.rl.coin_reward` writes the tables into docs/algorithms.md.
"""

import itertools
import re
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import torch
from torch import Tensor

from echochamber.core.types import Completion, Problem, Verdict
from echochamber.formulas.advantages import STD_EPS, whiten
from echochamber.rl.averaging import averaging
from echochamber.rl.config import RLConfig
from echochamber.rl.learner import Learner
from echochamber.rl.targets import estimate
from echochamber.rl.update import token_losses
from echochamber.rl.update_stats import UpdateStats
from echochamber.rollout.batch import batches
from echochamber.rollout.collect import Collection, Rollout

from .enumerated import (
    EOS,
    LIMIT,
    PROMPT,
    SEQUENCES,
    gradient,
    learner_for,
    runtime,
    sequence_logps,
    token_logps,
)

SAMPLES = 3
"""Completions of a batch, all of one problem."""
BATCHES = list(itertools.product(range(len(SEQUENCES)), repeat=SAMPLES))
COINS = list(itertools.product((0.0, 1.0), repeat=SAMPLES))
LENGTHS = torch.tensor([len(s) for s in SEQUENCES])
MASK = torch.arange(LIMIT) < LENGTHS[:, None]
"""(7, T) tokens of each completion."""
KL = {
    "reward": {"coef": 0.1, "estimator": "k1", "place": "reward"},
    "both": {"coef": 0.1, "estimator": "exact", "place": "both"},
}
"""Places at which the KL enters the advantages."""
MANY = 10**6
"""Batches of a large step."""
ZERO = 1e-4
"""A push under this multiple of the length's gradient counts as none (float32 arithmetic)."""


@dataclass(frozen=True)
class Case:
    """One line of the table."""

    label: str
    settings: dict[str, object] = field(default_factory=dict)
    warm: float = 0.0
    """The critic's value before every token, over the coin's mean; a fresh critic has 0."""

    def config(self, kl: str = "") -> RLConfig:
        """The arm, with a KL penalty at that place."""
        penalty = {"kl": KL[kl] | {"allow_biased": True}} if kl else {}
        return RLConfig.model_validate(
            {"samples_per_prompt": SAMPLES, "max_new_tokens": LIMIT} | self.settings | penalty
        )


@dataclass(frozen=True)
class Push:
    """The expected update, descending the loss, against the gradient of the expected length."""

    cosine: float
    share: float
    """The update along that gradient, as a multiple of it. A reward of -0.1 per token has -0.1 in RLOO."""

    @property
    def moves(self) -> bool:
        """Whether the expected length changes."""
        return abs(self.share) > ZERO


def push(case: Case, rate: float, large: bool, kl: str = "") -> Push:
    """The push of a coin that pays with chance `rate`.

    `large`: a step of many batches, whose counts, mean and spread are those of the population. With `kl`
    the coin's part of the update alone, at the scale that the whole update has.
    """
    config = case.config(kl)
    learner, counted, part, whole = _prepared(case, kl, case.warm * rate)
    chances = _chances(learner, rate)
    if config.whitened:
        part = _whiten_all(part, whole, chances) if large else _whiten_each(part, whole)
    weights = _weights(config, learner, counted, chances if large else None)
    per_token = torch.zeros(len(SEQUENCES), LIMIT)
    index = torch.tensor(BATCHES).repeat_interleave(len(COINS), 0)
    per_token.index_put_((index,), chances[:, None, None] * weights * part, accumulate=True)
    expected = gradient(learner.policy, -(_unit_losses(learner, case.config()) * per_token).sum())
    longer = gradient(learner.policy, (sequence_logps(learner.policy).exp() * LENGTHS).sum())
    along = float(expected @ longer / longer.norm())
    return Push(along / max(float(expected.norm()), 1e-12), along / float(longer.norm()))


_PREPARED: dict[tuple[str, str, float], tuple[Learner, Tensor, Tensor, Tensor]] = {}


def _prepared(case: Case, kl: str, value: float) -> tuple[Learner, Tensor, Tensor, Tensor]:
    """(learner, counted, the coin's part of the advantages, all of them); once per arm, as they take long."""
    key = case.label, kl, value
    if key not in _PREPARED:
        learner = learner_for(case.config(kl))
        counted, part = advantages(learner, case.config(), value)
        whole = advantages(learner, case.config(kl), value)[1] if kl else part
        _PREPARED[key] = learner, counted, part, whole
    return _PREPARED[key]


def advantages(learner: Learner, config: RLConfig, value: float) -> tuple[Tensor, Tensor]:
    """(counted (N, G), advantages before whitening (N, G, T)) of all N batches and coins, by `estimate`."""
    plain = config.model_copy(update={"loss": config.loss.model_copy(update={"whiten": False})})
    if learner.critic is not None:
        torch.nn.init.zeros_(learner.critic.score.weight)
        torch.nn.init.constant_(learner.critic.score.bias, value)
        # A critic compares no completion with another, so each (completion, coin) is estimated once.
        pairs = [((i,), (coin,)) for i in range(len(SEQUENCES)) for coin in (0.0, 1.0)]
        counted, found = _estimated(learner, plain, pairs)
        where = torch.tensor([[2 * i + int(c) for i, c in zip(b, f, strict=True)] for b, f in _all()])
        return counted[where, 0], found[where, 0]
    return _estimated(learner, plain, _all())


def _all() -> list[tuple[tuple[int, ...], tuple[float, ...]]]:
    return list(itertools.product(BATCHES, COINS))


def _estimated(
    learner: Learner, config: RLConfig, listed: list[tuple[tuple[int, ...], tuple[float, ...]]]
) -> tuple[Tensor, Tensor]:
    rollouts, group = _rollouts(learner, listed), len(listed[0][0])
    targets = estimate(learner, Collection(rollouts, group), config, runtime())
    found = torch.stack(
        [torch.nn.functional.pad(row, (0, LIMIT - len(row))) for row in targets.columns["advantages"]]
    )
    return torch.from_numpy(targets.counted).view(-1, group), found.view(-1, group, LIMIT)


def _rollouts(learner: Learner, listed: list[tuple[tuple[int, ...], tuple[float, ...]]]) -> list[Rollout]:
    """The batches as the sampler would hand them over; each is a problem of its own."""
    logps = [row.detach().tolist() for row in token_logps(learner.policy)]
    made = [
        Completion("", ids, tuple(row), ids[-1] != EOS) for ids, row in zip(SEQUENCES, logps, strict=True)
    ]
    verdict = Verdict("other", None, "wrong")
    problems = [Problem(str(number), "", "1") for number in range(len(listed))]
    return [
        Rollout(problem, sample, PROMPT, made[i], verdict, coin)
        for problem, (batch, coins) in zip(problems, listed, strict=True)
        for sample, (i, coin) in enumerate(zip(batch, coins, strict=True))
    ]


def _masks() -> Tensor:
    """(N, G, T)"""
    return MASK[torch.tensor(BATCHES)].repeat_interleave(len(COINS), 0)


def _whiten_each(part: Tensor, whole: Tensor) -> Tensor:
    """The part of each batch's whitened advantages; it is the whole where there is no other part."""
    if part is whole:
        return torch.stack([whiten(row, mask) for row, mask in zip(whole, _masks(), strict=True)])
    mask = _masks()
    count = mask.sum((1, 2), keepdim=True)

    def centred(values: Tensor) -> Tensor:
        return torch.where(mask, values - values.sum((1, 2), keepdim=True) / count, 0.0)

    std = (centred(whole).square().sum((1, 2), keepdim=True) / (count - 1)).sqrt()
    return torch.where(std > STD_EPS, centred(part) / (std + STD_EPS), 0.0)


def _whiten_all(part: Tensor, whole: Tensor, chances: Tensor) -> Tensor:
    """The same with mean and spread of the population of tokens."""
    mask = _masks()
    weights = mask * chances[:, None, None] / (mask * chances[:, None, None]).sum()
    std = ((weights * whole.square()).sum() - (weights * whole).sum().square()).sqrt()
    return torch.where(mask, (part - (weights * part).sum()) / std.clamp(min=STD_EPS), 0.0)


def _weights(config: RLConfig, learner: Learner, counted: Tensor, chances: Tensor | None) -> Tensor:
    """(N, G, T) weight of each token's loss in the scalar loss of its batch, by the real `averaging`.

    With `chances` the counts are their expectations, as in a step of many batches.
    """
    name, masks = config.loss.average or learner.algorithm.average, _masks()
    fitted = masks & counted[:, :, None]
    tokens, rows = fitted.sum((1, 2)), counted.sum(1)
    if chances is not None:
        tokens, rows = (
            (MANY * (chances * values).sum()).round().long().expand(len(chances)) for values in (tokens, rows)
        )

    @cache
    def weights(lengths: tuple[int, ...], num_tokens: int, num_rows: int) -> Tensor:
        mask = torch.arange(LIMIT) < torch.tensor(lengths)[:, None]
        values = torch.zeros(SAMPLES, LIMIT, requires_grad=True)
        average, denominator = averaging(name, num_tokens, num_rows, LIMIT)
        # A sum over all rows: those that are not fitted have no part in the loss.
        return torch.autograd.grad(average(values, mask, 1.0), values)[0] / max(denominator, 1)

    lengths = masks.sum(2).tolist()
    found = [weights(tuple(a), b, c) for a, b, c in zip(lengths, tokens.tolist(), rows.tolist(), strict=True)]
    return torch.stack(found) * fitted * (1 if chances is None else MANY)


def _unit_losses(learner: Learner, config: RLConfig) -> Tensor:
    """(7, T) loss of each token with advantage 1, at the ratio 1 that it has before any update."""
    rollouts = _rollouts(learner, [((i,), (0.0,)) for i in range(len(SEQUENCES))])
    columns: dict[str, list[Tensor]] = {
        "advantages": [torch.ones(len(s)) for s in SEQUENCES],
        "old_logprobs": [torch.tensor(r.completion.logprobs) for r in rollouts],
        "old_values": [torch.zeros(len(s)) for s in SEQUENCES],
        "returns": [torch.zeros(len(s)) for s in SEQUENCES],
    }
    (batch,) = batches(rollouts, columns, 10**6)
    return token_losses(learner, batch, config, runtime(), UpdateStats())[0]


def _chances(learner: Learner, rate: float) -> Tensor:
    """(N,) probability of each batch and its coins."""
    logps = sequence_logps(learner.policy).detach()
    heads = torch.tensor(COINS)
    flips = (heads * rate + (1 - heads) * (1 - rate)).prod(1)
    return (logps[torch.tensor(BATCHES)].sum(1).exp()[:, None] * flips).flatten()


def _ppo(lam: float, label: str = "", warm: float = 0.0, **loss: object) -> Case:
    settings = {"algorithm": "ppo", "critic": {"lam": lam}, "loss": loss}
    return Case(f"`ppo`, lambda {lam:g}{label}", settings, warm)


def _row(name: str) -> Case:
    return Case(f"`{name}`", {"algorithm": name})


CASES = (
    _ppo(0.95),
    _ppo(0.95, ", critic at the mean reward", warm=1.0),
    _ppo(1.0),
    _ppo(1.0, ", `whiten: false`", whiten=False),
    _ppo(1.0, ", `whiten: false`, `average: sum`", whiten=False, average="sum"),
    *map(_row, ("grpo", "dr_grpo", "dapo", "gspo", "rloo", "reinforce")),
    Case(
        "`reinforce` as in `paper-reinforce`",
        {"algorithm": "reinforce", "loss": {"whiten": True, "average": "tokens"}},
    ),
    _row("expert_iteration"),
    _row("best_of_n"),
)
"""Every algorithm that samples; `sft` has no reward."""
WITH_KL = (_ppo(0.95), _ppo(1.0))
LAMBDAS, WARM = (0.5, 0.9, 0.95, 0.99, 1.0), (0.0, 0.5, 0.9, 1.0)
RATES = (0.5, 0.2)
"""Chances of the coin."""
COLUMNS = [f"{step}, rate {rate:g}" for step in ("step of 3", "large step") for rate in RATES]
TABLES = ("coin", "coin-kl", "coin-lambda")


def text(found: Push) -> str:
    """`-1.00, 0.134`: cosine, and how much of the length's gradient; 0 where the length stays."""
    return f"{found.cosine:+.2f}, {abs(found.share):.3f}" if found.moves else "0"


def table(name: str) -> list[list[str]]:
    """Header and rows of one table: all rows; places of the KL; PPO over lambda and the critic's values."""
    steps = [(large, rate) for large in (False, True) for rate in RATES]
    if name == "coin":
        rows = [[case.label, *(text(push(case, rate, large)) for large, rate in steps)] for case in CASES]
        return [["row", *COLUMNS], *rows]
    if name == "coin-kl":
        rows = [
            [case.label, f"`{kl}`", *(text(push(case, rate, large, kl)) for large, rate in steps)]
            for case in WITH_KL
            for kl in KL
        ]
        return [["row", "`kl.place`", *COLUMNS], *rows]
    rows = [[f"{lam:g}", *(text(push(_ppo(lam, warm=warm), 0.5, True)) for warm in WARM)] for lam in LAMBDAS]
    return [["lambda", *(f"critic at {warm:g} of the mean" for warm in WARM)], *rows]


def markdown(rows: list[list[str]]) -> str:
    """The table as it stands in the page."""
    lines = [f"| {' | '.join(row)} |" for row in rows]
    return "\n".join([lines[0], "|---" * len(rows[0]) + "|", *lines[1:]])


def block(name: str) -> re.Pattern[str]:
    """Where a table stands in the page."""
    return re.compile(rf"(<!-- table: {name} -->\n)(.*?)(<!-- end -->)", re.DOTALL)


if __name__ == "__main__":
    page = Path(__file__).parents[2] / "docs" / "algorithms.md"
    written = page.read_text(encoding="utf-8")
    for one in TABLES:
        lines = markdown(table(one))
        written = block(one).sub(lambda found, lines=lines: found[1] + lines + "\n" + found[3], written)
    page.write_text(written, encoding="utf-8")
