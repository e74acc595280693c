"""Digests of what functions compute, the same in every process.

A function is identified by the program that JAX traces from it, with all its constants: another bin
width, estimator or learning rate gives another program, whatever the function's name. Printed programs
cannot be used, since host callbacks and derivatives are printed with their memory addresses.
"""

import dataclasses
import functools
import hashlib
import re
import types
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.extend.core import ClosedJaxpr, Jaxpr, Literal

from ibjax.types import PyTree

__all__ = ["fingerprint", "fingerprint_of_arrays", "fingerprint_of_jaxpr", "fingerprint_of_sources"]

ADDRESS = re.compile(r" at 0x[0-9a-f]+")


def fingerprint(f: Callable, *args: PyTree) -> str:
    """Return the SHA-256 of the program traced from ``f`` for arguments of these shapes and dtypes."""
    return fingerprint_of_jaxpr(jax.make_jaxpr(f)(*args))


def fingerprint_of_jaxpr(jaxpr: ClosedJaxpr) -> str:
    """Return the SHA-256 of a program and its constants.

    Host functions called back from the program are included with their code and the values that it
    reads: defaults, closures and globals. Functions of other packages than that of the callback are
    included by name only.
    """
    return _Writer().text(jaxpr)


def fingerprint_of_arrays(arrays: PyTree) -> str:
    """Return the SHA-256 of all numbers, shapes and dtypes."""
    return _sha256(*(_array(leaf) for leaf in jax.tree.leaves(arrays)))


@functools.cache
def fingerprint_of_sources() -> str:
    """Return the SHA-256 of ibjax's source files, as they are at the first call."""
    package = Path(__file__).parents[1]
    files = sorted(package.rglob("*.py"))
    return _sha256(
        *(part for f in files for part in (f.relative_to(package).as_posix(), f.read_bytes()))
    )


class _Writer:
    """Writes values as text without memory addresses."""

    def __init__(self):
        self._jaxprs: dict[int, str] = {}  # by id, so that shared programs are written once

    def text(self, x: Any) -> str:
        if isinstance(x, ClosedJaxpr):
            return _sha256(self.text(x.jaxpr), *map(self.text, x.consts))
        if isinstance(x, Jaxpr):
            if id(x) not in self._jaxprs:
                self._jaxprs[id(x)] = self._program(x)
            return self._jaxprs[id(x)]
        if isinstance(x, bool | int | float | complex | str | bytes | types.NoneType):
            return f"{type(x).__name__} {x}"
        if isinstance(x, np.ndarray | np.generic | jax.Array):
            return _array(x)
        if isinstance(x, Mapping):
            return f"{{{', '.join(sorted(f'{self.text(k)}: {self.text(v)}' for k, v in x.items()))}}}"
        if isinstance(x, set | frozenset):
            return f"{{{', '.join(sorted(map(self.text, x)))}}}"
        if isinstance(x, tuple | list):
            return f"{type(x).__name__}({', '.join(map(self.text, x))})"
        if callable(x) or hasattr(x, "call_wrapped"):
            return _name(x)
        return ADDRESS.sub("", repr(x))

    def _program(self, jaxpr: Jaxpr) -> str:
        numbers: dict[Any, int] = {}  # variables, numbered in order of appearance

        def atom(x) -> str:
            if isinstance(x, Literal):
                return f"{self.text(np.asarray(x.val))} {x.aval!r}"
            return f"{numbers.setdefault(x, len(numbers))} {x.aval!r}"

        lines = [atom(x) for x in (*jaxpr.constvars, *jaxpr.invars)]
        for equation in jaxpr.eqns:
            lines.append(equation.primitive.name)
            for name, value in sorted(equation.params.items()):
                writer = _HostWriter(value) if name == "callback" else self
                lines.append(f"{name}={writer.text(value)}")
            lines += [atom(x) for x in (*equation.invars, *equation.outvars)]
        return _sha256(*lines, *(atom(x) for x in jaxpr.outvars))


