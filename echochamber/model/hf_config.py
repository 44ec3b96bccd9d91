"""Hugging Face's `config.json` <-> `ModelConfig`: which families and settings the native decoder computes.

What it does not compute is `Unsupported`, so that another engine can take the model.
"""

from collections.abc import Mapping

from ..core.errors import UserError
from .config import ModelConfig, RopeScaling

HF_CLASS = {
    "llama": "LlamaForCausalLM",
    "olmo": "OlmoForCausalLM",
    "qwen2": "Qwen2ForCausalLM",
    "qwen3": "Qwen3ForCausalLM",
    "mistral": "MistralForCausalLM",
    "smollm3": "SmolLM3ForCausalLM",
}
"""Families that the native decoder computes, as config.json names them, with transformers' classes."""
_ABSENT: dict[str, dict[str, object]] = {
    "qwen2": {"num_key_value_heads": 32, "max_position_embeddings": 32768},
    "qwen3": {"num_key_value_heads": 32, "head_dim": 128, "max_position_embeddings": 32768},
    "mistral": {"num_key_value_heads": 8, "sliding_window": 4096, "max_position_embeddings": 131072},
    "smollm3": {
        "num_key_value_heads": 4,
        "max_position_embeddings": 32768,
        "tie_word_embeddings": True,
        "rope_theta": 2_000_000.0,
    },
}
"""What transformers takes where a family's config.json does not have the key."""
_NEEDED = ("vocab_size", "hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads")


class Unsupported(UserError):
    """A model of a family or with a setting that the native decoder does not compute."""


def to_hf(config: ModelConfig, bos_id: int | None, eos_id: int, pad_id: int) -> dict[str, object]:
    """The `config.json` of a Hugging Face folder."""
    shared: dict[str, object] = {
        "architectures": [HF_CLASS[config.architecture]],
        "model_type": config.architecture,
        "vocab_size": config.vocab_size,
        "hidden_size": config.hidden_size,
        "intermediate_size": config.intermediate_size,
        "num_hidden_layers": config.num_layers,
        "num_attention_heads": config.num_heads,
        "num_key_value_heads": config.num_kv_heads,
        "max_position_embeddings": config.max_positions,
        "rope_theta": config.rope_theta,
        "rope_parameters": {"rope_type": "default", "rope_theta": config.rope_theta},
        "tie_word_embeddings": config.tie_embeddings,
        "initializer_range": config.init_std,
        "hidden_act": "silu",
        "attention_bias": config.output_bias,
        "attention_dropout": 0.0,
        "bos_token_id": bos_id,
        "eos_token_id": eos_id,
        "pad_token_id": pad_id,
        "dtype": "float32",
        "use_cache": True,
    }
    own: dict[str, object] = (
        {"clip_qkv": None} if config.plain_norm else {"rms_norm_eps": config.norm_eps, "mlp_bias": False}
    )
    return shared | own | _of_family(config)


def _of_family(config: ModelConfig) -> dict[str, object]:
    """Keys that the plain Llama and OLMo do not have."""
    found: dict[str, object] = {}
    if config.head_dim is not None or config.architecture == "qwen3":  # absent means 128 there
        found["head_dim"] = config.head_size
    if (scaling := config.rope_scaling) is not None:
        settings: dict[str, object] = {"rope_type": scaling.kind, "factor": scaling.factor}
        if scaling.kind == "llama3":
            settings |= {
                "low_freq_factor": scaling.low_freq_factor,
                "high_freq_factor": scaling.high_freq_factor,
                "original_max_position_embeddings": scaling.original_max_positions,
            }
        found["rope_scaling"] = settings  # as transformers before version 5 spells it
        found["rope_parameters"] = settings | {"rope_theta": config.rope_theta}
    if config.architecture == "mistral":
        found["sliding_window"] = None
    if config.architecture in ("qwen2", "qwen3", "smollm3"):
        found |= {"use_sliding_window": False, "sliding_window": None}
    if config.architecture == "smollm3":
        without = config.layers_without_rope
        found["no_rope_layers"] = [int(layer not in without) for layer in range(config.num_layers)]
    return found


