"""Our settings in vLLM's words: how it starts on a model, and how it draws completions."""

import operator
from collections.abc import Mapping
from pathlib import Path

from ..core.errors import UserError
from ..core.files import make_folder, read_json, write_json
from .decoder import Decoder
from .hf_config import HF_CLASS, to_hf
from .runtime import Runtime
from .settings import SamplingConfig
from .stop import StopStrings
from .tokenizer import Tokenizer
from .transformer import Transformer
from .transformers_model import TransformersModel

_COOLEST = 0.01
"""Temperatures below are raised to this one by vLLM, which would change what is sampled."""


def write_description(folder: Path, model: Decoder, tokenizer: Tokenizer) -> None:
    """`config.json` and the tokenizer of a model, without its weights: those are sent.

    Tied embeddings are written as two matrices. vLLM 0.32 loses the tie when weights are sent again.
    """
    make_folder(folder)
    if isinstance(model, Transformer):
        config = to_hf(model.config, None, tokenizer.eos_id, tokenizer.pad_id)
    else:
        assert isinstance(model, TransformersModel), f"{type(model).__name__} has no configuration"
        operator.methodcaller("save_pretrained", folder)(model.causal.config)
        config = read_json(folder / "config.json") | {"architectures": [class_name(model)]}
    write_json(folder / "config.json", config | {"tie_word_embeddings": False})
    tokenizer.save(folder, model.config.max_positions)


def class_name(model: Decoder) -> str:
    """The class of transformers that computes a model."""
    if isinstance(model, TransformersModel):
        return type(model.causal).__name__
    assert isinstance(model, Transformer), f"{type(model).__name__} has no class of transformers"
    return HF_CLASS[model.config.architecture]


def start_arguments(model: Decoder, sampling: SamplingConfig, runtime: Runtime) -> dict[str, object]:
    """Keyword arguments of `vllm.LLM` besides the folder."""
    on_cpu = runtime.device.type == "cpu"
    memory: Mapping[str, object] = (
        {"kv_cache_memory_bytes": int(runtime.vllm.cache_gb * 1e9)}
        if on_cpu
        else {"gpu_memory_utilization": runtime.vllm.gpu_memory, "enable_sleep_mode": True}
    )
    return {
        "dtype": str(runtime.dtype).removeprefix("torch."),
        "max_model_len": model.config.max_positions,
        "max_num_seqs": sampling.max_rows,
        "logprobs_mode": logprobs_mode(sampling),
        "load_format": "dummy",  # the weights are sent
        "generation_config": "vllm",  # the settings of each request alone
        "enforce_eager": on_cpu,
        **memory,
    }


def logprobs_mode(sampling: SamplingConfig) -> str:
    """Which of its distributions vLLM reports: ours is the whole one at the sampling temperature.

    `processed_logprobs` are tempered and cut by top-p and top-k, `raw_logprobs` neither. `UserError` where
    ours is none of the two.
    """
    cut = sampling.top_p < 1 or sampling.top_k > 0
    if cut and sampling.temperature not in (0, 1):
        raise UserError(
            f"engine 'vllm': top_p or top_k at temperature {sampling.temperature} has no log-probabilities "
            "of the whole distribution there; use temperature 1 or another engine"
        )
    if 0 < sampling.temperature < _COOLEST:
        raise UserError(
            f"engine 'vllm': temperature {sampling.temperature} is below {_COOLEST}, the least above 0 there"
        )
    return "raw_logprobs" if cut else "processed_logprobs"


def request_arguments(
    sampling: SamplingConfig, end_ids: tuple[int, ...], stop: StopStrings, samples: int
) -> dict[str, object]:
    """Keyword arguments of `vllm.SamplingParams` for `samples` completions of each prompt.

    A greedy prompt has one, whatever `samples` says. The end tokens are ours alone.
    """
    return {
        "n": samples if sampling.temperature else 1,
        "temperature": sampling.temperature,
        "top_p": sampling.top_p,
        "top_k": sampling.top_k,
        "max_tokens": sampling.max_new_tokens,
        "stop": list(stop.strings),
        "stop_token_ids": list(end_ids),
        "ignore_eos": True,
        "detokenize": bool(stop),
        "logprobs": 0,  # of the chosen token alone
    }
