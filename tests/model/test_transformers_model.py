"""Models that only transformers computes: its own numbers through our interface, and what is refused."""

import json
import pickle

import pytest
import torch
from transformers import AutoModelForCausalLM

from echochamber.core.errors import UserError
from echochamber.model import load_model as loading
from echochamber.model.attention_ranges import AttentionRanges
from echochamber.model.checkpoint import load_checkpoint, save_checkpoint
from echochamber.model.load_model import load_model_on, save_model, take_engine
from echochamber.model.runtime import RuntimeConfig
from echochamber.model.transformer import Transformer
from echochamber.model.transformers_model import TransformersModel
from echochamber.model.transformers_sampler import Way, way_of

from .conftest import tiny_model
from .foreign import FAMILIES, foreign_folder

CPU = torch.device("cpu")
QUICK = ("gpt2", "gemma2", "qwen2_moe")
"""The families of every run: learned positions, softcapping with windows, experts."""


def families(names, quick=QUICK):
    """Those of every run, the others marked slow."""
    return [name if name in quick else pytest.param(name, marks=pytest.mark.slow) for name in names]


def _shared_rows():
    """Two rows of a prompt of 7 with completions of 5 and 6; the second row ends early."""
    ids = torch.randint(2, 300, (2, 18), generator=torch.Generator().manual_seed(3))
    columns = torch.arange(18, dtype=torch.int32).expand(2, 18)
    start = torch.where(columns < 7, 0, torch.where(columns < 12, 7, 12)).int()
    positions = torch.where(columns < 7, columns, columns - start + 7)
    shared_end = torch.where(columns < 7, 0, 7).int()
    ranges = AttentionRanges(positions, torch.zeros_like(columns), shared_end, start, torch.tensor([18, 15]))
    plain = [
        ids[r, torch.cat([torch.arange(7), torch.arange(*own)])]
        for r, own in ((0, (7, 12)), (0, (12, 18)), (1, (7, 12)), (1, (12, 15)))
    ]
    return ids, ranges, plain


