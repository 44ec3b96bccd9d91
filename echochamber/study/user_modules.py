"""A user's own Python modules, named in the recipe: importing one registers what it adds.

Importing runs the module's code, as `python module.py` would. A recipe that names modules is
therefore a program: run only those that you trust.
"""

import importlib.util
import sys
from collections.abc import Sequence
from hashlib import sha256
from importlib.abc import Loader
from pathlib import Path
from types import ModuleType

from ..core.checksums import hash_file
from ..core.environments import forget_environment, registered_environments
from ..core.errors import UserError
from ..core.formats import forget_format, registered_formats
from ..core.traits import forget_trait, registered_traits
from ..core.user_code import remember_module
from ..rollout.rewards import forget_reward, registered_rewards
from .module_trial import try_out

_LOADED: set[str] = set()
"""File names of the modules that this process has imported."""


def loaded_modules() -> frozenset[str]:
    """File names of the user's modules that this process has imported."""
    return frozenset(_LOADED)


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
        formats, rewards, traits = registered_formats(), registered_rewards(), registered_traits()
        environments = registered_environments()
        try:
            _run(path, spec.loader, module)
            new_formats = [row for row in registered_formats().values() if row.name not in formats]
            new_rewards = [row for row in registered_rewards().values() if row.name not in rewards]
            new_traits = [row for row in registered_traits().values() if row.name not in traits]
            try_out(new_formats, new_rewards, f"modules: {path}", new_traits)
        except UserError:
            del sys.modules[name]
            _forget(set(formats), set(rewards), set(traits))
            for environment in registered_environments().keys() - environments:
                forget_environment(environment)
            raise
    _LOADED.add(path.name)
    remember_module(path.stem, sys.modules[name])
    return content


def _run(path: Path, loader: Loader, module: ModuleType) -> None:
    try:
        loader.exec_module(module)
    except UserError:
        raise
    except Exception as error:
        raise UserError(f"modules: {path}: {type(error).__name__} while it was imported: {error}") from error


def _forget(formats: set[str], rewards: set[str], traits: set[str]) -> None:
    """Take back what a refused module registered, so that its mended file can be loaded."""
    for name in registered_formats().keys() - formats:
        forget_format(name)
    for name in registered_rewards().keys() - rewards:
        forget_reward(name)
    for name in registered_traits().keys() - traits:
        forget_trait(name)
