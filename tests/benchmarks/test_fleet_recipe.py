"""The fleet's design: valid recipes, halves of equal size, and frequency that does not follow the format."""

import numpy as np
import pytest
import yaml

from benchmarks.fleet_recipe import ARMS, NOISE, NUM_BASES, PROGRAMS, STYLES, TWINS, fleet, is_sealed
from echochamber.core.artifacts import Store
from echochamber.study.graph import build_graph
from echochamber.study.recipe import load_recipe


def _graphs(tmp_path, **how):
    graphs = []
    for number, data in enumerate(fleet(**how)):
        path = tmp_path / f"{number}.yaml"
        path.write_text(yaml.safe_dump(data))
        graphs.append(build_graph(load_recipe(str(path), []), Store(tmp_path)))
    return graphs


@pytest.mark.medium
def test_every_base_has_three_arms_and_a_seed_of_its_own(tmp_path):
    nodes = [node for graph in _graphs(tmp_path) for node in graph.nodes.values()]
    bases = [node for node in nodes if node.kind == "pretrain"]
    assert (
        len(bases) == NUM_BASES == len({node.mixture for node in bases}) == len({node.seed for node in bases})
    )
    assert sum(node.kind == "rl" for node in nodes) == NUM_BASES * len(ARMS)
    sizes = [node.size for node in bases]
    assert sizes.count("nano-0.8m") == 12


@pytest.mark.medium
def test_sealed_bases_have_no_rl_until_their_forecasts_are_sealed(tmp_path):
    nodes = [node for graph in _graphs(tmp_path, sealed_arms=False) for node in graph.nodes.values()]
    trained = {node.mixture for node in nodes if node.kind == "rl"}
    assert len(trained) == NUM_BASES // 2
    assert not any(is_sealed(int(name[1:])) for name in trained)
    assert sum(node.kind == "pretrain" for node in nodes) == NUM_BASES
    before = {n.id: n.spec.fingerprint for n in nodes}
    after = {n.id: n.spec.fingerprint for graph in _graphs(tmp_path) for n in graph.nodes.values()}
    assert before.items() <= after.items()


def test_frequency_and_errors_follow_neither_the_format_nor_each_other():
    """Errors by their place among the three of a program, of prose or of twins."""
    rows = [
        (
            STYLES.index(source["format"]),
            source["share"] / 0.75 * (len(base["sources"]) - 1),
            _place(base["sources"], name, source),
        )
        for recipe in fleet(600)
        for base in recipe["mixtures"].values()
        for name, source in base["sources"].items()
        if name != "prose"
    ]
    style, relative_share, noise = np.array(rows).T
    for i in range(len(STYLES)):
        mine = (style == i).astype(float)
        assert abs(np.corrcoef(mine, relative_share)[0, 1]) < 0.08
        assert abs(np.corrcoef(mine, noise)[0, 1]) < 0.08
    assert abs(np.corrcoef(relative_share, noise)[0, 1]) < 0.08


def _place(sources, name, source) -> int:
    kind = "twins" if TWINS[1] in sources else "program" if source["format"] in PROGRAMS else "prose"
    return NOISE[kind].index(source["noise"]["random"])


def test_the_design_is_the_same_every_time():
    assert fleet(12) == fleet(12)
    assert fleet(12)[0]["mixtures"] == {
        name: base for name, base in fleet(24)[0]["mixtures"].items() if int(name[1:]) < 12
    }
