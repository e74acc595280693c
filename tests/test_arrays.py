"""The boundary: every array that means the same is read the same, and what is none is refused."""

import decimal
import fractions

import h5py
import jax
import jax.numpy as jnp
import ml_dtypes
import numpy as np
import pandas as pd
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from ibjax.arrays import as_32_bits, as_array, as_float32, as_labels, check_apart, is_wide, residual

X = np.array([[1.0, -2.5], [0.25, 4.0], [3.0, 0.0]])
Y = np.array([0, 2, 1])


class Tensor:
    """As PyTorch's, which NumPy cannot read while a gradient is asked for."""

    dtype = "torch.float32"

    def __init__(self, values, asks=True):
        self.values, self.asks = values, asks

    def detach(self):
        return Tensor(self.values, asks=False)

    def cpu(self):
        return self

    def __array__(self, dtype=None, copy=None):
        if self.asks:
            raise RuntimeError("Can't call numpy() on Tensor that requires grad.")
        return np.asarray(self.values, dtype)


Tensor.__module__ = "torch"


def memory_map(path, array):
    np.save(path / "x.npy", array)
    return np.load(path / "x.npy", mmap_mode="r")


def read_only(array):
    array = array.copy()
    array.flags.writeable = False
    return array


SAME = {
    "list": X.tolist(),
    "tuple": tuple(map(tuple, X.tolist())),
    "list of arrays": list(X),
    "list of JAX arrays": list(jnp.asarray(X)),
    "list of tensors": [Tensor(row) for row in X],
    "big-endian": X.astype(">f8"),
    "big-endian float32": X.astype(">f4"),
    "float16": X.astype(np.float16),
    "bfloat16": X.astype(ml_dtypes.bfloat16),
    "long double": X.astype(np.longdouble),
    "column-major": np.asfortranarray(X),
    "strided": np.repeat(X, 2, axis=0)[::2],
    "reversed": X[::-1].copy()[::-1],
    "read-only": read_only(X),
    "masked, no mask": np.ma.masked_array(X, mask=False),
    "objects": X.astype(object),
    "JAX": jnp.asarray(X),
    "JAX bfloat16": jnp.asarray(X, jnp.bfloat16),
    "tensor": Tensor(X),
    "pandas": pd.DataFrame(X),
    "pandas, nullable": pd.DataFrame(X).astype("Float64"),
    "xarray": xr.DataArray(X),
}


@pytest.mark.parametrize("x", SAME.values(), ids=SAME.keys())
def test_arrays_that_mean_the_same_are_read_the_same(x):
    for read in (as_array, as_float32, as_32_bits):
        got = np.asarray(read("x", x))
        np.testing.assert_array_equal(got.astype(np.float64), X)
        assert got.dtype.isnative
    assert as_float32("x", x).dtype == np.float32


def test_files_are_read(tmp_path):
    np.testing.assert_array_equal(as_array("x", memory_map(tmp_path, X)), X)
    with h5py.File(tmp_path / "x.h5", "w") as file:
        np.testing.assert_array_equal(as_array("x", file.create_dataset("x", data=X)), X)


def test_polars_and_torch_are_read_where_they_are_installed():
    polars = pytest.importorskip("polars")
    np.testing.assert_array_equal(as_array("x", polars.DataFrame(X)), X)
    np.testing.assert_array_equal(as_labels("y", polars.Series(Y), "x", X), Y)
    names = polars.Series(["b", "a", "b"], dtype=polars.Categorical)
    codes = as_labels("y", names, "x", X)
    assert codes[0] == codes[2] != codes[1]
    with pytest.raises(ValueError, match="y: expected integer class labels"):
        as_labels("y", polars.Series([0, None, 1]), "x", X)


def test_torch_is_read_where_it_is_installed():
    torch = pytest.importorskip("torch")
    for tensor in (torch.tensor(X, requires_grad=True), torch.tensor(X, dtype=torch.bfloat16)):
        np.testing.assert_array_equal(np.asarray(as_array("x", tensor), np.float64), X)


REFUSED = {
    "masked": (np.ma.masked_array(X, mask=X > 3), "x: expected no masked entries, got 1 of 6"),
    "list of masked": ([np.ma.masked_array([1.0, 2.0], mask=[0, 1])], "x: expected no masked entries"),
    "complex": (X + 0j, "x: expected real numbers, got dtype complex128"),
    "JAX complex": (jnp.asarray(X + 1j), "x: expected real numbers, got dtype complex64"),
    "keys": (jax.random.split(jax.random.key(0)), "x: expected real numbers, got dtype key"),
    "strings": (X.astype(str), "x: expected real numbers, got dtype <U"),
    "bytes": (X.astype("S4"), "x: expected real numbers, got dtype"),
    "dates": (np.array(["2020-01-01"], "M8[ns]"), "x: expected real numbers, got dtype datetime64"),
    "durations": (np.array([1], "m8[s]"), "x: expected real numbers, got dtype timedelta64"),
    "records": (np.zeros(3, [("a", "f4")]), "x: expected real numbers, got dtype"),
    "None among objects": (np.array([1, None]), "x: expected real numbers, got objects: NoneType"),
    "Decimal": ([decimal.Decimal(1)], "x: expected real numbers, got objects: Decimal"),
    "Fraction": ([fractions.Fraction(1, 3)], "x: expected real numbers, got objects: Fraction"),
    "large integers": ([2**70, 1], "x: expected real numbers, got objects: integers beyond 64 bits"),
    "integers of two kinds": (np.array([2**63, -1], object), "integers beyond 64 bits"),
    "categories of words": (pd.Series(["a", "b"], dtype="category"), "x: expected real numbers"),
    "ragged": ([[1], [2, 3]], "x: expected an array of numbers, got"),
    "None": (None, "x: expected an array of numbers, got None"),
    "dict": ({"a": 1}, "x: expected an array of numbers, got {'a': 1}"),
    "set": ({1.0}, "x: expected an array of numbers, got {1.0}"),
    "generator": ((i for i in range(3)), "x: expected an array of numbers, got"),
    "function": (len, "x: expected an array of numbers, got <built-in function len>"),
    "text": ("abc", "x: expected real numbers, got dtype <U3"),
    "tensor that cannot be read": (Tensor([[1], [2, 3]]), "x: expected an array of numbers"),
}


