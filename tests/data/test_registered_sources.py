"""Document sources that a user's module registers."""

from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import pytest

from echochamber.core.artifacts import Store
from echochamber.core.errors import UserError
from echochamber.data import registered_sources
from echochamber.data.mixture import MixtureConfig, plan_mixture
from echochamber.data.registered_sources import register_source
from echochamber.data.sources import Document
from echochamber.data.world import WorldConfig
from echochamber.study.graph import build_graph
from echochamber.study.recipe import load_recipe

MODULE = """
from echochamber.data.registered_sources import register_source
from echochamber.data.sources import Document

def counting(seed):
    for number in range(50):
        yield Document(f"What is {number} + {seed % 7}?", f"{number + seed % 7}")

register_source("counting", counting, limited=True)
"""


@pytest.fixture(autouse=True)
def _forget(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registered_sources, "_REGISTRY", {})


def encode(texts: list[str]) -> list[list[int]]:
    return [list(text.encode()) for text in texts]


def plan(sources: dict[str, object], **keys: object) -> object:
    mixture = MixtureConfig.parse({"sources": sources}, "mixture")
    return plan_mixture(mixture, WorldConfig(), 3, encode, **keys)


def squares(seed: int) -> Iterator[Document]:
    number = 0
    while True:
        number += 1
        yield Document(f"Square of {number}?", str(number * number))


def test_a_mixture_reads_a_registered_source() -> None:
    register_source("squares", squares)
    (line,) = plan({"squares": {"copies": 2, "documents": 10}}).sources
    assert (line.documents_obtained, line.documents_available) == (20, 10)


def test_a_limited_source_is_read_to_its_end_and_may_have_another_name() -> None:
    register_source("three", lambda seed: [Document("", f"text {i}") for i in range(3)], limited=True)
    lines = plan({"three": {"copies": 1}, "again": {"format": "three", "copies": 2}}).sources
    assert [line.documents_obtained for line in lines] == [3, 6]


def test_workers_do_not_draw_what_they_cannot_know() -> None:
    register_source("squares", squares)
    with ProcessPoolExecutor(1) as executor:
        (line,) = plan({"squares": {"documents": 5}}, executor=executor).sources
    assert line.documents_obtained == 5


@pytest.mark.parametrize("name", ["tinygsm", "prose", "squares"])
def test_a_taken_name_is_refused(name: str) -> None:
    register_source("squares", squares)
    register_source("squares", squares)  # the same again is no clash
    with pytest.raises(UserError, match="choose another name"):
        register_source(name, lambda seed: [])


def test_an_item_that_is_no_document_is_named() -> None:
    register_source("bad", lambda seed: [Document("", "fine"), ("question", 3)], limited=True)
    with pytest.raises(UserError, match=r"source 'bad': item 1 is tuple"):
        plan({"bad": {}})


def test_an_unknown_source_says_how_to_add_one() -> None:
    with pytest.raises(UserError, match="no module registered it"):
        plan({"unheard": {}})


def test_the_module_is_part_of_the_shards_that_use_it_and_of_no_other(tmp_path: Path) -> None:
    path = tmp_path / "own_documents.py"
    path.write_text(MODULE)
    store = Store(tmp_path / "artifacts")
    plain = build_graph(load_recipe("smoke", []), store)
    loaded = build_graph(load_recipe("smoke", [f"modules=[{path}]"]), store)
    used = build_graph(
        load_recipe("smoke", [f"modules=[{path}]", "mixtures.tg_omi2.sources.counting={copies: 1}"]), store
    )
    shards = "shards/tg_omi2"
    assert plain.nodes[shards].spec == loaded.nodes[shards].spec
    assert "module own_documents.py" in used.nodes[shards].spec.inputs
    assert "checked" in used.nodes[shards].spec.config
