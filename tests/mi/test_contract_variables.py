"""What every estimator of two variables, ``f(x, y) -> bits``, must do; a new one adds a line."""

import functools
import inspect
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import export

from ibjax.mi import (
    discrete_mi,
    edge_info,
    edge_mi,
    gaussian_mi,
    ksg_mi,
    noisy_info,
    noisy_mi,
    renyi_mi,
    ross_mi,
    variational_info,
    variational_mi,
)

LANES, N = 3, 120
KEY = jax.random.key(0)


class Case(NamedTuple):
    """An estimator and what it claims.

    Attributes:
        estimator: ``f(x, y) -> bits``.
        kind: of x and y: "real", "discrete", or "mixed" (real x, labels y).
        symmetric: whether f(x, y) = f(y, x).
        scale_free: whether the units of x and y do not matter.
        ordered: whether the order of the samples may matter, as it does to random batches.
    """

    estimator: object
    kind: str = "real"
    symmetric: bool = True
    scale_free: bool = True
    ordered: bool = False


train = functools.partial(variational_mi, key=KEY, num_steps=30, batch_size=16)
CASES = {
    "gaussian": Case(gaussian_mi),
    "gaussian, plain": Case(functools.partial(gaussian_mi, correction=False)),
    "ksg 1": Case(ksg_mi),
    "ksg 2": Case(functools.partial(ksg_mi, variant=2)),
    "renyi": Case(renyi_mi),
    "edge": Case(
        functools.partial(edge_mi, key=KEY), symmetric=False
    ),  # its grids are shifted at random
    "infonce": Case(train, symmetric=False, ordered=True),
    "doe": Case(functools.partial(train, bound="doe"), symmetric=False, ordered=True),
    "discrete": Case(discrete_mi, kind="discrete"),
    "discrete, Miller-Madow": Case(
        functools.partial(discrete_mi, correction="miller_madow"), kind="discrete"
    ),
    "ross": Case(ross_mi, kind="mixed", symmetric=False),
}


# Each program of a training takes seconds to compile.
SLOW = ("infonce", "doe")
PARAMS = [
    pytest.param(case, id=name, marks=pytest.mark.slow if name in SLOW else ())
    for name, case in CASES.items()
]


@pytest.fixture(params=PARAMS)
def case(request):
    return request.param


def samples(case):
    """Dependent x and y of all lanes, (lane, n)."""
    rng = np.random.default_rng(0)
    z = rng.normal(size=(LANES, N, 2))
    x, y = z[..., 0], 0.8 * z[..., 0] + 0.6 * z[..., 1]
    if case.kind != "real":
        y = (2 * y).astype(np.int32)
    if case.kind == "discrete":
        x = (2 * x).astype(np.int32)
    return tuple(jnp.asarray(v if v.dtype == np.int32 else v.astype(np.float32)) for v in (x, y))


def assert_close(got, expected):
    np.testing.assert_allclose(got, expected, rtol=1e-4, atol=1e-4)


def test_is_a_float32_scalar_that_sees_the_dependence(case):
    x, y = samples(case)
    bits = case.estimator(x[0], y[0])
    assert bits.shape == ()
    assert bits.dtype == jnp.float32
    assert np.isfinite(bits)
    if not case.ordered:  # thirty steps of training tell little
        assert bits > 0.2


@pytest.mark.slow
def test_jit_agrees_with_eager(case):
    x, y = samples(case)
    assert_close(jax.jit(case.estimator)(x[0], y[0]), case.estimator(x[0], y[0]))


def test_vmap_agrees_with_a_loop(case):
    x, y = samples(case)
    loop = [case.estimator(x[i], y[i]) for i in range(LANES)]
    assert_close(jax.vmap(case.estimator)(x, y), loop)


@pytest.mark.slow
@pytest.mark.parametrize("platform", ["cuda", "rocm", "tpu"])
def test_is_lowered_for_accelerators_without_callbacks(case, platform):
    x, y = samples(case)
    export.export(jax.jit(jax.vmap(case.estimator)), platforms=[platform])(x, y)


def test_traces_once_for_equal_shapes(case):
    x, y = samples(case)
    traces = []

    @jax.jit
    def counted(x, y):
        traces.append(1)
        return case.estimator(x, y)

    for i in range(LANES):
        counted(x[i], y[i])
    assert len(traces) == 1


def test_columns_of_one_are_the_variable_itself(case):
    x, y = samples(case)
    columns = y[0] if case.kind == "mixed" else y[0][:, None]
    assert_close(case.estimator(x[0][:, None], columns), case.estimator(x[0], y[0]))


def test_order_of_samples_does_not_matter(case):
    if case.ordered:
        pytest.skip("batches depend on it")
    x, y = samples(case)
    order = np.random.default_rng(1).permutation(N)
    assert_close(case.estimator(x[0][order], y[0][order]), case.estimator(x[0], y[0]))


def test_is_symmetric(case):
    if not case.symmetric:
        pytest.skip("not claimed")
    x, y = samples(case)
    assert_close(case.estimator(y[0], x[0]), case.estimator(x[0], y[0]))


def test_units_do_not_matter(case):
    x, y = samples(case)
    scale = 4 if case.kind == "discrete" else 4.0  # a power of two: rounding stays as it is
    assert_close(case.estimator(scale * x[0], y[0]), case.estimator(x[0], y[0]))


def test_a_constant_tells_nothing(case):
    x, y = samples(case)
    assert_close(case.estimator(jnp.full_like(x[0], 3), y[0]), 0.0)


def test_refuses_nan_and_passes_it_on_under_tracing(case):
    if case.kind == "discrete":
        pytest.skip("whole numbers are never NaN")
    x, y = samples(case)
    with pytest.raises(ValueError, match=r"x: expected finite values, got 1"):
        case.estimator(x[0].at[3].set(jnp.nan), y[0])
    clean = jax.vmap(case.estimator)(x, y)
    got = jax.vmap(case.estimator)(x.at[1, 3].set(jnp.nan), y)
    assert np.isnan(got[1])
    assert_close(got[::2], clean[::2])


def test_refuses_other_shapes(case, monkeypatch):
    # As for users, whose arguments no type checker has seen.
    monkeypatch.setattr("jaxtyping.config.jaxtyping_disable", True)
    x, y = (v[0] for v in samples(case))
    for bad_x, bad_y in [(x[1:], y), (x[:0], y[:0]), (x[None, :, None], y), (x[0], y[0])]:
        with pytest.raises(ValueError, match=r"expected .* got "):
            case.estimator(bad_x, bad_y)
        with pytest.raises(ValueError, match=r"expected .* got "):
            jax.jit(case.estimator)(bad_x, bad_y)


@pytest.mark.parametrize(
    ("mi", "info"),
    [(edge_mi, edge_info), (noisy_mi, noisy_info), (variational_mi, variational_info)],
)
def test_an_estimator_and_its_info_take_the_same_arguments(mi, info):
    assert inspect.signature(mi).parameters == inspect.signature(info).parameters
