"""Progress where output is a file: whole lines, ten of them."""

from echochamber.core.progress import console, progress_bar


def test_a_line_of_a_log_is_whole_whatever_its_length(monkeypatch, capsys):
    monkeypatch.setattr(console(), "quiet", False)
    note = "loss 1.234  " * 20
    with progress_bar("pretrain nano-0.2m (193,088 parameters)", total=20) as bar:
        for _ in range(20):
            bar.advance(note=note)
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 10
    for number, line in enumerate(lines, 1):
        assert line.startswith(f"  pretrain nano-0.2m (193,088 parameters): {2 * number}/20, ")
        assert line.count("loss 1.234") == 20
