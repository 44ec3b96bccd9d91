"""Formulas that a table names: each is there, and is called as the function itself."""

import pytest
import torch

from echochamber.formulas import advantages
from echochamber.formulas.by_name import Formula
from echochamber.rl import algorithms


def test_every_formula_of_the_algorithms_is_the_function_of_its_name():
    named = {key: value for key, value in vars(algorithms).items() if isinstance(value, Formula)}
    assert len(named) == 10
    for key, formula in named.items():
        assert formula.function.__name__ == formula.name == key


def test_a_formula_is_called_as_its_function_is():
    rewards = torch.tensor([[1.0, 0.0, 0.0]])
    assert torch.equal(Formula("advantages", "group_centred")(rewards), advantages.group_centred(rewards))


def test_equal_names_are_equal_formulas():
    assert Formula("losses", "token_ratio") == Formula("losses", "token_ratio")
    assert Formula("losses", "token_ratio") != Formula("losses", "sequence_ratio")


def test_an_unknown_name_is_an_error_at_the_first_call():
    with pytest.raises(AttributeError, match="no_such"):
        Formula("advantages", "no_such")(torch.zeros(1, 2))
