"""What follows from an information plane, and what does not, in plain sentences."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import xarray as xr

from ibjax.analysis.compression import compression_summary
from ibjax.checks import kind_of
from ibjax.plane import FLAGS

__all__ = ["report"]

# Networks below which differences between networks are not known well enough for intervals.
FEW_SEEDS = 10

# What a flag means, for the layers and epochs before the colon.
MEANINGS = {
    "ceiling": (
        "I(X;T) is at log2 n, {log2_n:.2f} bits, which says only that inputs are told apart: nothing "
        "follows about compression. Larger bins, or noise, may tell"
    ),
    "floor": (
        "I(X;T) is near 0: the layer is constant for this estimator. Smaller bins may tell, if its "
        "activations vary at all"
    ),
    "above H(Y)": (
        "I(T;Y) is above H(Y), {entropy_y:.2f} bits, which cannot be: the estimator is biased there"
    ),
    "rise": (
        "I(X;T) or I(T;Y) is larger than in the layer before, which a layer computed from it cannot "
        "have: read no differences between these layers"
    ),
    "not finite": "there is no estimate: activations, or the estimator, were not finite",
}


def report(plane: xr.Dataset) -> str:
    """Say what follows from a plane of ``information_plane``, and what does not.

    Args:
        plane: Dataset with ``ixt``, ``ity`` ([estimator], [seed], epoch, layer), ``flagged`` with a dim
            ``flag`` more, and the coordinates ``log2_n`` and ``entropy_y``.

    Returns:
        Sentences, one in a line: the ceilings; which layers and epochs are flagged, and what that means;
        whether the other layers compress, with 95% intervals that hold for all of them at once, from ten
        networks on.

    Raises:
        ValueError: for anything but such a Dataset.

    Example:
        >>> from ibjax import information_plane
        >>> t = np.linspace(-1, 1, 64)[:, None]
        >>> plane = information_plane([[t], [t]], np.arange(64) % 2, bin_width=0.01)
        >>> print(report(plane).splitlines()[-1])
        1 network: how others would differ is not known.
    """
    _check(plane)
    if "estimator" in plane.ixt.dims:
        by_name = {name: plane.sel(estimator=name) for name in plane.estimator.values}
        return "\n\n".join(
            report(one.assign_attrs(estimator=str(name))) for name, one in by_name.items()
        )
    several = "seed" in plane.ixt.dims
    log2_n, entropy_y = (float(np.max(plane[name])) for name in ("log2_n", "entropy_y"))
    estimator = plane.attrs.get("estimator", "an unknown estimator")
    lines = [
        f"{round(2**log2_n)} inputs, {estimator}: I(X;T) is at most log2 n = {log2_n:.2f} bits, "
        f"I(T;Y) at most H(Y) = {entropy_y:.2f}."
    ]
    any_seed = plane.flagged.any("seed") if several else plane.flagged
    for flag in FLAGS:
        meaning = MEANINGS[flag].format(log2_n=log2_n, entropy_y=entropy_y)
        marked = any_seed.sel(flag=flag).transpose("layer", "epoch").values
        for where in _places(plane, marked):
            lines.append(f"{where}: {meaning}.")
    count = plane.sizes["seed"] if several else 1
    if count < FEW_SEEDS:
        networks = "1 network" if count == 1 else f"{count} networks"
        told = "is not known" if count == 1 else "is not known well enough for intervals"
        lines.append(f"{networks}: how others would differ {told}.")
    else:
        hidden = any_seed.sel(flag=["ceiling", "not finite"]).any(["flag", "epoch"])
        lines += _compression(plane.isel(layer=np.flatnonzero(~hidden.values)), count)
    return "\n".join(lines)


def _check(plane: Any) -> None:
    wanted = {"ixt", "ity", "flagged", "log2_n", "entropy_y"}
    if not isinstance(plane, xr.Dataset) or not wanted <= {*plane.data_vars, *plane.coords}:
        got = ", ".join(map(str, plane)) if isinstance(plane, xr.Dataset) else kind_of(plane)
        names = ", ".join(sorted(wanted))
        raise ValueError(f"plane: expected a Dataset of information_plane, with {names}, got {got}")


def _places(plane: xr.Dataset, marked: np.ndarray) -> Iterator[str]:
    """Yield layers that are marked (layer, epoch) at the same epochs, and these epochs, in words."""
    layers = plane.layer.values
    patterns = {row.tobytes(): row for row in marked if row.any()}
    for pattern in patterns.values():
        same = [str(layer) for layer, row in zip(layers, marked, strict=True) if (row == pattern).all()]
        word = "layer" if len(same) == 1 else "layers"
        yield f"{word} {', '.join(same)}, {_when(plane.epoch.values, pattern)}"


def _when(epochs: Sequence[int] | np.ndarray, marked: np.ndarray) -> str:
    if marked.all():
        return "all epochs"
    first = int(np.argmax(marked))
    if marked[first:].all():
        return f"from epoch {epochs[first]} on"
    last = len(marked) - 1 - int(np.argmax(marked[::-1]))
    if marked[: last + 1].all():
        return f"up to epoch {epochs[last]}"
    return f"{int(marked.sum())} of {len(marked)} recorded epochs"


def _compression(plane: xr.Dataset, count: int) -> Iterator[str]:
    """Yield a sentence for each layer that is not at a ceiling."""
    summary = compression_summary(plane[["ixt", "ity"]])
    for layer in plane.layer.values:
        own = summary.sel(layer=layer)
        low, high = float(own.compression_low), float(own.compression_high)
        said = "compresses" if bool(own.compresses) else "does not compress beyond chance"
        yield (
            f"layer {layer} {said}: I(X;T) falls by {float(own.compression):.2f} bits from its peak "
            f"(95% {low:.2f} to {high:.2f}, {count} networks)."
        )
