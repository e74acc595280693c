"""What a claim about a trained network must survive: the same measurement where nothing was learned."""

import functools
from collections.abc import Callable, Hashable, Sequence
from typing import Any, NamedTuple, cast

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from ibjax.analysis.inputs import as_dataset, check_model, known_layers
from ibjax.analysis.records import planes_record
from ibjax.checks import as_key, kind_of
from ibjax.models import MLP
from ibjax.tracing import own_settings
from ibjax.types import Dataset, Estimator, PyTree, Record, Split

__all__ = ["CONTROLS", "ControlledTask", "controls_record", "draw_controls", "rescaled"]

# In the order of the records' first axis.
CONTROLS = ("trained", "shuffled", "rescaled")


class ControlledTask(NamedTuple):
    """A dataset and what one seed's controls draw at random.

    Attributes:
        x: (n, d) inputs.
        y: (n,) labels.
        order: (n,) a permutation of the samples.
        directions: parameters of an untrained network, drawn apart from the one that is trained.
    """

    x: Float[Array, "n d"]
    y: Int[Array, " n"]
    order: Int[Array, " n"]
    directions: PyTree


def draw_controls(model: MLP, data: Dataset) -> Callable[[Array], ControlledTask]:
    """A function of a key for ``fit``'s ``data``: shared samples and a seed's own random draws.

    Args:
        model: the network.
        data: x (n, d) and y (n,).

    Raises:
        ValueError: for what is no network or no samples; by the function, for what is no key.
    """
    check_model(model)
    data = as_dataset(data)

    def draw(key: Array) -> ControlledTask:
        for_order, for_kernels, for_biases = jax.random.split(as_key("key", key), 3)
        kernels = model.init({"params": for_kernels}, data.x[:1])
        # Untrained biases are 0, without a direction.
        leaves, structure = jax.tree.flatten(kernels)
        keys = jax.random.split(for_biases, len(leaves))
        drawn = [
            leaf if leaf.ndim > 1 else jax.random.normal(k, leaf.shape)
            for k, leaf in zip(keys, leaves, strict=True)
        ]
        order = jax.random.permutation(for_order, len(data.y))
        return ControlledTask(data.x, data.y, order, jax.tree.unflatten(structure, drawn))

    return draw


@own_settings()
def rescaled(directions: PyTree, params: PyTree) -> PyTree:
    """Parameters of these directions, every kernel and bias with its norm in ``params``.

    Args:
        directions: parameters.
        params: of the same network.

    Raises:
        ValueError: for trees of other structures or shapes than each other.
    """
    drawn, trained = (
        [[jnp.shape(layer[part]) for part in ("kernel", "bias")] for layer in known_layers(tree)]
        for tree in (directions, params)
    )
    if drawn != trained:
        raise ValueError(
            "directions, params: expected parameters of the same network, "
            f"got {kind_of(directions)} and {kind_of(params)}"
        )

    def scaled(direction, trained):
        return direction * (jnp.linalg.norm(trained) / jnp.linalg.norm(direction))

    return jax.tree.map(scaled, directions, params)


def controls_record(model: MLP, estimators: Sequence[Estimator]) -> Record:
    """``planes_record`` of the trained network and of two controls, for samples of ``draw_controls``.

    - "trained": the network.
    - "shuffled": its activations, permuted over the samples. They keep every entropy, hence I(X;T) of
      a deterministic layer, and lose all that they say about the label: what I(T;Y) is left is bias.
    - "rescaled": a network that was never trained, of random directions, whose kernels and biases
      have the trained network's norms at that epoch.

    Args:
        model: the network.
        estimators: one or more, as of ``planes_record``.

    Returns:
        A record function as of ``planes_record``, every leaf with a leading axis in the order of
        ``CONTROLS``: ``ixt`` and ``ity`` are (control, estimator, layer), bits.

    Raises:
        ValueError: as ``planes_record``.
    """
    planes_record(model, estimators)  # which refuses what it cannot use
    return _controls_record(cast(Hashable, model), tuple(estimators))


@functools.lru_cache(maxsize=64)
def _controls_record(model: Any, estimators: tuple[Estimator, ...]) -> Record:
    plane = planes_record(model, estimators)

    def record(params, data: ControlledTask, split: Split):
        arms = (
            (params, data.y),
            (params, data.y[data.order]),
            (rescaled(data.directions, params), data.y),
        )
        stacked = jax.tree.map(lambda *leaves: jnp.stack(leaves), *arms)
        # One after the other, by one program.
        return jax.lax.map(lambda arm: plane(arm[0], Dataset(data.x, arm[1]), split), stacked)

    return record