@pytest.mark.parametrize("kind", families([*FAMILIES, "bloom", "opt", "mamba", "mistral"]))
def test_numbers_and_gradients_are_the_models_own(kind, tmp_path, tokenizer):
    folder = foreign_folder(kind, tokenizer, tmp_path)
    theirs = AutoModelForCausalLM.from_pretrained(folder)
    model, again = load_model_on(folder, CPU)
    assert isinstance(model, TransformersModel)
    assert again.encode("Mia has 3 boxes") == tokenizer.encode("Mia has 3 boxes")

    ids = torch.randint(2, 300, (2, 40), generator=torch.Generator().manual_seed(1))
    logprobs, entropies = model.logprobs(
        model.hidden(ids[:, :-1]).flatten(0, 1), ids[:, 1:].flatten(), 0.7, with_entropy=True
    )
    expected = torch.log_softmax(theirs(ids[:, :-1]).logits / 0.7, -1)
    chosen = expected.gather(2, ids[:, 1:, None]).flatten()
    torch.testing.assert_close(logprobs, chosen, atol=1e-5, rtol=1e-5)
    own_entropies = -(expected.exp() * expected).sum(-1).flatten().detach()
    torch.testing.assert_close(entropies, own_entropies, atol=1e-5, rtol=1e-5)
    logprobs.sum().backward()
    chosen.sum().backward()
    own = dict(theirs.named_parameters())
    for name, parameter in model.causal.named_parameters():
        torch.testing.assert_close(parameter.grad, own[name].grad, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("kind", families([*FAMILIES, "bloom", "opt", "mamba", "mistral"]))
def test_packed_rows_are_run_as_plain_sequences(kind, tmp_path, tokenizer):
    model, _ = load_model_on(foreign_folder(kind, tokenizer, tmp_path), CPU)
    ids, ranges, plain = _shared_rows()
    with torch.no_grad():
        packed = model(ids, ranges)
        own = [model(sequence[None])[0] for sequence in plain]
    for (row, columns), logits in zip(
        ((0, (7, 12)), (0, (12, 18)), (1, (7, 12)), (1, (12, 15))), own, strict=True
    ):
        torch.testing.assert_close(packed[row, slice(*columns)], logits[7:], atol=1e-5, rtol=1e-5)
        torch.testing.assert_close(packed[row, :7], logits[:7], atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("kind", families([*FAMILIES, "bloom", "opt", "mamba", "mistral"]))
def test_what_is_saved_is_the_same_model_in_transformers_and_here(kind, tmp_path, tokenizer):
    model, again = load_model_on(foreign_folder(kind, tokenizer, tmp_path / "theirs"), CPU)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.01)
    save_model(tmp_path / "ours", model, again)
    theirs, (reloaded, _) = (
        AutoModelForCausalLM.from_pretrained(tmp_path / "ours"),
        load_model_on(tmp_path / "ours", CPU),
    )
    assert type(theirs) is type(model.causal)
    ids = torch.arange(3, 33)[None]
    with torch.no_grad():
        torch.testing.assert_close(theirs(ids).logits, model(ids))
        assert torch.equal(reloaded(ids), model(ids))


def test_a_family_is_sampled_in_the_fastest_way_that_gives_its_numbers(tmp_path, tokenizer):
    ways = {}
    for kind in ("gpt2", "gemma2", "mamba"):
        ways[kind] = way_of(load_model_on(foreign_folder(kind, tokenizer, tmp_path / kind), CPU)[0])
    assert ways["gpt2"] == ways["gemma2"] == Way(cached=True, padded=True)
    assert ways["mamba"].cached is False, "its cache has no rows to repeat or to choose"


def test_auto_takes_the_native_decoder_where_it_computes_the_model(tmp_path, tokenizer, capsys):
    save_checkpoint(tmp_path / "llama", tiny_model("llama"), tokenizer)
    foreign_folder("gpt2", tokenizer, tmp_path / "gpt2")
    auto = RuntimeConfig()
    assert take_engine(auto, tmp_path / "llama") is auto
    assert "engine native: it computes llama models" in capsys.readouterr().err
    chosen = take_engine(auto, tmp_path / "gpt2")
    assert "engine transformers" in (said := " ".join(capsys.readouterr().err.split()))
    assert "model_type is 'gpt2'" in said
    assert isinstance(load_model_on(tmp_path / "llama", CPU)[0], Transformer)
    # In the fingerprint of what transformers computes, and in no other.
    assert "engine" not in auto.identity()
    assert "trust_remote_code" not in auto.identity()
    assert chosen.identity()["engine"] == "transformers"


def test_both_engines_agree_on_a_llama(tmp_path, tokenizer):
    save_checkpoint(tmp_path, tiny_model("llama", tie=False), tokenizer)
    native, (other, _) = load_checkpoint(tmp_path)[0], load_model_on(tmp_path, CPU, "transformers")
    assert isinstance(other, TransformersModel)
    ids, ranges, _ = _shared_rows()
    with torch.no_grad():
        torch.testing.assert_close(native(ids), other(ids), atol=1e-5, rtol=1e-5)
        torch.testing.assert_close(native(ids, ranges)[0], other(ids, ranges)[0], atol=1e-5, rtol=1e-5)
    assert other.config.model_copy(update={"tie_embeddings": False}).hidden_size == native.config.hidden_size
    assert other.weights().keys() == native.weights().keys()


class _Runs:
    """A pickle that would run a command."""

    def __reduce__(self):
        return (print, ("this ran",))


def _pickled(folder):
    (folder / "model.safetensors").unlink()
    (folder / "pytorch_model.bin").write_bytes(pickle.dumps(_Runs()))


def _config(**settings):
    def change(folder):
        path = folder / "config.json"
        path.write_text(json.dumps(json.loads(path.read_text()) | settings))

    return change


def _remote_code(folder):
    (folder / "own.py").write_text("print('this ran')\n")
    _config(model_type="own", auto_map={"AutoConfig": "own.C", "AutoModelForCausalLM": "own.M"})(folder)


def _outside_index(folder):
    (folder / "model.safetensors.index.json").write_text('{"weight_map": {"a": "../../outside.safetensors"}}')


def _fewer_weights(folder):
    _config(n_layer=3)(folder)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (_pickled, ["pickled weights are not read", "pytorch_model.bin"]),
        (_remote_code, ["needs Python code", "trust_remote_code: true"]),
        (_config(model_type="nobody"), ["'nobody' runs neither natively nor in transformers"]),
        (_config(model_type="t5"), ["'t5' runs neither"]),
        (_config(n_embd="wide"), ["'gpt2' runs neither"]),
        (_config(eos_token_id=7), ["eos_token_id 7"]),
        (_fewer_weights, ["weights of GPT2LMHeadModel are in no weight file", "h.2"]),
        (_outside_index, ["no weights in *.safetensors"]),
    ],
)
@pytest.mark.medium
def test_what_cannot_be_loaded_is_one_line(change, words, tmp_path, tokenizer, capsys):
    folder = foreign_folder("gpt2", tokenizer, tmp_path / "model")
    change(folder)
    with pytest.raises(UserError, match=str(folder)) as caught:
        load_model_on(folder, CPU)
    message = str(caught.value)
    assert all(word in message for word in words), message
    assert "\n" not in message
    assert "this ran" not in capsys.readouterr().out


