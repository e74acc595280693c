"""Samples from a linear teacher with Gaussian inputs, for which error and information are known."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from ibjax.checks import as_key, as_whole, check_positive
from ibjax.tracing import own_settings

__all__ = ["TeacherSamples", "label_noise_variance", "linear_teacher"]

# Largest number of entries of x that 32 bits can index.
MOST_NUMBERS = 2**31 - 1


class TeacherSamples(NamedTuple):
    """Inputs and noisy labels of one teacher, and the teacher itself.

    New samples follow the same distribution: x ~ N(0, I / d) and y = teacher . x + N(0, noise_variance).

    Attributes:
        x: (n, d) inputs.
        y: (n, 1) labels.
        teacher: (d,) weights of the teacher.
        noise_variance: variance of the labels given x.
    """

    x: Float[Array, "n d"]
    y: Float[Array, "n 1"]
    teacher: Float[Array, " d"]
    noise_variance: Float[Array, ""]


@own_settings()
def linear_teacher(
    key: Array,
    *,
    num_samples: int | np.integer,
    snr: float | int,
    weight_variance: float | int = 1.0,
    num_inputs: int | np.integer = 100,
    num_relevant: int | np.integer | None = None,
) -> TeacherSamples:
    """Draw a linear teacher and samples from it.

    Inputs are x ~ N(0, I / d), so that |x|^2 is about 1; the teacher's weights are N(0, weight_variance)
    and the labels y = teacher . x + noise. Averaged over teachers, the variance of the signal is
    weight_variance times the fraction of relevant inputs, and that of the noise is ``snr`` times
    smaller: weight_variance / snr if all inputs are relevant.

    Args:
        key: random key for the teacher, the inputs and the noise.
        num_samples: number of samples n.
        snr: variance of the signal over variance of the noise.
        weight_variance: variance of the teacher's weights.
        num_inputs: number of inputs d.
        num_relevant: number of relevant inputs; the teacher's weights on all but the first
            ``num_relevant`` are 0. None if all inputs are relevant.

    Returns:
        ``TeacherSamples``: x (n, d), y (n, 1), teacher (d,), noise_variance.

    Raises:
        ValueError: for an invalid key, counts that are not whole or below 1, more relevant inputs than
            inputs, and an ``snr`` or ``weight_variance`` that is not positive.

    References:
        Saxe et al. (2018), section 3, and section 5 for irrelevant inputs.
    """
    key = as_key("key", key)
    num_inputs = as_whole("num_inputs", num_inputs, at_most=MOST_NUMBERS)
    num_samples = as_whole("num_samples", num_samples, at_most=MOST_NUMBERS // num_inputs)
    num_relevant = num_inputs if num_relevant is None else as_whole("num_relevant", num_relevant)
    variance = label_noise_variance(
        snr=snr, weight_variance=weight_variance, num_inputs=num_inputs, num_relevant=num_relevant
    )
    weight_variance = float(weight_variance)
    teacher_key, input_key, noise_key = jax.random.split(key, 3)
    weights = weight_variance**0.5 * jax.random.normal(teacher_key, (num_inputs,))
    teacher = jnp.where(jnp.arange(num_inputs) < num_relevant, weights, 0.0)
    x = jax.random.normal(input_key, (num_samples, num_inputs)) / num_inputs**0.5
    noise = variance**0.5 * jax.random.normal(noise_key, (num_samples, 1))
    signal = jnp.matmul(x, teacher[:, None], precision="float32")
    return TeacherSamples(x, signal + noise, teacher, jnp.float32(variance))


def label_noise_variance(
    *,
    snr: float | int,
    weight_variance: float | int,
    num_inputs: int | np.integer,
    num_relevant: int | np.integer,
) -> float:
    """Return the labels' noise variance in ``linear_teacher``; see there for arguments and errors."""
    num_inputs = as_whole("num_inputs", num_inputs)
    num_relevant = as_whole("num_relevant", num_relevant)
    check_positive("snr", snr)
    check_positive("weight_variance", weight_variance)
    if num_relevant > num_inputs:
        raise ValueError(f"num_relevant: expected at most the {num_inputs} inputs, got {num_relevant}")
    return float(weight_variance) * num_relevant / num_inputs / float(snr)
