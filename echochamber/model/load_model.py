"""Which engine a checkpoint runs in, and reading and writing it there."""

from pathlib import Path

import torch

from ..core.errors import UserError
from ..core.files import make_folder
from ..core.progress import say
from .checkpoint import load_checkpoint, read_config_file, save_checkpoint
from .decoder import Decoder
from .hf_config import Unsupported, from_hf
from .runtime import Runtime
from .settings import AUTO_ENGINE, NATIVE_ENGINE, TRANSFORMERS_ENGINE, RuntimeConfig
from .tokenizer import Tokenizer
from .transformer import Transformer
from .transformers_checkpoint import is_installed, load_transformers, save_transformers
from .transformers_model import TransformersModel


def load_model(folder: Path, runtime: Runtime) -> tuple[Decoder, Tokenizer]:
    """The model in the engine that the runtime names or, with `auto`, that computes it; and its tokenizer."""
    return load_model_on(folder, runtime.device, runtime.engine, runtime.trust_remote_code)


def load_model_on(
    folder: Path, device: torch.device, engine: str = AUTO_ENGINE, trust_remote_code: bool = False
) -> tuple[Decoder, Tokenizer]:
    """As `load_model`, from its parts. An engine of a user's module gets what `auto` takes."""
    if engine == NATIVE_ENGINE:
        return load_checkpoint(folder, device)
    if engine == TRANSFORMERS_ENGINE or why_not_native(folder):
        return load_transformers(folder, device, trust_remote_code)
    return load_checkpoint(folder, device)


def save_model(
    folder: Path,
    model: Decoder,
    tokenizer: Tokenizer,
    weights: dict[str, torch.Tensor] | None = None,
    dtype: torch.dtype = torch.float32,
) -> None:
    """Write a folder in Hugging Face's layout; `weights`: the model's, where it does not hold them whole.

    `dtype`: of the weights in the file; those of an engine of transformers stay as they are.
    """
    if isinstance(model, TransformersModel):
        save_transformers(make_folder(folder), model, tokenizer)
    else:
        assert isinstance(model, Transformer), f"{type(model).__name__} has no folder"
        save_checkpoint(folder, model, tokenizer, weights, dtype)


def why_not_native(folder: Path) -> str | None:
    """None where the native decoder computes the model in a folder, else what it does not compute.

    `UserError` where config.json is missing or damaged, and where no engine is left.
    """
    data = read_config_file(folder)
    try:
        from_hf(data, str(folder / "config.json"))
    except Unsupported as reason:
        if not is_installed():
            raise UserError(
                f"{reason}; the package transformers may run it: pip install 'echochamber[hf]'"
            ) from None
        return str(reason)
    except UserError:
        return None  # loading it natively says what is wrong
    return None


def take_engine(config: RuntimeConfig, folder: Path) -> RuntimeConfig:
    """The settings with the engine that runs a checkpoint; which one and why is said.

    The native engine stays `auto` where that took it, so that fingerprints of native runs stay as they are.
    """
    reason = why_not_native(folder) if config.engine == AUTO_ENGINE else None
    if config.engine != AUTO_ENGINE:
        say(f"engine {config.engine}: runtime.engine names it")
    elif reason is None:
        say(f"engine {NATIVE_ENGINE}: it computes {read_config_file(folder).get('model_type')} models")
    else:
        say(f"engine {TRANSFORMERS_ENGINE}, slower than the native one: {reason}")
        return config.model_copy(update={"engine": TRANSFORMERS_ENGINE})
    return config
