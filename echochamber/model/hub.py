"""Checkpoints from the hub by name: `hub:OWNER/NAME`, at a commit or tag by `@REVISION` (extra `[hub]`)."""

import importlib
import re
from pathlib import Path

from ..core.errors import UserError

PREFIX = "hub:"
READ = ("*.json", "*.safetensors", "*.jinja", "*.model", "*.py")
"""Files that are fetched: pickled weights are never read, code is never run unless asked for."""


def fetch_checkpoint(name: str) -> Path:
    """The local folder of a model on the hub; fetched once, then found in the library's own cache.

    `name`: `hub:OWNER/NAME` or `hub:OWNER/NAME@REVISION`. Without a revision it is the newest, which
    can change from day to day.
    """
    match = re.fullmatch(r"hub:([\w.-]+/[\w.-]+)(?:@([\w./-]+))?", name)
    if match is None:
        raise UserError(f"checkpoint {name!r}: expected hub:OWNER/NAME or hub:OWNER/NAME@REVISION")
    repository, revision = match[1], match[2]
    try:
        hub = importlib.import_module("huggingface_hub")
    except ImportError:
        raise UserError(
            f"{name}: the package huggingface_hub is not installed; "
            "pip install 'echochamber[hub]', or give a folder"
        ) from None
    try:
        folder = Path(hub.snapshot_download(repository, revision=revision, allow_patterns=list(READ)))
    except Exception as error:  # noqa: BLE001  (its errors share no base class)
        reason = f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"
        raise UserError(
            f"{name}: cannot be fetched ({reason}); is there a network, and is the name right? "
            "A local folder needs neither"
        ) from None
    if not any(folder.glob("*.safetensors")):
        raise UserError(
            f"{name}: holds no *.safetensors; pickled weights are not read, since loading them runs code"
        )
    return folder
