"""A vLLM that runs in this process: its weights come from our decoder, and it draws completions.

There is one at a time. Engines of models of one shape share it, each sending its weights when it is its turn.
On CUDA it sleeps while nobody samples, so that training has the memory.
Axes: T tokens, V vocabulary.
"""

import gc
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from torch import Tensor

from ..core.artifacts import hash_path
from ..core.errors import UserError
from ..core.progress import say
from .adapter import weights_of
from .decoder import Decoder
from .runtime import Runtime
from .sampling import Row
from .settings import SamplingConfig
from .tokenizer import Tokenizer
from .transformers_model import TransformersModel
from .vllm_library import VllmCompletion, VllmModel, check_family, check_unchanged, vllm_library
from .vllm_settings import class_name, start_arguments, write_description

_CHECKED = {"temperature": 0.0, "max_tokens": 4, "logprobs": 0, "ignore_eos": True, "detokenize": False}
"""The trial that shows whether vLLM computes the model."""
_TOLERANCE = {torch.float32: 1e-3, torch.bfloat16: 0.5}
"""Largest mean difference of its log-probabilities to the decoder's, in nats."""


class RunningModel:
    """A started `vllm.LLM` and whose weights it holds."""

    def __init__(self, library: Any, folder: str, digest: str, arguments: Mapping[str, object]) -> None:
        self.library, self.arguments = library, arguments
        self.digest = digest
        """Of the model's configuration and tokenizer."""
        self.llm: VllmModel = library.LLM(model=folder, **arguments)
        self.sleeps, self.asleep = "enable_sleep_mode" in arguments, False
        self.holder: object = None
        """Whose weights these are; None: nobody's."""

    def fits(self, digest: str, arguments: Mapping[str, object]) -> bool:
        """Whether it serves a model of this description; how many rows run at once may differ."""
        free = {"max_num_seqs": None}
        return digest == self.digest and {**arguments, **free} == {**self.arguments, **free}

    def send(self, weights: Mapping[str, Tensor], holder: object) -> None:
        """Replace all weights, given under Hugging Face's names, and forget what the old ones computed."""
        assert not self.llm.llm_engine.has_unfinished_requests(), "one engine samples at a time"
        pairs = ((name, weights[name].detach()) for name in weights)
        if self.asleep:
            self.llm.wake_up(["weights"])
        self.llm.collective_rpc("reload_weights", kwargs={"weights_iterator": pairs})
        if self.asleep:
            self.llm.wake_up(["kv_cache"])
        self.asleep, self.holder = False, holder
        self.llm.reset_prefix_cache()

    def rows(
        self, prompts: Sequence[Sequence[int]], options: Mapping[str, object], seed: int
    ) -> Iterator[tuple[int, list[Row]]]:
        """(prompt, its rows) as soon as the last of them has ended; `options` are of `vllm.SamplingParams`.

        `seed`: of torch's own stream, from which vLLM draws.
        """
        torch.manual_seed(seed)
        kind = self.library.sampling_params.RequestOutputKind.FINAL_ONLY
        params = self.library.SamplingParams(**options, output_kind=kind)
        engine, running = self.llm.llm_engine, set[str]()
        try:
            for index, ids in enumerate(prompts):
                engine.add_request(str(index), {"prompt_token_ids": list(ids)}, params)
                running.add(str(index))
            while engine.has_unfinished_requests():
                for answer in engine.step():
                    running.discard(answer.request_id)
                    yield int(answer.request_id), [_row(written) for written in answer.outputs]
        finally:
            if running:
                engine.abort_request(sorted(running))
            self._rest()

    def difference(self, model: Decoder) -> float:
        """Mean difference of a few tokens' log-probabilities, in nats, to those of `model`."""
        prompt = [index % model.config.vocab_size for index in range(2, 8)]
        self.send(weights_of(model), None)
        ((_, ((ids, logprobs, _),)),) = self.rows([prompt], _CHECKED, 0)
        with torch.no_grad():
            token_ids = torch.tensor([prompt + ids], device=next(model.parameters()).device)
            states = model.hidden(token_ids)[0, len(prompt) - 1 : -1]
            expected, _ = model.logprobs(states, token_ids[0, len(prompt) :])
        return float((torch.tensor(logprobs) - expected.float().cpu()).abs().mean())

    def _rest(self) -> None:
        """Give the memory back, where that can be done; the weights must come again."""
        if self.sleeps:
            self.llm.sleep(2)
            self.asleep, self.holder = True, None


def _row(written: VllmCompletion) -> Row:
    if written.finish_reason not in ("stop", "length") or written.logprobs is None:
        raise UserError(f"engine 'vllm': a completion ended by {written.finish_reason!r}, not by its limits")
    ids = list(written.token_ids)
    logprobs = [chosen[token].logprob for token, chosen in zip(ids, written.logprobs, strict=True)]
    return ids, logprobs, written.finish_reason == "length"


class _Current:
    model: RunningModel | None = None
    """The one that runs."""


def running_model(
    model: Decoder,
    tokenizer: Tokenizer,
    sampling: SamplingConfig,
    runtime: Runtime,
    known: str = "",
) -> RunningModel:
    """The vLLM of this model's shape: the one that runs, or a new one in its place.

    `known`: the digest that an earlier call for the same model returned. `UserError` where vLLM does not know
    the family, does not start, or computes another model.
    """
    arguments, current = start_arguments(model, sampling, runtime), _Current.model
    if current is not None and current.fits(known, arguments):
        return current
    with TemporaryDirectory(prefix="echochamber-vllm-") as folder:
        write_description(Path(folder), model, tokenizer)
        digest = hash_path(Path(folder))
        if current is None or not current.fits(digest, arguments):
            current = _Current.model = None
            gc.collect()  # before the next one takes memory
            current = _Current.model = _start(folder, digest, arguments, model, runtime)
    return current


def _start(
    folder: str, digest: str, arguments: Mapping[str, object], model: Decoder, runtime: Runtime
) -> RunningModel:
    library = vllm_library()
    check_family(library, class_name(model))
    say(f"engine vllm: vLLM {library.__version__} starts")
    set_num_threads = torch.set_num_threads  # on a CPU, vLLM puts a function there that does nothing
    try:
        found = RunningModel(library, folder, digest, arguments)
        if isinstance(model, TransformersModel):
            check_unchanged(type(model.trunk))
        difference = found.difference(model)
    except UserError:
        raise
    except Exception as error:
        # Whatever it raises for a shape that its kernels lack, or for memory that is not there.
        reason = f"{type(error).__name__}: {' '.join(str(error).split())[:300]}"
        raise UserError(
            f"engine 'vllm': does not run this model ({reason}); runtime.vllm sets its memory"
        ) from error
    finally:
        torch.set_num_threads = set_num_threads
    if difference > _TOLERANCE[runtime.dtype]:
        raise UserError(
            f"engine 'vllm': computes another model than we do; log-probabilities differ by {difference:.3f} "
            f"nats on average, more than {_TOLERANCE[runtime.dtype]}; use 'auto'"
        )
    return found
