"""Strict config: unknown keys and bad values are named with what is allowed."""

from typing import ClassVar, Self

import pytest
from pydantic import Field, model_validator

from echochamber.core.config import Config, Count, apply_overrides, read_yaml
from echochamber.core.errors import UserError


class Inner(Config):
    """A block."""

    lr: float = Field(default=1e-3, ge=0)


class Outer(Config):
    """A block that holds blocks."""

    tokens: Count = 10
    inner: Inner = Inner()
    arms: dict[str, Inner] = {}


@pytest.mark.parametrize(
    ("text", "value"), [("5M", 5_000_000), ("60K", 60_000), ("1.5k", 1500), (7, 7), ("12", 12)]
)
def test_counts_take_units(text, value):
    assert Outer.parse({"tokens": text}, "here").tokens == value


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ({"inner": {"learning_rate": 1}}, ["inner.learning_rate", "known keys here: lr"]),
        ({"arms": {"a": {"x": 1}}}, ["arms.a.x", "lr"]),
        ({"tokens": "many"}, ["tokens", "'many'"]),
        ({"inner": {"lr": -1}}, ["inner.lr", "-1", "greater than or equal to 0"]),
        ({"typo": 3}, ["typo", "arms, inner, tokens"]),
    ],
)
def test_errors_name_key_value_and_what_is_allowed(data, words):
    with pytest.raises(UserError) as caught:
        Outer.parse(data, "study.yaml")
    message = str(caught.value)
    assert "\n" not in message
    assert all(word in message for word in ["study.yaml", *words]), message


class Ordered(Config):
    """A block whose first mistake may cause the others, and whose parts must fit each other."""

    told_alone: ClassVar[frozenset[str]] = frozenset({"low"})
    low: int = 0
    high: int = 9

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.low > self.high:
            raise ValueError(f"low {self.low} is above high {self.high}")
        return self


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ({"low": 3, "high": 2}, "study.yaml: low 3 is above high 2"),
        ({"low": "a", "high": "b"}, "study.yaml: key 'low' has value 'a': input should be a valid integer"),
    ],
)
def test_a_mistake_is_told_without_the_whole_block_and_without_what_follows(data, said):
    with pytest.raises(UserError) as caught:
        Ordered.parse(data, "study.yaml")
    assert str(caught.value).startswith(said)
    assert "high" not in str(caught.value).removeprefix(said)


def test_a_block_that_does_not_fit_is_named_by_its_key():
    class Around(Config):
        """Holds one."""

        range: Ordered = Ordered()

    with pytest.raises(UserError, match=r"^x: key 'range': low 3 is above high 2$"):
        Around.parse({"range": {"low": 3, "high": 2}}, "x")


def test_overrides_are_yaml_and_later_ones_win():
    data = {"inner": {"lr": 1.0}, "seeds": [0]}
    changed = apply_overrides(data, ["inner.lr=2", "seeds=[1, 2]", "new.deep.key=text", "inner.lr=3.0e-4"])
    assert changed == {"inner": {"lr": 3e-4}, "seeds": [1, 2], "new": {"deep": {"key": "text"}}}
    assert data == {"inner": {"lr": 1.0}, "seeds": [0]}


@pytest.mark.parametrize(
    ("override", "word"),
    [("seeds", "KEY=VALUE"), ("seeds.0=1", "seeds"), ("a=[1", "YAML"), ("=3", "KEY=VALUE")],
)
def test_bad_overrides_are_named(override, word):
    with pytest.raises(UserError, match=word):
        apply_overrides({"seeds": [0]}, [override])


def test_a_file_that_is_no_mapping(tmp_path):
    path = tmp_path / "list.yaml"
    path.write_text("- 1\n- 2\n")
    with pytest.raises(UserError, match="list, expected a mapping"):
        read_yaml(path)
    with pytest.raises(UserError, match="cannot be read"):
        read_yaml(tmp_path / "none.yaml")


@pytest.mark.parametrize(("text", "said"), [("?", "key None is NoneType"), ("off: 1", "key False is bool")])
def test_a_key_that_yaml_reads_as_no_text(tmp_path, text, said):
    path = tmp_path / "odd.yaml"
    path.write_text(text)
    with pytest.raises(UserError, match=f"{said}, expected text; put it in quotes"):
        read_yaml(path)


def test_numbers_without_a_dot_are_numbers_too():
    """YAML 1.1 reads 3e-4 as text; the schema makes it the number that was meant."""
    assert Inner.parse(apply_overrides({}, ["lr=3e-4"]), "here").lr == 3e-4


def test_a_new_key_at_its_default_is_no_part_of_an_identity():
    class Leaf(Config):
        old: int = 1
        new: str = "plain"
        added: ClassVar[frozenset[str]] = frozenset({"new"})

    class Tree(Config):
        leaves: dict[str, Leaf] = {}

    tree = Tree(leaves={"a": Leaf(), "b": Leaf(new="other")})
    assert tree.identity() == {"leaves": {"a": {"old": 1}, "b": {"old": 1, "new": "other"}}}
    assert tree.resolved() == {"leaves": {"a": {"old": 1, "new": "plain"}, "b": {"old": 1, "new": "other"}}}
    assert Tree.parse(tree.identity(), "here") == tree
