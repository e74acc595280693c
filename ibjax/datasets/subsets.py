"""Subsets of a dataset."""

import jax.numpy as jnp
import numpy as np

from ibjax.arrays import as_array, as_float32, as_labels
from ibjax.checks import as_whole, check_rank, kind_of
from ibjax.types import ArrayLike, LabelledSamples

__all__ = ["select_classes"]


def select_classes(
    data: LabelledSamples, classes: ArrayLike, per_class: int | np.integer
) -> LabelledSamples:
    """Select the first samples of some classes, equally many of each, in the order of ``data``.

    Args:
        data: samples with x (n, d) and y (n,).
        classes: labels to keep; they become 0, 1, 2, ... in this order.
        per_class: number of samples per class.

    Returns:
        ``Dataset`` of ``len(classes) * per_class`` samples.

    Raises:
        ValueError: for invalid samples, no classes or the same class twice, numbers that are not whole,
            or a class with fewer samples.

    Example:
        >>> data = LabelledSamples(jnp.arange(6.0)[:, None], jnp.array([7, 5, 7, 9, 5, 7]))
        >>> chosen = select_classes(data, (5, 7), 2)
        >>> chosen.x[:, 0].tolist(), chosen.y.tolist()
        ([0.0, 1.0, 2.0, 4.0], [1, 0, 1, 0])
    """
    if not isinstance(data, LabelledSamples):
        raise ValueError(f"data: expected LabelledSamples, got {kind_of(data)}")
    x = as_float32("data.x", data.x)
    check_rank("data.x", x, 2, "(n, d)")
    y = np.asarray(as_labels("data.y", data.y, "data.x", x))
    per_class = as_whole("per_class", per_class)
    labels = np.asarray(as_array("classes", classes))
    whole = np.issubdtype(labels.dtype, np.integer)
    if not whole or labels.ndim != 1 or len(labels) == 0 or len(np.unique(labels)) < len(labels):
        raise ValueError(
            f"classes: expected one or more labels, each once, got {kind_of(labels.tolist())}"
        )
    rows = []
    for label in labels:
        class_rows = np.flatnonzero(y == label)
        if len(class_rows) < per_class:
            raise ValueError(
                f"per_class: expected at most the {len(class_rows)} samples of class {label}, "
                f"got {per_class}"
            )
        rows.append(class_rows[:per_class])
    chosen = np.concatenate(rows)
    new_labels = np.repeat(np.arange(len(labels), dtype=np.int32), per_class)
    order = chosen.argsort()
    return LabelledSamples(x[chosen[order]], jnp.asarray(new_labels[order]))
