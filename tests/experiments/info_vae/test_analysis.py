"""Two-point VAEs: closed forms and dense integrals, the loss, training."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.integrate
from scipy.stats import norm

from experiments.info_vae.analysis import (
    POINTS,
    VAE,
    Setting,
    Terms,
    decode,
    encoding_information,
    encodings,
    init_vae,
    objective,
    train_vae,
    vae_terms,
)

LN2 = np.log(2)


@pytest.fixture(scope="module")
def vae():
    return init_vae(jax.random.key(1))


def dense(f, q, num=200_001):
    """The mean over both points of the integral of q(z|x) f(z), on a dense grid; f: (z,) -> (2, z)."""
    mean, width = np.asarray(q.mean, float), np.asarray(q.width, float)
    z = np.linspace((mean - 12 * width).min(), (mean + 12 * width).max(), num)
    density = norm.pdf(z, mean[:, None], width[:, None])
    return scipy.integrate.trapezoid(density * f(z), z, axis=1).mean()


# Binary-input Gaussian channels, nats.
@pytest.mark.parametrize(("sigma", "nats"), [(0.5, 0.632720), (1.0, 0.336831), (2.0, 0.111421)])
def test_information_of_the_binary_input_gaussian_channel(sigma, nats):
    bits = encoding_information(jnp.array([-1.0, 1.0]), jnp.full(2, sigma))
    assert float(bits) * LN2 == pytest.approx(nats, abs=2e-6)  # as many decimals as are known
    assert float(encoding_information(jnp.array([4.0, 2.0]), jnp.full(2, sigma))) == pytest.approx(
        float(bits), abs=1e-6
    )


def test_information_is_a_bit_far_apart_and_none_for_equal_encodings():
    assert float(encoding_information(jnp.array([-50.0, 50.0]), jnp.ones(2))) == pytest.approx(1.0)
    assert float(encoding_information(jnp.array([3.0, 3.0]), jnp.full(2, 0.2))) == pytest.approx(
        0, abs=1e-6
    )


@pytest.mark.slow
def test_terms_of_unequal_encodings_against_dense_integrals(vae):
    vae = vae._replace(mean=jnp.array([-0.7, 1.1]), log_width=jnp.log(jnp.array([0.4, 1.3])))
    setting = Setting(0.0, 1.0, 0.1, 1.0)
    q, terms = encodings(vae, 1.0), vae_terms(vae, setting)

    def log_q(z):
        return norm.logpdf(z, np.asarray(q.mean)[:, None], np.asarray(q.width)[:, None])

    def log_mixture(z):
        return np.logaddexp(*log_q(z)) - LN2

    def log_p(z):
        m, s = decode(vae, jnp.asarray(z, jnp.float32), floor=0.1)
        return norm.logpdf(POINTS[:, None], np.asarray(m), np.asarray(s))

    # Quadrature with 97 nodes in float32: about 1e-5.
    assert float(terms.information) == pytest.approx(
        dense(lambda z: log_q(z) - log_mixture(z), q), abs=2e-5
    )
    assert float(terms.divergence) == pytest.approx(
        dense(lambda z: log_mixture(z) - norm.logpdf(z), q), abs=2e-5
    )
    assert float(terms.reconstruction) == pytest.approx(dense(log_p, q), abs=1e-4)


def test_one_loss_is_every_objective():
    terms = Terms(*map(jnp.float32, (-1.0, 0.4, 0.3)))
    rate = 0.4 + 0.3  # E KL(q(z|x) || p(z))
    assert float(objective(terms, 0.0, 1.0)) == pytest.approx(-1.0 - rate)
    assert float(objective(terms, 1 - 4.0, 4.0)) == pytest.approx(-1.0 - 4 * rate)
    assert float(objective(terms, 0.0, 4.0)) == pytest.approx(-1.0 - 0.4 - 4 * 0.3)
    assert float(objective(terms, 1.0, 20.0)) == pytest.approx(-1.0 - 20 * 0.3)
    # The form with (1 - alpha) and (alpha + lambda - 1).
    alpha, lam = 0.3, 2.5
    expected = -1.0 - (1 - alpha) * rate - (alpha + lam - 1) * 0.3
    assert float(objective(terms, alpha, lam)) == pytest.approx(expected)


@pytest.mark.slow
def test_fixed_widths_are_1_and_the_floor_holds(vae):
    wide = vae._replace(log_width=jnp.array([2.0, -2.0]))
    assert np.asarray(encodings(wide, 0.0).width).tolist() == [1.0, 1.0]
    np.testing.assert_allclose(encodings(wide, 1.0).width, np.exp([2.0, -2.0]), rtol=1e-6)
    *layers, (kernel, bias) = vae.decoder
    sharp = vae._replace(decoder=[*layers, (0 * kernel, bias - 1000)])
    _, s = decode(sharp, jnp.linspace(-3, 3, 7), floor=0.03)
    np.testing.assert_allclose(s, 0.03)


@pytest.mark.parametrize("steps", [[0], [1, 2], [0, 5, 5], [[0, 1]]])
def test_steps_increase_from_0(vae, steps):
    with pytest.raises(ValueError, match=r"steps: expected (numbers that increase from 0|shape)"):
        train_vae(vae, Setting(0.0, 1.0, 0.1, 1.0), np.array(steps))
    with pytest.raises(ValueError, match="learning_rate"):
        train_vae(vae, Setting(0.0, 1.0, 0.1, 1.0), np.array([0, 1]), learning_rate=0.0)


@pytest.mark.slow
def test_training_raises_its_objective_and_records_where_it_is():
    setting = Setting(*map(jnp.float32, (0.0, 1.0, 0.1, 1.0)))
    steps = np.array([0, 1, 50, 300])
    starts = jax.vmap(init_vae)(jax.random.split(jax.random.key(0), 3))
    train = jax.jit(jax.vmap(lambda start: train_vae(start, setting, steps)))
    vaes, (terms, codes) = train(starts)
    assert terms.information.shape == (3, 4)
    assert codes.mean.shape == (3, 4, 2)
    elbo = objective(terms, 0.0, 1.0)
    assert (np.asarray(elbo[:, -1]) > np.asarray(elbo[:, 0]) + 0.1).all()
    for when, network in ((0, starts), (-1, vaes)):
        vae = jax.tree.map(lambda x: x[1], network)
        assert isinstance(vae, VAE)
        again = vae_terms(vae, setting)
        np.testing.assert_allclose([t[1, when] for t in terms], again, rtol=1e-4, atol=1e-5)
        np.testing.assert_allclose(codes.mean[1, when], vae.mean)
