"""The whole test run checks declared types and shapes: a planted violation of each kind is refused."""

import pytest
import torch
from beartype.roar import BeartypeCallHintViolation
from jaxtyping import TypeCheckError

from echochamber.core.random import key, uniforms
from echochamber.core.types import Verdict
from echochamber.formulas.advantages import group_centred
from echochamber.study.grid import GridConfig, matches


def test_a_wrong_type_is_refused():
    assert matches({"seed": 1}, {"seed": 1})
    with pytest.raises(BeartypeCallHintViolation):
        matches({"seed": 1}, ["seed"])
    with pytest.raises(BeartypeCallHintViolation):
        uniforms([key("a")], 0, 1)


def test_a_wrong_shape_is_refused():
    assert group_centred(torch.tensor([[1.0, 0.0]])).shape == (1, 2)
    with pytest.raises(TypeCheckError):
        group_centred(torch.tensor([1.0, 0.0]))


def test_a_method_and_a_field_of_a_dataclass_are_checked():
    with pytest.raises(BeartypeCallHintViolation):
        GridConfig().skips(seed=1.5)
    with pytest.raises(BeartypeCallHintViolation):
        Verdict("omi1", 18, "correct")