OWN_CODE = """
from transformers import LlamaConfig, LlamaForCausalLM

class OwnConfig(LlamaConfig):
    model_type = "own"

class OwnModel(LlamaForCausalLM):
    config_class = OwnConfig
"""


def test_code_of_the_folder_runs_where_it_is_trusted(tmp_path, tokenizer, monkeypatch):
    monkeypatch.setattr("transformers.dynamic_module_utils.HF_MODULES_CACHE", str(tmp_path / "modules"))
    monkeypatch.syspath_prepend(tmp_path / "modules")
    llama, folder = tiny_model("llama"), tmp_path / "model"
    save_checkpoint(folder, llama, tokenizer)
    (folder / "own.py").write_text(OWN_CODE)
    code = {"AutoConfig": "own.OwnConfig", "AutoModelForCausalLM": "own.OwnModel"}
    _config(model_type="own", architectures=["OwnModel"], auto_map=code)(folder)
    model, again = load_model_on(folder, CPU, trust_remote_code=True)
    ids = torch.arange(3, 33)[None]
    with torch.no_grad():
        torch.testing.assert_close(model(ids), llama(ids), atol=1e-5, rtol=1e-5)
        save_model(tmp_path / "saved", model, again)
        reloaded, _ = load_model_on(tmp_path / "saved", CPU, trust_remote_code=True)
        assert torch.equal(reloaded(ids), model(ids))
    with pytest.raises(UserError, match="needs Python code"):
        load_model_on(tmp_path / "saved", CPU)


def test_a_model_that_looks_ahead_is_refused(tmp_path, tokenizer):
    with pytest.raises(UserError, match="BertLMHeadModel: looks at later tokens"):
        load_model_on(foreign_folder("bert", tokenizer, tmp_path), CPU)


def test_the_native_engine_alone_refuses_other_families(tmp_path, tokenizer):
    with pytest.raises(UserError, match="model_type is 'gpt2'; this engine runs llama"):
        load_model_on(foreign_folder("gpt2", tokenizer, tmp_path), CPU, "native")


def test_without_transformers_a_line_says_what_to_install(tmp_path, tokenizer, monkeypatch):
    folder = foreign_folder("gpt2", tokenizer, tmp_path)
    monkeypatch.setattr(loading, "is_installed", lambda: False)
    with pytest.raises(UserError, match=r"'gpt2'.*pip install 'echochamber\[hf\]'"):
        load_model_on(folder, CPU)
