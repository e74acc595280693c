"""A run without any training, and what it leaves behind."""

import re

import numpy as np
from matplotlib.figure import Figure

from experiments.lab import table_of_rows
from tests.made import results_of


def run(config, *, folder):
    """Results, and a checkpoint, without any training."""
    (folder / "arm" / "seeds_0_to_1" / "5").mkdir(parents=True, exist_ok=True)
    values = np.random.default_rng(0).normal(size=(len(config.seed_range), 3, 2))
    return results_of({"ixt": values}, epochs=[0, 1, 2])


def report(results):
    rows = [{"layer": 1, "low": 0.5}]
    return {"empty.png": Figure()}, [table_of_rows("found", rows, ["low: bits", "It compresses."])]


def refusal(ended):
    """The one line of a run that ended with code 2."""
    code, _, errors = ended
    assert code == 2, errors
    assert re.fullmatch(r"error: .*\n", errors), errors
    return errors


def hidden(folder):
    return [path.name for path in folder.rglob(".*")]
