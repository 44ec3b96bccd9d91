"""Finding checkpoints: in an artifact, in a study, on the hub; and what identifies one."""

import hashlib
from pathlib import Path

from ..core.checksums import hash_file
from ..core.errors import UserError
from ..core.files import canonical_json, read_json
from ..core.manifest import check_artifact
from ..model.hub import PREFIX, fetch_checkpoint


def checkpoint_at(folder: Path, step: int | None) -> Path:
    """A pretraining's checkpoint at a step, or its last."""
    if step is None:
        return last_checkpoint(folder)
    found = checkpoints_of(folder)
    if step not in found:
        raise UserError(
            f"grid.from_step: pretraining kept steps {', '.join(map(str, sorted(found)))}, not {step}; "
            "choose one, or name it in pretrain.keep_steps"
        )
    return found[step]


def last_checkpoint(folder: Path) -> Path:
    """The newest checkpoint of an artifact; a checkpoint folder itself is returned as it is."""
    if (folder / "config.json").is_file():
        return folder
    found = checkpoints_of(folder)
    if not found:
        raise UserError(
            f"{folder}: neither a checkpoint folder (config.json) nor an artifact with checkpoints/step_N"
        )
    return found[max(found)]


def checkpoints_of(folder: Path) -> dict[int, Path]:
    """Step -> checkpoint folder of an artifact."""
    return {int(path.name[5:]): path for path in folder.glob("checkpoints/step_*") if path.name[5:].isdigit()}


def find_checkpoint(place: str | Path) -> Path:
    """The checkpoint folder that a place means.

    `place`: a checkpoint folder, an artifact with checkpoints, a study with one trained model, or
    `hub:OWNER/NAME[@REVISION]`. `UserError` where it is none of these, or a study with several models.
    """
    if str(place).startswith(PREFIX):
        return fetch_checkpoint(str(place))
    path = Path(place)
    if not path.is_dir():
        raise UserError(f"{path}: no such folder")
    trained = sorted((path / "artifacts").glob("rl-*")) or sorted((path / "artifacts").glob("pretrain-*"))
    if len(trained) > 1:
        found = ", ".join(folder.name for folder in trained)
        raise UserError(
            f"{path}: this study has several trained models ({found}); "
            f"give one of these folders under {path / 'artifacts'}"
        )
    folder = last_checkpoint(trained[0] if trained else path)
    _check(folder)
    return folder


def find_base(place: str | Path) -> Path:
    """As `find_checkpoint`, but in a study the pretrained model and not the one after RL."""
    path = Path(place)
    pretrained = [] if str(place).startswith(PREFIX) else sorted((path / "artifacts").glob("pretrain-*"))
    return find_checkpoint(pretrained[0] if len(pretrained) == 1 else place)


def _check(checkpoint: Path) -> None:
    """`UserError` where the artifact that a checkpoint lies in is damaged."""
    artifact = checkpoint.absolute().parent.parent
    if checkpoint.parent.name == "checkpoints" and (artifact / "manifest.json").is_file():
        check_artifact(artifact)


def hash_checkpoint(folder: Path) -> str:
    """SHA-256 of what a checkpoint computes with.

    Configuration, tokenizer and all weight files; Python files, a chat template, tokens before a prompt and
    ends of completions besides EOS where there are any, so that checkpoints without them have the key that
    they had.
    """
    tokenizer = [folder / "tokenizer.json"]
    if not tokenizer[0].is_file():
        tokenizer = sorted(folder.glob("*.model"))
    files = [folder / "config.json", *tokenizer, *sorted(folder.glob("*.safetensors"))]
    files += sorted(folder.glob("*.py"))
    found: list[object] = [[file.name, hash_file(file)] for file in files if file.is_file()]
    found += [[name, value] for name, value in _prompt_parts(folder).items() if value]
    return hashlib.sha256(canonical_json(found).encode()).hexdigest()


def _prompt_parts(folder: Path) -> dict[str, object]:
    """Settings that prompts and the ends of completions depend on."""
    from ..model.tokenizer import load_tokenizer  # with Jinja, which a plan does without

    tokenizer, generation = (
        read_json(path) if (path := folder / name).is_file() else {}
        for name in ("tokenizer_config.json", "generation_config.json")
    )
    template = folder / "chat_template.jinja"
    ends = generation.get("eos_token_id")
    # Only transformers reads a folder without this file; what it puts before a text is not known here.
    known = (folder / "tokenizer.json").is_file()
    return {
        "chat_template": hash_file(template) if template.is_file() else tokenizer.get("chat_template"),
        "ends": ends if isinstance(ends, list) else None,
        "stop_strings": generation.get("stop_strings"),
        "start_ids": load_tokenizer(folder).start_ids if known else "the tokenizer's own",
    }


def step_of(folder: Path) -> int:
    """The step in a checkpoint folder's name, 0 where it has none."""
    digits = folder.name.removeprefix("step_")
    return int(digits) if digits.isdigit() else 0
