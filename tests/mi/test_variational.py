"""Variational estimates: known values, ceilings, what is held out, and the contract.

Each set of options is one program, seconds to compile: tests share them and the arrays' shapes.
"""

import functools
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ibjax.mi.variational import (
    Plan,
    VariationalInfo,
    _held_out_batches,
    _sizes,
    _training_batch,
    variational_info,
    variational_mi,
)
from tests.marks import slow

BOUNDS = ["infonce", "nwj", "dv", "smile", "doe"]
CRITIC = {"dv": {"critic": "joint", "hidden": (8, 8)}}

N = 6000
KEY = jax.random.key(0)


# 900 + 900 samples are held out.
def known(x, y, bound="infonce"):
    options = {"critic": "separable", "hidden": (32, 32), **CRITIC.get(bound, {})}
    return variational_info(
        x, y, key=KEY, bound=bound, batch_size=64, num_steps=400, learning_rate=5e-3, weight_decay=0.0,
        **options,
    )  # fmt: skip


quick = functools.partial(
    variational_info,
    batch_size=16,
    hidden=(8,),
    num_steps=30,
    learning_rate=1e-2,
    weight_decay=(0.0, 3.0),
)
LANES, FEW = 3, 200


def bivariate(rho, n=N, seed=1):
    x, noise = np.random.default_rng(seed).normal(size=(2, n))
    return x, rho * x + math.sqrt(1 - rho**2) * noise


def bits(nats):
    return nats / math.log(2)


@pytest.fixture(scope="module")
def lanes():
    pairs = [bivariate(0.8, FEW, seed) for seed in range(LANES)]
    x, y = (jnp.asarray(np.stack(a), jnp.float32) for a in zip(*pairs, strict=True))
    return x, y, jax.random.split(jax.random.key(7), LANES)


# Each bound's program takes seconds to compile.
EACH_BOUND = [
    pytest.param(bound, marks=() if bound == "infonce" else pytest.mark.slow) for bound in BOUNDS
]


@pytest.mark.slow
@pytest.mark.parametrize(("rho", "nats"), [(0.0, 0.0), (0.5, 0.143841), (0.75, 0.413339)])
@pytest.mark.parametrize("bound", EACH_BOUND)
def test_bivariate_normal(bound, rho, nats):
    info = known(*bivariate(rho), bound=bound)
    # The information density has a deviation of rho nats: .026 bits in the mean of 1800 at rho = .75.
    assert info.mi == pytest.approx(bits(nats), abs=0.06)
    assert not info.at_ceiling


@pytest.mark.slow
@pytest.mark.parametrize("bound", EACH_BOUND)
def test_a_constant_carries_nothing(bound):
    x, y = bivariate(0.5)
    for a, b in [(x, np.full(N, 0.3)), (np.full(N, 1e6), y)]:
        info = known(a, b, bound=bound)
        assert info.mi == 0
        assert not info.at_ceiling


@pytest.mark.slow
def test_infonce_of_uniform_noise():
    x, noise = np.random.default_rng(2).uniform(size=(2, N))
    got = known(x, x + 0.5 * (noise - 0.5)).mi
    # The density has edges, which a smooth critic finds slowly: 20% are missing, none too many.
    assert 0.75 * bits(0.943147) < got < bits(0.943147)


@pytest.mark.slow
def test_infonce_of_a_heavy_tail():
    s = 3.4
    rng = np.random.default_rng(3)
    rate = rng.gamma(s, size=N)
    got = known(np.log(rate), np.log(rng.exponential(1 / rate))).mi
    assert got == pytest.approx(bits(0.139910), abs=0.07)


@pytest.mark.slow
def test_infonce_of_a_copy_is_at_its_ceiling():
    x, _ = bivariate(0.0)
    info = known(x, x)
    assert info.ceiling == pytest.approx(6.0)  # log2 64
    assert 5.0 < info.mi <= 6.0
    assert info.at_ceiling


