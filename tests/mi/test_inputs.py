"""Checks and conversions of estimators' inputs against exact arithmetic of whole numbers."""

import jax
import numpy as np
import pytest

from ibjax.mi._inputs import (
    centred,
    check_num_samples,
    checked_layer,
    checked_variable,
    checked_variables,
    float32_columns,
    float32_of,
    scaled,
    smallest_to_zero,
)

WHOLE = np.array([[3, 40], [-5, 10], [8, 0], [1, 20]])

# Offsets at which float32 holds no difference of WHOLE, and float64 (or int64) all of them.
OFFSETS = [2.0**40, -(2.0**40), 2**60]


def test_a_layer_keeps_its_precision_and_its_labels():
    t, y = checked_layer(WHOLE + 2.0**40, np.array([0, 2**40, 1, 1]))
    assert (t.dtype, y.dtype) == (np.float64, np.int64)
    np.testing.assert_array_equal(t, WHOLE + 2.0**40)
    np.testing.assert_array_equal(y, [0, 2**40, 1, 1])


def test_a_variable_of_one_axis_has_one_column():
    x = checked_variable("x", [1.0, 2.0, 4.0])
    assert x.shape == (3, 1)
    assert checked_variable("x", x) is x


@pytest.mark.parametrize(
    ("x", "message"),
    [
        (1.0, r"x: expected shape \(n_samples,\) or \(n_samples, d\), got shape \(\)"),
        (np.zeros((2, 2, 2)), r"got shape \(2, 2, 2\)"),
        (np.zeros((0, 2)), r"x: expected at least one entry on every axis, got shape \(0, 2\)"),
        ([0.0, np.inf], "x: expected finite values, got 1 NaN or infinite of 2"),
    ],
)
def test_refuses_what_is_no_variable(x, message):
    with pytest.raises(ValueError, match=message):
        checked_variable("x", x)


def test_two_variables_have_one_number_of_samples_and_enough():
    x, y = checked_variables(np.zeros(4), np.zeros((4, 3)), at_least=4)
    assert (x.shape, y.shape) == ((4, 1), (4, 3))
    with pytest.raises(
        ValueError, match="x and y: expected one entry a sample in both, got lengths 4 and 3"
    ):
        checked_variables(np.zeros(4), np.zeros(3))
    with pytest.raises(ValueError, match=r"n_samples: expected at least 5 for k=4, got 4"):
        checked_variables(np.zeros(4), np.zeros(4), at_least=5, because="for k=4")


def test_the_reason_may_be_left_out():
    check_num_samples(2, 2, "")
    with pytest.raises(ValueError, match=r"^n_samples: expected at least 3, got 2$"):
        check_num_samples(2, 3, "")


@pytest.mark.parametrize("offset", OFFSETS)
def test_centred_columns_differ_as_the_numbers_do(offset):
    got = np.asarray(centred("t", WHOLE + offset))
    assert got.dtype == np.float32
    np.testing.assert_array_equal(got - got[0], (WHOLE - WHOLE[0]).astype(np.float32))
    assert (abs(got) <= np.ptp(WHOLE, axis=0)).all()


@pytest.mark.parametrize(
    "x", [WHOLE + 2**60, *((WHOLE - 2.0**40) * factor for factor in (1, 2.0**900, 2.0**-900))]
)
def test_scaled_columns_are_centred_over_powers_of_two(x):
    got, exponent = scaled("x", x)
    got = np.asarray(got)
    assert exponent == 0
    differences = (got - got[0])[1:] / (WHOLE - WHOLE[0])[1:]
    for column in differences.T:
        np.testing.assert_array_equal(column, column[0])
        assert np.log2(column[0]) % 1 == 0
    largest = abs(got).max(axis=0)
    assert ((largest >= 0.5) & (largest < 1)).all()


@pytest.mark.parametrize("factor", [1.0, 2.0**900, 2.0**-900])
def test_columns_scaled_together_keep_their_ratio_and_give_the_exponent(factor):
    got, exponent = scaled("x", (WHOLE + 2.0**40) * factor, together=True)
    back = np.ldexp(np.asarray(got, np.float64), exponent)
    np.testing.assert_array_equal(back - back[0], (WHOLE - WHOLE[0]) * factor)
    assert 0.5 <= abs(got).max() < 1


@pytest.mark.parametrize("offset", OFFSETS)
def test_the_smallest_of_all_becomes_0(offset):
    got = smallest_to_zero("t", WHOLE + offset)
    np.testing.assert_array_equal(got, (WHOLE + 5) / np.float32(64))  # 45 is the largest


@pytest.mark.parametrize("convert", [centred, smallest_to_zero, lambda name, x: scaled(name, x)[0]])
def test_float32_and_traced_numbers_stay_as_they_are(convert):
    x = (WHOLE + 100).astype(np.float32)
    np.testing.assert_array_equal(convert("x", x), x)
    np.testing.assert_array_equal(jax.jit(lambda x: convert("x", x))(x), x)


def test_columns_whose_offset_counts_keep_it_or_are_refused():
    np.testing.assert_array_equal(
        float32_columns("t", WHOLE + 2**20), (WHOLE + 2**20).astype(np.float32)
    )
    with pytest.raises(ValueError, match="t: expected numbers that float32 tells apart, got a column"):
        float32_columns("t", WHOLE + 2.0**40)


def test_numbers_beyond_float32_are_refused_and_those_below_are_0():
    with pytest.raises(ValueError, match="t: expected finite values, got 1 NaN or infinite of 2"):
        float32_of("t", np.array([1.0, 1e39]))
    np.testing.assert_array_equal(float32_of("t", np.array([1.0, 1e-60])), [1.0, 0.0])
