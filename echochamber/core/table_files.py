"""The small tables of a study as files: Parquet and `about.json`, checked when they are read."""

import json
from pathlib import Path

import polars as pl

from .errors import UserError
from .files import make_folder, write_json
from .study_tables import FORECASTS, SCHEMAS, Tables


def save_tables(tables: Tables, folder: Path) -> list[Path]:
    """Write `NAME.parquet` each and `about.json`; returns the paths."""
    make_folder(folder)
    paths = []
    for name, frame in tables.frames.items():
        path = folder / f"{name}.parquet"
        frame.write_parquet(path, compression="zstd")
        paths.append(path)
    write_json(folder / "about.json", tables.about)
    return [*paths, folder / "about.json"]


def load_tables(folder: Path) -> Tables:
    """Tables written by `save_tables`; `UserError` names a file that is missing or of another version."""
    frames = {}
    for name, schema in SCHEMAS.items():
        path = folder / f"{name}.parquet"
        try:
            frame = pl.read_parquet(path)
        except (OSError, pl.exceptions.PolarsError) as error:
            raise UserError(
                f"{path}: is not a readable Parquet file ({str(error).splitlines()[0]})"
            ) from None
        if dict(frame.schema) != schema:
            wrong = next((c for c in schema if frame.schema.get(c) != schema[c]), "an unknown column")
            raise UserError(
                f"{path}: column {wrong!r} is not as this version writes it; expected {', '.join(schema)}"
            )
        frames[name] = frame
    unknown = set(frames["forecasts"]["forecast"]) - set(FORECASTS)
    if unknown:
        raise UserError(
            f"{folder / 'forecasts.parquet'}: forecast {min(unknown)!r} is not known; this version writes "
            f"{', '.join(FORECASTS)}. Write the tables again: echochamber ledger STUDY --tables {folder}"
        )
    try:
        about = json.loads((folder / "about.json").read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UserError(f"{folder / 'about.json'}: cannot be read ({error})") from None
    if not isinstance(about, dict):
        raise UserError(f"{folder / 'about.json'}: holds {type(about).__name__}, expected an object")
    return Tables(frames, about)
