"""Checkpoints that the library transformers loads and saves (extra `[hf]`); weights in safetensors only."""

import importlib
import importlib.util
import operator
from pathlib import Path
from types import ModuleType

import torch

from ..core.errors import UserError
from ..core.files import make_folder
from .adapter import FOLDER as ADAPTER_FOLDER
from .adapter import save_adapter, weights_of
from .checkpoint import check_tokenizer, read_config_file, weight_files
from .tokenizer import Tokenizer, load_tokenizer, wrap_tokenizer
from .transformers_model import TransformersModel, shape_of


def load_transformers(
    folder: Path, device: torch.device, trust_remote_code: bool = False
) -> tuple[TransformersModel, Tokenizer]:
    """Load what `AutoModelForCausalLM` loads, in float32; every fault is a `UserError` in one line.

    `trust_remote_code`: run Python files of the folder where its config names them.
    """
    library = _library(folder)
    data = read_config_file(folder)
    _check_weight_files(folder)
    options = {"trust_remote_code": trust_remote_code, "local_files_only": True}
    try:
        settings = library.AutoConfig.from_pretrained(folder, **options)
        causal, report = library.AutoModelForCausalLM.from_pretrained(
            folder,
            config=settings,
            dtype=torch.float32,
            use_safetensors=True,
            output_loading_info=True,
            **options,
        )
    except Exception as error:
        # The library's errors and those of a family's own code share no base class.
        raise UserError(f"{folder}: {_reason(error, data, trust_remote_code)}") from error
    if missing := sorted(report["missing_keys"]):
        raise UserError(
            f"{folder}: {len(missing)} weights of {type(causal).__name__} are in no weight file, "
            f"such as {missing[0]!r}"
        )
    causal.eval().to(device)
    text, size = settings.get_text_config(), sum(p.numel() for p in causal.parameters())
    model = TransformersModel(causal, shape_of(text, size))
    tokenizer = _tokenizer(library, folder, options)
    check_tokenizer(folder, model.config.vocab_size, text.eos_token_id, tokenizer)
    return model, tokenizer


def save_transformers(folder: Path, model: TransformersModel, tokenizer: Tokenizer) -> None:
    """Write a folder that `AutoModelForCausalLM` and `AutoTokenizer` load.

    An adapter is merged into the weights, and lies beside them alone in a folder `adapter`.
    """
    weights = dict(weights_of(model))
    operator.methodcaller("save_pretrained", make_folder(folder), state_dict=weights)(model.causal)
    if model.adapter is not None:
        save_adapter(model, folder / ADAPTER_FOLDER)
    tokenizer.save(folder, model.config.max_positions)


def is_installed() -> bool:
    """Whether the library is here."""
    return importlib.util.find_spec("transformers") is not None


def _library(folder: Path) -> ModuleType:
    if not is_installed():
        raise UserError(
            f"{folder}: the package transformers, which could run it, is not installed; "
            "pip install 'echochamber[hf]'"
        )
    library = importlib.import_module("transformers")
    logging = importlib.import_module("transformers.utils.logging")
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    return library


def _check_weight_files(folder: Path) -> None:
    """`UserError` where weights are no safetensors, or where an index names files outside the folder."""
    files = weight_files(folder)
    if not any(path.is_file() for path in files):
        found = ", ".join(sorted(path.name for path in folder.iterdir())[:8])
        raise UserError(
            f"{folder}: holds no weights in *.safetensors; pickled weights are not read, "
            f"since loading them runs code; the folder has {found}"
        )


def _reason(error: Exception, data: dict[str, object], trust_remote_code: bool) -> str:
    kind = f"model_type {data.get('model_type')!r:.60}"
    if "auto_map" in data and not trust_remote_code:
        return (
            f"{kind} needs Python code from this folder; read that code, and set "
            "runtime.trust_remote_code: true (--trust-remote-code) if it may run"
        )
    reason = f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"
    return f"{kind} runs neither natively nor in transformers ({reason})"


def _tokenizer(library: ModuleType, folder: Path, options: dict[str, bool]) -> Tokenizer:
    """From `tokenizer.json`; else what AutoTokenizer makes of other files."""
    if (folder / "tokenizer.json").is_file():
        return load_tokenizer(folder)
    try:
        theirs = library.AutoTokenizer.from_pretrained(folder, **options)
        return wrap_tokenizer(folder, theirs.backend_tokenizer)
    except UserError:
        raise
    except Exception as error:
        reason = f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"
        raise UserError(
            f"{folder}: no tokenizer.json, and transformers reads no tokenizer ({reason})"
        ) from error
