"""What users pass by mistake, or in a form of their own: about ninety values, by the kind of argument.

Each is made from the valid argument it replaces and comes with what it should lead to: ``SAME``, the
result of the valid argument; ``REFUSED``, an error of our own; ``EITHER``, one of both or NaN.
"""

import datetime
import fractions
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import ml_dtypes
import numpy as np
import pandas as pd
import xarray as xr

__all__ = ["EITHER", "REFUSED", "SAME", "VALUES", "Hostile", "kind_of_argument"]

SAME, REFUSED, EITHER = "same", "refused", "either"


class Hostile(NamedTuple):
    """A value to put in the place of a valid one, and what should come of it."""

    name: str
    make: Callable[[Any], Any]
    verdict: str


class Tensor:
    """As PyTorch's with a gradient, which NumPy alone cannot read."""

    def __init__(self, values, asks=True):
        self.values, self.asks = np.asarray(values), asks
        self.dtype = f"torch.{self.values.dtype}"
        self.shape, self.ndim = self.values.shape, self.values.ndim

    def detach(self):
        return Tensor(self.values, asks=False)

    def cpu(self):
        return self

    def __len__(self):
        return len(self.values)

    def __array__(self, dtype=None, copy=None):
        if self.asks:
            raise RuntimeError("Can't call numpy() on Tensor that requires grad.")
        return np.asarray(self.values, dtype)


Tensor.__module__ = "torch"


