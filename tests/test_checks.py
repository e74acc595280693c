"""Validators: what they refuse, what they let pass, and that they say expected and got."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import xarray as xr

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
    "vector": (checks.check_positive, ("w", np.ones(1)), "w: expected.*got an array of shape"),
    "text for a number": (checks.check_positive, ("w", "0.1"), "w: expected a positive.*got '0.1'"),
    "key for a number": (checks.check_positive, ("w", jax.random.key(0)), "w: expected a positive"),
    "whole 0": (checks.as_whole, ("k", 0), "k: expected a whole number of 1 or more, got 0"),
    "whole float": (checks.as_whole, ("k", 2.0), r"k: expected.*got 2\.0"),
    "whole of many": (checks.as_whole, ("k", np.arange(3)), r"k: expected.*got an array of shape"),
    "whole text": (checks.as_whole, ("k", "2"), "k: expected.*got '2'"),
    "number below": (
        lambda: checks.check_number("b", -1.0, at_least=0),
        (),
        "b: .*at least 0.*-1",
    ),
    "number above": (lambda: checks.check_number("b", 1, above=0, below=1), (), "above 0 and below 1"),
    "NaN for a number": (
        lambda: checks.check_number("b", np.nan),
        (),
        "b: expected a finite",
    ),
    "flag": (checks.check_flag, ("f", 1), "f: expected True or False, got 1"),
    "name for a function": (
        checks.check_function,
        ("f", "g", "f(t)"),
        r"function f\(t\), got 'g'",
    ),
    "class for a function": (checks.check_function, ("f", int, "f(t, y)"), "f: expected a function"),
    "number for a key": (checks.as_key, ("key", 0), "key: expected a random key.*got 0"),
    "keys for a key": (checks.as_key, ("key", jax.random.split(jax.random.key(0))), "a random key"),
    "no dataset": (checks.check_variables, ("arm", {}, {"ixt": ("seed",)}), "arm: expected an xarray"),
    "no variable": (
        checks.check_variables,
        ("arm", xr.Dataset({"ity": ("seed", [1.0])}), {"ixt": ("seed",)}),
        r"arm: expected the variable ixt \(seed\), got ity",
    ),
    "other dims": (
        checks.check_variables,
        ("arm", xr.Dataset({"ixt": ("epoch", [1.0])}), {"ixt": ("seed",)}),
        r"arm: expected ixt \(seed\), got ixt \(epoch\)",
    ),
    "whole bool": (checks.as_whole, ("k", True), "k: expected.*got True"),
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
    checks.as_whole("k", np.int64(1))
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


@pytest.mark.parametrize("three", [3, np.int8(3), np.uint64(3), np.array(3), jnp.int32(3)])
def test_whole_numbers_become_python_ints(three):
    whole = checks.as_whole("k", three)
    assert type(whole) is int
    assert whole == 3
    with pytest.raises(ValueError, match="k: expected a whole number of 4 or more, got"):
        checks.as_whole("k", three, at_least=4)


def test_keys_of_any_implementation_become_threefry():
    expected = jax.random.bits(jax.random.key(7, impl="threefry2x32"))
    for key in (jax.random.key(7, impl="threefry2x32"), jax.random.PRNGKey(7, impl="threefry2x32")):
        assert jax.random.bits(checks.as_key("key", key)) == expected
    others = [checks.as_key("key", jax.random.key(seed, impl="rbg")) for seed in (7, 8)]
    assert jax.random.key_impl(others[0]) == "threefry2x32"
    assert jax.random.bits(others[0]) != jax.random.bits(others[1])
    # Each lane draws as it does alone, which rbg's do not.
    keys = jnp.stack([jax.random.key(seed, impl="rbg") for seed in (7, 8)])
    drawn = jax.vmap(lambda key: jax.random.bits(checks.as_key("key", key)))(keys)
    assert drawn.tolist() == [int(jax.random.bits(key)) for key in others]


def test_further_dims_are_allowed_where_they_are_factors():
    data = xr.Dataset({"ixt": (("arm", "layer", "seed"), np.zeros((2, 3, 4)))})
    checks.check_variables("data", data, {"ixt": ("seed", "layer")}, factors=True)
    with pytest.raises(ValueError, match=r"expected ixt \(seed, layer\), got ixt \(arm, layer, seed\)"):
        checks.check_variables("data", data, {"ixt": ("seed", "layer")})
