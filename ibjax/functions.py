"""Functions with fixed options that compare by value, so that equal settings share compiled programs."""

import dataclasses
import functools
from collections.abc import Callable
from typing import Any

__all__ = ["FixedOptions", "by_value", "describe_function"]


@dataclasses.dataclass(frozen=True)
class FixedOptions:
    """A function some of whose arguments are fixed; equal to others with equal arguments.

    A ``functools.partial`` equals only itself, so a program that JAX compiled for one is compiled again
    for the next. :func:`by_value` makes the one into the other.

    Attributes:
        function: function to call.
        args: its first arguments.
        options: its keyword arguments by name.
        types: types of the arguments, since 1, 1.0 and True are equal but not the same setting.
    """

    function: Callable
    args: tuple[Any, ...] = ()
    options: tuple[tuple[str, Any], ...] = ()
    types: tuple[type, ...] = dataclasses.field(init=False, repr=False)

    def __post_init__(self):
        fixed = (*self.args, *(value for _, value in self.options))
        object.__setattr__(self, "types", tuple(map(type, fixed)))

    def __call__(self, *args, **options):
        return self.function(*self.args, *args, **{**dict(self.options), **options})

    def __str__(self) -> str:
        fixed = [*map(_describe, self.args), *(f"{k}={_describe(v)}" for k, v in self.options)]
        return f"{describe_function(self.function)}({', '.join(fixed)})"


def by_value(function: Callable) -> Callable:
    """Return a ``functools.partial`` as a function that compares by value, others as they are.

    A partial whose arguments cannot be hashed, such as arrays, is returned as it is.
    """
    if not isinstance(function, functools.partial):
        return function
    options = tuple(sorted((k, _option_by_value(v)) for k, v in function.keywords.items()))
    fixed = FixedOptions(by_value(function.func), tuple(map(_option_by_value, function.args)), options)
    try:
        hash(fixed)
    except TypeError:
        return function
    return fixed


def describe_function(function: Callable) -> str:
    """Return a function's name with the arguments that are fixed.

    Example:
        >>> describe_function(functools.partial(round, ndigits=2))
        'round(ndigits=2)'
    """
    fixed = by_value(function)
    if isinstance(fixed, functools.partial):  # of arguments that cannot be hashed
        fixed = FixedOptions(fixed.func, fixed.args, tuple(fixed.keywords.items()))
    return str(fixed) if isinstance(fixed, FixedOptions) else getattr(fixed, "__name__", str(fixed))


def _option_by_value(option):
    return by_value(option) if callable(option) else option


def _describe(option) -> str:
    return describe_function(option) if callable(option) else " ".join(repr(option).split())
