"""The checker that the import hook in conftest.py puts on every function of the package."""

from collections.abc import Callable
from typing import Any, Self

from beartype import BeartypeConf, FrozenDict, beartype
from pydantic import SerializationInfo, SerializerFunctionWrapHandler

_CONF = BeartypeConf(
    is_pep484_tower=True,  # an int where a float is declared, as type checkers allow
    # `Self` has a meaning for a decorated class only, and jaxtyping decorates its methods;
    # pydantic's two are protocols that cannot be checked.
    hint_overrides=FrozenDict(
        dict.fromkeys((Self, SerializationInfo, SerializerFunctionWrapHandler), object)
    ),
)


def checked(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function with its arguments and result checked against their declarations at each call.

    Functions inside functions stay as they are: their checks would be compiled anew at each call of the
    outer one, which took four fifths of some tests.
    """
    if "<locals>" in function.__qualname__:
        return function
    return beartype(function, conf=_CONF)