def _spoilt(x, value, dtype=None):
    x = np.array(x, dtype or np.float64)
    x.flat[x.size // 2] = value
    return x


def _read_only(x):
    x = np.array(x)
    x.flags.writeable = False
    return x


def _pandas(x):
    return pd.Series(x) if np.ndim(x) == 1 else pd.DataFrame(x)


def _with_none(x):
    x = np.array(x, object)
    x.flat[0] = None
    return x


def _masked(x):
    x = np.ma.masked_array(np.array(x), mask=False)
    x[0] = np.ma.masked
    return x


def _hostile(verdict, **makes) -> list[Hostile]:
    return [Hostile(name, make, verdict) for name, make in makes.items()]


# No argument of any kind may be one of these.
NEVER = _hostile(
    REFUSED,
    dict=lambda v: {"a": 1},
    set=lambda v: {1.5},
    generator=lambda v: (i for i in range(3)),
    object=lambda v: object(),
    bytes=lambda v: b"0.1",
    date=lambda v: datetime.date(2020, 1, 1),
    datetime64=lambda v: np.datetime64("2020-01-01"),
    ellipsis=lambda v: ...,
)
NOT_AN_ARRAY = _hostile(
    REFUSED,
    none=lambda v: None,
    text=lambda v: "abc",
    cls=lambda v: int,
    function=lambda v: len,
    ragged=lambda v: [[1], [2, 3]],
    strings=lambda v: np.array(v).astype(str),
    bytes_array=lambda v: np.array(v).astype("S8"),
    complex=lambda v: np.array(v) + 0.5j,
    datetimes=lambda v: np.zeros(np.shape(v), "M8[s]"),
    records=lambda v: np.zeros(np.shape(v), [("a", "f4")]),
    keys=lambda v: jax.random.split(jax.random.key(0), 3),
    masked=_masked,
    none_inside=_with_none,
    one_axis_more=lambda v: np.array(v)[None, None],
)
FLOATS = [
    *NOT_AN_ARRAY,
    *_hostile(
        REFUSED,
        nan=lambda v: _spoilt(v, np.nan),
        inf=lambda v: _spoilt(v, np.inf),
        empty=lambda v: np.array(v)[:0],
    ),
    *_hostile(
        EITHER,
        huge=lambda v: _spoilt(v, 1e300),
        subnormal=lambda v: np.array(v) * 1e-42,
        offset=lambda v: np.array(v, np.float64) + 1e9,
        constant=lambda v: np.full(np.shape(v), 0.25),
        negative_zero=lambda v: np.full(np.shape(v), -0.0),
        float16=lambda v: np.array(v, np.float16),
        bfloat16=lambda v: np.array(v).astype(ml_dtypes.bfloat16),
        booleans=lambda v: np.array(v) > 0,
        integers=lambda v: np.array(v).astype(np.int64) + 2**40,
        one_row=lambda v: np.array(v)[:1],
        number=lambda v: 1.5,
    ),
]
ANY_ARRAY = _hostile(
    SAME,
    list=lambda v: np.array(v).tolist(),
    big_endian=lambda v: np.array(v).astype(np.array(v).dtype.newbyteorder(">")),
    column_major=lambda v: np.asfortranarray(v),
    strided=lambda v: np.repeat(v, 2, axis=0)[::2],
    reversed=lambda v: np.array(np.array(v)[::-1])[::-1],
    read_only=_read_only,
    objects=lambda v: np.array(v, object),
    unmasked=lambda v: np.ma.masked_array(np.array(v), mask=False),
    jax=lambda v: jnp.asarray(np.array(v)),
    tensor=Tensor,
    xarray=lambda v: xr.DataArray(np.array(v)),
)
MATRIX_OR_VECTOR = _hostile(SAME, pandas=_pandas)
WIDER = _hostile(
    SAME,
    float64=lambda v: np.array(v, np.float64),
    long=lambda v: np.array(v, np.longdouble),
)
LABELS = [
    *NOT_AN_ARRAY,
    *_hostile(
        REFUSED,
        floats=lambda v: np.array(v) + 0.5,
        nan=lambda v: _spoilt(v, np.nan),
        empty=lambda v: np.array(v)[:0],
    ),
    *_hostile(
        EITHER,
        large=lambda v: np.array(v, np.int64) + 2**40,
        negative=lambda v: -np.array(v, np.int64) - 1,
        one_row=lambda v: np.array(v)[:1],
        number=lambda v: 1,
        float_labels=lambda v: np.array(v, np.float64),
    ),
    *_hostile(
        SAME,
        int64=lambda v: np.array(v, np.int64),
        one_byte=lambda v: np.array(v, np.uint8 if np.min(v) >= 0 else np.int8),
        nullable=lambda v: pd.array(np.array(v), dtype="Int64") if np.ndim(v) == 1 else np.array(v),
    ),
]
NOT_A_NUMBER = _hostile(
    REFUSED,
    text=lambda v: "0.1",
    list=lambda v: [1, 2],
    array=lambda v: np.ones(2),
    complex=lambda v: 1j,
    nan=lambda v: float("nan"),
    cls=lambda v: int,
    function=lambda v: len,
    key=lambda v: jax.random.key(0),
)
NUMBERS = [
    *NOT_A_NUMBER,
    *_hostile(
        EITHER,
        infinity=lambda v: float("inf"),
        zero=lambda v: 0.0,
        negative=lambda v: -1.5,
        huge=lambda v: 1e300,
        tiny=lambda v: 1e-300,
        boolean=lambda v: True,
        fraction=lambda v: fractions.Fraction(1, 3),
        none=lambda v: None,
    ),
    *_hostile(
        SAME,
        float64=lambda v: np.float64(v),
        zero_d=lambda v: np.array(v),
        jax=lambda v: jnp.float32(v) if jnp.float32(v) == v else v,
    ),
]
WHOLE = [
    *NOT_A_NUMBER,
    *_hostile(
        REFUSED,
        half=lambda v: v + 0.5,
        float=lambda v: float(v),
        boolean=lambda v: True,
        negative=lambda v: -3,
        one_entry=lambda v: np.array([v]),
    ),
    *_hostile(EITHER, zero=lambda v: 0, one=lambda v: 1, huge=lambda v: 2**70, none=lambda v: None),
    *_hostile(
        SAME,
        few_bits=lambda v: np.min_scalar_type(-v).type(v),
        uint64=lambda v: np.uint64(v),
        zero_d=lambda v: np.array(v),
    ),
]
NAMES = _hostile(
    REFUSED,
    unknown=lambda v: "no such name",
    empty=lambda v: "",
    number=lambda v: 3,
    list=lambda v: [v],
    array=lambda v: np.ones(2),
    function=lambda v: len,
    nan=lambda v: float("nan"),
)
FUNCTIONS = _hostile(
    REFUSED,
    name=lambda v: "binned_mi",
    none=lambda v: None,
    number=lambda v: 3,
    list=lambda v: [],
    array=lambda v: np.ones(2),
)
KEYS = [
    *_hostile(
        REFUSED,
        seed=lambda v: 0,
        none=lambda v: None,
        text=lambda v: "key",
        several=lambda v: jax.random.split(jax.random.key(0)),
        floats=lambda v: np.zeros(2),
        short=lambda v: np.zeros(1, np.uint32),
        list=lambda v: [0, 1],
    ),
    *_hostile(SAME, raw=lambda v: jax.random.key_data(v)),
    *_hostile(EITHER, rbg=lambda v: jax.random.key(0, impl="rbg")),
]
FLAGS = _hostile(
    REFUSED,
    text=lambda v: "no",
    number=lambda v: 2,
    none=lambda v: None,
    list=lambda v: [v],
    array=lambda v: np.array([v, v]),
)
DATASETS = _hostile(
    REFUSED,
    none=lambda v: None,
    text=lambda v: "results.nc",
    array=lambda v: np.ones((3, 3)),
    list=lambda v: [1.0],
    no_variables=lambda v: xr.Dataset(),
    other_dims=lambda v: v.rename({dim: f"other_{dim}" for dim in v.dims}),
    other_variables=lambda v: v.rename({name: f"other_{name}" for name in v.data_vars}),
    data_array=lambda v: xr.DataArray(np.ones(3)),
)
SEQUENCES = _hostile(
    EITHER,
    none=lambda v: None,
    text=lambda v: "abc",
    number=lambda v: 3,
    empty=lambda v: type(v)(),
    function=lambda v: len,
    array=lambda v: np.ones(2),
)

VALUES: dict[str, list[Hostile]] = {
    "float array": [*NEVER, *FLOATS, *ANY_ARRAY, *WIDER],
    "labels": [*NEVER, *LABELS, *ANY_ARRAY],
    "number": [*NEVER, *NUMBERS],
    "whole number": [*NEVER, *WHOLE],
    "name": [*NEVER, *NAMES],
    "text": [*NEVER, *(hostile for hostile in NAMES if hostile.name not in ("unknown", "empty"))],
    "function": [*NEVER, *FUNCTIONS],
    "key": [*NEVER, *KEYS],
    "flag": [*NEVER, *FLAGS],
    "dataset": [*NEVER, *DATASETS],
    "sequence": SEQUENCES,
    "other": [],
}


# Strings that may say anything.
TEXTS = ("title", "ylabel")


def kind_of_argument(name: str, value: Any) -> str:
    """Which of ``VALUES`` a valid argument may be replaced by."""
    if isinstance(value, str) and (name in TEXTS or " " in value):
        return "text"
    if isinstance(value, jax.Array) and jnp.issubdtype(value.dtype, jax.dtypes.prng_key):
        return "key" if value.ndim == 0 else "other"
    if isinstance(value, np.ndarray | jax.Array) and value.ndim > 0:
        return "labels" if value.dtype.kind in "iub" else "float array"
    for kinds, name in (
        (bool, "flag"),
        (int | np.integer, "whole number"),
        (float | np.floating, "number"),
        (str, "name"),
        (xr.Dataset, "dataset"),
    ):
        if isinstance(value, kinds):
            return name
    if isinstance(value, list | tuple) and not hasattr(value, "_fields"):
        return "sequence"
    return "function" if callable(value) and not hasattr(value, "apply") else "other"
