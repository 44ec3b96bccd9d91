"""What RL, evaluation and probing call a model.

Axes: B sequences, T tokens, N token positions, V vocabulary, D width.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping

from jaxtyping import Float, Int
from torch import Tensor, nn

from ..formulas.logprobs import token_entropy, token_logprobs
from .attention_ranges import AttentionRanges
from .config import ModelConfig


class Decoder(nn.Module, ABC):
    """Token ids in, hidden states and logits out: this project's own decoder, or one of transformers."""

    config: ModelConfig

    @abstractmethod
    def hidden(
        self, token_ids: Int[Tensor, "B T"], ranges: AttentionRanges | None = None
    ) -> Float[Tensor, "B T D"]:
        """States as the head reads them. Plain sequences need ids alone; `ranges` describes packed rows."""

    @abstractmethod
    def logits(self, hidden: Float[Tensor, "N D"]) -> Float[Tensor, "N V"]:
        """Logits of the token after each state."""

    def logprobs(
        self,
        hidden: Float[Tensor, "N D"],
        targets: Int[Tensor, " N"],
        temperature: float = 1.0,
        with_entropy: bool = False,
    ) -> tuple[Float[Tensor, " N"], Float[Tensor, " N"] | None]:
        """log softmax(logits / temperature)[target] in nats, and the entropy of that distribution or None.

        The entropy has no gradient.
        """
        logits = self.logits(hidden)
        entropy = token_entropy(logits.detach(), temperature) if with_entropy else None
        return token_logprobs(logits, targets, temperature), entropy

    def states_and_logprobs(
        self,
        token_ids: Int[Tensor, "B T"],
        ranges: AttentionRanges | None,
        sources: Int[Tensor, " N"],
        targets: Int[Tensor, " N"],
        temperature: float = 1.0,
        with_entropy: bool = False,
    ) -> tuple[Float[Tensor, "N D"], Float[Tensor, " N"], Float[Tensor, " N"] | None]:
        """Hidden states at `sources`, indices into the rows laid end to end, and `logprobs` from there.

        One call, because split weights (`model.shard`) are gathered at its beginning and freed at its end.
        """
        states = self.hidden(token_ids, ranges).flatten(0, 1)[sources]
        return states, *self.logprobs(states, targets, temperature, with_entropy)

    @abstractmethod
    def weights(self) -> Mapping[str, Tensor]:
        """The state dict under Hugging Face's names."""

    @abstractmethod
    def freeze_head(self) -> None:
        """Take an untied head out of training: a critic's trunk is never asked for logits."""
