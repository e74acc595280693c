"""How often the library's 95% intervals over seeds exclude the truth, in simulated worlds.

A world is a process from which all seeds' curves are drawn: noise that is independent, autoregressive
or a random walk, around a mean curve. In null worlds the mean curve does not fall after its peak; in the
others it falls by a known number of bits. For each world one row of Markdown: in how many of 100 draws
the interval lies above the truth, and below it, how often it covers it, its mean length, and the bias of
the estimate. An interval passes a null world if neither share exceeds 3.5%, another world if it covers
the truth in 93 to 97%; if it covers it more often it is conservative.

Compression is compared by four rules: each seed's own peak (``own``), the peak of the mean over the
other seeds (``others``), that of the other half in a single halving (``half``), and the library's
average over halvings (``halvings``). Beyond it: compression after fitting, up to epochs of each seed's
own, paired differences between arms, falls of I(T;Y), correlations, and medians. Humps without a plateau
show the bias of a peak as flat as the noise: they neither pass nor fail. Run::

    python -m benchmarks.calibration [--worlds 2000] [--seeds 5 10 50] [--only TEXT] [--seed 0]
"""

import argparse
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from benchmarks import timing
from ibjax.analysis.compression import compression, compression_after_fitting, compression_at
from ibjax.analysis.intervals import (
    Interval,
    halving_interval,
    mean_interval,
    median_interval,
    rank_correlation,
)

NUM_EPOCHS = 210
EPOCHS = np.arange(NUM_EPOCHS)
HEADER = (
    "world",
    "seeds",
    "rule",
    "above, %",
    "below, %",
    "covers, %",
    "length",
    "bias",
    "verdict",
)
MEDIANS_FROM = 6  # seeds that a median's interval needs
MOST_EXCLUDED, LEAST_COVERED, MOST_COVERED = 0.035, 0.93, 0.97

# Draw (seed, epoch) curves.
Draw = Callable[[np.random.Generator, int], np.ndarray]


class World(NamedTuple):
    """Curves of a known fall, bits; a null world's is 0. Only ``judged`` worlds pass or fail."""

    draw: Draw
    fall: float
    judged: bool = True


class Rates(NamedTuple):
    """Shares of draws whose interval lies above the truth and below it, mean length, and bias."""

    above: float
    below: float
    length: float
    bias: float

    @property
    def covers(self) -> float:
        """Share of draws whose interval holds the truth."""
        return 1 - self.above - self.below

    def verdict(self, null: bool) -> str:
        """Say whether the shares are within the stated limits, for a null world or another."""
        excluded = max(self.above, self.below) > MOST_EXCLUDED
        if excluded if null else self.covers < LEAST_COVERED:
            return "FAILS"
        return "passes" if null or self.covers <= MOST_COVERED else "conservative"


def independent(rng: np.random.Generator, num_seeds: int) -> np.ndarray:
    """Draw white noise of variance 1."""
    return rng.normal(size=(num_seeds, NUM_EPOCHS))


def autoregressive(rng: np.random.Generator, num_seeds: int) -> np.ndarray:
    """Draw noise of variance 1 with correlation 0.9 between neighbouring epochs."""
    innovation = np.sqrt(1 - 0.9**2)
    curves = independent(rng, num_seeds)
    for i in EPOCHS[1:]:
        curves[:, i] = 0.9 * curves[:, i - 1] + innovation * curves[:, i]
    return curves


def walk(rng: np.random.Generator, num_seeds: int) -> np.ndarray:
    """Draw random walks of variance 1 at the end."""
    return independent(rng, num_seeds).cumsum(axis=1) / np.sqrt(NUM_EPOCHS)


def ramp(noise: Draw) -> Draw:
    """Rise by 3 bits in 60 epochs, then stay."""
    return lambda rng, n: 3 * np.clip(EPOCHS / 60, 0, 1) + 0.3 * noise(rng, n)


def rise_and_fall(bits: float, *, delays: float = 0.0, spread: float = 0.0) -> Draw:
    """Rise to a plateau, then fall by ``bits`` from epoch 100 to 160.

    Args:
        bits: the fall.
        delays: standard deviation over seeds of the epoch at which the fall starts.
        spread: standard deviation over seeds of the logarithm of the noise's deviation.
    """

    def draw(rng, n):
        start = 100 + delays * rng.normal(size=(n, 1))
        scale = 0.3 * np.exp(spread * rng.normal(size=(n, 1)))
        mean = 5 * np.clip(EPOCHS / 40, 0, 1) - bits * np.clip((EPOCHS - start) / 60, 0, 1)
        return mean + scale * autoregressive(rng, n)

    return draw


