"""A checkpoint as a folder of the hub: its files as they are, and a model card."""

import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path

from ..analysis.runs import find_runs
from ..analysis.study_folder import JsonObject, StoredStage, StoredStudy, load_study
from ..core.errors import UserError
from ..core.files import make_folder, read_json, write_json, write_text
from ..core.manifest import history
from ..core.version import __version__
from .cards import as_yaml, card, fenced, one_line, table, without_folders
from .checkpoints import checkpoints_of, find_checkpoint, hash_checkpoint, step_of

Made = Sequence[tuple[Path, JsonObject]]
"""(folder, manifest) of a checkpoint's artifact and of those that it was made from, nearest first."""
TAKEN = (".json", ".safetensors", ".jinja", ".model", ".txt", ".py")
"""Suffixes of files that a checkpoint consists of."""
ADAPTER_SETTINGS = "adapter_config.json"
_USE = """from transformers import AutoModelForCausalLM, AutoTokenizer

model = AutoModelForCausalLM.from_pretrained("{place}")
tokenizer = AutoTokenizer.from_pretrained("{place}")
prompt = "Tom has 3 apples and buys 4 more. How many has he?" + {suffix!r}
ids = tokenizer(prompt, return_tensors="pt").input_ids
print(tokenizer.decode(model.generate(ids, max_new_tokens=128)[0]))"""


def export_checkpoint(place: str, out: Path, repository: str | None = None) -> Path:
    """Copy a checkpoint into `out` with a `README.md`; returns the folder that was copied.

    `place`: as for `find_checkpoint`. `UserError` where a file of it is a link, which might lead anywhere.
    """
    checkpoint = find_checkpoint(place)
    linked = place.startswith("hub:")  # the library's own cache consists of links
    for path in sorted(_files(checkpoint)):
        link = next((one for one in (path, path.parent) if one.is_symlink() and one != checkpoint), None)
        if link is not None and not linked:
            raise UserError(f"{link}: is a link; only plain files are exported")
        target = out / path.relative_to(checkpoint)
        make_folder(target.parent)
        if path.name == ADAPTER_SETTINGS:
            _copy_adapter_settings(path, target)
        else:
            shutil.copyfile(path, target)
    write_text(out / "README.md", _card(checkpoint, repository or str(out.name)))
    return checkpoint


def _copy_adapter_settings(path: Path, target: Path) -> None:
    """Adapter settings without the folder that its base lay in: the base is exported beside it."""
    settings = read_json(path)
    if "base_model_name_or_path" in settings:
        settings["base_model_name_or_path"] = ".."
    write_json(target, settings)


def _files(checkpoint: Path) -> Iterator[Path]:
    """Of the folder itself, and of the adapter in it."""
    for folder in (checkpoint, checkpoint / "adapter"):
        for path in folder.iterdir() if folder.is_dir() else ():
            if path.is_file() and path.suffix in TAKEN and not path.name.startswith("."):
                yield path


def _card(checkpoint: Path, place: str) -> str:
    made = list(history(checkpoint.absolute()))
    study, stage = _stage_of(made[0][0]) if made else (None, None)
    step = step_of(checkpoint)
    header = {
        "library_name": "transformers",
        "pipeline_tag": "text-generation",
        "tags": ["echochamber", *(["reinforcement-learning"] if made and made[0][1]["kind"] == "rl" else [])],
    }
    prints = [[manifest.get("kind"), folder.name, manifest.get("code_version")] for folder, manifest in made]
    return card(
        header,
        [
            f"# {one_line(_title(checkpoint, study, stage))}",
            one_line(study.question) if study else "",
            _origin(made, step),
            "## Use",
            f"A prompt is the question and then `{_suffix(made)!r}`, as in training.",
            fenced(_USE.format(place=place, suffix=_suffix(made)), "python"),
            *_data(made),
            "## Recipe",
            *_recipe(made),
            "## Evaluation",
            _evaluation(study, stage, step, _is_last(checkpoint)),
            "## Fingerprint",
            f"SHA-256 over configuration, tokenizer and weights: `{hash_checkpoint(checkpoint)}`.",
            table(["stage", "artifact", "code version"], prints) if prints else "",
        ],
    )


