"""Byte-level BPE with single digits, in the standard `tokenizer.json` format."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Self

from tokenizers import Tokenizer as _Tokenizer
from tokenizers import decoders, models, pre_tokenizers, processors, trainers

from ..core.errors import UserError
from ..core.files import read_json, write_json
from ..core.panics import panics_as_errors
from .chat_template import ChatTemplate
from .prompt import PromptConfig

EOS = "<|endoftext|>"
PAD = "<|pad|>"
MIN_VOCAB = 256 + 2
_KEPT = ("bos_token", "unk_token", "additional_special_tokens", "extra_special_tokens", "chat_template")
"""Settings that transformers reads and that training must not lose."""


@dataclass(frozen=True)
class Ends:
    """What ends a completion besides EOS, as `generation_config.json` has it."""

    token_ids: tuple[int, ...] = ()
    strings: tuple[str, ...] = ()


class Tokenizer:
    """Text <-> token ids. Special tokens written out in a text are never read as special."""

    def __init__(
        self,
        tokenizer: _Tokenizer,
        eos_id: int,
        pad_id: int,
        kept: Mapping[str, object] | None = None,
        ends: Ends = Ends(),
    ) -> None:
        self._tokenizer = tokenizer
        self._tokenizer.encode_special_tokens = True
        self.eos_id, self.pad_id = eos_id, pad_id
        self.kept = dict(kept or {})
        """Further settings of the folder that it was read from; saved again."""
        self.ends = ends
        self.prompt = PromptConfig()

    @cached_property
    def vocab_size(self) -> int:
        """Rows that a model needs: one more than the largest id, special ones included."""
        ids = self._tokenizer.get_vocab().values()
        return max(ids, default=-1) + 1

    def encode(self, text: str) -> list[int]:
        """Token ids of a text, without special tokens."""
        return self._tokenizer.encode(text, add_special_tokens=False).ids

    def encode_batch(self, texts: Sequence[str]) -> list[list[int]]:
        """`encode` of many texts at once."""
        return [item.ids for item in self._tokenizer.encode_batch_fast(list(texts), add_special_tokens=False)]

    @cached_property
    def start_ids(self) -> list[int]:
        """Tokens that the tokenizer itself puts before a text, such as BOS; many have none.

        The post-processor of `tokenizer.json` decides, as it does in transformers. What it would put
        behind a text is left out, because a prompt goes on.
        """
        found = self._tokenizer.encode("a")
        mask = found.special_tokens_mask
        return found.ids[: mask.index(0)] if 0 in mask else []

    def without_start(self) -> Self:
        """The same tokenizer, which puts nothing before a text: for models whose documents begin without."""
        if self.start_ids:
            self._tokenizer.post_processor = processors.ByteLevel(trim_offsets=False)
            del self.start_ids
        return self

    @property
    def end_ids(self) -> tuple[int, ...]:
        """Tokens that end a completion, EOS first."""
        return (self.eos_id, *(id for id in self.ends.token_ids if id != self.eos_id))

    def prompting(self, prompt: PromptConfig) -> Self:
        """The same tokenizer, which makes prompts in this way from now on."""
        self.prompt = prompt
        return self

    def encode_prompts(self, questions: Sequence[str], suffix: str) -> list[list[int]]:
        """Token ids of prompts. Special tokens are read in a chat template's own text alone.

        A plain prompt starts with `start_ids`; a chat template writes such tokens itself.
        """
        if self.prompt.template == "plain":
            plain = self.encode_batch([self.prompt.plain(question, suffix) for question in questions])
            return [self.start_ids + ids for ids in plain]
        self._check_special_tokens()
        template = ChatTemplate(self._template_settings())
        return [self._encode_chat(*template.parts(text, suffix, self.prompt)) for text in questions]

    def _encode_chat(self, before: str, message: str, after: str) -> list[int]:
        special = self._special_tokens()
        self._tokenizer.encode_special_tokens = False
        try:
            if not any(token in message for token in special):
                # In one, so that words at the borders are split as anywhere else.
                return self.encode(before + message + after)
            start, end = self.encode(before), self.encode(after)
        finally:
            self._tokenizer.encode_special_tokens = True
        return start + self.encode(message) + end

    def _special_tokens(self) -> list[str]:
        return [str(token) for token in self._tokenizer.get_added_tokens_decoder().values()]

    def _check_special_tokens(self) -> None:
        """`UserError` where the recipe's own texts hold one: it would be read as if the template had it."""
        texts = [text for shot in self.prompt.shots for text in (shot.question, shot.completion)]
        for token in self._special_tokens():
            if any(token in text for text in [self.prompt.system or "", *texts]):
                raise UserError(f"prompt: system message or examples hold the special token {token!r}")

    def _template_settings(self) -> dict[str, object]:
        texts = (self._tokenizer.id_to_token(id) for id in (self.eos_id, self.pad_id))
        return self.kept | dict(zip(("eos_token", "pad_token"), texts, strict=True))

    def decode_batch(self, token_ids: Sequence[Sequence[int]]) -> list[str]:
        """Texts of many id lists; EOS and padding are dropped."""
        return self._tokenizer.decode_batch([list(ids) for ids in token_ids], skip_special_tokens=True)

    def save(self, folder: Path, max_positions: int | None = None) -> None:
        """Write `tokenizer.json` and the settings that `AutoTokenizer` reads."""
        self._tokenizer.save(str(folder / "tokenizer.json"))
        settings: dict[str, object] = self.kept | {
            "tokenizer_class": "PreTrainedTokenizerFast",
            "eos_token": self._tokenizer.id_to_token(self.eos_id),
            "pad_token": self._tokenizer.id_to_token(self.pad_id),
            "clean_up_tokenization_spaces": False,
        }
        if max_positions:
            settings["model_max_length"] = max_positions
        write_json(folder / "tokenizer_config.json", settings)