def hump(bits: float) -> Draw:
    """Rise to epoch 100 and fall by ``bits`` to the end, along parabolas: a peak without a plateau."""
    rise = -3 * (1 - EPOCHS / 100) ** 2
    fall = -bits * ((EPOCHS - 100) / (NUM_EPOCHS - 101)) ** 2
    mean = np.where(EPOCHS < 100, rise, fall)
    return lambda rng, n: mean + 0.3 * autoregressive(rng, n)


def fall_of_mean(draw: Draw) -> float:
    """Return the fall of the mean curve of delayed falls, which is not that of each seed."""
    rng = np.random.default_rng(1)
    mean = np.mean([draw(rng, 1000).mean(axis=0) for _ in range(200)], axis=0)
    return float(mean[50:70].mean() - mean[-10:].mean())


DELAYED = rise_and_fall(0.5, delays=15.0)

NULL_WORLDS = {
    "independent noise": World(independent, 0.0),
    "autoregressive noise": World(autoregressive, 0.0),
    "random walks": World(walk, 0.0),
    "ramp and plateau, autoregressive": World(ramp(autoregressive), 0.0),
    "ramp and plateau, walks": World(ramp(walk), 0.0),
}
OTHER_WORLDS = {
    "fall of 0.1 bits": World(rise_and_fall(0.1), 0.1),
    "fall of 0.5 bits": World(rise_and_fall(0.5), 0.5),
    "fall of 2 bits": World(rise_and_fall(2.0), 2.0),
    "fall of 0.5 bits, unequal variances": World(rise_and_fall(0.5, spread=0.3), 0.5),
    "fall of 0.5 bits, delays of 15 epochs": World(DELAYED, fall_of_mean(DELAYED)),
    "hump of 0.1 bits": World(hump(0.1), 0.1, judged=False),
    "hump of 2 bits": World(hump(2.0), 2.0, judged=False),
}


def own_peak(curves: np.ndarray) -> Interval:
    """Measure each seed from its own peak, as is often done."""
    return mean_interval(curves.max(axis=1) - curves[:, -1])


def peak_of_others(curves: np.ndarray) -> Interval:
    """Measure each seed from the peak of the mean over all other seeds."""
    others = (curves.sum(axis=0) - curves) / (len(curves) - 1)
    peak = others.argmax(axis=1)
    return mean_interval(curves[np.arange(len(curves)), peak] - curves[:, -1])


def single_halving(curves: np.ndarray) -> Interval:
    """Measure each seed from the peak of the other half, in one halving."""
    return mean_interval(compression(curves)[0])


RULES: dict[str, Callable[[np.ndarray], Interval]] = {
    "own": own_peak,
    "others": peak_of_others,
    "half": single_halving,
    "halvings": lambda curves: halving_interval(compression(curves)),
}


def rates(
    statistic: Callable[[np.random.Generator, int], Interval],
    num_seeds: int,
    truth: float,
    num_worlds: int,
    seed: int,
) -> Rates:
    """Draw worlds and count how often a statistic's interval excludes the truth."""
    rng = np.random.default_rng(seed)
    drawn = [statistic(rng, num_seeds) for _ in range(num_worlds)]
    estimate, low, high = (np.array([getattr(x, k) for x in drawn]) for k in ("estimate", "low", "high"))
    above, below = float((low > truth).mean()), float((high < truth).mean())
    return Rates(above, below, float((high - low).mean()), float(estimate.mean() - truth))


def after_fitting(rng: np.random.Generator, n: int) -> Interval:
    """Compression after fitting: 1 bit before the labels are fitted at epoch 40, then 0.5 bits."""
    ixt = rise_and_fall(0.5)(rng, n) + np.where(EPOCHS < 20, 6 - EPOCHS / 20, 0)
    ity = np.clip(EPOCHS / 40, 0, 1) + 0.02 * independent(rng, n)
    return halving_interval(compression_after_fitting(ixt, ity, EPOCHS))


def until_stops(noise: Draw) -> Callable[[np.random.Generator, int], Interval]:
    """Return compression up to epochs of each seed's own, of curves without any."""

    def statistic(rng, n):
        curves = ramp(noise)(rng, n)
        return halving_interval(compression_at(curves, rng.integers(120, NUM_EPOCHS, n)))

    return statistic


def difference(noise: Draw) -> Callable[[np.random.Generator, int], Interval]:
    """Return the paired difference of two arms that fall alike, their seeds correlated by half."""

    def statistic(rng, n):
        shared = noise(rng, n)
        arms = [rise_and_fall(0.5)(rng, n) + 0.3 * shared for _ in range(2)]
        return halving_interval(compression(arms[0]) - compression(arms[1]))

    return statistic


