"""A user's own Python modules, named in the recipe: importing one registers what it adds.

Importing runs the module's code, as `python module.py` would. A recipe that names modules is
therefore a program: run only those that you trust.
"""

import importlib.util
import sys
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path

from ..core.artifacts import hash_file
from ..core.errors import UserError


def load_user_modules(paths: Sequence[str]) -> dict[str, str]:
    """Import each file once per process; returns `{"module NAME.py": SHA-256 of its content}`.

    `UserError` where a file is missing, is no Python file, or raises while it is imported.
    """
    return {f"module {Path(path).name}": _load(Path(path)) for path in paths}


def _load(path: Path) -> str:
    if path.suffix != ".py" or not path.is_file():
        raise UserError(f"modules: {path}: no such Python file (expected the path of a file ending in .py)")
    content = hash_file(path)
    name = f"echochamber_user_{sha256(str(path.resolve()).encode()).hexdigest()[:16]}"
    if name not in sys.modules:
        spec = importlib.util.spec_from_file_location(name, path)
        assert spec is not None, f"{path}: no import spec for a .py file"
        assert spec.loader is not None, f"{path}: no loader for a .py file"
        sys.modules[name] = module = importlib.util.module_from_spec(spec)
        try:
            spec.loader.exec_module(module)
        except UserError:
            del sys.modules[name]
            raise
        except Exception as error:
            del sys.modules[name]
            raise UserError(
                f"modules: {path}: {type(error).__name__} while it was imported: {error}"
            ) from error
    return content
