"""A policy and a critic that are tables: the model of `simulate`, behind the interface of a decoder.

A completion is a sequence of simulated tokens: the choice of a behaviour, words that mean nothing, right or
wrong, such words again, and a last token that is one of some texts. So the code of `rl` computes advantages,
ratios, clipping, KL and averages over tokens of it as of any completion. Axes: B rows, T tokens,
N positions, P problems, F behaviours, V vocabulary, W words.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from ..model.attention_ranges import AttentionRanges
from ..model.config import ModelConfig
from ..model.critic import Critic
from ..model.decoder import Decoder

CHOICE, WORD, OUTCOME, LAST = range(4)
"""What is decided at a position."""
WORDS = 8
"""Equally likely tokens that no reward depends on. Their gradients are the noise of an update."""
SHARPENING_POWER = 0.5
"""Skill moves with this power of a behaviour's `sharpening`; chosen on the fleet's training half."""
_NEVER = -1e4
"""Logit of a token that cannot stand at a position; its probability is exactly 0."""


@dataclass(frozen=True)
class Gains:
    """How far an optimizer step at rate 1 moves a logit whose gradient is as large as noise. Fitted."""

    choice: float
    """Of a behaviour, for all problems alike."""
    choice_by_problem: float
    """Of a behaviour, for the problem that was trained on."""
    skill: float
    """Of a right answer, for all problems and behaviours alike."""
    skill_by_problem: float
    value: float
    """Of the critic."""


@dataclass(frozen=True)
class Vocabulary:
    """Simulated tokens: behaviours, wrong and right, words, texts, and one token per problem."""

    num_behaviours: int
    num_variants: int
    num_problems: int

    @property
    def wrong(self) -> int:
        """The token of a wrong answer; that of a right one is the next."""
        return self.num_behaviours

    @property
    def first_word(self) -> int:
        """The first of the tokens that decide nothing."""
        return self.num_behaviours + 2

    @property
    def first_variant(self) -> int:
        """The first of the last tokens."""
        return self.first_word + WORDS

    @property
    def first_problem(self) -> int:
        """The first prompt token, which no position predicts."""
        return self.first_variant + self.num_variants


@dataclass(frozen=True)
class Shape:
    """Simulated completions of each behaviour."""

    lengths: Int[np.ndarray, "F 2"]
    """Tokens of wrong and of right ones, at least 4."""
    outcome_at: Int[np.ndarray, " F"]
    """Index of the token that is right or wrong, between 1 and length - 2."""
    variants: Int[np.ndarray, " F"]
    """Number of last tokens, equally likely."""
    sharpening: Float[np.ndarray, " F"]
    """As in `BehaviourTable`."""
    words_of_variant: bool = False
    """Whether the words follow from the last token, so that equal variants are equal completions."""


class TablePolicy(Decoder):
    """Shares and accuracies per problem as softmax and logistic tables.

    A logit is the base's, plus a part that all problems share and one of the problem's own. Logits are those
    at temperature 1 that give the measured shares at `temperature`. A right answer's part is one number for
    all behaviours, times a power of each behaviour's sharpening.
    """

    def __init__(
        self,
        shares: Float[np.ndarray, "P F"],
        accuracies: Float[np.ndarray, "P F"],
        shape: Shape,
        gains: Gains,
        temperature: float,
    ) -> None:
        super().__init__()
        problems, behaviours = shares.shape
        self.words = Vocabulary(behaviours, int(shape.variants.max()), problems)
        self.config = ModelConfig(
            vocab_size=self.words.first_problem + problems,
            hidden_size=3,
            intermediate_size=1,
            num_layers=1,
            num_heads=1,
            num_kv_heads=1,
            head_dim=2,
        )
        self.gains, self.temperature, self.shape = gains, temperature, shape
        self.num_words = float((shares.mean(0) * (shape.lengths.mean(1) - 3)).sum())
        """Mean of words in a completion of the base."""
        self.slope = torch.from_numpy(shape.sharpening**SHARPENING_POWER).float()
        self.base_choice = torch.from_numpy(np.log(shares)).float()
        self.base_skill = torch.from_numpy(np.log(accuracies) - np.log1p(-accuracies)).float()
        self.outcome_at, self.variants = torch.from_numpy(shape.outcome_at), torch.from_numpy(shape.variants)
        self.lengths = torch.from_numpy(shape.lengths)
        self.choice = nn.Parameter(torch.zeros(behaviours))
        self.choice_by_problem = nn.Parameter(torch.zeros(problems, behaviours))
        self.skill = nn.Parameter(torch.zeros(1))
        self.skill_by_problem = nn.Parameter(torch.zeros(problems, behaviours))
        self.word = nn.Parameter(torch.zeros(WORDS))

    def hidden(
        self, token_ids: Int[Tensor, "B T"], ranges: AttentionRanges | None = None
    ) -> Float[Tensor, "B T 3"]:
        """(problem, behaviour or -1, what is decided) at each position of packed rows."""
        assert ranges is not None, "a table reads packed rows"
        columns = torch.arange(token_ids.shape[1]).expand_as(token_ids)
        inside, own = ranges.shared_end > ranges.shared_start, ranges.own_start.long()
        prompt = token_ids.gather(1, torch.where(inside, ranges.shared_start.long(), columns))
        problem = (prompt - self.words.first_problem).clamp(min=0)
        behaviour = token_ids.gather(1, own).clamp(max=self.words.num_behaviours - 1)
        predicted = columns - own + 1
        outcome_at = self.outcome_at[behaviour]
        outcome = token_ids.gather(1, (own + outcome_at).clamp(max=token_ids.shape[1] - 1))
        right = (outcome - self.words.wrong).clamp(0, 1)
        length = self.lengths[behaviour, right]
        kind = torch.full_like(columns, WORD)
        kind = torch.where(predicted == outcome_at, OUTCOME, kind)
        kind = torch.where((predicted > outcome_at) & (predicted == length - 1), LAST, kind)
        kind = torch.where(inside, kind, CHOICE)
        return torch.stack([problem, torch.where(inside, behaviour, -1), kind], dim=-1).float()

    def choice_logits(self) -> Float[Tensor, "P F"]:
        """Logits of the behaviours on every problem, at the sampling temperature."""
        return self.base_choice + (self.choice + self.choice_by_problem) / self.temperature

    def skill_logits(self) -> Float[Tensor, "P F"]:
        """Logits of a right answer, at the sampling temperature."""
        return self.base_skill + self.slope * (self.skill + self.skill_by_problem) / self.temperature

    def word_logits(self) -> Float[Tensor, " W"]:
        """Logits of words, at the sampling temperature."""
        return self.word / self.temperature

    def logits(self, hidden: Float[Tensor, "N D"]) -> Float[Tensor, "N V"]:
        """Logits over behaviours, outcome, words and last tokens; prompt tokens have no place."""
        problem, behaviour, kind = hidden.long().unbind(-1)
        words = self.words
        found = torch.full((len(hidden), words.first_problem), _NEVER)
        choosing, deciding = kind == CHOICE, kind == OUTCOME
        last = torch.arange(words.num_variants) < self.variants[behaviour.clamp(min=0)][:, None]
        variants = torch.where(last, 0.0, _NEVER)
        found[:, words.first_variant :] = torch.where((kind == LAST)[:, None], variants, _NEVER)
        rows = found.clone()
        rows[choosing, : words.num_behaviours] = self.choice_logits()[problem[choosing]]
        rows[kind == WORD, words.first_word : words.first_variant] = self.word_logits()
        skill = self.skill_logits()[problem[deciding], behaviour[deciding]]
        rows[deciding, words.wrong] = 0.0 * skill
        rows[deciding, words.wrong + 1] = skill
        return rows * self.temperature

    def weights(self) -> Mapping[str, Tensor]:
        """All parameters."""
        return self.state_dict()

    def freeze_head(self) -> None:
        """Nothing: there is no head."""


class TableCritic(Critic):
    """The expected reward before and after the choice of a behaviour; 0 at first, as a real critic's."""

    def __init__(self, num_behaviours: int, gain: float) -> None:
        super().__init__(3, None)
        self.gain = gain
        self.score = nn.Linear(1, num_behaviours + 1, bias=False)
        nn.init.zeros_(self.score.weight)

    def forward(self, states: Float[Tensor, "N D"]) -> Float[Tensor, " N"]:
        """Values of states of `TablePolicy`."""
        return self.gain * self.score.weight[:, 0][states[:, 1].long() + 1]
