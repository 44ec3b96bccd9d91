"""A recipe becomes a graph of stages; stages that arms share occur once, keyed by content."""

from dataclasses import replace

from ..core.artifacts import Store
from .contamination_stages import add_contamination, searched_sets
from .data_stages import add_problem_sets, add_shards, add_tokenizer
from .forecast_stage import add_forecast
from .given_base import add_base, recipe_on_base
from .grid import matches
from .recipe import Recipe
from .scoring_stages import add_base_evaluation, add_probe, add_rl_evaluation
from .stage_graph import GridPoint, StageGraph
from .training_stages import add_pretrain, add_rl


def build_graph(recipe: Recipe, store: Store) -> StageGraph:
    """All stages of a recipe over the artifacts in `store`; `UserError` where an input file is missing."""
    if recipe.base is not None:
        return _graph_on_base(StageGraph(recipe_on_base(recipe), store))
    graph = StageGraph(recipe, store)
    tokenizer = add_tokenizer(graph)
    views = {seed: graph.at_seed(seed) for seed in recipe.seeds}
    tests = {view.data_label: add_problem_sets(view, recipe.evaluate) for view in views.values()}
    for mixture in recipe.mixtures:
        points = [GridPoint(mixture, size, seed) for size in recipe.sizes for seed in recipe.seeds]
        wanted = [p for p in points if not recipe.grid.skips(mixture=mixture, size=p.size, seed=p.seed)]
        used = {views[point.seed].data_label: views[point.seed] for point in wanted}
        shards, searched = {}, {}
        for label, view in used.items():
            shards[label] = add_shards(view, mixture, tokenizer, searched_sets(view, mixture, tests[label]))
            searched[label] = add_contamination(view, mixture, shards[label], tests[label])
        for point in wanted:
            view = views[point.seed]
            base = add_pretrain(view, point, shards[view.data_label], tokenizer, searched[view.data_label])
            _add_arms(view, point, base, tests[view.data_label])
    return graph


def _graph_on_base(graph: StageGraph) -> StageGraph:
    """The recipe's arms and evaluations on a given checkpoint. Seeds are those of RL and sampling alone.

    Rules that name a mixture or a size do not apply.
    """
    recipe, views = graph.recipe, {seed: graph.at_seed(seed) for seed in graph.recipe.seeds}
    tests = {seed: add_problem_sets(view, recipe.evaluate) for seed, view in views.items()}
    base = add_base(graph)
    for seed, view in views.items():
        point = GridPoint(base.mixture or "", base.size or "", seed)
        arms = [arm for arm in recipe.rl if not recipe.grid.skips(rl=arm, seed=seed)]
        if not arms:
            continue
        scored = add_base_evaluation(view, point, base.id, recipe.evaluate, tests[seed])
        for arm in arms:
            _add_arm(view, replace(point, arm=arm), base.id, scored, tests[seed])
    return graph


def _add_arms(graph: StageGraph, point: GridPoint, base: str, tests: dict[str, str]) -> None:
    """Evaluations of a base, its RL arms, and the evaluations of these."""
    recipe = graph.recipe
    scored = add_base_evaluation(graph, point, base, recipe.evaluate, tests)
    if recipe.probe and not recipe.probe.where:
        add_probe(graph, point, base, None, tests)
    for arm in recipe.rl:
        coordinates: dict[str, str | int] = {
            "mixture": point.mixture,
            "size": point.size,
            "seed": point.seed,
            "rl": arm,
        }
        if not recipe.grid.skips(**coordinates):
            start = recipe.grid.start(**coordinates)
            _add_arm(graph, replace(point, arm=arm, from_step=start), base, scored, tests)


def _add_arm(graph: StageGraph, point: GridPoint, base: str, scored: str, tests: dict[str, str]) -> None:
    """One RL arm, with its forecast, and with evaluations and probes of it and of its base.

    `scored`: id of the evaluation of the base's last step.
    """
    recipe = graph.recipe
    assert point.arm is not None
    coordinates: dict[str, str | int] = {
        "mixture": point.mixture,
        "size": point.size,
        "seed": point.seed,
        "rl": point.arm,
    }
    start = replace(point, arm=None)
    if point.from_step is not None:
        scored = add_base_evaluation(graph, start, base, recipe.evaluate, tests)
    add_forecast(graph, point, base, scored, recipe.rl[point.arm])
    further = {
        name: add_problem_sets(graph, extra)
        for name, extra in recipe.also_evaluate.items()
        if matches(extra.where, coordinates)
    }
    evaluated = {id for sets in (tests, *further.values()) for id in sets.values()}
    trained = add_rl(graph, point, base, recipe.rl[point.arm], sorted(evaluated))
    add_rl_evaluation(graph, point, trained, recipe.evaluate, tests)
    if recipe.probe and matches(recipe.probe.where, coordinates):
        add_probe(graph, start, base, None, tests)
        add_probe(graph, point, trained, base, tests)
    for name, sets in further.items():
        extra = recipe.also_evaluate[name]
        add_base_evaluation(graph, replace(start, evaluation=name), base, extra, sets)
        add_rl_evaluation(graph, replace(point, evaluation=name), trained, extra, sets)
