"""Wrong solutions: wrong for sure, consistent afterwards, at the asked rate."""

from fractions import Fraction

import pytest

from echochamber.data.noise import MISTAKES, mistake, noisy_graph, systematic_cells
from echochamber.data.source_config import NoiseConfig
from echochamber.data.styles import STYLES, render
from echochamber.data.world import WorldConfig, draw_problem
from echochamber.data.world.draft import apply
from echochamber.data.world.stream import stream

WORLD = WorldConfig()
PROBLEMS = [draw_problem(WORLD, 0, "train", index) for index in range(200)]


@pytest.mark.parametrize("style", STYLES)
def test_a_mistake_always_changes_the_answer(style: str) -> None:
    for index, problem in enumerate(PROBLEMS):
        wrong = mistake(problem.graph, style, stream("m", index))
        assert wrong.steps[-1].value != problem.graph.steps[-1].value
        assert all(step.value > 0 for step in wrong.steps)


@pytest.mark.parametrize("name", [name for name in MISTAKES if name != "slip"])
def test_steps_follow_from_the_mistake(name: str) -> None:
    made = 0
    for index, problem in enumerate(PROBLEMS):
        wrong = MISTAKES[name](problem.graph, stream(name, index))
        if wrong is None:
            continue
        made += 1
        for step in wrong.steps:
            assert step.value == apply(step.op, wrong.node(step.left).value, wrong.node(step.right).value)
    assert made > 60


def test_a_slip_is_one_wrong_result_and_no_more() -> None:
    made = 0
    for index, problem in enumerate(PROBLEMS):
        wrong = MISTAKES["slip"](problem.graph, stream("slip", index))
        if wrong is None:
            continue
        made += 1
        off = [
            s
            for s in wrong.steps
            if s.value != apply(s.op, wrong.node(s.left).value, wrong.node(s.right).value)
        ]
        assert len(off) == 1
    assert made > 100


def test_programs_never_slip_because_they_compute() -> None:
    for index, problem in enumerate(PROBLEMS):
        wrong = mistake(problem.graph, "tinygsm", stream("code", index))
        scope: dict[str, object] = {}
        exec(render(problem, "tinygsm", stream(index), graph=wrong), scope)  # our own rendering
        assert Fraction(scope["simple_math_problem"]()) == wrong.steps[-1].value  # type: ignore[operator]


def test_random_noise_comes_at_its_rate() -> None:
    noise = NoiseConfig(random=0.3)
    wrong = [noisy_graph(p, "omi2", "omi2", noise, WORLD, stream("n", i)) for i, p in enumerate(PROBLEMS * 5)]
    assert abs(sum(graph is not None for graph in wrong) / 1000 - 0.3) < 0.05
    assert all(noisy_graph(p, "omi2", "omi2", NoiseConfig(), WORLD, stream(0)) is None for p in PROBLEMS)


def test_systematic_noise_fills_whole_cells_with_one_mistake() -> None:
    noise = NoiseConfig(systematic=0.25)
    cells = systematic_cells("omi1", 0.25, WORLD.family_names, WORLD.operations)
    assert len(cells) == round(0.25 * len(WORLD.family_names) * 8)
    assert cells != systematic_cells("omi2", 0.25, WORLD.family_names, WORLD.operations)
    for index, problem in enumerate(PROBLEMS):
        graphs = {noisy_graph(problem, "omi1", "omi1", noise, WORLD, stream("x", index, i)) for i in range(4)}
        assert len(graphs) == 1
        assert (None in graphs) == ((problem.family, problem.difficulty) not in cells)


def test_systematic_mistakes_are_of_one_kind_within_a_cell() -> None:
    world = WorldConfig(families=["collect"], operations=(3, 3), number_words=0)
    problems = [draw_problem(world, 0, "train", i) for i in range(60)]
    noise = NoiseConfig(systematic=1.0)
    graphs = [noisy_graph(p, "tinygsm", "twin", noise, world, stream(0)) for p in problems]
    changed = [
        tuple(a.op != b.op for a, b in zip(g.steps, p.graph.steps, strict=False))
        for g, p in zip(graphs, problems, strict=True)
    ]
    fewer = [len(g.steps) < 3 for g in graphs]
    misread = [g.quantities != p.graph.quantities for g, p in zip(graphs, problems, strict=True)]
    kinds = [sum(any(row) for row in changed), sum(fewer), sum(misread)]
    assert max(*kinds, 60 - sum(kinds)) > 40