@pytest.mark.slow
@pytest.mark.parametrize("bound", ["nwj", "dv", "smile"])
def test_ceiling_of_other_bounds_is_the_number_of_held_out_samples(bound):
    assert known(*bivariate(0.5), bound=bound).ceiling == pytest.approx(math.log2(900), rel=1e-5)


@pytest.mark.slow
def test_ceiling_of_doe_is_the_resolution_of_its_density():
    info = known(*bivariate(0.5), bound="doe")
    # H(Y) of a standard normal, less the smallest -ln of a Gaussian of scale exp(-6).
    expected = bits(math.log(2 * math.pi * math.e) / 2 + 6 - math.log(2 * math.pi) / 2)
    assert info.ceiling == pytest.approx(expected, abs=0.1)


def with_defaults(x, y):
    return variational_info(x, y, key=KEY, num_steps=500)


@pytest.mark.slow
def test_sparse_normal_variables():
    rng = np.random.default_rng(4)
    x, y = rng.normal(size=(2, 2000, 5))
    y[:, :2] = 0.8 * x[:, :2] + 0.6 * y[:, :2]
    info = with_defaults(x, y)
    assert info.mi == pytest.approx(bits(1.021651), abs=0.2)
    assert info.ceiling == pytest.approx(7.0)
    assert not info.at_ceiling


@pytest.mark.slow
def test_what_is_learned_by_heart_does_not_count():
    x, y = np.random.default_rng(5).normal(size=(2, 2000, 5))
    info = with_defaults(x, y)
    without_decay = 0
    assert info.train_curve[without_decay, -1] > 0.3
    assert info.held_out_curve[without_decay, -1] < -0.1
    assert abs(info.mi) < 0.05


def test_parts():
    assert _sizes(1000, None, 0.7) == (128, 700, 150)
    assert _sizes(120, None, 0.7) == (18, 84, 18)  # a batch is no larger than a held-out half
    assert _sizes(50, 10, 0.2) == (10, 10, 20)


@pytest.mark.slow
def test_batches_hold_different_rows_and_cover_the_held_out_halves():
    plan = Plan(
        "infonce", "separable", (8,), 5.0, 1, 1e-3, (0.0,), batch_size=7, num_train=31, num_half=23
    )
    halves = _held_out_batches(plan)
    assert halves.shape == (2, 4, 7)
    np.testing.assert_array_equal(np.unique(halves[0]), np.arange(31, 54))
    np.testing.assert_array_equal(np.unique(halves[1]), np.arange(54, 77))
    training = jax.vmap(lambda key: _training_batch(key, plan))(jax.random.split(KEY, 3000))
    for rows in (*halves.reshape(-1, 7), *np.asarray(training)):
        assert len(np.unique(rows)) == 7
    counts = np.bincount(np.asarray(training).ravel(), minlength=31)
    np.testing.assert_allclose(counts / counts.sum(), 1 / 31, rtol=0.2)  # 26 in 677, times 5


@pytest.mark.slow
def test_curves_and_steps(lanes):
    x, y, keys = lanes
    info = quick(x[0], y[0], key=keys[0])
    assert isinstance(info, VariationalInfo)
    np.testing.assert_array_equal(info.steps, np.arange(1, 31))
    assert info.train_curve.shape == info.held_out_curve.shape == (2, 30)
    assert info.held_out_curve[0, -1] > info.held_out_curve[0, 0]
    assert info.mi.shape == info.ceiling.shape == info.at_ceiling.shape == ()
    assert info.mi.dtype == info.ceiling.dtype == jnp.float32
    assert info.at_ceiling.dtype == bool


@pytest.mark.slow
def test_mi_is_the_bits_of_info(lanes):
    x, y, keys = lanes
    options = {**quick.keywords, "key": keys[0]}
    np.testing.assert_array_equal(
        variational_mi(x[0], y[0], **options), quick(x[0], y[0], key=keys[0]).mi
    )


