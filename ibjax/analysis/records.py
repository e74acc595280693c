"""Record functions for ``training.fit``: what is measured of one network at a recorded epoch."""

import functools
from collections.abc import Hashable
from typing import cast

import jax
import jax.numpy as jnp

from ibjax.checks import check_known
from ibjax.models import MLP
from ibjax.numerics import cross_entropy
from ibjax.types import Dataset, Estimator, Record, Split

__all__ = ["plane_record"]

ROWS = ("all", "train", "test")


def plane_record(model: MLP, estimator: Estimator, *, rows: str = "all") -> Record:
    """A record function of the information plane and of how well the network does.

    Args:
        model: the network.
        estimator: ``estimator(t, y) -> MI`` of one layer.
        rows: the samples on which information is measured: "all", "train" or "test".

    Returns:
        ``record(params, data, split)``, which returns a dict of ``ixt`` and ``ity`` (layer,), bits,
        for the hidden layers and last the softmax output; and of the scalars ``train_loss``,
        ``test_loss`` (mean cross-entropy, nats), ``train_accuracy`` and ``test_accuracy``. The
        same arguments give the same function, so that its program is compiled once.

    Raises:
        ValueError: for unknown ``rows``.
    """
    check_known("rows", rows, ROWS)
    return _plane_record(cast(Hashable, model), estimator, rows)


@functools.lru_cache(maxsize=64)
def _plane_record(model, estimator: Estimator, rows: str) -> Record:
    def record(params, data: Dataset, split: Split):
        logits, hidden = model.apply(params, data.x.T, method="feature_major")
        chosen = slice(None) if rows == "all" else getattr(split, rows)
        layers = [*hidden, jax.nn.softmax(logits, axis=0)]
        information = [estimator(t.T[chosen], data.y[chosen]) for t in layers]
        loss = cross_entropy(logits, data.y)
        # A network whose outputs are not finite has no accuracy, whatever argmax says.
        correct = jnp.where(jnp.isfinite(loss), jnp.argmax(logits, axis=0) == data.y, jnp.nan)
        return {
            "ixt": jnp.stack([mi.ixt for mi in information]),
            "ity": jnp.stack([mi.ity for mi in information]),
            "train_loss": loss[split.train].mean(),
            "test_loss": loss[split.test].mean(),
            "train_accuracy": correct[split.train].mean(),
            "test_accuracy": correct[split.test].mean(),
        }

    return record
