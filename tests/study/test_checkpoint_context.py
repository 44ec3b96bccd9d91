"""What a checkpoint was trained with is what commands score it with; another world must be asked for."""

import json
import shutil
from pathlib import Path

import pytest

from echochamber.core import formats
from echochamber.core.errors import UserError
from echochamber.core.formats import registered_formats
from echochamber.core.manifest import manifest_digest
from echochamber.data.world import WorldConfig
from echochamber.rollout import rewards
from echochamber.study import checkpoint_context as module
from echochamber.study import user_modules
from echochamber.study.checkpoint_context import CheckpointContext, checkpoint_context
from echochamber.study.checkpoints import find_checkpoint
from echochamber.study.named_problems import named_problems
from echochamber.study.recipe import load_recipe

pytestmark = pytest.mark.medium


@pytest.fixture
def study(smoke, tmp_path) -> Path:
    """A copy of the smoke study, to be changed."""
    return Path(shutil.copytree(smoke, tmp_path / "smoke"))


@pytest.fixture
def said(monkeypatch) -> list[str]:
    """Lines for the terminal."""
    lines: list[str] = []
    monkeypatch.setattr(module, "say", lines.append)
    return lines


def _edit(study: Path, **changes: object) -> None:
    path = study / "study.json"
    stored = json.loads(path.read_text())
    stored["recipe"] |= changes
    path.write_text(json.dumps(stored))


@pytest.mark.parametrize("kind", ["rl", "pretrain"])
def test_world_suffix_and_problems_are_the_studys(study, said, kind):
    recipe = load_recipe("smoke")
    (artifact,) = (study / "artifacts").glob(f"{kind}-*")
    context = checkpoint_context(find_checkpoint(artifact))
    assert context.world == recipe.world != WorldConfig()
    assert (context.prompt_suffix, context.evaluate) == (recipe.prompt_suffix, recipe.evaluate)
    (problems,) = [
        path
        for path in (study / "artifacts").glob("problems-*/problems.jsonl")
        if len(path.read_text().splitlines()) == recipe.evaluate.count
    ]
    scored = [json.loads(line)["question"] for line in problems.read_text().splitlines()]
    assert [problem.question for problem in named_problems("all", None, "error", context)] == scored
    assert len(said) == 1
    assert "of study smoke; world: the study's, split dev; prompt suffix '\\n\\n'" in said[0]


@pytest.mark.parametrize("kind", ["rl", "pretrain"])
def test_without_study_json_the_manifests_are_read(study, said, kind):
    (study / "study.json").unlink()
    (artifact,) = (study / "artifacts").glob(f"{kind}-*")
    context = checkpoint_context(find_checkpoint(artifact))
    assert context.world == load_recipe("smoke").world
    assert f"world: that of {artifact.name}" in said[0]


def test_a_checkpoint_outside_any_study_says_so(study, said, tmp_path):
    plain = Path(shutil.copytree(find_checkpoint(study), tmp_path / "elsewhere" / "model"))
    assert checkpoint_context(plain) == CheckpointContext()
    assert said[0].startswith("checkpoint outside a study; world: default, split test")


@pytest.mark.parametrize("text", ['{"name": "an extension"}', '{"config": 1, "parents": {}, "inputs": {}}'])
def test_a_manifest_of_another_tool_is_no_artifact(study, said, tmp_path, text):
    plain = Path(shutil.copytree(find_checkpoint(study), tmp_path / "elsewhere" / "model"))
    (plain.parent / "manifest.json").write_text(text)
    assert checkpoint_context(plain) == CheckpointContext()


def test_another_world_is_asked_for(study, said):
    place = find_checkpoint(study)
    assert checkpoint_context(place, "default").world == WorldConfig()
    assert checkpoint_context(place, "quickstart").world == load_recipe("quickstart").world
    assert "world: recipe quickstart" in said[-1]
    with pytest.raises(UserError, match="no_such"):
        checkpoint_context(place, "no_such")


def test_settings_that_are_none_are_the_studys(study):
    _edit(study, evaluate={"max_new_tokens": 33, "stop": ["##"], "temperature": 0.7})
    context = checkpoint_context(find_checkpoint(study))
    given = dict.fromkeys(("max_new_tokens", "stop", "prompt_suffix", "temperature", "top_k")) | {
        "samples": 5
    }
    assert context.complete(given) == {
        "max_new_tokens": 33,
        "stop": ["##"],
        "prompt_suffix": "\n\n",
        "temperature": 0.7,
        "top_k": 0,
        "samples": 5,
    }
    assert context.complete({"max_new_tokens": 7, "formats": None}) == {"max_new_tokens": 7, "formats": None}


PROMPT = {
    "few_shot": 0,
    "examples": [{"question": "1?", "completion": "one"}, {"question": "2?", "completion": "two"}],
}


def _prompted(study: Path, **given: object) -> CheckpointContext:
    """The context under options of a command; None: not given."""
    return checkpoint_context(
        find_checkpoint(study), settings={"prompt_suffix": None, "prompt": None} | given
    )


