"""Converts a GGUF file to a Hugging Face folder; needs transformers, gguf and accelerate.

    python benchmarks/gguf_model.py FILE.gguf FOLDER

docs/real-models.md shows how to install what it needs.
"""

import sys
from pathlib import Path

import torch


def convert(source: Path, folder: Path) -> None:
    """Write model and tokenizer in float32.

    transformers refuses to save a model whose config holds quantization settings. The config and the
    weights are therefore moved to a fresh model, without these settings.
    """
    from transformers import AutoModelForCausalLM, AutoTokenizer, LlamaConfig, LlamaForCausalLM

    where = {"pretrained_model_name_or_path": str(source.parent), "gguf_file": source.name}
    read = AutoModelForCausalLM.from_pretrained(**where, dtype=torch.float32)
    settings = {name: value for name, value in read.config.to_dict().items() if name != "quantization_config"}
    fresh = LlamaForCausalLM(LlamaConfig(**settings)).to(torch.float32)
    fresh.load_state_dict(read.state_dict())
    fresh.generation_config = read.generation_config
    fresh.save_pretrained(folder)
    AutoTokenizer.from_pretrained(**where).save_pretrained(folder)


def main() -> None:
    """Convert the file named on the command line."""
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    convert(Path(sys.argv[1]), Path(sys.argv[2]))


if __name__ == "__main__":
    main()
