"""Figures of pruning: distances of paths, accuracy after each step, and without other layers."""

from collections.abc import Mapping, Sequence

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from ibjax.analysis._inputs import as_numbers, as_sequence
from ibjax.analysis.intervals import mean_interval
from ibjax.checks import check_positive, kind_of
from ibjax.plots.axes import ARM_COLOURS, add_title
from ibjax.types import ArrayLike

__all__ = ["plot_pruning", "plot_removals"]


def plot_pruning(
    distances: Mapping[str, Sequence[ArrayLike]],
    accuracies: Mapping[str, Sequence[ArrayLike]],
    *,
    threshold: float | int,
    paper: Mapping[str, Sequence[float]],
    title: str = "",
) -> Figure:
    """Plot distances of neighbouring layers and accuracies by step, one row per arm.

    Means over seeds have 95% intervals; seeds are dots, the paper's accuracies crosses.

    Args:
        distances: distances for each arm and step, (seed, layer - 1), bits.
        accuracies: accuracies for each arm and step, (seed,).
        threshold: distance below which two layers are similar, bits.
        paper: accuracies in the paper for each arm and step, where there are any.
        title: title of the figure.

    Raises:
        ValueError: for mappings of other arms, steps that are not such arrays, a threshold that is not
            positive, a title that is not text.
    """
    check_positive("threshold", threshold)
    per_step = _checked_steps("distances", distances, "(seed, layer - 1)")
    reached = _checked_steps("accuracies", accuracies, "(seed,)")
    paper_steps = {} if isinstance(paper, dict) and not paper else _checked_steps("paper", paper, "()")
    if per_step.keys() != reached.keys():
        raise ValueError(
            f"distances, accuracies: expected the same arms, got {[*per_step]} and {[*reached]}"
        )
    figure = Figure(figsize=(10.5, 3.0 * len(per_step) + 0.5), layout="constrained")
    axes = figure.subplots(len(per_step), 2, squeeze=False, sharex="col")
    for (left, right), name in zip(axes, per_step, strict=True):
        _draw_distances(left, per_step[name], threshold)
        left.set_ylabel(f"{name}\ndistance of paths [bits]")
        _draw_accuracies(right, reached[name], paper_steps.get(name, ()))
        right.set_ylabel("test accuracy at the stop")
        for ax in (left, right):
            ax.grid(alpha=0.3)
    most = max(steps[0].shape[1] for steps in per_step.values())
    axes[-1, 0].set_xticks(range(most), [f"{i + 1}→{i + 2}" for i in range(most)])
    axes[-1, 0].set_xlabel("hidden layers")
    axes[-1, 1].set_xticks(range(max(map(len, [*reached.values(), *paper_steps.values()]))))
    axes[-1, 1].set_xlabel("step")
    axes[0, 0].legend(title="step", fontsize="small")
    axes[0, 1].legend(fontsize="small")
    add_title(figure, title)
    return figure


def plot_removals(
    ends: Mapping[str, ArrayLike],
    counts: Mapping[str, int],
    choices: Mapping[str, ArrayLike],
    anew: Mapping[str, Mapping[str, ArrayLike]],
    *,
    title: str = "",
) -> Figure:
    """Plot accuracies without layers, one row per arm: trained networks as they are, and trained anew.

    The first panel has a trained network without its last layers, a dashed line at as many as the
    criterion removes; the second all choices of as many layers, by mean, the criterion's as a cross; the
    third networks trained anew, the criterion's first. Means over seeds have 95% intervals.

    Args:
        ends: accuracies for each arm without 0, 1, 2, ... last layers, (num_removed, seed).
        counts: number of layers that the criterion removes, for each arm; may be 0.
        choices: accuracies for each arm and choice of as many layers, the criterion's first, (choice,
            seed).
        anew: accuracies of networks trained anew by arm and rule, (seed,), the criterion's first.
        title: title of the figure.

    Raises:
        ValueError: for mappings of other arms, accuracies of other axes, a title that is not text.
    """
    of_ends = _checked_arms("ends", ends, "(num_removed, seed)")
    of_choices = _checked_arms("choices", choices, "(choice, seed)")
    for other, given in (("counts", counts), ("choices", choices), ("anew", anew)):
        if given.keys() != of_ends.keys():
            raise ValueError(f"ends, {other}: expected the same arms, got {[*of_ends]} and {[*given]}")
    figure = Figure(figsize=(13.5, 3.0 * len(of_ends) + 0.5), layout="constrained")
    axes = figure.subplots(len(of_ends), 3, squeeze=False, sharey="row")
    for (left, middle, right), name in zip(axes, of_ends, strict=True):
        _draw_intervals(left, range(len(of_ends[name])), of_ends[name], "o-")
        left.set_ylabel(f"{name}\ntest accuracy at the stop")
        rules = {rule: as_numbers("anew", x, "(seed,)", empty=True) for rule, x in anew[name].items()}
        if counts[name] > 0:
            left.axvline(counts[name], color="0.3", ls="--", lw=1)
            _draw_choices(middle, of_choices[name])
        for place, values in enumerate(rules.values()):
            _draw_intervals(right, [place], values[None], "o")
        right.set_xticks(range(len(rules)), [*rules])
        right.set_xlim(-0.5, max(len(rules), 1) - 0.5)
        for ax in (left, middle):
            ax.xaxis.set_major_locator(MaxNLocator(integer=True))
        for ax in (left, middle, right):
            ax.grid(alpha=0.3)
    for ax, label in zip(
        axes[-1],
        (
            "last layers removed, not trained anew",
            "choices, best first, not trained anew",
            "trained anew",
        ),
        strict=True,
    ):
        ax.set_xlabel(label)
    add_title(figure, title)
    return figure