def _title(checkpoint: Path, study: StoredStudy | None, stage: StoredStage | None) -> str:
    step = step_of(checkpoint)
    return f"{study.name}: {stage.id}, step {step}" if study and stage else checkpoint.name


def _origin(made: Made, step: int) -> str:
    if not made:
        return f"Exported by echochamber {__version__}. Nothing beside the files says how they were trained."
    trained = {"rl": "reinforcement learning", "pretrain": "pretraining"}.get(made[0][1]["kind"], "training")
    seed = made[0][1].get("seeds", {}).get("seed")
    return (
        f"A language model after step {step} of {trained}{'' if seed is None else f' with seed {seed}'}. "
        f"Exported by echochamber {__version__}. It is a small model of an experiment, made to be studied."
    )


def _suffix(made: Made) -> str:
    configs = [manifest["config"] for _, manifest in made]
    found = [config.get("rl", config).get("prompt_suffix") for config in configs]
    return next((suffix for suffix in found if isinstance(suffix, str)), "\n\n")


def _data(made: Made) -> Iterator[str]:
    """Settings of the mixture and of the problem sets that the model was trained on."""
    yield "## Data"
    found = [manifest for _, manifest in made if _trained_on(manifest)]
    if not found:
        yield "No data is recorded beside this checkpoint."
    for manifest in found:
        yield f"{manifest['kind']}:"
        yield fenced(as_yaml(without_folders(manifest["config"])), "yaml")


def _trained_on(manifest: JsonObject) -> bool:
    """Whether a stage holds training data; shards name the test sets that they were checked against."""
    if manifest["kind"] != "problems":
        return manifest["kind"] in ("shards", "base")
    config = manifest["config"]
    return config.get("problems", config).get("split", "train") == "train"


def _recipe(made: Made) -> Iterator[str]:
    """Settings of the stages that trained it, nearest first."""
    found = [manifest for _, manifest in made if manifest["kind"] in ("rl", "pretrain", "tokenizer")]
    if not found:
        yield "No recipe is recorded beside this checkpoint."
    for manifest in found:
        yield f"{manifest['kind']}:"
        yield fenced(as_yaml(without_folders(manifest["config"])), "yaml")


def _stage_of(artifact: Path) -> tuple[StoredStudy | None, StoredStage | None]:
    root = artifact.parent.parent
    if not (root / "study.json").is_file():
        return None, None
    study = load_study(root)
    return study, next((node for node in study.nodes if node.artifact == artifact.name), None)


def _is_last(checkpoint: Path) -> bool:
    return step_of(checkpoint) == max(checkpoints_of(checkpoint.parent.parent), default=-1)


def _evaluation(study: StoredStudy | None, stage: StoredStage | None, step: int, last: bool) -> str:
    """Scores of this very checkpoint; a base is scored at its last step, as step 0 of RL."""
    none = "No evaluation of this checkpoint is stored."
    if study is None or stage is None or (stage.kind == "pretrain" and not last):
        return none
    runs = [run for run in find_runs(study) if stage in (run.rl if stage.kind == "rl" else run.pretrain,)]
    wanted = step if stage.kind == "rl" else 0
    rows = {
        (row["problem_set"], row["split"]): _scores(row)
        for run in runs
        if stage.kind == "rl" or run.rl is None or run.rl.from_step is None
        for row in run.rows
        if row["step"] == wanted
    }
    if not rows:
        return none
    head = ["problem set", "split", "problems", "accuracy", "95% interval", "greedy", "pass@k", "formats"]
    return table(head, [[*place, *scores] for place, scores in rows.items()])


def _scores(row: JsonObject) -> list[object]:
    interval = (row.get("intervals") or {}).get("accuracy")
    bounds = f"{interval[0]:.3f} to {interval[1]:.3f}" if interval else ""
    known = {int(k): value for k, value in (row.get("pass@k") or {}).items() if value is not None}
    best = f"{known[max(known)]:.3f} (k = {max(known)})" if known else ""
    shares = {name: (cell or {}).get("share") or 0 for name, cell in row["formats"].items()}
    written = sorted((-share, name) for name, share in shares.items() if share)
    formats = ", ".join(f"{name} {-share:.2f}" for share, name in written)
    numbers = [row.get("num_problems"), row.get("accuracy"), bounds, row.get("greedy_accuracy")]
    return [*numbers, best, formats]