def from_hf(data: Mapping[str, object], source: str) -> ModelConfig:
    """Read a `config.json`; `source` names it in errors.

    `Unsupported` where the native decoder does not compute the model, another `UserError` where the file
    is no model's configuration.
    """
    kind = data.get("model_type")
    if not isinstance(kind, str) or kind not in HF_CLASS:
        raise Unsupported(f"{source}: model_type is {kind!r:.60}; this engine runs {', '.join(HF_CLASS)}")
    for key in _NEEDED:
        if type(data.get(key)) is not int:
            found = repr(data[key])[:40] if key in data else "no such key"
            raise UserError(f"{source}: {key}: expected a whole number, found {found}")
    data = _ABSENT.get(kind, {}) | dict(data)
    # As transformers has it, the older key wins where a file holds both.
    rope = _mapping(data, "rope_scaling", source) or _mapping(data, "rope_parameters", source)
    bias = bool(data.get("attention_bias"))
    _refuse_unsupported(data, rope, source)
    values: dict[str, object] = {
        "architecture": kind,
        "vocab_size": data["vocab_size"],
        "hidden_size": data["hidden_size"],
        "intermediate_size": data["intermediate_size"],
        "num_layers": data["num_hidden_layers"],
        "num_heads": data["num_attention_heads"],
        "num_kv_heads": data.get("num_key_value_heads") or data["num_attention_heads"],
        "head_dim": _head_dim(data),
        "max_positions": data.get("max_position_embeddings", 2048),
        "rope_theta": rope.get("rope_theta") or data.get("rope_theta") or 10_000.0,
        "rope_scaling": _scaling(data, rope, source),
        "layers_without_rope": _layers_without_rope(data, source) if kind == "smollm3" else (),
        "qkv_bias": kind == "qwen2" or bias,
        "output_bias": kind != "qwen2" and bias,
        "qk_norm": kind == "qwen3",
        "norm_eps": 1e-5 if kind == "olmo" else data.get("rms_norm_eps", 1e-6),
        "tie_embeddings": data.get("tie_word_embeddings", False),
        "init_std": data.get("initializer_range", 0.02),
    }
    return ModelConfig.parse(values, source)


def _mapping(data: Mapping[str, object], key: str, source: str) -> dict[str, object]:
    """The mapping under a key; {} where the key is absent or empty."""
    found = data.get(key) or {}
    if not isinstance(found, dict):
        raise UserError(f"{source}: {key}: expected a mapping of keys to values, found {found!r:.40}")
    return found


def _head_dim(data: Mapping[str, object]) -> object:
    """None where it is what hidden_size and the number of heads give."""
    width, heads, given = data["hidden_size"], data["num_attention_heads"], data.get("head_dim")
    assert isinstance(width, int), "checked before"
    assert isinstance(heads, int), "checked before"
    return None if heads > 0 and given == width / heads else given


def _scaling(data: Mapping[str, object], rope: Mapping[str, object], source: str) -> RopeScaling | None:
    kind = rope_type(rope)
    if kind == "default":
        return None
    values: dict[str, object] = {"kind": kind, "factor": rope.get("factor")}
    if kind == "llama3":
        values |= {
            "low_freq_factor": rope.get("low_freq_factor"),
            "high_freq_factor": rope.get("high_freq_factor"),
            "original_max_positions": rope.get("original_max_position_embeddings")
            or data.get("max_position_embeddings"),
        }
    return RopeScaling.parse(values, f"{source}: rope_parameters")


def rope_type(rope: Mapping[str, object]) -> object:
    """The kind of rotary scaling, in the older or the newer spelling."""
    return rope.get("rope_type", rope.get("type", "default"))


def _layers_without_rope(data: Mapping[str, object], source: str) -> tuple[int, ...]:
    """SmolLM3: 0 in `no_rope_layers` marks them; without that list it is every fourth by default."""
    layers, marks = data["num_hidden_layers"], data.get("no_rope_layers")
    assert isinstance(layers, int), "checked before"
    if marks is None:
        interval = data.get("no_rope_layer_interval", 4)
        if type(interval) is not int or interval < 1:
            raise UserError(
                f"{source}: no_rope_layer_interval: expected a number above 0, found {interval!r:.40}"
            )
        return tuple(range(interval - 1, layers, interval))
    if not isinstance(marks, list) or len(marks) < layers or any(mark not in (0, 1) for mark in marks):
        raise UserError(
            f"{source}: no_rope_layers: expected a list of 0 and 1 for {layers} layers, found {marks!r:.60}"
        )
    return tuple(layer for layer in range(layers) if not marks[layer])


def _refuse_unsupported(data: Mapping[str, object], rope: Mapping[str, object], source: str) -> None:
    """Settings that would change the numbers and that the native decoder does not have."""
    kind = rope_type(rope)
    known = kind in ("default", "linear", "llama3") and not any(isinstance(v, dict) for v in rope.values())
    wrong = {
        "hidden_act": data.get("hidden_act", "silu") != "silu",
        "mlp_bias": bool(data.get("mlp_bias")),
        "clip_qkv": data.get("clip_qkv") is not None,
        "partial_rotary_factor": _partial(data, rope),
        "sliding_window": _slides(data),
        "rope_parameters": not known,
    }
    for key, refused in wrong.items():
        if refused:
            found = dict(rope) if key == "rope_parameters" else data.get(key, rope.get(key))
            raise Unsupported(f"{source}: {key} = {found!r:.80} is not supported by this engine")


def _partial(data: Mapping[str, object], rope: Mapping[str, object]) -> bool:
    """Whether only a part of each head is rotated."""
    return any(found.get("partial_rotary_factor") not in (None, 1, 1.0) for found in (data, rope))


def _slides(data: Mapping[str, object]) -> bool:
    """Whether some layer attends to fewer tokens than there are positions."""
    window, positions = data.get("sliding_window"), data.get("max_position_embeddings")
    # Qwen and SmolLM3 have a switch for it, Mistral has none; Llama and OLMo have no window.
    used = data["model_type"] == "mistral" or bool(data.get("use_sliding_window"))
    if not used or window is None:
        return False
    return not (isinstance(window, int) and isinstance(positions, int) and window >= positions)
