"""The tables of a study or of a folder of tables, whichever a folder is."""

from pathlib import Path

from ...core.study_tables import Tables
from ...core.table_files import load_tables


def open_tables(folder: Path) -> Tables:
    """The tables of a study's folder, or those of a folder that `save_tables` wrote."""
    if (folder / "about.json").is_file():
        return load_tables(folder)
    from .collect import collect  # the whole analysis, which tables that are at hand do not need

    return collect(folder)
