"""Recipes and overrides of any kind: printed, planned, or refused in one line."""

import shutil
from pathlib import Path

import pytest
import yaml
from hypothesis import strategies as st

from echochamber.study.recipe import load_recipe
from echochamber.study.recipe_files import shipped_recipes

from .command import Portion, call, check, fuzz, portions, whole_or_absent
from .values import YAML_SPECIALS, damaged, mutated, paths_of, texts, values

RECIPES = sorted(shipped_recipes())
KEYS = sorted(
    {
        ".".join(map(str, path))
        for name in RECIPES
        for path in paths_of(load_recipe(name, []).resolved())
        if path and all(isinstance(part, str) for part in path)
    }
)
keys = st.one_of(
    st.sampled_from(KEYS),
    st.sampled_from(KEYS),
    st.sampled_from(KEYS),
    st.sampled_from(KEYS).map(lambda key: key + ".x"),
    st.sampled_from(KEYS).map(lambda key: key[1:]),
    st.sampled_from(
        ["scope", "modules", "rl.grpo.inherits", "rl.grpo.preset", "", ".", "a..b", "mixtures.", "seeds.0"]
    ),
    texts,
)


@st.composite
def _yaml(draw: st.DrawFn) -> str:
    """The text of a value."""
    kind = draw(st.sampled_from(("special", "special", "value", "text")))
    if kind == "special":
        return draw(st.sampled_from(YAML_SPECIALS))
    if kind == "text":
        return draw(texts)
    value = draw(values)
    try:
        return yaml.safe_dump(value, default_flow_style=True, width=10**6).strip()
    except (ValueError, UnicodeError):
        return repr(value)


@pytest.fixture(autouse=True)
def _unmeasured(monkeypatch: pytest.MonkeyPatch) -> None:
    """A plan times the machine for two seconds, whatever the recipe says."""
    monkeypatch.setattr("echochamber.rollout.speed.measure_speed", lambda *_: None)


overrides = st.lists(st.tuples(keys, _yaml()).map("=".join), min_size=1, max_size=2)


def _argument(text: str) -> str:
    """As a shell hands it over: no NUL byte, and what is no UTF-8 as half a surrogate pair."""
    return text.replace("\0", "\\0").encode("utf-8", "surrogatepass").decode("utf-8", "surrogateescape")


@pytest.mark.parametrize("portion", portions("overrides", default=15))
def test_overrides(portion: Portion, tmp_path: Path) -> None:
    def one(name: str, given: list[str], planned: bool) -> None:
        arguments = [_argument(text) for text in given]
        shown = ["study", name, "--dry-run", "--out", tmp_path / "none"] if planned else ["show", name]
        check(call(*shown, "--", *arguments))
        assert not list(tmp_path.rglob("*.tmp"))

    fuzz(portion, one, name=st.sampled_from(["smoke", "quickstart"]), given=overrides, planned=st.booleans())


SOURCES = {name: path.read_text(encoding="utf-8") for name, path in shipped_recipes().items()}
PARSED = {name: yaml.safe_load(text) for name, text in SOURCES.items()}


@st.composite
def recipe_file(draw: st.DrawFn) -> bytes:
    """A shipped recipe with some values or bytes changed, or text of another kind."""
    name = draw(st.sampled_from(RECIPES))
    kind = draw(st.sampled_from(("values", "values", "values", "bytes", "special", "text")))
    if kind == "values":
        try:
            return yaml.safe_dump(draw(mutated(PARSED[name])), allow_unicode=True).encode(
                "utf-8", "surrogatepass"
            )
        except ValueError:
            return b"name: own"
    if kind == "bytes":
        return draw(damaged(SOURCES[name].encode()))
    if kind == "special":
        key = draw(
            st.sampled_from(["name", "seeds", "mixtures", "rl", "world", "grid", "evaluate", "scopes"])
        )
        value = draw(st.sampled_from(YAML_SPECIALS))
        return f"{SOURCES[name]}\n{key}: {value}\n".encode("utf-8", "surrogatepass")
    return draw(
        st.one_of(st.binary(max_size=200), texts.map(lambda text: text.encode("utf-8", "surrogatepass")))
    )


@pytest.mark.parametrize("portion", portions("recipes", default=8))
def test_recipe_files(portion: Portion, tmp_path: Path) -> None:
    path, out = tmp_path / "own.yaml", tmp_path / "out"

    def one(content: bytes, planned: bool) -> None:
        path.write_bytes(content)
        check(call("study", path, "--dry-run", "--out", out) if planned else call("show", path))
        assert not out.exists() or not shutil.rmtree(out)
        whole_or_absent(path)

    fuzz(portion, one, content=recipe_file(), planned=st.booleans())
