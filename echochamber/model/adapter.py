"""Low-rank adapters (LoRA; Hu et al. 2021) on models of transformers, through peft (extra `[lora]`)."""

import importlib
import operator
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import ModuleType

import torch
from torch import Tensor, nn

from ..core.errors import UserError
from ..core.keys import key
from .decoder import Decoder
from .settings import AdapterConfig
from .transformers_model import TransformersModel

FOLDER = "adapter"
"""Where a checkpoint folder holds the adapter alone, beside the merged weights."""
_NAME = "default"
_base_layer = operator.methodcaller("get_base_layer")
_delta_weight = operator.methodcaller("get_delta_weight", _NAME)


def add_adapter(model: TransformersModel, config: AdapterConfig, seed: int) -> None:
    """Freeze a model's weights and add an adapter that changes nothing yet.

    `UserError` where peft is missing or does not take the model or the targets.
    """
    peft, name = _peft(), type(model.causal).__name__
    settings = peft.LoraConfig(
        r=config.rank,
        lora_alpha=config.alpha or 2 * config.rank,
        target_modules=list(config.targets) or "all-linear",
        task_type="CAUSAL_LM",
    )
    with torch.random.fork_rng(devices=[]), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of peft about what it sets right itself
        torch.manual_seed(key("adapter", seed) % 2**63)
        try:
            wrapped = peft.get_peft_model(model.causal, settings)
        except Exception as error:
            # ValueError, TypeError and others, by what is wrong with the targets.
            reason = " ".join(str(error).split())[:200]
            raise UserError(f"rl adapter: {name} takes no such adapter ({reason})") from error
    # Where it came from is a path of this machine.
    wrapped.peft_config[_NAME].base_model_name_or_path = None
    model.split_head()
    model.adapter = (wrapped,)
    embeddings = model.input_embeddings
    if any(_base_layer(layer).weight is embeddings for layer in _layers(model).values()):
        raise UserError(f"rl adapter: targets name the head of {name}, which shares the embeddings' weights")


class MergedWeights(Mapping[str, Tensor]):
    """The weights with the adapter added, under the names that they have without one; added when read."""

    def __init__(self, model: TransformersModel) -> None:
        self.layers = {f"{name}.weight": layer for name, layer in _layers(model).items()}
        self.state = {
            name.replace(".base_layer.", "."): value
            for name, value in model.causal.state_dict().items()
            if ".lora_" not in name
        }

    def __getitem__(self, name: str) -> Tensor:
        if name not in self.layers:
            return self.state[name]
        with torch.no_grad():
            merged: Tensor = self.state[name] + _delta_weight(self.layers[name])
        return merged

    def __iter__(self) -> Iterator[str]:
        return iter(self.state)

    def __len__(self) -> int:
        return len(self.state)


def weights_of(model: Decoder) -> Mapping[str, Tensor]:
    """What a model computes with, under Hugging Face's names; an adapter is merged in."""
    if isinstance(model, TransformersModel) and model.adapter is not None:
        return MergedWeights(model)
    return model.weights()


def save_adapter(model: TransformersModel, folder: Path) -> None:
    """Write a folder that `peft.PeftModel.from_pretrained` loads on the base."""
    assert model.adapter is not None, "the model has none"
    operator.methodcaller("save_pretrained", folder)(model.adapter[0])
    # A card with placeholders.
    (folder / "README.md").unlink(missing_ok=True)


def _layers(model: TransformersModel) -> dict[str, nn.Module]:
    """Layers with an adapter, by name."""
    layer_type = _peft().tuners.lora.LoraLayer
    return {name: layer for name, layer in model.causal.named_modules() if isinstance(layer, layer_type)}


def _peft() -> ModuleType:
    try:
        return importlib.import_module("peft")
    except ImportError:
        raise UserError(
            "rl adapter: the package peft is not installed; pip install 'echochamber[lora]'"
        ) from None
