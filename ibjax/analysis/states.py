"""Who shares a state: samples alone in theirs, among their own class, or among others.

A state is all that a deterministic layer says of a sample, for example the row of its bins. A sample
that is alone in its state loses nothing; one that shares it with its own class alone loses I(X;T); one
that shares it with other classes loses I(T;Y), too.
"""

from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from ibjax.analysis._inputs import as_rows
from ibjax.checks import as_whole, check_same_length
from ibjax.numerics import clog2c_table
from ibjax.tracing import own_settings
from ibjax.types import ArrayLike

__all__ = ["StateShares", "state_shares"]

# More classes take too much memory.
MOST_CLASSES = 2**24


class StateShares(NamedTuple):
    """Fractions of samples that share their state, and the information that this loses.

    Attributes:
        alone: fraction of samples that are alone in their state.
        pure: fraction of samples that share their state with others of their own class only.
        mixed: fraction of samples that share their state with another class.
        lost_pure: bits of H(X|T) lost by pure states.
        lost_mixed: bits of H(X|T) lost by mixed states; the two add up to H(X) - I(X;T).
        lost_label: H(Y|T) = I(X;Y) - I(T;Y), bits; mixed states alone lose it.
    """

    alone: Float[Array, ""]
    pure: Float[Array, ""]
    mixed: Float[Array, ""]
    lost_pure: Float[Array, ""]
    lost_mixed: Float[Array, ""]
    lost_label: Float[Array, ""]


@own_settings()
def state_shares(states: ArrayLike, y: ArrayLike, num_classes: int | np.integer) -> StateShares:
    """Count the samples that share their state, with whom, and the information that this loses.

    Args:
        states: (n,) state numbers from 0 to n - 1, for example those of ``binned_states``.
        y: (n,) labels from 0 to ``num_classes`` - 1.
        num_classes: number of classes; static under ``jit``.

    Returns:
        ``StateShares`` of scalars: fractions of the n samples, and bits. Exact for n distinct, equally
        likely inputs.

    Raises:
        ValueError: for other shapes or lengths, and for concrete states or labels out of range.

    Source:
        The cases are those of figure 3 of "Revisiting the Information Plane" (2019).

    Example:
        >>> shares = state_shares(jnp.array([0, 1, 1, 2, 2]), jnp.array([0, 1, 1, 0, 1]), 2)
        >>> [round(float(x), 3) for x in shares]
        [0.2, 0.4, 0.4, 0.4, 0.4, 0.4]
    """
    num_classes = as_whole("num_classes", num_classes, at_most=MOST_CLASSES)
    states = as_rows("states", states)
    y = as_rows("y", y, num_classes)
    check_same_length("states", states, "y", y)
    n = len(states)
    table = jnp.zeros((n, num_classes), jnp.int32).at[states, y].add(1)  # (state, class)
    count = table.sum(axis=1)
    single = count == 1
    one_class = table.max(axis=1) == count
    pure = one_class & ~single
    mixed = ~one_class

    def share(chosen):
        return jnp.where(chosen, count, 0).sum() / n

    clog2c = jnp.asarray(clog2c_table(n))  # (c / n) log2 c

    def lost(chosen):  # of H(X|T) = sum_t p(t) log2 n_t
        return jnp.where(chosen, clog2c[count], 0.0).sum()

    label = clog2c[count].sum() - clog2c[table].sum()
    return StateShares(share(single), share(pure), share(mixed), lost(pure), lost(mixed), label)
