"""A Hugging Face folder from a GGUF file: `python -m tests.model.gguf_model FILE.gguf FOLDER`; needs transformers and gguf."""

import sys
from pathlib import Path

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer, LlamaConfig, LlamaForCausalLM


def convert(source: Path, folder: Path) -> None:
    """Write model and tokenizer in float32.

    The model that transformers builds from a GGUF file refuses to be saved as long as its config
    speaks of quantization, so a fresh one takes over its config and its weights.
    """
    where = {"pretrained_model_name_or_path": str(source.parent), "gguf_file": source.name}
    read = AutoModelForCausalLM.from_pretrained(**where, dtype=torch.float32)
    settings = {name: value for name, value in read.config.to_dict().items() if name != "quantization_config"}
    fresh = LlamaForCausalLM(LlamaConfig(**settings)).to(torch.float32)
    fresh.load_state_dict(read.state_dict())
    fresh.generation_config = read.generation_config
    fresh.save_pretrained(folder)
    AutoTokenizer.from_pretrained(**where).save_pretrained(folder)


if __name__ == "__main__":
    convert(Path(sys.argv[1]), Path(sys.argv[2]))
