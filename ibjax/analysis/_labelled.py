"""Checks of labelled results: variables, dims, seeds and levels. NaN and infinity are accepted."""

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from ibjax.arrays import as_array
from ibjax.checks import check_nonempty, check_variables, kind_of

__all__ = [
    "check_labelled",
    "check_results",
    "check_same_levels",
    "check_same_seeds",
]


def check_results(
    name: str, results: Any, variables: Mapping[Any, tuple[str, ...]], *, factors: bool = False
) -> None:
    """Run ``check_variables``, and check that the variables hold one or more real numbers.

    Raises:
        ValueError: as ``check_variables``; for other values, axes without an entry, and recorded epochs
            that are not increasing numbers.
    """
    check_variables(name, results, variables, factors=factors)
    for variable in variables:
        _check_values(f"{name}.{variable}", results[variable])


def check_labelled(name: str, values: Any, dims: Iterable[str], *, factors: bool = False) -> None:
    """Refuse anything but a DataArray of real numbers with these dims, in any order.

    Args:
        name: name of the argument, for messages.
        values: object that should be an xarray DataArray.
        dims: required dims.
        factors: whether further dims are allowed.
    """
    dims = tuple(dims)
    if not hasattr(values, "dims") or not hasattr(values, "dtype"):
        raise ValueError(f"{name}: expected an xarray DataArray, got {kind_of(values)}")
    given_dims = set(values.dims)
    if not set(dims) <= given_dims or (not factors and given_dims != set(dims)):
        wanted = ", ".join((*dims, "others...") if factors else dims)
        raise ValueError(f"{name}: expected dims ({wanted}), got ({', '.join(map(str, values.dims))})")
    _check_values(name, values)


def check_same_seeds(**arms: Any) -> None:
    """Refuse to pair labelled arms, or arrays, with different seeds; unlabelled ones pass.

    Args:
        **arms: arms or arrays by argument name.
    """
    labelled = {
        name: np.asarray(arm.coords["seed"])
        for name, arm in arms.items()
        if hasattr(arm, "coords") and "seed" in arm.coords
    }
    (first, seeds), *others = labelled.items() if labelled else [("", np.array([]))]
    for name, arm_seeds in others:
        if not np.array_equal(seeds, arm_seeds):
            raise ValueError(
                f"{first}, {name}: expected the same seeds in the same order, "
                f"got {_shortened(seeds)} and {_shortened(arm_seeds)}"
            )


def check_same_levels(dimension: str, **results: Any) -> None:
    """Refuse results whose levels of a dimension differ.

    Args:
        dimension: dimension that all results have.
        **results: results by argument name.
    """
    (first, known), *others = ((name, result[dimension].values) for name, result in results.items())
    for name, levels in others:
        if not np.array_equal(known, levels):
            raise ValueError(
                f"{first}, {name}: expected the same levels of {dimension}, "
                f"got {_shortened(known)} and {_shortened(levels)}"
            )


def _check_values(name, values) -> None:
    check_nonempty(name, values)
    as_array(name, values.values)
    if "epoch" in values.dims:
        epochs = as_array(f"{name}.epoch", values["epoch"].values)
        if not np.isfinite(epochs).all() or (np.diff(epochs) <= 0).any():
            raise ValueError(f"{name}.epoch: expected increasing epochs, got {kind_of(epochs.tolist())}")


def _shortened(seeds: np.ndarray) -> str:
    text = ", ".join(map(str, seeds.ravel()[:6]))
    return f"{text}, ... ({seeds.size})" if seeds.size > 6 else text
