"""A stand-in for the package vllm: what the engine uses of it, computed by our decoder from its own copy.

It holds the weights that it was sent, and nothing else, so an engine that does not send them samples from
stale ones here too. `calls` has what was asked of it, in order.
"""

from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace

import torch

from echochamber.model.checkpoint import read_config, read_config_file
from echochamber.model.sampling import choose
from echochamber.model.settings import SamplingConfig
from echochamber.model.tokenizer import load_tokenizer
from echochamber.model.transformer import Transformer


@dataclass
class Request:
    """One prompt in the queue."""

    name: str
    ids: list[int]
    params: SimpleNamespace


class FakeModel:
    """`vllm.LLM` and its engine in one."""

    started: list["FakeModel"] = []
    wrong = 1.0
    """What it multiplies logits by; other than 1 it computes another model."""

    def __init__(self, model, **arguments):
        folder = Path(model)
        config = read_config(read_config_file(folder), folder / "config.json")
        self.decoder, self.tokenizer = Transformer(config), load_tokenizer(folder)
        self.decoder.init_weights(torch.Generator().manual_seed(99))
        self.arguments, self.queue, self.llm_engine = arguments, [], self
        self.calls: list[object] = []
        self.started.append(self)

    def collective_rpc(self, method, kwargs):
        sent = {name: value.clone() for name, value in kwargs["weights_iterator"]}
        self.decoder.load_state_dict(sent)
        self.calls.append(method)

    def reset_prefix_cache(self):
        self.calls.append("reset_prefix_cache")
        return True

    def sleep(self, level):
        self.calls.append(f"sleep {level}")
        if level == 2:
            self.decoder.load_state_dict({n: v * 0 for n, v in self.decoder.state_dict().items()})

    def wake_up(self, tags):
        self.calls.append(f"wake {','.join(tags)}")

    def add_request(self, request_id, prompt, params):
        self.queue.append(Request(request_id, prompt["prompt_token_ids"], params))

    def abort_request(self, request_ids):
        self.calls.append(f"abort {','.join(request_ids)}")
        self.queue = [request for request in self.queue if request.name not in request_ids]

    def has_unfinished_requests(self):
        return bool(self.queue)

    def step(self):
        """The last request first, whole."""
        request = self.queue.pop()
        return [
            SimpleNamespace(
                request_id=request.name,
                outputs=[self._written(request.ids, request.params) for _ in range(request.params.n)],
            )
        ]

    @torch.no_grad()
    def _written(self, prompt, params):
        ids, logprobs, finish_reason = [], [], "length"
        sampling = SamplingConfig(temperature=params.temperature)
        while len(ids) < params.max_tokens and finish_reason == "length":
            logits = self.wrong * self.decoder(torch.tensor([prompt + ids]))[:, -1]
            token, logprob = choose(logits, torch.rand(1), sampling)
            ids.append(int(token))
            logprobs.append({int(token): SimpleNamespace(logprob=float(logprob))})
            text = self.tokenizer.decode_batch([ids])[0]
            if ids[-1] in params.stop_token_ids or any(string in text for string in params.stop):
                finish_reason = "stop"
        return SimpleNamespace(token_ids=ids, logprobs=logprobs, finish_reason=finish_reason)


def fake_library() -> SimpleNamespace:
    """The module."""
    FakeModel.started = []
    return SimpleNamespace(
        __version__="fake",
        LLM=FakeModel,
        SamplingParams=lambda **options: SimpleNamespace(
            **{"n": 1, "stop": (), "stop_token_ids": ()} | options
        ),
        sampling_params=SimpleNamespace(RequestOutputKind=SimpleNamespace(FINAL_ONLY="final")),
        ModelRegistry=SimpleNamespace(
            get_supported_archs=lambda: {"LlamaForCausalLM", "OlmoForCausalLM", "GPT2LMHeadModel"}
        ),
    )
