"""Architecture of a decoder as plain settings, in both our names and Hugging Face's."""

from collections.abc import Mapping
from typing import Literal, Self

from pydantic import Field, model_validator

from ..core.config import Config
from ..core.errors import UserError

Architecture = Literal["llama", "olmo"]
_HF_CLASS = {"llama": "LlamaForCausalLM", "olmo": "OlmoForCausalLM"}


class ModelConfig(Config):
    """One decoder. `llama`: RMSNorm with weights; `olmo`: LayerNorm without (the paper's models)."""

    architecture: Architecture = "llama"
    vocab_size: int = Field(gt=0)
    hidden_size: int = Field(gt=0)
    intermediate_size: int = Field(gt=0)
    num_layers: int = Field(gt=0)
    num_heads: int = Field(gt=0)
    num_kv_heads: int = Field(gt=0)
    max_positions: int = Field(default=512, gt=0)
    rope_theta: float = 10_000.0
    norm_eps: float = 1e-5
    tie_embeddings: bool = True
    init_std: float = 0.02

    @model_validator(mode="after")
    def _shapes_fit(self) -> Self:
        if self.hidden_size % self.num_heads:
            raise ValueError(
                f"hidden_size {self.hidden_size} is not a multiple of num_heads {self.num_heads}"
            )
        if self.num_heads % self.num_kv_heads:
            raise ValueError(
                f"num_heads {self.num_heads} is not a multiple of num_kv_heads {self.num_kv_heads}"
            )
        if self.head_size % 2:
            raise ValueError(f"head size {self.head_size} is odd; rotary embeddings need an even one")
        return self

    @property
    def head_size(self) -> int:
        """Width of one attention head."""
        return self.hidden_size // self.num_heads

    def to_hf(self, bos_id: int | None, eos_id: int, pad_id: int) -> dict[str, object]:
        """The `config.json` of a Hugging Face folder."""
        shared: dict[str, object] = {
            "architectures": [_HF_CLASS[self.architecture]],
            "model_type": self.architecture,
            "vocab_size": self.vocab_size,
            "hidden_size": self.hidden_size,
            "intermediate_size": self.intermediate_size,
            "num_hidden_layers": self.num_layers,
            "num_attention_heads": self.num_heads,
            "num_key_value_heads": self.num_kv_heads,
            "max_position_embeddings": self.max_positions,
            "rope_theta": self.rope_theta,
            "rope_parameters": {"rope_type": "default", "rope_theta": self.rope_theta},
            "tie_word_embeddings": self.tie_embeddings,
            "initializer_range": self.init_std,
            "hidden_act": "silu",
            "attention_bias": False,
            "attention_dropout": 0.0,
            "bos_token_id": bos_id,
            "eos_token_id": eos_id,
            "pad_token_id": pad_id,
            "dtype": "float32",
            "use_cache": True,
        }
        own: dict[str, object] = (
            {"clip_qkv": None}
            if self.architecture == "olmo"
            else {"rms_norm_eps": self.norm_eps, "mlp_bias": False}
        )
        return shared | own

    @classmethod
    def from_hf(cls, data: Mapping[str, object], source: str) -> Self:
        """Read a Hugging Face `config.json`; refuses what this transformer does not compute."""
        kind = data.get("model_type")
        if not isinstance(kind, str) or kind not in _HF_CLASS:
            raise UserError(f"{source}: model_type is {kind!r:.60}; this engine runs {', '.join(_HF_CLASS)}")
        for key in (
            "vocab_size",
            "hidden_size",
            "intermediate_size",
            "num_hidden_layers",
            "num_attention_heads",
        ):
            if type(data.get(key)) is not int:
                found = repr(data[key])[:40] if key in data else "no such key"
                raise UserError(f"{source}: {key}: expected a whole number, found {found}")
        _refuse_unsupported(data, source)
        rope = _mapping(data, "rope_parameters", source)
        values = {
            "architecture": kind,
            "vocab_size": data["vocab_size"],
            "hidden_size": data["hidden_size"],
            "intermediate_size": data["intermediate_size"],
            "num_layers": data["num_hidden_layers"],
            "num_heads": data["num_attention_heads"],
            "num_kv_heads": data.get("num_key_value_heads") or data["num_attention_heads"],
            "max_positions": data.get("max_position_embeddings", 2048),
            "rope_theta": rope.get("rope_theta") or data.get("rope_theta") or 10_000.0,
            "norm_eps": data.get("rms_norm_eps", 1e-5) if kind == "llama" else 1e-5,
            "tie_embeddings": data.get("tie_word_embeddings", False),
            "init_std": data.get("initializer_range", 0.02),
        }
        return cls.parse(values, source)


def _mapping(data: Mapping[str, object], key: str, source: str) -> dict[str, object]:
    """The mapping under a key; {} where the key is absent or empty."""
    found = data.get(key) or {}
    if not isinstance(found, dict):
        raise UserError(f"{source}: {key}: expected a mapping of keys to values, found {found!r:.40}")
    return found


def _refuse_unsupported(data: Mapping[str, object], source: str) -> None:
    """Settings that would change the numbers and that this transformer does not have."""
    rope = _mapping(data, "rope_parameters", source) or _mapping(data, "rope_scaling", source)
    width, heads = data.get("hidden_size"), data.get("num_attention_heads")
    head_size = width // max(heads, 1) if isinstance(width, int) and isinstance(heads, int) else None
    wrong = {
        "hidden_act": data.get("hidden_act", "silu") != "silu",
        "attention_bias": bool(data.get("attention_bias")),
        "mlp_bias": bool(data.get("mlp_bias")),
        "clip_qkv": data.get("clip_qkv") is not None,
        "rope_scaling": rope.get("rope_type", "default") != "default",
        "head_dim": data.get("head_dim") not in (None, head_size),
    }
    for key, refused in wrong.items():
        if refused:
            raise UserError(f"{source}: {key} = {data.get(key)!r} is not supported by this engine")
