"""Controls for claims about trained networks: the same measurement where nothing was learned."""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from ibjax.analysis._networks import as_dataset, check_model, known_layers
from ibjax.analysis.records import PlanesRecord
from ibjax.checks import as_key, kind_of
from ibjax.models import MLP
from ibjax.tracing import own_settings
from ibjax.types import Estimator, LabelledSamples, PyTree, Record, Split, Variable

__all__ = [
    "CONTROLS",
    "ControlledTask",
    "ControlsRecord",
    "draw_controls",
    "permuted",
    "rescaled",
    "rotated",
]

# Names of the controls, in the order of the records' first axis.
CONTROLS = ("trained", "shuffled", "rescaled", "rotated", "permuted")


class ControlledTask(NamedTuple):
    """A dataset and the random draws of one seed's controls.

    Attributes:
        x: (n, d) inputs.
        y: (n,) labels.
        order: (n,) permutation of the samples.
        directions: parameters of an untrained network, drawn independently of the trained one.
    """

    x: Float[Array, "n d"]
    y: Int[Array, " n"]
    order: Int[Array, " n"]
    directions: PyTree


def draw_controls(model: MLP, data: LabelledSamples) -> Callable[[Array], ControlledTask]:
    """Return a function of a key, for ``fit``'s ``data``: shared samples and a seed's own random draws.

    Args:
        model: the network.
        data: samples with x (n, d) and y (n,).

    Raises:
        ValueError: for invalid networks or samples; by the function, for an invalid key.
    """
    check_model(model)
    data = as_dataset(data)

    def draw(key: Array) -> ControlledTask:
        for_order, for_kernels, for_biases = jax.random.split(as_key("key", key), 3)
        kernels = model.init({"params": for_kernels}, data.x[:1])
        # Untrained biases are 0 and have no direction.
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
    """Rescale ``directions`` so that every kernel and bias has its norm in ``params``.

    Args:
        directions: parameters that give the directions.
        params: parameters of the same network that give the norms.

    Raises:
        ValueError: for trees whose structures or shapes differ.
    """
    _check_same_network(directions, params)
    return jax.tree.map(_with_norm, directions, params)


@own_settings()
def rotated(directions: PyTree, params: PyTree) -> PyTree:
    """Give every kernel of ``params`` the singular vectors of ``directions``; biases are rescaled.

    A kernel keeps its singular values s: U diag(s) V^T with U and V those of the kernel in
    ``directions``, random rotations if it is Gaussian. Biases are those of :func:`rescaled`.

    Args:
        directions: parameters that give the singular vectors.
        params: parameters of the same network that give the singular values.

    Raises:
        ValueError: for trees whose structures or shapes differ.
    """
    _check_same_network(directions, params)

    def turned(direction, trained):
        if direction.ndim == 1:
            return _with_norm(direction, trained)
        left, _, right = jnp.linalg.svd(direction, full_matrices=False)
        return (left * jnp.linalg.svd(trained, compute_uv=False)[None]) @ right

    return jax.tree.map(turned, *_as_arrays(directions, params))


@own_settings()
def permuted(directions: PyTree, params: PyTree) -> PyTree:
    """Permute the entries of every kernel and bias of ``params`` into the order of ``directions``.

    The smallest entry goes where ``directions`` has its smallest, and so on: a uniformly random
    permutation if the entries of ``directions`` are drawn independently from one distribution.

    Args:
        directions: parameters that give the order.
        params: parameters of the same network that give the entries.

    Raises:
        ValueError: for trees whose structures or shapes differ.
    """
    _check_same_network(directions, params)

    def reordered(direction, trained):
        places = jnp.argsort(direction, axis=None)
        moved = jnp.zeros_like(trained).ravel().at[places].set(jnp.sort(trained, axis=None))
        # Entries that are not finite have no order.
        known = jnp.isfinite(direction).all() & jnp.isfinite(trained).all()
        return jnp.where(known, moved.reshape(trained.shape), jnp.nan)

    return jax.tree.map(reordered, *_as_arrays(directions, params))


def _check_same_network(directions: PyTree, params: PyTree) -> None:
    drawn, trained = (
        [[jnp.shape(layer[part]) for part in ("kernel", "bias")] for layer in known_layers(tree)]
        for tree in (directions, params)
    )
    if drawn != trained:
        raise ValueError(
            "directions, params: expected parameters of the same network, "
            f"got {kind_of(directions)} and {kind_of(params)}"
        )


def _as_arrays(*trees: PyTree) -> list[PyTree]:
    return [jax.tree.map(jnp.asarray, tree) for tree in trees]


def _with_norm(direction, trained):
    return direction * (jnp.linalg.norm(trained) / jnp.linalg.norm(direction))


@dataclasses.dataclass(frozen=True)
class ControlsRecord(Record):
    """Record as ``PlanesRecord``, of the trained network and controls, for ``draw_controls`` data.

    - "trained": the network.
    - "shuffled": its activations, permuted over the samples. They keep every entropy, hence I(X;T) of a
      deterministic layer, but lose all information about the label: any remaining I(T;Y) is bias.
    - "rescaled": an untrained network with random directions, whose kernels and biases have the trained
      network's norms at that epoch (:func:`rescaled`).
    - "rotated": the trained network's singular values with random singular vectors (:func:`rotated`).
    - "permuted": the trained network's weights, permuted within each kernel and bias
      (:func:`permuted`).

    ``record(params, data, split)`` returns what a ``PlanesRecord`` does, with a leading axis in the
    order of ``CONTROLS`` on every array: ``ixt`` and ``ity`` are (control, estimator, layer), bits.

    Args:
        model: the network.
        estimators: estimators by name, as for ``PlanesRecord``.

    Raises:
        ValueError: as ``PlanesRecord``.
    """

    model: MLP
    estimators: Mapping[str, Estimator] | tuple[tuple[str, Any], ...]

    def __post_init__(self):
        planes = PlanesRecord(self.model, self.estimators)
        object.__setattr__(self, "estimators", planes.estimators)

    def __call__(self, params: PyTree, data: ControlledTask, split: Split) -> dict[str, Any]:
        arms = (
            (params, data.y),
            (params, data.y[data.order]),
            *((control(data.directions, params), data.y) for control in (rescaled, rotated, permuted)),
        )
        stacked = jax.tree.map(lambda *leaves: jnp.stack(leaves), *arms)
        # Run one after the other, by one program.
        return jax.lax.map(
            lambda arm: self._planes(arm[0], LabelledSamples(data.x, arm[1]), split), stacked
        )

    @property
    def variables(self) -> dict[str, Variable]:
        """Descriptions of the recorded variables, by name."""
        return {
            name: variable._replace(dims=("control", *variable.dims))
            for name, variable in self._planes.variables.items()
        }

    @property
    def coords(self) -> dict[str, tuple[str, ...]]:
        """Names of the controls and of the estimators."""
        return {"control": CONTROLS, **self._planes.coords}

    @property
    def _planes(self) -> PlanesRecord:
        return PlanesRecord(self.model, dict(self.estimators))

    def __str__(self) -> str:
        return str(self._planes)