def fall_of_ity(rng: np.random.Generator, n: int) -> Interval:
    """The fall of an I(T;Y) that reaches its ceiling and stays, with noise that is cut there."""
    ity = np.minimum(np.clip(EPOCHS / 60, 0, 1) + 0.02 * autoregressive(rng, n), 1.0)
    return halving_interval(compression(ity))


def correlation(rho: float) -> Callable[[np.random.Generator, int], Interval]:
    """Return Spearman's correlation of normal pairs whose own is ``rho``."""

    def statistic(rng, n):
        a, b = rng.normal(size=(2, n))
        return rank_correlation(a, rho * a + np.sqrt(1 - rho**2) * b)

    return statistic


def median_of(sample: Callable) -> Callable[[np.random.Generator, int], Interval]:
    """Return the median of a sample less its true one."""
    return lambda rng, n: median_interval(sample(rng, n))


def spearman(rho: float) -> float:
    """Return Spearman's correlation of normal variables with Pearson's ``rho``."""
    return 6 / np.pi * np.arcsin(rho / 2)


# Statistic, its truth, and whether it is a null world's.
OTHERS: dict[str, tuple[Callable[[np.random.Generator, int], Interval], float, bool]] = {
    "compression after fitting, 0.5 bits": (after_fitting, 0.5, False),
    "compression until stops, none, autoregressive": (until_stops(autoregressive), 0.0, True),
    "compression until stops, none, walks": (until_stops(walk), 0.0, True),
    "difference of arms, none, autoregressive": (difference(autoregressive), 0.0, True),
    "difference of arms, none, walks": (difference(walk), 0.0, True),
    "fall of I(T;Y), none, cut at its ceiling": (fall_of_ity, 0.0, True),
    "rank correlation, none": (correlation(0.0), 0.0, True),
    "rank correlation, 0.5": (correlation(0.5), spearman(0.5), False),
    "rank correlation, 0.9": (correlation(0.9), spearman(0.9), False),
    "median, normal": (median_of(lambda rng, n: rng.normal(size=n)), 0.0, True),
    "median, exponential": (median_of(lambda rng, n: rng.exponential(size=n) - np.log(2)), 0.0, True),
}


class Case(NamedTuple):
    """An interval, the truth that it should hold, and what is asked of it."""

    name: str
    rule: str
    statistic: Callable[[np.random.Generator, int], Interval]
    truth: float
    null: bool
    judged: bool


def cases(num_seeds: int) -> list[Case]:
    """Return all intervals that can be had from this many seeds."""

    def by_rule(draw: Draw, interval: Callable[[np.ndarray], Interval]):
        return lambda rng, n: interval(draw(rng, n))

    compressions = [
        Case(
            name,
            rule,
            by_rule(world.draw, interval),
            world.fall,
            name in NULL_WORLDS,
            world.judged and rule == "halvings",
        )
        for name, world in (NULL_WORLDS | OTHER_WORLDS).items()
        for rule, interval in RULES.items()
    ]
    others = [Case(name, "", *rest, judged=True) for name, rest in OTHERS.items()]
    few = num_seeds < MEDIANS_FROM
    return compressions + [case for case in others if not (few and case.name.startswith("median"))]


def row(case: Case, num_seeds: int, rate: Rates) -> list[object]:
    """Return a row of the table."""
    verdict = rate.verdict(case.null) if case.judged else ""
    shares = [f"{100 * share:.1f}" for share in (rate.above, rate.below, rate.covers)]
    return [case.name, num_seeds, case.rule, *shares, f"{rate.length:.3f}", f"{rate.bias:+.3f}", verdict]


def main() -> None:
    """Print the table; exit with 1 if a judged interval fails."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--worlds", type=int, default=2000)
    parser.add_argument("--seeds", type=int, nargs="+", default=[5, 10, 50])
    parser.add_argument("--only", default="", help="only worlds whose name contains this text")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    rows, passed = [], []
    for num_seeds in options.seeds:
        for case in (case for case in cases(num_seeds) if options.only in case.name):
            rate = rates(case.statistic, num_seeds, case.truth, options.worlds, options.seed)
            rows.append(row(case, num_seeds, rate))
            passed.append(not case.judged or rate.verdict(case.null) != "FAILS")
    print(timing.table(HEADER, rows))
    raise SystemExit(0 if all(passed) else 1)


if __name__ == "__main__":
    main()
