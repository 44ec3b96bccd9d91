"""Canonical structure: what counts as the same problem."""

from fractions import Fraction

from echochamber.core.types import Quantity, SolutionGraph, Step
from echochamber.data.world import WorldConfig
from echochamber.data.world.draft import Draft
from echochamber.data.world.families import FAMILIES
from echochamber.data.world.grow import grow
from echochamber.data.world.stream import stream
from echochamber.data.world.structure import digest, expression, pool_of, split_of


def graph(values: list[int], *steps: tuple[str, int, int]) -> SolutionGraph:
    draft = Draft()
    for value in values:
        draft.given("given", value)
    for op, left, right in steps:
        draft.step("step", op, left, right)  # type: ignore[arg-type]
    return draft.graph()


def test_sums_and_products_are_put_in_order() -> None:
    assert expression(graph([3, 5], ("+", 0, 1))) == expression(graph([5, 3], ("+", 0, 1))) == "(+ 3 5)"
    assert expression(graph([3, 5], ("*", 1, 0))) == "(* 3 5)"


def test_chains_of_one_sign_are_flattened() -> None:
    left = graph([3, 5, 2], ("+", 0, 1), ("+", 3, 2))
    right = graph([2, 3, 5], ("+", 1, 2), ("+", 0, 3))
    assert expression(left) == expression(right) == "(+ 2 3 5)"


def test_differences_keep_their_order() -> None:
    assert expression(graph([9, 4], ("-", 0, 1))) == "(- 9 4)"
    assert expression(graph([9, 4, 2], ("-", 0, 1), ("-", 3, 2))) != expression(
        graph([9, 4, 2], ("-", 1, 2), ("-", 0, 3))
    )


def test_products_inside_sums_are_not_flattened() -> None:
    assert expression(graph([6, 3, 4], ("*", 0, 1), ("-", 3, 2))) == "(- (* 3 6) 4)"
    assert expression(graph([6, 3, 4], ("*", 0, 1), ("-", 3, 2)), values=False) == "(- (* # #) #)"


def test_words_and_unused_numbers_play_no_part() -> None:
    plain = graph([6, 3], ("*", 0, 1))
    named = SolutionGraph(
        (
            Quantity("pens", Fraction(3), "pens", "Mia"),
            Quantity("noise", Fraction(99)),
            Quantity("boxes", Fraction(6)),
        ),
        (Step("all_pens", "*", 0, 2, Fraction(18)),),
    )
    assert digest(expression(plain)) == digest(expression(named))


def test_draft_and_graph_agree_on_the_structure() -> None:
    for index, family in enumerate(FAMILIES.values()):
        for operations in (1, 3, 6):
            drafts = (
                grow(family, operations, WorldConfig(), stream("agree", index, operations, i))
                for i in range(20)
            )
            for draft in filter(None, drafts):
                assert draft.expression() == expression(draft.graph())
                assert draft.expression(values=False) == expression(draft.graph(), values=False)


def test_split_shares() -> None:
    structures = [digest(str(i)) for i in range(20_000)]
    shares = {
        name: sum(split_of(s) == name for s in structures) / 20_000 for name in ("train", "dev", "test")
    }
    assert abs(shares["train"] - 0.8) < 0.02
    assert abs(shares["dev"] - 0.1) < 0.02
    pools = [pool_of(s) for s in structures]
    assert 0.02 < pools.count("overlap") / 20_000 < 0.04
    assert 0.02 < pools.count("overlap_clean") / 20_000 < 0.04