class _HostWriter:
    """Writes functions that run on the host as text: their code and the values that it reads."""

    def __init__(self, function: Any):
        self._package = _package(_innermost(function))
        # Numbers, by id, of objects met before: functions may refer to themselves or to each other.
        self._entered: dict[int, int] = {}

    def text(self, x: Any) -> str:
        if isinstance(x, tuple | list):
            return f"{type(x).__name__}({', '.join(map(self.text, x))})"
        if isinstance(x, Mapping):
            return self.text(sorted(x.items(), key=lambda item: str(item[0])))
        if isinstance(x, type | types.ModuleType):
            return _name(x)
        parts = self._parts(x)
        if parts is None:
            return _Writer().text(x)
        if id(x) in self._entered:
            return f"number {self._entered[id(x)]}"
        self._entered[id(x)] = len(self._entered)
        return f"{type(x).__name__}({self.text(parts)})"

    def _parts(self, x: Any) -> tuple | None:
        """Return the parts of a function or an object; None for plain values."""
        if isinstance(x, functools.partial):
            return x.func, x.args, x.keywords
        if isinstance(x, types.MethodType):
            return x.__func__, x.__self__
        if isinstance(x, types.CodeType):
            return x.co_code, x.co_names, x.co_consts
        if isinstance(x, types.FunctionType) and _package(x) == self._package:
            cells = [cell.cell_contents for cell in x.__closure__ or ()]
            read = {k: x.__globals__[k] for k in sorted(_names(x.__code__)) if k in x.__globals__}
            return x.__code__, x.__defaults__, x.__kwdefaults__, cells, read
        if hasattr(x, "__wrapped__"):
            return self._parts(x.__wrapped__)
        if isinstance(x, types.FunctionType | np.ufunc):  # NumPy keeps signatures asked for in ufuncs
            return (_name(x),)
        if dataclasses.is_dataclass(x):
            return _name(x), *(getattr(x, field.name) for field in dataclasses.fields(x))
        if callable(x) and hasattr(x, "__dict__"):
            return _name(x), type(x).__call__, vars(x)
        return None


def _innermost(x: Any) -> Any:
    """Return the function inside a JAX callback, partial, method, vectorised function or wrapper."""
    for inner in ("callback_func", "func", "__func__", "pyfunc", "__wrapped__"):
        if hasattr(x, inner):
            return _innermost(getattr(x, inner))
    return x


def _package(x: Any) -> str:
    """Return the package where a function or object's class is defined, whatever its ``__module__``."""
    module = getattr(x, "__globals__", {}).get("__name__") or type(x).__module__
    return module.partition(".")[0]


def _names(code: types.CodeType) -> set[str]:
    """Return the names that a function's code refers to, including functions defined in it."""
    inner = (c for c in code.co_consts if isinstance(c, types.CodeType))
    return set(code.co_names).union(*map(_names, inner))


def _name(x: Any) -> str:
    """Return module and name of a function, class or module; for other objects, those of the class."""
    x = x if hasattr(x, "__name__") else type(x)
    return f"{getattr(x, '__module__', None)}.{getattr(x, '__qualname__', x.__name__)}"


def _array(x: Any) -> str:
    if jnp.issubdtype(x.dtype, jax.dtypes.prng_key):
        return f"{x.dtype} {_array(jax.random.key_data(x))}"
    numbers = np.ascontiguousarray(x)
    return f"{x.dtype} {np.shape(x)} {_sha256(numbers.tobytes())}"


def _sha256(*parts: str | bytes) -> str:
    """Return the SHA-256 of the parts, each preceded by its length to keep them apart."""
    digest = hashlib.sha256()
    for part in parts:
        content = part.encode() if isinstance(part, str) else part
        digest.update(b"%d:" % len(content) + content)
    return digest.hexdigest()