def train_tokenizer(texts: Iterable[str], vocab_size: int) -> Tokenizer:
    """Learn merges on a corpus (Sennrich et al. 2016); every byte is in the alphabet.

    Ties between equally frequent pairs are broken by id, so the same corpus gives the same file.
    """
    if vocab_size < MIN_VOCAB:
        raise UserError(
            f"tokenizer.vocab_size is {vocab_size}; at least {MIN_VOCAB} (all bytes and two special tokens)"
        )
    tokenizer = _Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size,
        special_tokens=[EOS, PAD],
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    eos_id, pad_id = tokenizer.token_to_id(EOS), tokenizer.token_to_id(PAD)
    assert eos_id is not None
    assert pad_id is not None
    return Tokenizer(tokenizer, eos_id, pad_id)


def load_tokenizer(folder: Path) -> Tokenizer:
    """Read any Hugging Face tokenizer folder that has a `tokenizer.json`."""
    path = folder / "tokenizer.json"
    if not path.is_file():
        raise UserError(f"{folder}: no tokenizer.json, so this is not a tokenizer or checkpoint folder")
    try:
        with panics_as_errors(quiet=True):
            tokenizer = _Tokenizer.from_file(str(path))
    except Exception as error:  # noqa: BLE001  (the library raises bare Exception for a bad file)
        raise UserError(f"{path}: is not a tokenizer file ({error})") from None
    return wrap_tokenizer(folder, tokenizer)


def wrap_tokenizer(folder: Path, tokenizer: _Tokenizer) -> Tokenizer:
    """A tokenizer with the special tokens that the folder's settings name."""
    path = folder / "tokenizer_config.json"
    settings = read_json(path) if path.is_file() else {}
    eos_id, pad_id = _special_ids(path, settings, tokenizer)
    kept = {name: settings[name] for name in _KEPT if name in settings}
    if (template := folder / "chat_template.jinja").is_file():
        kept["chat_template"] = template.read_text(encoding="utf-8")
    return Tokenizer(tokenizer, eos_id, pad_id, kept, _ends(folder / "generation_config.json"))


def _ends(path: Path) -> Ends:
    """From `eos_token_id`, a number or a list of them, and `stop_strings`."""
    settings = read_json(path) if path.is_file() else {}
    found = [settings.get(key) or [] for key in ("eos_token_id", "stop_strings")]
    ids, strings = (value if isinstance(value, list) else [value] for value in found)
    if any(type(id) is not int or not 0 <= id < 2**31 for id in ids):
        raise UserError(f"{path}: eos_token_id is {found[0]!r:.60}, expected ids of tokens")
    if any(not isinstance(text, str) or not text for text in strings):
        raise UserError(f"{path}: stop_strings is {found[1]!r:.60}, expected texts")
    return Ends(tuple(ids), tuple(strings))


def _special_ids(
    settings_path: Path, settings: Mapping[str, object], tokenizer: _Tokenizer
) -> tuple[int, int]:
    """EOS and padding as `tokenizer_config.json` names them; padding falls back to EOS."""
    eos, pad = (_token_text(settings_path, settings, key) for key in ("eos_token", "pad_token"))
    eos_id = tokenizer.token_to_id(eos or EOS)
    if eos_id is None:
        raise UserError(f"{settings_path}: eos_token {eos!r} is not in tokenizer.json")
    pad_id = tokenizer.token_to_id(pad) if pad else None
    return eos_id, eos_id if pad_id is None else pad_id


def _token_text(settings_path: Path, settings: Mapping[str, object], key: str) -> str | None:
    """A special token, written as text or as a mapping with `content`; None where there is none."""
    found = settings.get(key)
    text = found.get("content") if isinstance(found, dict) else found
    if text is not None and not isinstance(text, str):
        raise UserError(f"{settings_path}: {key} is {type(text).__name__}, expected text")
    return text
