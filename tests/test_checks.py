"""Validators: what they refuse, what they let pass, and that they say expected and got."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ibjax import checks

REFUSED = {
    "rank": (
        checks.check_rank,
        ("t", np.zeros(3), 2, "(n, d)"),
        r"t: expected shape \(n, d\).*\(3,\)",
    ),
    "empty": (checks.check_nonempty, ("t", np.zeros((0, 3))), r"t: expected.*got shape \(0, 3\)"),
    "empty rows": (checks.check_nonempty, ("t", np.zeros((3, 0))), r"t: expected.*\(3, 0\)"),
    "lengths": (
        checks.check_same_length,
        ("t", np.zeros((3, 2)), "y", np.zeros(4)),
        r"t and y: expected.*got lengths 3 and 4",
    ),
    "float labels": (checks.check_integer, ("y", np.zeros(2)), "y: expected integer.*got.*float64"),
    "complex labels": (checks.check_integer, ("y", np.zeros(2, complex)), "expected.*got.*complex"),
    "NaN": (checks.check_finite, ("t", np.array([0, np.nan, np.inf])), "t: expected.*got 2 .*of 3"),
    "-inf": (checks.check_finite, ("t", jnp.array([-jnp.inf])), "t: expected.*got 1 .*of 1"),
    "zero": (checks.check_positive, ("w", 0.0), "w: expected a positive.*got 0.0"),
    "negative": (checks.check_positive, ("w", -1), "w: expected a positive.*got -1"),
    "NaN number": (checks.check_positive, ("w", float("nan")), "w: expected.*got nan"),
    "infinity": (checks.check_positive, ("w", float("inf")), "w: expected.*got inf"),
    "vector": (checks.check_positive, ("w", np.ones(1)), "w: expected.*got array"),
    "whole 0": (checks.check_whole, ("k", 0), "k: expected a whole number of 1 or more, got 0"),
    "whole float": (checks.check_whole, ("k", 2.0), r"k: expected.*got 2\.0"),
    "whole bool": (checks.check_whole, ("k", True), "k: expected.*got True"),
    "unknown": (
        checks.check_known,
        ("rule", "c", ("b", "a")),
        "rule: expected one of a, b; got 'c'",
    ),
}


@pytest.mark.parametrize(("check", "args", "message"), REFUSED.values(), ids=REFUSED.keys())
def test_refuses_with_expected_and_got(check, args, message):
    with pytest.raises(ValueError, match=message):
        check(*args)


def test_lets_valid_arguments_pass():
    checks.check_rank("t", [[1.0]], 2, "(n, d)")
    checks.check_nonempty("t", np.zeros((1, 1)))
    checks.check_same_length("t", np.zeros((3, 2)), "y", np.zeros(3))
    for dtype in (np.int8, np.uint64, np.int64, bool):
        checks.check_integer("y", np.zeros(2, dtype))
    checks.check_finite("t", np.array([3e38, -3e38], np.float32))
    checks.check_positive("w", np.float32(1e-30))
    checks.check_whole("k", np.int64(1))
    checks.check_known("rule", "a", iter(["b", "a"]))


def test_values_are_checked_only_where_they_are_known():
    @jax.jit
    def traced(x):
        assert not checks.is_concrete(x)
        checks.check_finite("x", x)
        checks.check_positive("x", x)
        return x

    assert checks.is_concrete(jnp.ones(2))
    assert checks.is_concrete(np.ones(2))
    assert checks.is_concrete(1.0)
    assert np.isnan(traced(jnp.nan))


def test_shapes_are_checked_under_tracing():
    with pytest.raises(ValueError, match="x: expected shape"):
        jax.jit(lambda x: checks.check_rank("x", x, 2, "(n, d)"))(jnp.ones(3))
    with pytest.raises(ValueError, match="x: expected integer"):
        jax.vmap(lambda x: checks.check_integer("x", x))(jnp.ones((3, 2)))


def test_as_array_leaves_arrays_alone_and_reads_lists():
    for array in (np.arange(3), jnp.arange(3)):
        assert checks.as_array(array) is array
    assert isinstance(checks.as_array([0.5, 1]), np.ndarray)
    assert checks.as_array([0.5, 1]).dtype == np.float64
    assert jax.eval_shape(lambda x: checks.as_array(x) + 1, jnp.zeros(2)).shape == (2,)
