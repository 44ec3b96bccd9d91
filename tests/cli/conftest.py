"""The command line, called in this process."""

import sys

import pytest

from echochamber.cli import main


@pytest.fixture
def run(monkeypatch, capsys):
    """Call the command line; returns (exit status, stdout, stderr)."""

    def call(*arguments):
        monkeypatch.setattr(sys, "argv", ["echochamber", *map(str, arguments)])
        status = 0
        try:
            main()
        except SystemExit as stop:
            status = stop.code if isinstance(stop.code, int) else 1 if stop.code else 0
        captured = capsys.readouterr()
        return status, captured.out, captured.err

    return call
