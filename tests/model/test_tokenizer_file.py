"""A damaged tokenizer.json is refused in one line, also where the library that reads it panics."""

import json
import os

import pytest

from echochamber.core.errors import UserError
from echochamber.core.panics import LibraryPanicError, panics_as_errors
from echochamber.model.tokenizer import load_tokenizer

PIECES = ("added_tokens", "truncation", "padding", "normalizer", "pre_tokenizer", "post_processor", "decoder")


def _tokenizer_file(folder, prefix):
    """A tokenizer of one merge; with a prefix longer than its parts, `tokenizers` slices out of range."""
    model = {"type": "BPE", "vocab": {"a": 0, "b": 1, "ab": 2}, "merges": [["a", "b"]]}
    model["continuing_subword_prefix"] = prefix
    whole = {"version": "1.0", "model": model} | dict.fromkeys(PIECES) | {"added_tokens": []}
    (folder / "tokenizer.json").write_text(json.dumps(whole))


def test_a_panic_of_the_library_is_one_line_and_nothing_else_is_printed(tmp_path, capfd):
    _tokenizer_file(tmp_path, "###")
    with pytest.raises(UserError, match=r"tokenizer.json: is not a tokenizer file \(range end index"):
        load_tokenizer(tmp_path)
    assert capfd.readouterr() == ("", "")


def test_what_stderr_gets_after_a_quiet_block_is_printed(capfd):
    with panics_as_errors(quiet=True):
        os.write(2, b"hidden\n")
    os.write(2, b"shown\n")
    assert capfd.readouterr().err == "shown\n"


def test_other_exceptions_pass_a_block_unchanged():
    for kind in (ValueError, KeyboardInterrupt, SystemExit):
        with pytest.raises(kind), panics_as_errors():
            raise kind("as it was")

    class PanicException(BaseException):
        pass

    with pytest.raises(LibraryPanicError, match="index out of range"), panics_as_errors():
        raise PanicException("index out of range")
