"""Continuous batching on the C engine: a row leaves the batch when it ends, the next one takes its slot.

Axes: P prompts, G samples of one prompt, S row slots, V vocabulary. A row's arithmetic and its random stream
do not depend on its neighbours, so neither does its text.
"""

import ctypes
from collections.abc import Iterator, Sequence

import numpy as np
import torch

from ...core.random import uniforms
from ..attention_ranges import AttentionRanges
from ..sampling import Row, SamplingConfig, choose
from ..stop import StopStrings
from ..transformer import Transformer
from . import library as c
from .head import LogprobHead
from .trunk import Trunk, run_forward

_STEPS = 16
"""Tokens between two looks at what has ended, so that grading can go on meanwhile."""


_PREFILL_TOKENS = 32_768
"""Prompt tokens run together, whose activations lie in memory meanwhile."""


class NativeDecoder:
    """The slots of one call: at most `sampling.max_rows` rows at once, each with its own cache."""

    def __init__(
        self,
        model: Transformer,
        trunk: Trunk,
        head: LogprobHead,
        prompts: Sequence[Sequence[int]],
        group: int,
        sampling: SamplingConfig,
        ends: tuple[int, ...],
        stop: StopStrings,
    ) -> None:
        self.ends, self.stop = ends, stop
        # C knows one token that ends a row, and no text.
        self.in_python = sampling.python_choice or bool(stop) or len(ends) > 1
        self.trunk, self.head, self.sampling, self.threads = trunk, head, sampling, trunk.threads
        self.prompts, self.embed = prompts, model.model.embed_tokens.weight.detach()
        rows = min(sampling.max_rows, len(prompts) * group)
        # A group holds its prompt's slot until its last row has ended, so some more than fit side by side.
        slots = min(len(prompts), 2 * -(-rows // group) + 2)
        self.free_rows, self.free_prompts = list(range(rows))[::-1], list(range(slots))[::-1]
        self.prompt_slot: dict[int, int] = {}
        self.rows_left = [group] * len(prompts)
        self.owner: dict[int, tuple[int, int]] = {}
        self.live = np.zeros(rows, np.int32)
        self.num_live = 0
        self._allocate(rows, slots)
        self.draws = np.zeros((rows, sampling.max_new_tokens)) if self.in_python else None

    def _allocate(self, rows: int, slots: int) -> None:
        m, limit = self.trunk.weights.struct, self.sampling.max_new_tokens
        room = [-(-max(n, 1) // 16) * 16 for n in (max(len(p) for p in self.prompts) - 1, limit)]
        sizes = [
            m.L * count * m.K * (m.C // c.cells_per_word()) * capacity
            for count, capacity in zip((slots, rows), room, strict=True)
        ]
        self.lengths, self.written = (
            torch.zeros(rows, dtype=torch.int32),
            torch.zeros(rows, limit, dtype=torch.int32),
        )
        self.logprobs, self.next_token = torch.zeros(rows, limit), torch.zeros(rows, dtype=torch.int64)
        self.prompt_lengths, self.row_prompt = (
            torch.zeros(slots, dtype=torch.int32),
            torch.zeros(rows, dtype=torch.int32),
        )
        self.streams = np.zeros(rows, np.uint64)
        # Zero, since shares of 0 are multiplied with what lies beyond a row's last token.
        caches = [torch.zeros(size, dtype=torch.int32) for size in (sizes[0], sizes[0], sizes[1], sizes[1])]
        tensors = dict(
            zip(("prompt_keys", "prompt_values", "row_keys", "row_values"), caches, strict=True)
        ) | {
            "prompt_length": self.prompt_lengths,
            "row_prompt": self.row_prompt,
            "row_length": self.lengths,
            "row_token": self.next_token,
            "tokens": self.written,
            "logprobs": self.logprobs,
            "embed": self.embed,
        }
        self.kept = tensors
        self.cache = c.Cache(
            prompt_slots=slots,
            prompt_capacity=room[0],
            row_slots=rows,
            row_capacity=room[1],
            limit=limit,
            row_stream=self.streams.ctypes.data,
            **{name: c.address(t) for name, t in tensors.items()},
        )

    def admit(self, waiting: list[tuple[int, int]], stream_keys: np.ndarray) -> None:
        """Give slots to the next (prompt, sample) of `waiting`, last first, while there are any.

        Prompts that enter together are run together.
        """
        fresh: list[int] = []
        while waiting and self.free_rows:
            prompt, sample = waiting[-1]
            if prompt not in self.prompt_slot:
                if not self.free_prompts:
                    break
                self.prompt_slot[prompt] = self.free_prompts.pop()
                fresh.append(prompt)
            waiting.pop()
            row = self.free_rows.pop()
            self.owner[row] = (prompt, sample)
            self.row_prompt[row], self.lengths[row], self.next_token[row] = (
                self.prompt_slot[prompt],
                0,
                self.prompts[prompt][-1],
            )
            self.streams[row] = stream_keys[prompt, sample]
            if self.draws is not None:
                self.draws[row] = uniforms(
                    stream_keys[prompt, sample : sample + 1], 0, self.sampling.max_new_tokens
                )[0]
            self.live[self.num_live] = row
            self.num_live += 1
        longest = max((len(self.prompts[prompt]) for prompt in fresh), default=1)
        at_once = max(self.threads, _PREFILL_TOKENS // longest)
        for start in range(0, len(fresh), at_once):
            self._prefill(fresh[start : start + at_once])

    def _prefill(self, fresh: list[int]) -> None:
        """Run all but the last token of each prompt; the last is what its rows read first."""
        ids = [list(self.prompts[prompt][:-1]) for prompt in fresh]
        width = max(max(map(len, ids)), 1)
        tokens = torch.tensor([row + [0] * (width - len(row)) for row in ids])
        ranges = AttentionRanges.causal(len(ids), width)
        ranges = AttentionRanges(
            ranges.positions,
            ranges.shared_start,
            ranges.shared_end,
            ranges.own_start,
            torch.tensor([len(row) for row in ids]),
        )
        weights = self.trunk.weights
        _, structure, tensors, (layout, kept) = run_forward(
            weights, self.embed[tokens], ranges, self.threads, keep=True
        )
        slots = torch.tensor([self.prompt_slot[prompt] for prompt in fresh], dtype=torch.int32)
        self.prompt_lengths[slots.long()] = ranges.lengths.int()
        c.load().echo_store_prompts(
            ctypes.byref(weights.struct),
            ctypes.byref(layout),
            ctypes.byref(structure),
            ctypes.byref(self.cache),
            slots.data_ptr(),
        )
        del tensors, kept  # alive until here, since C has only their addresses

    def run(self, enough: int) -> list[tuple[int, int, Row]]:
        """Decode until `enough` rows have ended, at most `_STEPS` tokens.

        Returns (prompt, sample, row) of the rows that ended.
        """
        before = self.live[: self.num_live].copy()
        if self.in_python:
            self._step_in_python()
        else:
            self.num_live = c.load().echo_decode(
                *self._structures(),
                self.live.ctypes.data,
                self.num_live,
                _STEPS,
                enough,
                self.sampling.temperature,
                self.ends[0],
                self.threads,
            )
        ended = np.setdiff1d(before, self.live[: self.num_live])
        return [self._release(int(row)) for row in ended]

    def _structures(self) -> tuple[object, object, object]:
        structures = self.trunk.weights.struct, self.head.weights.struct, self.cache
        first, second, third = (ctypes.byref(structure) for structure in structures)
        return first, second, third

    def _release(self, row: int) -> tuple[int, int, Row]:
        prompt, sample = self.owner.pop(row)
        length = int(self.lengths[row])
        ids, logprobs = self.written[row, :length].tolist(), self.logprobs[row, :length].tolist()
        self.free_rows.append(row)
        self.rows_left[prompt] -= 1
        if self.rows_left[prompt] == 0:
            self.free_prompts.append(self.prompt_slot.pop(prompt))
        cut = ids[-1] not in self.ends and not (self.stop and self.stop.in_tails([ids])[0])
        return prompt, sample, (ids, logprobs, cut)

    def _step_in_python(self) -> None:
        """One token for every row, chosen here: top-p, top-k, several ends, and strings that need text."""
        rows, head = self.live[: self.num_live].copy(), self.head.weights
        logits = torch.empty(len(rows), head.padded)
        c.load().echo_decode_logits(
            *self._structures(), rows.ctypes.data, len(rows), logits.data_ptr(), self.threads
        )
        assert self.draws is not None
        where = torch.from_numpy(rows.astype(np.int64))
        at = self.lengths[where].long() - 1
        draws = torch.from_numpy(self.draws[rows, at.numpy()])
        tokens, logprobs = choose(logits[:, : head.struct.V], draws, self.sampling)
        self.written[where, at], self.logprobs[where, at], self.next_token[where] = (
            tokens.int(),
            logprobs,
            tokens,
        )
        ended = torch.isin(tokens, torch.tensor(self.ends)) | (at + 1 == self.sampling.max_new_tokens)
        if self.stop:
            tails = [
                self.written[row, : length + 1].tolist()
                for row, length in zip(rows.tolist(), at.tolist(), strict=True)
            ]
            ended |= torch.tensor(self.stop.in_tails(tails))
        left = rows[~ended.numpy()]
        self.live[: len(left)] = left
        self.num_live = len(left)


@torch.no_grad()
def decode_as_finished(
    model: Transformer,
    trunk: Trunk,
    head: LogprobHead,
    prompts: Sequence[Sequence[int]],
    stream_keys: np.ndarray,
    sampling: SamplingConfig,
    ends: tuple[int, ...],
    stop: StopStrings,
) -> Iterator[list[tuple[int, list[Row]]]]:
    """Yield (prompt, its G rows) of the prompts that have just ended; stream_keys (P, G).

    `ends`: tokens that end a row.
    """
    group = stream_keys.shape[1]
    trunk.weights.renew()
    head.weights.renew()
    decoder = NativeDecoder(model, trunk, head, prompts, group, sampling, ends, stop)
    waiting = [(p, g) for p in range(len(prompts)) for g in range(group)][::-1]
    done: dict[int, dict[int, Row]] = {}
    # Admitting rows a few at a time keeps the batch full without prefilling prompts one by one.
    few = max(1, len(decoder.live) // 8)
    while waiting or decoder.num_live:
        decoder.admit(waiting, stream_keys)
        finished = []
        for prompt, sample, row in decoder.run(few if waiting else len(decoder.live) + 1):
            rows = done.setdefault(prompt, {})
            rows[sample] = row
            if len(rows) == group:
                finished.append((prompt, [rows[g] for g in range(group)]))
                del done[prompt]
        if finished:
            yield finished