@pytest.mark.parametrize(("x", "message"), REFUSED.values(), ids=REFUSED.keys())
def test_what_is_no_array_of_real_numbers_is_refused(x, message):
    with pytest.raises(ValueError, match=message):
        as_array("x", x)


def test_traced_arrays_and_lists_of_them_pass():
    @jax.jit
    def f(x):
        assert as_array("x", x) is x
        return as_array("x", [x[0], x[1]])

    np.testing.assert_array_equal(f(jnp.asarray(X)), X[:2])


@pytest.mark.parametrize(
    ("x", "message"),
    [
        ([1e39], "x: expected finite values, got 1 NaN or infinite of 1"),
        ([1.0, np.nan], "x: expected finite values, got 1 NaN or infinite of 2"),
        (pd.Series([1, None], dtype="Int64"), "x: expected"),
        (1e8 + np.linspace(0, 1, 100), "x: expected numbers that float32 tells apart, got a column"),
        (np.int64(1.7e18) + np.arange(100), "x: expected numbers that float32 tells apart"),
        (2**30 + np.arange(100, dtype=np.int32), "x: expected numbers that float32 tells apart"),
        (1e-42 * np.linspace(0, 1, 100), "x: expected numbers that float32 tells apart"),
    ],
)
def test_what_float32_does_not_hold_is_refused(x, message):
    with pytest.raises(ValueError, match=message):
        as_float32("x", x)


@pytest.mark.parametrize(
    "x",
    [
        np.random.default_rng(0).normal(size=100_000),
        np.random.default_rng(0).normal(size=1000) + 1000,
        np.random.default_rng(0).standard_cauchy(size=1000),
        np.append(np.random.default_rng(0).normal(size=1000), 1e30),
        np.full(50, 0.1),
        np.tanh(np.linspace(-30, 30, 500)),  # saturated: exactly 1 as float32, and so it is
        1e8 + 8.0 * np.arange(100),  # these are float32 numbers
        2**24 + 2 * np.arange(100),
    ],
)
def test_what_float32_holds_well_passes(x):
    np.testing.assert_array_equal(as_float32("x", x), x.astype(np.float32))


def test_integers_of_32_bits_stay_what_they_are():
    assert as_32_bits("y", Y).dtype == np.int32
    assert as_32_bits("y", np.array([True])).dtype == np.bool_
    assert int(as_32_bits("y", np.uint32([2**32 - 1]))[0]) == 2**32 - 1
    with pytest.raises(ValueError, match="y: expected integers of 32 bits, got 0 to 4294967296"):
        as_32_bits("y", [0, 2**32])


def test_labels_are_integers_or_categories():
    names = pd.Series(["b", "a", "b"], dtype="category")
    for y in (Y, Y.astype(">i8"), pd.Series(Y, dtype="Int64"), Y.tolist(), jnp.asarray(Y)):
        np.testing.assert_array_equal(as_labels("y", y, "x", X), Y)
    for y in (names, names.array, pd.CategoricalIndex(names)):
        np.testing.assert_array_equal(as_labels("y", y, "x", X), [1, 0, 1])
    for y, message in [
        (Y.astype(float), "y: expected integer class labels, got dtype float64"),
        (Y.astype(str), "y: expected real numbers, got dtype"),
        (pd.Series([0, None, 1], dtype="Int64"), "y: expected"),
        (Y[:2], "x and y: expected one entry a sample in both, got lengths 3 and 2"),
        (Y[:, None], r"y: expected shape \(n_samples,\), got shape \(3, 1\)"),
        (pd.Series(["a", None, "b"], dtype="category"), "y: expected a category for each sample, got 1"),
    ]:
        with pytest.raises(ValueError, match=message):
            as_labels("y", y, "x", X)


@given(hnp.arrays(st.sampled_from([np.int64, np.uint64, np.int32, np.float64]), 7,
                  elements={"allow_nan": False, "allow_infinity": False}))  # fmt: skip
def test_residuals_are_exact_before_they_are_rounded(x):
    offset = x[3]
    if x.dtype.kind == "f":
        with np.errstate(over="ignore"):
            np.testing.assert_array_equal(residual(x, offset), x - offset)
    else:
        exact = [float(int(v) - int(offset)) for v in x]
        np.testing.assert_array_equal(residual(x, offset), exact)


def test_wide_is_what_is_known_beyond_float32():
    assert all(is_wide(np.zeros(2, dtype)) for dtype in (np.float64, np.int64, np.int32, np.uint32))
    assert not any(is_wide(np.zeros(2, dtype)) for dtype in (np.float32, np.int16, bool, np.float16))
    jax.eval_shape(lambda x: [x] * (1 - is_wide(x)), jnp.zeros(2, jnp.int32))[0]


def test_nothing_is_told_apart_from_nothing():
    assert as_float32("x", np.zeros((3, 0))).shape == (3, 0)


def test_each_column_must_be_told_apart():
    x = np.random.default_rng(0).normal(size=(50, 3))
    check_apart("x", x)
    with pytest.raises(ValueError, match=r"a column of size 1e\+09"):
        check_apart("x", x + np.array([0, 1e9, 0]))