@pytest.mark.parametrize("with_study_json", [True, False])
def test_few_shot_alone_shows_examples_of_the_study(study, said, with_study_json):
    _edit(study, prompt=PROMPT)
    if not with_study_json:
        (study / "study.json").unlink()
        (manifest,) = (study / "artifacts").glob("rl-*/manifest.json")
        stored = json.loads(manifest.read_text())
        stored["config"]["rl"] |= {"prompt": PROMPT}
        stored["digest"] = manifest_digest(stored)
        manifest.write_text(json.dumps(stored))
    context = _prompted(study, prompt={"few_shot": 1})
    assert context.prompt.plain("6?", " A:") == "1? A:one\n\n6? A:"
    assert context.complete({"prompt": {"few_shot": 1}})["prompt"] == PROMPT | {
        "few_shot": 1,
        "template": "plain",
        "system": None,
    }
    assert "1 of the study's 2 examples, prompt suffix" in said[-1]
    with pytest.raises(UserError, match=r"3 examples are asked for, examples holds 2.*--examples"):
        _prompted(study, prompt={"few_shot": 3})


def test_given_examples_and_suffix_take_the_place_of_the_studys(study, said):
    _edit(study, prompt=PROMPT | {"few_shot": 2})
    given = [{"question": "7?", "completion": "seven"}] * 3
    context = _prompted(study, prompt={"examples": given}, prompt_suffix=" A:")
    assert context.prompt.plain("6?", context.prompt_suffix) == "7? A:seven\n\n" * 2 + "6? A:"
    assert "2 of the given 3 examples, prompt suffix ' A:'" in said[-1]
    assert context.complete({"prompt_suffix": None, "top_k": None}) == {"prompt_suffix": " A:", "top_k": 0}


def test_a_chat_template_keeps_the_studys_examples_and_plain_drops_its_system_message(study, said):
    _edit(study, prompt=PROMPT | {"template": "chat", "system": "Be short."})
    assert (
        "chat template, system message 'Be short.', prompt suffix"
        in checkpoint_context(find_checkpoint(study)).line()
    )
    plain = _prompted(study, prompt={"template": "plain", "few_shot": 1}).prompt
    assert (plain.template, plain.system, len(plain.shots)) == ("plain", None, 1)
    kept = _prompted(study, prompt={"few_shot": 2}).prompt
    assert (kept.template, kept.system, len(kept.shots)) == ("chat", "Be short.", 2)


def test_examples_that_nothing_shows_are_refused(study):
    with pytest.raises(UserError, match="examples are given, but few_shot is 0.*--few-shot"):
        _prompted(study, prompt={"examples": PROMPT["examples"]})


def test_tracked_behaviours_of_the_mixture_are_formats(study, said):
    twin = {"of": "tinygsm", "contains": "# mark"}
    _edit(study, behaviours={"marked": twin, "elsewhere": twin | {"only": ["another_*"]}})
    context = checkpoint_context(find_checkpoint(study))
    with context.formats():
        assert "marked" in registered_formats()
        assert "elsewhere" not in registered_formats()
    assert "marked" not in registered_formats()
    assert context.identity() == {"behaviours": {"marked": twin}}
    assert said[0].endswith("other, marked")


@pytest.fixture
def own(tmp_path, monkeypatch) -> Path:
    """A module of the user's own; what it registers is forgotten after the test."""
    monkeypatch.setattr(formats, "_REGISTRY", dict(formats._REGISTRY))
    monkeypatch.setattr(rewards, "_REGISTRY", dict(rewards._REGISTRY))
    monkeypatch.setattr(user_modules, "_LOADED", set())
    path = tmp_path / "own_context.py"
    path.write_text(
        "from echochamber.core.formats import Format, register_format\n"
        'register_format(Format("shouted", lambda text: text.startswith("ANSWER!"), "stated"))\n'
    )
    return path


def _record(study: Path, path: Path, digest: str) -> None:
    """As a study records a module: its path in study.json, its content in the RL manifest."""
    _edit(study, modules=[str(path)])
    (manifest,) = (study / "artifacts").glob("rl-*/manifest.json")
    stored = json.loads(manifest.read_text())
    stored["inputs"] |= {f"module {path.name}": digest}
    stored["digest"] = manifest_digest(stored)
    manifest.write_text(json.dumps(stored))


def test_the_studys_module_is_imported_and_said(study, said, own):
    _record(study, own, module.hash_file(own))
    checkpoint_context(find_checkpoint(study))
    assert "shouted" in registered_formats()
    assert said[0] == f"runs the study's module {own}"
    assert "shouted" in said[1]


def test_a_changed_or_missing_module_is_refused(study, own):
    _record(study, own, "0" * 64)
    with pytest.raises(UserError, match=r"own_context\.py.*was changed.*--module"):
        checkpoint_context(find_checkpoint(study))
    own.unlink()
    with pytest.raises(UserError, match=r"own_context\.py.*is not there.*--module"):
        checkpoint_context(find_checkpoint(study))
    assert "shouted" not in registered_formats()


def test_a_module_that_was_given_takes_the_studys_place(study, own):
    _record(study, own, "0" * 64)
    user_modules.load_user_modules([str(own)])
    checkpoint_context(find_checkpoint(study))