@pytest.mark.slow
def test_the_key_alone_is_random(lanes):
    x, y, keys = lanes
    first = quick(x[0], y[0], key=keys[0])
    np.testing.assert_array_equal(first.mi, quick(x[0], y[0], key=keys[0]).mi)
    assert first.mi != quick(x[0], y[0], key=keys[1]).mi


@pytest.mark.slow
def test_one_column_is_the_same_as_none(lanes):
    x, y, keys = lanes
    expected = quick(x[0], y[0], key=keys[0]).mi
    np.testing.assert_array_equal(quick(x[0][:, None], y[0][:, None], key=keys[0]).mi, expected)


@pytest.mark.parametrize(
    ("scale", "offset"), [slow(1024.0, 1024.0), (2.0**-100, 0.0), (-(2.0**100), 0.0)]
)
def test_scale_and_offset_do_not_matter(lanes, scale, offset):
    x, y, keys = lanes
    expected = quick(x[0], y[0], key=keys[0]).mi
    if scale < 0:
        expected = quick(-x[0], y[0], key=keys[0]).mi
    assert quick(scale * x[0] + offset, y[0], key=keys[0]).mi == pytest.approx(float(expected), abs=1e-3)


@pytest.mark.slow
def test_jit_vmap_and_nan_lanes(lanes):
    x, y, keys = lanes
    loop = [quick(x[i], y[i], key=keys[i]) for i in range(LANES)]
    traces = []

    @jax.jit
    def mapped(x, y, keys):
        traces.append(1)
        return jax.vmap(lambda x, y, key: quick(x, y, key=key))(x, y, keys)

    for got, expected in zip(
        mapped(x, y, keys), VariationalInfo(*map(jnp.stack, zip(*loop, strict=True))), strict=True
    ):
        np.testing.assert_allclose(got, expected, atol=2e-3)

    for bad in (np.nan, np.inf):
        broken = mapped(x.at[1, 5].set(bad), y, keys)
        clean = mapped(x, y, keys)
        for name in ("mi", "ceiling", "train_curve", "held_out_curve"):
            got, expected = getattr(broken, name), getattr(clean, name)
            assert np.isnan(got[1]).all()
            np.testing.assert_array_equal(got[::2], expected[::2])
        assert not broken.at_ceiling[1]
    assert len(traces) == 1


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_refuses_what_is_not_a_number(lanes, bad):
    x, y, keys = lanes
    with pytest.raises(ValueError, match="y: expected finite values, got 1"):
        quick(x[0], y[0].at[3].set(bad), key=keys[0])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"bound": "mine"}, "bound: expected one of"),
        ({"critic": "bilinear"}, "critic: expected one of"),
        ({"hidden": ()}, "hidden: expected"),
        ({"hidden": (8, 0)}, "hidden: expected"),
        ({"clip": 0.0}, "clip: expected"),
        ({"num_steps": 0}, "num_steps: expected"),
        ({"batch_size": 3}, "batch_size: expected a whole number of 4 or more, got 3"),
        ({"batch_size": 31}, "n_samples: expected at least 207 for batch_size=31 .*, got 200"),
        ({"learning_rate": -1.0}, "learning_rate: expected"),
        ({"weight_decay": (0.0, -1.0)}, "weight_decay: expected"),
        ({"weight_decay": ()}, "weight_decay: expected"),
        ({"train_fraction": 1.0}, "train_fraction: expected"),
    ],
)
def test_refuses_bad_options(lanes, options, message):
    x, y, keys = lanes
    with pytest.raises(ValueError, match=message):
        quick(x[0], y[0], key=keys[0], **options)


def test_refuses_bad_shapes(lanes, monkeypatch):
    # As for users, whose arguments no type checker has seen.
    monkeypatch.setattr("jaxtyping.config.jaxtyping_disable", True)
    x, y, keys = lanes
    for bad_x, bad_y in [
        (x[0], y[0, 1:]),
        (x[None], y[None]),
        (x[0, :0], y[0, :0]),
        (x[0, :20], y[0, :20]),
    ]:
        with pytest.raises(ValueError, match=r"expected .* got "):
            variational_mi(bad_x, bad_y, key=keys[0])
