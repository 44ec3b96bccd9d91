"""Checkpoints are Hugging Face folders: `config.json`, `model.safetensors`, `tokenizer.json`."""

import json
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from ..core.artifacts import make_folder, write_json
from ..core.errors import UserError
from .config import ModelConfig
from .tokenizer import Tokenizer, load_tokenizer
from .transformer import Transformer

TIED_NAME = "lm_head.weight"


def save_checkpoint(folder: Path, model: Transformer, tokenizer: Tokenizer) -> None:
    """Write a folder that `AutoModelForCausalLM` and `AutoTokenizer` load with no code of ours."""
    make_folder(folder)
    state = {name: value.detach().cpu().contiguous() for name, value in model.state_dict().items()}
    if model.config.tie_embeddings:
        state.pop(TIED_NAME)
    save_file(state, folder / "model.safetensors", metadata={"format": "pt"})
    special = {"eos_token_id": tokenizer.eos_id, "pad_token_id": tokenizer.pad_id}
    write_json(folder / "config.json", model.config.to_hf(None, tokenizer.eos_id, tokenizer.pad_id))
    write_json(folder / "generation_config.json", special | {"do_sample": True, "temperature": 1.0, "top_k": 0})
    tokenizer.save(folder, model.config.max_positions)


def load_checkpoint(folder: Path, device: torch.device | None = None) -> tuple[Transformer, Tokenizer]:
    """Load model (float32) and tokenizer; every fault names the file, what was expected and found."""
    config = _read_config(folder)
    tokenizer = load_tokenizer(folder)
    if tokenizer.vocab_size > config.vocab_size:
        raise UserError(
            f"{folder}: tokenizer.json has {tokenizer.vocab_size} tokens, config.json says vocab_size {config.vocab_size}; "
            "this tokenizer is not the model's"
        )
    with torch.device("meta"):
        model = Transformer(config)
    expected = {name: tuple(value.shape) for name, value in model.state_dict().items()}
    if config.tie_embeddings:
        expected.pop(TIED_NAME)
    state = _read_tensors(folder, expected)
    if config.tie_embeddings:
        state[TIED_NAME] = state["model.embed_tokens.weight"]
    model = Transformer(config)
    model.load_state_dict(state)
    return model.to(device or torch.device("cpu")), tokenizer


def _read_config(folder: Path) -> ModelConfig:
    path = folder / "config.json"
    if not path.is_file():
        raise UserError(f"{folder}: no config.json, so this is not a checkpoint folder")
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: is not JSON ({error})") from None
    return ModelConfig.from_hf(data, str(path))


def _weight_files(folder: Path) -> list[Path]:
    index = folder / "model.safetensors.index.json"
    if index.is_file():
        names = set(json.loads(index.read_text(encoding="utf-8"))["weight_map"].values())
        return [folder / Path(name).name for name in sorted(names)]
    return [folder / "model.safetensors"]


def _read_tensors(folder: Path, expected: dict[str, tuple[int, ...]]) -> dict[str, torch.Tensor]:
    """The expected tensors as float32, from one file or from shards."""
    state: dict[str, torch.Tensor] = {}
    for path in _weight_files(folder):
        if not path.is_file():
            raise UserError(f"{path}: weight file is missing")
        try:
            with safe_open(path, framework="pt") as stored:
                for name in set(stored.keys()) & set(expected):
                    state[name] = stored.get_tensor(name).float()
        except (SafetensorError, OSError) as error:
            raise UserError(f"{path}: is damaged or not safetensors ({error})") from None
    for name, shape in expected.items():
        if name not in state:
            raise UserError(f"{folder}: weight {name!r} is missing from the weight files")
        if tuple(state[name].shape) != shape:
            raise UserError(f"{folder}: weight {name!r} has shape {tuple(state[name].shape)}, config.json means {shape}")
    return state
