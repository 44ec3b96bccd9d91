"""Checkpoints are Hugging Face folders: `config.json`, `model.safetensors`, `tokenizer.json`."""

from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from ..core.errors import UserError
from ..core.files import make_folder, read_json, write_json
from ..core.jsonl import is_text
from .config import ModelConfig
from .hf_config import from_hf, to_hf
from .tokenizer import Tokenizer, load_tokenizer
from .transformer import Transformer

TIED_NAME = "lm_head.weight"


def save_checkpoint(
    folder: Path,
    model: Transformer,
    tokenizer: Tokenizer,
    weights: dict[str, torch.Tensor] | None = None,
    dtype: torch.dtype = torch.float32,
) -> None:
    """Write a folder that `AutoModelForCausalLM` and `AutoTokenizer` load with no code of ours.

    `weights`: the model's, where it does not hold them whole itself. `dtype`: of the weights in the file.
    """
    make_folder(folder)
    state = {
        name: value.detach().to("cpu", dtype).contiguous()
        for name, value in (weights or model.state_dict()).items()
    }
    if model.config.tie_embeddings:
        state.pop(TIED_NAME, None)
    save_file(state, folder / "model.safetensors", metadata={"format": "pt"})
    ends: int | list[int] = tokenizer.eos_id if len(tokenizer.end_ids) == 1 else list(tokenizer.end_ids)
    special: dict[str, object] = {"eos_token_id": ends, "pad_token_id": tokenizer.pad_id}
    if tokenizer.ends.strings:
        special["stop_strings"] = list(tokenizer.ends.strings)
    config = to_hf(model.config, None, tokenizer.eos_id, tokenizer.pad_id)
    write_json(folder / "config.json", config | {"dtype": str(dtype).removeprefix("torch.")})
    write_json(
        folder / "generation_config.json", special | {"do_sample": True, "temperature": 1.0, "top_k": 0}
    )
    tokenizer.save(folder, model.config.max_positions)


def load_checkpoint(folder: Path, device: torch.device | None = None) -> tuple[Transformer, Tokenizer]:
    """Load model (float32) and tokenizer; every fault names the file, what was expected and found."""
    data = read_config_file(folder)
    config = read_config(data, folder / "config.json")
    tokenizer = load_tokenizer(folder)
    check_tokenizer(folder, config.vocab_size, data.get("eos_token_id"), tokenizer)
    expected = {name: tuple(value.shape) for name, value in _skeleton(config, folder).state_dict().items()}
    if config.tie_embeddings:
        expected.pop(TIED_NAME)
    state = _read_tensors(folder, expected)
    if config.tie_embeddings:
        state[TIED_NAME] = state["model.embed_tokens.weight"]
    model = Transformer(config)
    model.load_state_dict(state)
    return model.to(device or torch.device("cpu")), tokenizer


def _skeleton(config: ModelConfig, folder: Path) -> Transformer:
    """The model without memory for its weights; `UserError` where a weight would have too many numbers."""
    try:
        with torch.device("meta"):
            return Transformer(config)
    except RuntimeError as error:
        reason = str(error).splitlines()[0]
        raise UserError(f"{folder / 'config.json'}: is not the configuration of a model ({reason})") from None


def read_config(data: dict[str, object], path: Path) -> ModelConfig:
    """The architecture in a `config.json`; values of other types than a model's are a `UserError`."""
    try:
        config = from_hf(data, str(path))
        torch.empty(config.vocab_size, config.hidden_size, config.intermediate_size, device="meta")
        return config
    except UserError:
        raise
    except (TypeError, ValueError, OverflowError, ZeroDivisionError, RuntimeError) as error:
        reason = str(error).splitlines()[0]
        raise UserError(f"{path}: is not the configuration of a model ({reason})") from None


def read_config_file(folder: Path) -> dict[str, object]:
    """The content of a folder's `config.json`; `UserError` where there is none."""
    path = folder / "config.json"
    if not path.is_file():
        raise UserError(f"{folder}: no config.json, so this is not a checkpoint folder")
    return read_json(path)


def check_tokenizer(folder: Path, vocab_size: int, told: object, tokenizer: Tokenizer) -> None:
    """Refuse a tokenizer with more tokens than the model has rows, or with another end-of-text token."""
    if tokenizer.vocab_size > vocab_size:
        raise UserError(
            f"{folder}: tokenizer.json has ids up to {tokenizer.vocab_size - 1}, "
            f"config.json says vocab_size {vocab_size}; this tokenizer is not the model's"
        )
    expected = told if isinstance(told, list) else [] if told is None else [told]
    if expected and tokenizer.eos_id not in expected:
        raise UserError(
            f"{folder}: the end-of-text token of tokenizer.json has id {tokenizer.eos_id}, "
            f"config.json says eos_token_id {told}; this tokenizer is not the model's"
        )


def weight_files(folder: Path) -> list[Path]:
    """Where a folder's weights are, by its index where it has one; files of the folder itself only."""
    index = folder / "model.safetensors.index.json"
    if not index.is_file():
        return [folder / "model.safetensors"]
    weight_map = read_json(index).get("weight_map")
    if not isinstance(weight_map, dict) or not weight_map:
        raise UserError(
            f"{index}: expected weight_map with the file of every weight, found {weight_map!s:.40}"
        )
    for name in (names := list(weight_map.values())):
        if not isinstance(name, str) or not is_text(name) or not 0 < len(name.encode()) < 256 or "\0" in name:
            raise UserError(f"{index}: weight_map names {name!r:.60}, expected the name of a file")
    return [folder / Path(name).name for name in sorted(set(names))]


def _read_tensors(folder: Path, expected: dict[str, tuple[int, ...]]) -> dict[str, torch.Tensor]:
    """The expected tensors as float32, from one file or from shards."""
    state: dict[str, torch.Tensor] = {}
    files, unexpected = weight_files(folder), set[str]()
    for path in files:
        if not path.is_file():
            names = sorted(other.name for other in folder.iterdir())
            pickled = any(name.endswith((".bin", ".pt", ".pth")) for name in names)
            why = "; pickled weights are not read, since loading them runs code" if pickled else ""
            raise UserError(f"{path}: weight file is missing; the folder has {', '.join(names[:8])}{why}")
        try:
            with safe_open(path, framework="pt") as stored:
                unexpected |= set(stored.keys()) - set(expected)
                for name in set(stored.keys()) & set(expected):
                    state[name] = stored.get_tensor(name).float()
        except (SafetensorError, OSError) as error:
            raise UserError(
                f"{path}: expected safetensors, found a damaged or other file of "
                f"{path.stat().st_size:,} bytes ({error})"
            ) from None
    # Tied heads and tables of angles that older files carry along are computed here.
    if extra := sorted(
        name for name in unexpected if name != TIED_NAME and not name.endswith("rotary_emb.inv_freq")
    ):
        raise UserError(
            f"{files[0]}: expected {len(expected)} weights, as config.json means, "
            f"found {len(extra)} more, such as {extra[0]!r}"
        )
    for name, shape in expected.items():
        if name not in state:
            raise UserError(
                f"{files[0]}: weight {name!r} of shape {shape}, which config.json means, "
                f"is in none of {len(files)} weight files"
            )
        if tuple(state[name].shape) != shape:
            raise UserError(
                f"{files[0]}: weight {name!r} has shape {tuple(state[name].shape)}, config.json means {shape}"
            )
    return state
