"""Parts of a dataset."""

from collections.abc import Sequence

import jax.numpy as jnp
import numpy as np

from ibjax.checks import check_whole
from ibjax.types import Dataset

__all__ = ["select_classes"]


def select_classes(data: Dataset, classes: Sequence[int], per_class: int) -> Dataset:
    """The first samples of some classes, as many of each, in the order of ``data``.

    Args:
        data: x (n, d) and y (n,).
        classes: labels to keep; they become 0, 1, 2, ... in this order.
        per_class: samples of each.

    Returns:
        ``Dataset`` of ``len(classes) * per_class`` samples.

    Raises:
        ValueError: for no classes or the same twice, a number that is not whole, or a class
            of fewer samples.

    Example:
        >>> data = Dataset(jnp.arange(6.0)[:, None], jnp.array([7, 5, 7, 9, 5, 7]))
        >>> chosen = select_classes(data, (5, 7), 2)
        >>> chosen.x[:, 0].tolist(), chosen.y.tolist()
        ([0.0, 1.0, 2.0, 4.0], [1, 0, 1, 0])
    """
    check_whole("per_class", per_class)
    if len(classes) == 0 or len(set(classes)) < len(classes):
        raise ValueError(f"classes: expected one or more, each once, got {tuple(classes)}")
    y = np.asarray(data.y)
    rows = []
    for label in classes:
        found = np.flatnonzero(y == label)
        if len(found) < per_class:
            raise ValueError(
                f"per_class: expected at most the {len(found)} samples of class {label}, got {per_class}"
            )
        rows.append(found[:per_class])
    chosen = np.concatenate(rows)
    labels = np.repeat(np.arange(len(classes), dtype=np.int32), per_class)
    order = chosen.argsort()
    return Dataset(jnp.asarray(data.x)[chosen[order]], jnp.asarray(labels[order]))
