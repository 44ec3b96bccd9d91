"""Files that are named like a test split."""

from pathlib import Path

from ..core.errors import UserError


def refuse_test_split(path: Path) -> None:
    """`UserError` for a folder or file that is named like a test split: those are never trained on."""
    stem = path.name.lower().split(".")[0]
    like_one = stem.startswith(("test-", "test_")) or stem.endswith(("_test", "-test"))
    if stem == "test" or (like_one and not path.is_dir()):
        raise UserError(f"{path}: is a test split; it may be evaluated on, never trained on")
