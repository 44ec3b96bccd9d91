"""Writing what others read: a study's completions, or a checkpoint, as a folder of the hub."""

import importlib
import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Literal

from ..core.errors import UserError
from ..core.files import make_folder
from ..core.version import __version__
from .cards import check_repository
from .export_checkpoint import export_checkpoint
from .export_dataset import export_dataset

RepositoryType = Literal["dataset", "model"]


@dataclass(frozen=True)
class Exported:
    """What was written, and where it was pushed to."""

    folder: Path
    kind: RepositoryType
    rows: dict[str, int]
    """Table -> rows of a data set; {} for a model."""
    url: str | None = None
    """The commit on the hub; None where nothing was pushed."""


def export(place: str, out: Path, push: str | None = None, public: bool = False) -> Exported:
    """Export a study as a data set, or a checkpoint as a model, into a new folder `out`.

    `place`: a study's folder, or what `find_checkpoint` takes. `push`: OWNER/NAME of a repository, which is
    made private unless `public`, or exists. The library finds server and token by itself.
    """
    library = _hub_library(push) if push else None
    out = Path(os.path.abspath(out))  # noqa: PTH100  (`resolve` would follow a link)
    if out.is_symlink():
        raise UserError(f"{out}: is a link; choose another folder with --to")
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise UserError(f"{out}: is there and not empty; choose another folder with --to")
    is_study = (Path(place) / "study.json").is_file()
    beside = out.with_name(f".{out.name}.partial")
    shutil.rmtree(beside, ignore_errors=True)
    make_folder(beside)
    try:
        rows = export_dataset(Path(place), beside) if is_study else {}
        if not is_study:
            export_checkpoint(place, beside, push or out.name)
        beside.replace(out)
    finally:
        shutil.rmtree(beside, ignore_errors=True)
    kind: RepositoryType = "dataset" if is_study else "model"
    url = _push(library, out, push, kind, public) if library and push else None
    return Exported(out, kind, rows, url)


def _hub_library(repository: str) -> ModuleType:
    """Checked before anything is written."""
    check_repository(repository)
    try:
        library = importlib.import_module("huggingface_hub")
    except ImportError:
        raise UserError(
            "--push: the package huggingface_hub is not installed; pip install 'echochamber[hub]'"
        ) from None
    if not library.get_token():
        raise UserError("--push: no token of the hub is set; run `hf auth login`, or set HF_TOKEN")
    return library


def _push(library: ModuleType, folder: Path, repository: str, kind: str, public: bool) -> str:
    """Make the repository where it is missing, and upload the folder as one commit."""
    api = library.HfApi(library_name="echochamber", library_version=__version__)
    importlib.import_module("huggingface_hub.utils").disable_progress_bars()
    try:
        api.create_repo(repository, repo_type=kind, private=not public, exist_ok=True)
        commit = api.upload_folder(
            repo_id=repository,
            folder_path=str(folder),
            repo_type=kind,
            commit_message=f"Export by echochamber {__version__}",
        )
    except Exception as error:  # noqa: BLE001  (its errors share no base class)
        reason = " ".join(str(error).split()).replace(library.get_token() or "\0", "***")[:300]
        raise UserError(
            f"{folder}: was written, but cannot be pushed to {repository} ({type(error).__name__}: {reason})"
        ) from None
    return str(commit.commit_url)
