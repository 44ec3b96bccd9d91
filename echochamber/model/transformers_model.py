"""Any causal model of the library transformers behind the interface of `Transformer`.

Slower than the native decoder, and right for every family: the numbers come from the model's own code.
Axes: B sequences, T tokens, S plain sequences, N positions, D width, V vocabulary.
"""

import copy
import inspect
import operator
from collections.abc import Iterator, Mapping

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from ..core.errors import UserError
from .attention_ranges import AttentionRanges
from .config import ModelConfig
from .decoder import Decoder

_CHECKED_TOKENS, _CHECKED_TOLERANCE = 6, 1e-3
"""Of the trial run that shows whether a model can be taken apart; tolerance relative to the largest logit."""


class TransformersModel(Decoder):
    """Token ids in, logits out, through `causal`, a model with a language modelling head.

    `UserError` where its logits are no function of its last hidden states, or where it is not causal.
    """

    native: None = None
    adapter: tuple[nn.Module] | None = None
    """What `adapter.add_adapter` made of the model, if anything."""

    def __init__(self, causal: nn.Module, config: ModelConfig) -> None:
        super().__init__()
        self.causal, self.config = causal, config
        prefix = getattr(causal, "base_model_prefix", "")
        if not prefix or prefix not in causal._modules:
            raise UserError(f"{type(causal).__name__}: has no trunk apart from its head; no engine runs it")
        self._prefix = prefix
        self.split_head()
        self.takes = frozenset(inspect.signature(self.trunk.forward).parameters)
        """Arguments of the trunk."""
        self._check()

    def split_head(self) -> None:
        """Take the model's own head code apart; again after a layer was replaced.

        Fed with given states, it keeps softcapping, scaling and the like.
        """
        given, head = _GivenStates(), copy.copy(self.causal)
        head._modules = {**self.causal._modules, self._prefix: given}
        self._head = (head, given)  # in a tuple, or its parameters would be registered twice

    @property
    def trunk(self) -> nn.Module:
        """Everything before the head."""
        found: nn.Module = getattr(self.causal, self._prefix)
        return found

    @property
    def input_embeddings(self) -> Tensor:
        """The weights (V, D) of the token embeddings."""
        found: Tensor = operator.methodcaller("get_input_embeddings")(self.causal).weight
        return found

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return next(self.causal.parameters()).device

    def hidden(
        self, token_ids: Int[Tensor, "B T"], ranges: AttentionRanges | None = None
    ) -> Float[Tensor, "B T D"]:
        """Last hidden states, as the head reads them.

        Plain sequences need token ids alone. Rows packed by `ranges` are run as plain sequences, a
        shared prompt once for each that shares it: not every family takes a mask of our own.
        """
        if ranges is None:
            return self._states(token_ids)
        width = token_ids.shape[1]
        spans = list(_spans(ranges))
        plain = [
            torch.cat([token_ids[row, shared[0] : shared[1]], token_ids[row, own[0] : own[1]]])
            for row, shared, own in spans
        ]
        states = self._states(nn.utils.rnn.pad_sequence(plain, batch_first=True))
        to: list[int] = []
        source: list[int] = []
        for index, (row, shared, own) in enumerate(spans):
            first = index * states.shape[1] + shared[1] - shared[0]
            source += range(first, first + own[1] - own[0])
            to += range(row * width + own[0], row * width + own[1])
        out = states.new_zeros(token_ids.numel(), states.shape[-1])
        where = torch.tensor(to, device=states.device)
        chosen = states.flatten(0, 1)[torch.tensor(source, device=states.device)]
        return out.index_put((where,), chosen).view(*token_ids.shape, -1)

    def logits(self, hidden: Float[Tensor, "N D"]) -> Float[Tensor, "N V"]:
        """The head's logits of last hidden states."""
        head, given = self._head
        given.states = hidden[None]
        try:
            # The ids are never looked at.
            ids = torch.zeros(1, len(hidden), dtype=torch.long, device=hidden.device)
            found: Tensor = head(input_ids=ids, use_cache=False).logits[0]
        finally:
            given.states = None
        return found

    def forward(self, token_ids: Int[Tensor, "B T"], ranges: AttentionRanges | None = None) -> Tensor:
        """Logits (B, T, V) of the token after each position."""
        states = self.hidden(token_ids, ranges)
        return self.logits(states.flatten(0, 1)).view(*token_ids.shape, -1)

    def weights(self) -> Mapping[str, Tensor]:
        """The state dict under Hugging Face's names; without the adapter, where there is one."""
        return self.causal.state_dict()

    def freeze_head(self) -> None:
        """Take an untied head out of training: a critic's trunk is never asked for logits."""
        head = getattr(operator.methodcaller("get_output_embeddings")(self.causal), "weight", None)
        if head is not None and head is not self.input_embeddings:
            head.requires_grad_(False)

    def _states(self, token_ids: Tensor) -> Tensor:
        """(S, T, D) of plain sequences; causal attention makes padding on the right harmless."""
        states: Tensor = self.trunk(token_ids, use_cache=False).last_hidden_state
        return states

    @torch.no_grad()
    def _check(self) -> None:
        """Compare with the model's own forward pass on a few tokens, and see that no token looks ahead."""
        name = type(self.causal).__name__
        ids = torch.arange(2, 2 + _CHECKED_TOKENS, device=self.device)[None] % self.config.vocab_size
        try:
            expected = self.causal(ids, use_cache=False).logits
            found, cut = self(ids), self(ids[:, : _CHECKED_TOKENS // 2])
        except Exception as error:
            # Whatever a model of a family that nobody here has seen raises.
            reason = " ".join(str(error).split())[:200]
            raise UserError(f"{name}: fails on a row of tokens ({type(error).__name__}: {reason})") from error
        scale = float(expected.abs().max()) * _CHECKED_TOLERANCE
        if found.shape != expected.shape or float((found - expected).abs().max()) > scale:
            raise UserError(
                f"{name}: its logits are no function of its last hidden states; no engine runs it"
            )
        if float((found[:, : cut.shape[1]] - cut).abs().max()) > scale:
            raise UserError(f"{name}: looks at later tokens, so it is no causal language model")


class _GivenStates(nn.Module):
    """Stands where a model's trunk was and returns the states that it was given."""

    states: Tensor | None = None

    def forward(self, *_: object, **__: object) -> "_Output":
        assert self.states is not None, "states are given first"
        return _Output(self.states)

    @property
    def decoder(self) -> "_GivenStates":
        """What a head calls in families whose trunk is a decoder inside a model."""
        return self


class _Output:
    """A trunk's output with last hidden states and nothing else, whatever a head's code asks for."""

    def __init__(self, states: Tensor) -> None:
        self.last_hidden_state = states

    def __getitem__(self, index: int | slice) -> object:
        return (self.last_hidden_state,)[index]

    def __getattr__(self, name: str) -> None:
        if name.startswith("__"):
            raise AttributeError(name)


def _spans(ranges: AttentionRanges) -> Iterator[tuple[int, tuple[int, int], tuple[int, int]]]:
    """(row, shared columns, own columns) of every run of tokens that see the same columns before them."""
    columns = (ranges.own_start, ranges.shared_start, ranges.shared_end)
    for row, length in enumerate(ranges.lengths.tolist()):
        own, start, end = (column[row, :length].tolist() for column in columns)
        first = 0
        for column in range(1, length + 1):
            if column == length or own[column] != own[first]:
                yield row, (start[first], end[first]), (own[first], column)
                first = column


def shape_of(text: object, num_parameters: int) -> ModelConfig:
    """A Llama of about the shape of a text model's configuration, for sizes and estimates of memory.

    Its feed-forward width makes up for `num_parameters`, so that experts count.
    """

    def number(*names: str, default: int) -> int:
        found = (getattr(text, name, None) for name in names)
        return next((value for value in found if isinstance(value, int) and value > 0), default)

    width = number("hidden_size", "d_model", "n_embd", default=1)
    layers = number("num_hidden_layers", "n_layer", "n_layers", default=1)
    heads = number("num_attention_heads", "n_head", "n_heads", default=1)
    kv_heads = number("num_key_value_heads", default=heads)
    head_size = number("head_dim", default=-(-width // heads))
    vocab_size = number("vocab_size", default=1)
    feed_forward = number("intermediate_size", "n_inner", "ffn_dim", default=4 * width)
    experts = (num_parameters - vocab_size * width) // (3 * layers * width)
    return ModelConfig(
        vocab_size=vocab_size,
        hidden_size=width,
        intermediate_size=max(feed_forward, experts),
        num_layers=layers,
        num_heads=heads,
        num_kv_heads=kv_heads if heads % kv_heads == 0 else heads,
        head_dim=head_size + head_size % 2,
        max_positions=number("max_position_embeddings", "max_seq_len", "seq_length", default=2048),
    )
