"""Sampling through vLLM in this process, from weights that it is sent; all else stays in our decoder."""

import hashlib
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from torch import Tensor

from ..core.errors import UserError
from ..model.adapter import weights_of
from ..model.decoder import Decoder
from ..model.runtime import Runtime
from ..model.sampling import Row
from ..model.settings import VLLM_ENGINE, SamplingConfig
from ..model.stop import StopStrings
from ..model.tokenizer import Tokenizer
from ..model.vllm_sampler import RunningModel, running_model
from ..model.vllm_settings import logprobs_mode, request_arguments
from .engine_names import check_engine_installed
from .local_engine import LocalEngine


class VllmEngine(LocalEngine):
    """Samples from the weights of `model`, or from those of the last `sync`, through a shared vLLM.

    An adapter is merged into the weights that are sent. `UserError` where vLLM is missing, under several
    ranks, and where our log-probabilities are none of those that vLLM reports.
    """

    def __init__(
        self,
        model: Decoder,
        tokenizer: Tokenizer,
        sampling: SamplingConfig,
        runtime: Runtime,
        prompt_suffix: str,
    ) -> None:
        super().__init__(tokenizer, sampling, prompt_suffix)
        check_engine_installed(VLLM_ENGINE)
        logprobs_mode(sampling)
        if runtime.ranks.world_size > 1:
            raise UserError(
                f"engine 'vllm': samples in one process, and {runtime.ranks.world_size} ranks train; "
                "use one rank or another engine"
            )
        self.model, self.runtime = model, runtime
        self.weights = weights_of(model)
        self._digest = ""

    @property
    def max_positions(self) -> int:
        """See `LocalEngine`."""
        return self.model.config.max_positions

    def sync(self, weights: Mapping[str, Tensor]) -> None:
        """Send these weights; they are sent again where vLLM has lost them while it slept."""
        self.weights = weights
        self._running(self.sampling).send(weights, self)

    def rows(
        self,
        prompts: Sequence[Sequence[int]],
        stream_keys: np.ndarray,
        stop: StopStrings,
        sampling: SamplingConfig,
    ) -> Iterator[list[tuple[int, list[Row]]]]:
        """See `LocalEngine`; all draws come from one stream, whose seed is made of the keys."""
        running, group = self._running(sampling), stream_keys.shape[1]
        if running.holder is not self:
            running.send(self.weights, self)
        options = request_arguments(sampling, self.tokenizer.end_ids, stop, group)
        seed = int.from_bytes(hashlib.blake2b(stream_keys.tobytes(), digest_size=7).digest(), "little")
        for index, rows in running.rows(prompts, options, seed):
            yield [(index, rows if len(rows) == group else rows * group)]  # greedy: one for all

    def _running(self, sampling: SamplingConfig) -> RunningModel:
        running = running_model(self.model, self.tokenizer, sampling, self.runtime, self._digest)
        self._digest = running.digest
        return running
