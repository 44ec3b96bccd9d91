"""An import hook that checks declared types and tensor shapes at each call of the package's functions.

jaxtyping has such a hook. It wraps every function twice, and functions inside functions anew at each call
of the outer one: half of the time of the whole test run. Here shapes are bound only where a function
declares an array, and functions inside functions stay as they are.
"""

import ast
import sys
from collections.abc import Callable, Sequence
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from types import CodeType, ModuleType
from typing import Any, Self, get_args

from beartype import BeartypeConf, FrozenDict, beartype
from jaxtyping import Float, jaxtyped
from pydantic import SerializationInfo, SerializerFunctionWrapHandler
from torch import Tensor

_ARRAY = type(Float[Tensor, "B"])
_CONF = BeartypeConf(
    is_pep484_tower=True,  # an int where a float is declared, as type checkers allow
    # `Self` has a meaning for a decorated class only, and here methods are decorated;
    # pydantic's two are protocols that cannot be checked.
    hint_overrides=FrozenDict(
        dict.fromkeys((Self, SerializationInfo, SerializerFunctionWrapHandler), object)
    ),
)


def checked(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function with its arguments and result checked against their declarations at each call."""
    if any(_has_array(hint) for hint in getattr(function, "__annotations__", {}).values()):
        return jaxtyped(typechecker=_beartype)(function)
    return _beartype(function)


def checked_fields(made: type) -> type:
    """A dataclass whose fields are checked when an object is made."""
    made.__init__ = checked(made.__init__)  # type: ignore[misc]
    return made


def _beartype(function: Callable[..., Any]) -> Callable[..., Any]:
    return beartype(function, conf=_CONF)


def _has_array(hint: object) -> bool:
    return isinstance(hint, _ARRAY) or any(_has_array(part) for part in get_args(hint))


class _Decorating(ast.NodeTransformer):
    """Puts the checks on functions and methods, innermost, and on dataclasses, outermost."""

    def visit_If(self, node: ast.If) -> ast.If:
        """Names that a module imports for annotations alone are imported here: the checks look them up."""
        if ast.unparse(node.test) == "TYPE_CHECKING":
            node.test = ast.Constant(True)
        return node

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.FunctionDef:
        node.decorator_list.append(ast.Name("_checked", ast.Load()))
        return node

    def visit_ClassDef(self, node: ast.ClassDef) -> ast.AST:
        if any("dataclass" in ast.unparse(one) for one in node.decorator_list):
            node.decorator_list.insert(0, ast.Name("_checked_fields", ast.Load()))
        return self.generic_visit(node)


class _Loader(SourceFileLoader):
    """Compiles a module with the checks in it; nothing is cached, so other processes never load it."""

    def get_code(self, fullname: str) -> CodeType:
        tree = ast.fix_missing_locations(_Decorating().visit(ast.parse(self.get_data(self.path))))
        return compile(tree, self.path, "exec")

    def exec_module(self, module: ModuleType) -> None:
        vars(module).update(_checked=checked, _checked_fields=checked_fields)
        super().exec_module(module)


class _Finder:
    def __init__(self, packages: Sequence[str]) -> None:
        self.packages = tuple(packages)

    def find_spec(self, name: str, path: Sequence[str] | None, target: object = None) -> ModuleSpec | None:
        if not name.startswith(tuple(f"{package}." for package in self.packages)) and (
            name not in self.packages
        ):
            return None
        spec = PathFinder.find_spec(name, path)
        if spec is not None and isinstance(spec.loader, SourceFileLoader):
            spec.loader = _Loader(name, spec.loader.path)
        return spec


def install(packages: Sequence[str]) -> None:
    """Check every module of these packages that is imported from now on."""
    sys.meta_path.insert(0, _Finder(packages))  # type: ignore[arg-type]
