"""The entropy estimator of Nemenman, Shafee and Bialek: a posterior mean under mixed Dirichlet priors.

Under a Dirichlet prior with concentration beta, the standard deviation of the entropy of K states falls
with K, so a single beta all but determines the answer. The estimator mixes betas with the density that
makes the prior mean entropy uniform between 0 and log K. This leaves one integral, over u = log beta, of
a posterior that falls off exponentially on both sides, for which the trapezoid rule converges faster
than any power of its step.

In float32 the log posterior cannot be computed as a difference of log-gamma functions, which reach 1e6
for 60,000 samples. Instead, Stirling's leading terms are combined into a distance between the counts and
the prior's uniform ones, and the remainder of each function is of the order of log beta.
"""

import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.special import digamma, gammaln
from jaxtyping import Array, Float

from ibjax.batching import map_rows

__all__ = ["nsb_entropy"]

# From this argument on, Stirling's series and that of the trigamma function are exact to float32
# rounding.
LARGE = 8.0

# Nodes with a log posterior this far below the maximum have no weight.
NEGLIGIBLE = 25.0

# Every round narrows the interval around the posterior up to 42 times: from 100 units of u to 1e-3. For
# the widest posterior, 90 units, the last round's nodes are 0.7 apart, enough for 10 digits.
ROUNDS, NODES = 4, 128


def nsb_entropy(
    count: Float[Array, " m"],
    states: Float[Array, " m"],
    num_samples: Float[Array, ""],
    num_states: Float[Array, ""],
) -> Float[Array, ""]:
    """Return the posterior mean entropy in nats; 0 for a single state.

    Args:
        count: distinct positive counts.
        states: number of states that have each count; may be 0.
        num_samples: number of samples N, the sum over count * states.
        num_states: number of states K, unobserved ones included.
    """
    K = jnp.maximum(num_states, 2.0)

    def at(u):
        return _log_posterior_and_entropy(u, count, states, num_samples, K)

    def closer(bounds, _):
        low, high = bounds
        u = jnp.linspace(low, high, NODES)
        log_posterior, entropy = map_rows(at, u, entries_per_row=len(count))
        weighs = log_posterior > log_posterior.max() - NEGLIGIBLE
        step = (high - low) / (NODES - 1)
        low = u[jnp.argmax(weighs)] - step
        high = u[NODES - 1 - jnp.argmax(weighs[::-1])] + step
        return jnp.stack([low, high]), jnp.sum(jax.nn.softmax(log_posterior) * entropy)

    # The posterior falls at least like beta towards beta = 0, and like 1 / beta towards infinity.
    bounds = jnp.stack([-jnp.log(K) - 30.0, 2 * jnp.log(num_samples) + 30.0])
    _, means = jax.lax.scan(closer, bounds, length=ROUNDS)
    return jnp.where(num_states < 2, 0.0, means[-1])


def _log_posterior_and_entropy(u, count, states, N, K):
    """Return log p(u | counts) up to a constant, and E[H | counts, beta], at u = log beta.

    With a = K beta, M = N + a, s(z) = log Gamma(z + 1) - z log z + z and sums over all K states::

        log p = -sum_k n_k log(n_k M / (N (n_k + beta))) + beta sum_k log(K (n_k + beta) / M)
                + s(a) - s(M) + log(M / a) + sum_k [s(n_k + beta) - s(beta) - log(1 + n_k / beta)]
                + log prior
        E[H] = psi(M + 1) - sum_k (n_k + beta) / M psi(n_k + beta + 1)
    """
    beta = jnp.exp(u)
    a = K * beta
    M = N + a
    unobserved = K - states.sum()
    # Use log1p, whose arguments are small if counts are nearly equal.
    excess = K * count - N
    log_p = -jnp.sum(states * count * jnp.log1p(beta / (count + beta) * (excess / N)))
    log_p += beta * (jnp.sum(states * jnp.log1p(excess / M)) - unobserved * jnp.log1p(N / a))

    # One call for all arguments keeps the compiled program small.
    z = jnp.concatenate([count + beta, jnp.stack([beta, a, M])])
    s, psi = _stirling_remainder(z), digamma(z + 1)
    s_beta, s_a, s_M = s[-3:]
    log_p += s_a - s_M + jnp.log1p(N / a)
    log_p += jnp.sum(states * (s[:-3] - s_beta - jnp.log1p(count / beta)))
    entropy = jnp.sum(states * ((count + beta) / M) * (psi[-1] - psi[:-3]))
    entropy += unobserved * (beta / M) * (psi[-1] - psi[-3])
    return log_p + _log_prior(beta, a), entropy


def _stirling_remainder(z):
    """Return log Gamma(z + 1) - z log z + z, about 1/2 log(2 pi z)."""
    small, large = jnp.minimum(z, LARGE), jnp.maximum(z, LARGE)
    r = 1 / large
    series = 0.5 * jnp.log(np.float32(2 * np.pi) * large)
    series += r * (1 / 12 - r * r * (1 / 360 - r * r / 1260))
    return jnp.where(z < LARGE, gammaln(small + 1) - small * jnp.log(small) + small, series)


def _log_prior(beta, a):
    """Log of the prior density of log beta, beta (K psi1(a + 1) - psi1(beta + 1)), where a = K beta.

    The density is f(a) - f(beta) with f(z) = z psi1(z + 1), which grows from 0 to 1. If f is close to 1,
    the difference of 1 - f is taken instead.
    """
    f_a, lacks_a = _scaled_trigamma(a)
    f_beta, lacks_beta = _scaled_trigamma(beta)
    return jnp.log(jnp.where(beta < 1, f_a - f_beta, lacks_beta - lacks_a))


def _scaled_trigamma(z):
    """Return f(z) = z psi1(z + 1), and 1 - f(z)."""
    small, large = jnp.minimum(z, LARGE), jnp.maximum(z, LARGE)
    # psi1(z + 1) = sum_{j=1}^{8} 1 / (z + j)^2 + psi1(z + 9).
    shifted = small + np.arange(1, 9, dtype=np.float32)
    direct = small * (jnp.sum(1 / jnp.square(shifted)) + (1 - _lacking(small + 8)) / (small + 8))
    lacking = _lacking(large)
    return jnp.where(z < LARGE, direct, 1 - lacking), jnp.where(z < LARGE, 1 - direct, lacking)


def _lacking(z):
    """Return 1 - z psi1(z + 1) for large z."""
    r = 1 / z
    return r * (1 / 2 - r * (1 / 6 - r * r * (1 / 30 - r * r / 42)))