def _checked_arms(name: str, arms, axes: str) -> dict[str, np.ndarray]:
    if not isinstance(arms, Mapping) or not arms:
        raise ValueError(f"{name}: expected a mapping of arms, got {kind_of(arms)}")
    return {str(arm): as_numbers(name, values, axes, empty=True) for arm, values in arms.items()}


def _draw_intervals(ax: Axes, places: Sequence[int] | range, values: np.ndarray, look: str) -> None:
    """Draw means of (place, seed) values with their intervals."""
    interval = mean_interval(values, axis=1)
    ends = np.stack([interval.estimate - interval.low, interval.high - interval.estimate])
    ax.errorbar(places, interval.estimate, ends, fmt=look, ms=4, color=ARM_COLOURS[1], capsize=3)


def _draw_choices(ax: Axes, values: np.ndarray) -> None:
    """Draw the mean of every choice in order, and the first one's place among them."""
    means = mean_interval(values, axis=1).estimate
    order = np.argsort(-means, kind="stable")
    ax.plot(means[order], ".", color=ARM_COLOURS[0], ms=4, label="all choices of as many layers")
    ax.plot(
        int(np.flatnonzero(order == 0)[0]), means[0], "x", color="black", ms=8, label="the criterion's"
    )
    ax.legend(fontsize="small")


def _checked_steps(name: str, arms, axes: str) -> dict[str, list[np.ndarray]]:
    """Return checked numbers with these axes for each arm and step; none for a single-layer network."""
    if not isinstance(arms, Mapping) or not arms:
        raise ValueError(f"{name}: expected a mapping of arms to steps, got {kind_of(arms)}")
    checked = {}
    for arm, steps in arms.items():
        arrays = as_sequence(name, steps, f"arrays {axes}")
        checked[str(arm)] = [as_numbers(name, step, axes, empty=True) for step in arrays]
    return checked


def _draw_distances(ax: Axes, steps: Sequence[np.ndarray], threshold: float) -> None:
    colours = mpl.colormaps["viridis"](np.linspace(0, 0.85, len(steps)))
    for step, (colour, values) in enumerate(zip(colours, steps, strict=True)):
        interval = mean_interval(values)
        ends = np.stack([interval.estimate - interval.low, interval.high - interval.estimate])
        place = np.arange(len(interval.estimate)) + 0.06 * step
        ax.errorbar(
            place, interval.estimate, ends, fmt="o-", ms=4, color=colour, capsize=2, label=str(step)
        )
    ax.axhline(threshold, color="0.3", ls="--", lw=1)
    ax.set_ylim(bottom=0)


def _draw_accuracies(ax: Axes, steps: Sequence[np.ndarray], paper: Sequence) -> None:
    for step, values in enumerate(steps):
        jitter = np.linspace(-0.12, 0.12, len(values))
        ax.plot(step + jitter, values, ".", color=ARM_COLOURS[0], alpha=0.3, ms=4)
    intervals = [mean_interval(values) for values in steps]
    middle = np.array([float(interval.estimate) for interval in intervals])
    ends = np.array(
        [
            [float(interval.estimate - interval.low), float(interval.high - interval.estimate)]
            for interval in intervals
        ]
    ).T
    look = {"color": ARM_COLOURS[1], "capsize": 3, "zorder": 3}
    ax.errorbar(range(len(steps)), middle, ends, fmt="o-", label="mean over seeds", **look)
    if len(paper):
        ax.plot(range(len(paper)), paper, "x", color="black", ms=7, label="paper's one network")
