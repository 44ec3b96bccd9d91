"""GRPO with an entropy bonus: a further term of the loss, COEF times the negative entropy of each token."""

from dataclasses import replace

from torch import Tensor

from echochamber.formulas.logprobs import token_entropy
from echochamber.rl.algorithms import algorithm_row, register_algorithm
from echochamber.rl.loss_terms import LossInputs

COEF = 0.01


def entropy_bonus(inputs: LossInputs) -> Tensor:
    """-COEF times the entropy of the policy at each completion token, (B, T), in nats."""
    return -COEF * inputs.from_logits(lambda logits: token_entropy(logits, inputs.temperature))


register_algorithm(replace(algorithm_row("grpo"), name="grpo_entropy", loss_terms=(entropy_bonus,)))
