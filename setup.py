"""What pyproject.toml cannot say: a wheel with the engine in C compiled in, where ECHOCHAMBER_PREBUILD is 1.

cibuildwheel sets it. Such a wheel is for one kind of system and every Python from 3.11 on. Without it the
wheel holds the sources alone, and each machine compiles them once.
"""

import importlib.util
import os
from pathlib import Path

from setuptools import Distribution, setup
from setuptools.command.bdist_wheel import bdist_wheel
from setuptools.command.build_py import build_py

NATIVE = Path("echochamber") / "model" / "native"
PREBUILD = os.environ.get("ECHOCHAMBER_PREBUILD") == "1"


class BuildWithEngine(build_py):
    """Copies the package, and compiles its engine into the copy."""

    def run(self) -> None:
        super().run()
        if not PREBUILD or self.editable_mode:
            return
        spec = importlib.util.spec_from_file_location(
            "prebuilt", Path(__file__).parent / NATIVE / "prebuilt.py"
        )
        prebuilt = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(prebuilt)
        for target in prebuilt.TARGETS:
            prebuilt.build(target, Path(self.build_lib) / NATIVE / "prebuilt", os.environ.get("CC", "cc"))


class WheelOfOneSystem(bdist_wheel):
    """A wheel whose name says the system, but no Python: the libraries use nothing of its interface."""

    def get_tag(self) -> tuple[str, str, str]:
        tag = super().get_tag()
        return ("py3", "none", tag[2]) if PREBUILD else tag


class WithLibraries(Distribution):
    """Says that the package holds machine code, which belongs into the wheel's platlib."""

    def has_ext_modules(self) -> bool:
        return PREBUILD or super().has_ext_modules()


setup(distclass=WithLibraries, cmdclass={"build_py": BuildWithEngine, "bdist_wheel": WheelOfOneSystem})
