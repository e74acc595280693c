"""Samples of a linear teacher: their law, and what is refused."""

import jax
import numpy as np
import pytest

from ibjax.datasets.linear_teacher import linear_teacher


def draw(seed=0, **options):
    return linear_teacher(jax.random.key(seed), **{"num_samples": 20_000, "snr": 4.0, **options})


@pytest.mark.slow
def test_shapes_and_law_of_the_samples():
    data = draw(weight_variance=9.0, num_inputs=20)
    assert data.x.shape == (20_000, 20)
    assert data.y.shape == (20_000, 1)
    assert data.teacher.shape == (20,)
    assert data.noise_variance == pytest.approx(9 / 4)
    x, residual = np.asarray(data.x, np.float64), np.asarray(data.y[:, 0] - data.x @ data.teacher)
    covariance = np.cov(x, rowvar=False)
    np.testing.assert_allclose(covariance, np.eye(20) / 20, atol=5 * 2**0.5 / 20 / 20_000**0.5)
    assert residual.var() == pytest.approx(9 / 4, rel=5 * (2 / 20_000) ** 0.5)
    # Noise and inputs are independent: each correlation's standard deviation is 1 / sqrt(n).
    correlation = x.T @ residual / 20_000 / (residual.std() / 20**0.5)
    assert np.abs(correlation).max() < 5 / 20_000**0.5


@pytest.mark.slow
def test_signal_to_noise_ratio_over_teachers():
    """|teacher|^2 / d over the noise's variance is snr on average, with irrelevant inputs too."""
    for num_relevant in (None, 30):
        ratios = []
        for seed in range(200):
            data = draw(seed, num_samples=1, weight_variance=7.0, num_relevant=num_relevant)
            ratios.append(float((data.teacher**2).sum() / 100 / data.noise_variance))
        used = num_relevant or 100
        assert np.mean(ratios) == pytest.approx(4, abs=5 * 4 * (2 / used / 200) ** 0.5)


@pytest.mark.slow
def test_irrelevant_inputs_have_no_weight():
    data = draw(num_relevant=30, num_samples=3)
    assert (data.teacher[30:] == 0).all()
    assert (data.teacher[:30] != 0).all()
    same = draw(num_samples=3)
    np.testing.assert_array_equal(data.teacher[:30], same.teacher[:30])


@pytest.mark.slow
def test_seeds_differ_in_everything():
    first, second = draw(0, num_samples=5), draw(1, num_samples=5)
    for a, b in zip(first[:3], second[:3], strict=True):
        assert (a != b).all()


@pytest.mark.slow
def test_works_under_jit_and_vmap():
    keys = jax.random.split(jax.random.key(0), 3)
    many = jax.jit(jax.vmap(lambda key: linear_teacher(key, num_samples=4, snr=1.0, num_inputs=6)))(keys)
    one = linear_teacher(keys[1], num_samples=4, snr=1.0, num_inputs=6)
    for a, b in zip(many, one, strict=True):
        np.testing.assert_allclose(a[1], b, rtol=1e-5)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"num_samples": 0}, "num_samples: expected a whole number"),
        ({"snr": 0.0}, "snr: expected a positive"),
        ({"weight_variance": -1.0}, "weight_variance: expected a positive"),
        ({"num_inputs": 0}, "num_inputs: expected a whole number"),
        ({"num_relevant": 101}, "num_relevant: expected at most the 100 inputs, got 101"),
        ({"num_relevant": 0}, "num_relevant: expected a whole number"),
    ],
)
def test_refuses(options, message):
    with pytest.raises(ValueError, match=message):
        draw(**options)


@pytest.mark.parametrize("dtype", [np.int8, np.uint8, np.int16, np.int32])
def test_sizes_of_any_whole_type_are_the_same(dtype):
    sizes = {"num_samples": 5, "num_inputs": 100, "num_relevant": 3}
    expected = linear_teacher(jax.random.key(0), snr=2.0, **sizes)
    found = linear_teacher(jax.random.key(0), snr=2.0, **{k: dtype(v) for k, v in sizes.items()})
    for part, same in zip(found, expected, strict=True):
        np.testing.assert_array_equal(part, same)
