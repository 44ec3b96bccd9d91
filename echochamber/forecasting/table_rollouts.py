"""Rollouts of a table policy: sampled, graded by the table, rewarded by the arm's own reward."""

from dataclasses import dataclass

import numpy as np
import torch

from ..core.keys import key
from ..core.random import generator
from ..core.types import Completion, Outcome, Problem, Verdict
from ..rl.config import RLConfig
from ..rl.problem_order import problems_of_step
from ..rl.targets import earned_rewards, has_signal
from ..rollout.collect import Collection, Rollout
from ..rollout.reward_value import Reward, WeightedReward
from ..rollout.rewards import reward_of
from .table_policy import WORDS, TablePolicy


@dataclass(frozen=True)
class TableSampler:
    """Samples the rollouts of a step from a table policy, as `rl.sampling` does from a model."""

    config: RLConfig
    policy: TablePolicy
    behaviours: tuple[str, ...]
    problems: list[Problem]
    """One per row of the table; its id is the row's number."""
    seed: int

    def step(self, step: int) -> Collection:
        """The graded rollouts of `step` (from 1): rounds of groups until enough carry signal."""
        config, sampled = self.config, None
        reward = reward_of(config.reward)
        for sampling_round in range(config.sampling_rounds):
            draw = (step - 1) * config.sampling_rounds + sampling_round + 1
            chosen = problems_of_step(self.problems, config.prompts_per_step, draw, self.seed)
            part = self._collect(chosen, draw, reward)
            sampled = part if sampled is None else sampled.joined(part)
            if has_signal(earned_rewards(sampled.rollouts), config.samples_per_prompt).sum() >= len(chosen):
                break
        assert sampled is not None
        return sampled

    @torch.no_grad()
    def _collect(self, chosen: list[Problem], draw: int, reward: Reward | WeightedReward) -> Collection:
        group = self.config.samples_per_prompt
        rows = np.array([int(problem.id) for problem in chosen]).repeat(group)
        choices = torch.log_softmax(self.policy.choice_logits(), dim=1).numpy()[rows]
        stream = generator("forecast rollouts", self.seed, draw)
        uniform = stream.random((len(rows), 3))
        draws = stream.random((len(rows), reward.num_draws)).tolist()
        edges = np.exp(choices).cumsum(1)[:, :-1]
        behaviour = (uniform[:, :1] >= edges).sum(1)
        skill = self.policy.skill_logits()[rows, behaviour]
        right = uniform[:, 1] < torch.sigmoid(skill).numpy()
        outcome_logprob = torch.nn.functional.logsigmoid(torch.where(torch.from_numpy(right), skill, -skill))
        variant = (uniform[:, 2] * self.policy.shape.variants[behaviour]).astype(int)
        longest = int(self.policy.shape.lengths.max())
        chosen_words = self._words(variant, stream.random((len(rows), longest)))
        word_logprobs = torch.log_softmax(self.policy.word_logits(), dim=0).numpy()[chosen_words]
        chances = choices[np.arange(len(rows)), behaviour]
        rollouts = []
        for index, row in enumerate(rows.tolist()):
            completion = self._completion(
                int(behaviour[index]),
                int(right[index]),
                int(variant[index]),
                (chosen_words[index], word_logprobs[index]),
                (float(chances[index]), float(outcome_logprob[index])),
            )
            outcome: Outcome = "correct" if right[index] else "wrong"
            verdict = Verdict(self.behaviours[int(behaviour[index])], None, outcome)
            problem = chosen[index // group]
            earned = reward.of(problem, completion, verdict, draws[index])
            prompt = (self.policy.words.first_problem + row,)
            rollouts.append(
                Rollout(problem, index % group, prompt, completion, verdict, earned.total, earned.parts)
            )
        return Collection(rollouts, group)

    def _words(self, variant: np.ndarray, uniform: np.ndarray) -> np.ndarray:
        """Words for every position of every completion, as numbers under `WORDS`."""
        if self.policy.shape.words_of_variant:
            return np.asarray((variant[:, None] + np.arange(uniform.shape[1])) % WORDS)
        edges = torch.softmax(self.policy.word_logits(), dim=0).numpy().cumsum()[:-1]
        return np.asarray((uniform[..., None] >= edges).sum(-1))

    def _completion(
        self,
        behaviour: int,
        right: int,
        variant: int,
        chosen_words: tuple[np.ndarray, np.ndarray],
        decided: tuple[float, float],
    ) -> Completion:
        """`chosen_words`: words and their log-probabilities, at least as many as the completion has.

        `decided`: log-probabilities of the choice and of the outcome.
        """
        words, shape = self.policy.words, self.policy.shape
        length, at = int(shape.lengths[behaviour, right]), int(shape.outcome_at[behaviour])
        texts, chances = (part[: length - 2].tolist() for part in chosen_words)
        ids = [behaviour, *(words.first_word + word for word in texts), words.first_variant + variant]
        logprobs = [decided[0], *chances, -float(np.log(shape.variants[behaviour]))]
        ids[at], logprobs[at] = words.wrong + right, decided[1]
        return Completion("", tuple(ids), tuple(logprobs), truncated=False)


def table_problems(number: int) -> list[Problem]:
    """Problems without text, one per row of a table."""
    return [Problem(str(index), "", "") for index in range(number)]


def simulation_seed(name: str, number: int) -> int:
    """A seed of its own for each simulation."""
    return key("forecast", name, number) % 2**31
