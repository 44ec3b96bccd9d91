"""The one grader agrees with the world.

Right renderings are right in every step, and planted mistakes are found.
"""

from echochamber.data.noise import mistake
from echochamber.data.styles import STYLES, StyleKnobs, render
from echochamber.data.world import FAMILIES, WorldConfig, draw_problem
from echochamber.data.world.stream import stream
from echochamber.verify.grade import Grader

KNOBS = StyleKnobs(
    docstring=0.5,
    comments=0.5,
    named_givens=0.5,
    short_names=0.3,
    generic_names=0.3,
    stepwise=0.7,
    latex=0.5,
    spaced=0.5,
)


def test_right_and_wrong_solutions_of_every_family_and_style_are_told_apart() -> None:
    right, wrong = [], []
    for place, family in enumerate(FAMILIES):
        problem = draw_problem(WorldConfig(families=(family,), operations=(2, 5)), 0, "dev", place)
        for style in STYLES:
            source = stream("graded", place, style)
            right.append((problem, render(problem, style, source, KNOBS)))
            wrong.append(
                (problem, render(problem, style, source, KNOBS, graph=mistake(problem.graph, style, source)))
            )
    with Grader() as grader:
        verdicts = grader.grade_batch(right + wrong)
    formats = list(STYLES) * (2 * len(FAMILIES))
    assert [verdict.format for verdict in verdicts] == formats
    expected = ["right_steps"] * len(right) + ["wrong_steps"] * len(wrong)
    assert [verdict.process for verdict in verdicts] == expected
    assert [verdict.outcome for verdict in verdicts] == ["correct"] * len(right) + ["wrong"] * len(wrong)


def test_short_and_generic_names_never_collide() -> None:
    """`start` and `start_2`, or `apples_sold` (as), must not become one variable or a word of Python."""
    problems = [draw_problem(WorldConfig(operations=(5, 8)), 0, "dev", place) for place in range(150)]
    for knobs in (StyleKnobs(docstring=0, short_names=1), StyleKnobs(docstring=0, generic_names=1)):
        with Grader() as grader:
            verdicts = grader.grade_batch(
                [(p, render(p, "tinygsm", stream("names", i), knobs)) for i, p in enumerate(problems)]
            )
        assert [(v.outcome, v.process) for v in verdicts] == [("correct", "right_steps")] * len(problems)
