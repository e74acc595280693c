"""No silent wrong number: every public function against values that users pass by mistake.

Each outcome is one of: the right result (that of the valid argument which the value stands for), a
refusal of our own with expected and got, or, where nothing is known beforehand, NaN. The default run
takes a sample that changes with the day; IBJAX_HOSTILE_SEED repeats one. The slow tests take all.
"""

import datetime
import functools
import importlib
import inspect
import os
import pkgutil
import random
import warnings

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ibjax.types import Record
from tests.hostile.outcomes import refusal, same_numbers
from tests.hostile.values import REFUSED, SAME, VALUES, kind_of_argument

SEED = int(os.environ.get("IBJAX_HOSTILE_SEED", datetime.date.today().strftime("%Y%m%d")))
CASES_A_FUNCTION = 2

# Whose names users import from the package; the modules of the others are public themselves.
PACKAGES = ("bottleneck", "datasets", "mi", "plots")
MODULES = ("presets", "analysis")

# What is called by none of the tables, and why.
ELSEWHERE = {
    "ibjax.analysis.PlaneRecord": "ibjax.analysis.records.PlaneRecord",
    "ibjax.datasets.all_rows_split": "tests/datasets/test_splits.py",
    "ibjax.datasets.first_rows_split": "tests/datasets/test_splits.py",
    "ibjax.datasets.random_split": "tests/datasets/test_splits.py",
    "ibjax.datasets.revisiting_split": "tests/datasets/test_splits.py",
}

# Analyses take leading axes, epochs that are no whole numbers, and NaN for a seed that diverged
# or a layer that a network does not have.
DATA = {"ibjax.analysis.": ("nan", "inf", "one_axis_more", "floats"), "ibjax.plots.": ("nan", "inf")}

# What means something else there: function, argument and value, and why it may.
ALLOWED = {
    ("ibjax.mi.binned_mi, edges", "bins", "none"): "30 bins",
    ("ibjax.mi.binned_mi, number", "bins", "list"): "edges",
    ("ibjax.mi.entropy", "num_states", "float"): "a whole number",
    ("ibjax.mi.discrete_p_value", "num_states_x", "float"): "a whole number",
    ("ibjax.mi.discrete_p_value", "num_states_y", "float"): "a whole number",
    ("ibjax.information_plane", "epochs", "none"): "0, 1, 2, ...",
    ("ibjax.information_plane", "y", "strings"): "names of classes",
    ("ibjax.information_plane", "y", "bytes_array"): "names of classes",
    ("ibjax.information_plane, layer", "t", "nan"): "NaN there, and a flag",
    ("ibjax.information_plane, layer", "t", "inf"): "NaN there, and a flag",
    ("ibjax.mi.revisiting_binned_mi", "limits", "none"): "those of the layer itself",
    ("ibjax.presets.revisiting_estimators", "limits", "none"): "those of the layer itself",
    ("ibjax.mi.subsample_std", "num_subsamples", "one_entry"): "several numbers",
    ("ibjax.mi.edge_mi", "cell_width", "list"): "of x and of y",
    ("ibjax.mi.edge_info", "cell_width", "list"): "of x and of y",
    ("ibjax.bottleneck.gaussian_ib_bound", "ixt", "empty"): "no points",
    ("ibjax.analysis.intervals.mean_interval", "values", "empty"): "of no networks: NaN",
    ("ibjax.analysis.intervals.median_interval", "values", "empty"): "of no networks: NaN",
    **{
        ("ibjax.bottleneck.finite_sample_bounds", argument, value): "of any shape"
        for argument in ("ixt", "ity")
        for value in ("empty", "one_axis_more")
    },
    **{
        (f"ibjax.bottleneck.interpolate_curve, {argument}", argument, value): "any shape; NaN stays NaN"
        for argument in ("ixt", "ity")
        for value in ("nan", "inf", "one_axis_more")
    },
    ("ibjax.plots.plot_layer_against_next", "layer", "float"): "a level of its dimension",
    ("ibjax.plots.plot_layer_against_next", "following", "float"): "a level of its dimension",
    ("ibjax.analysis.gradients.gradient_curves", "results", "other_dims"): "of any dims",
    ("ibjax.analysis.records.PlanesRecord", "factor", "unknown"): "a name like any other",
    **{("ibjax.analysis.stopping.early_stopping", "patience", v): "epochs" for v in ("half", "float")},
    # At float32 other epochs reach what both reach.
    **{
        ("ibjax.analysis.compression.epochs_of_equal_loss", a, "jax"): "rounded"
        for a in ("loss_a", "loss_b")
    },
    # Estimates of any shape, NaN where a network has none.
    **{
        (f"ibjax.mi.{name}", argument, value): "NaN stays NaN"
        for name in ("diagnostics", "discrete_p_value", "gaussian_p_value")
        for argument in ("ixt", "ity", "entropy_y", "mi")
        for value in ("nan", "inf", "empty", "one_axis_more")
    },
}


def _is_called(public) -> bool:
    """Whether users call it with arguments: a function, or a record of its settings."""
    return inspect.isfunction(public) or (inspect.isclass(public) and Record in public.__mro__)


def public_functions() -> list[str]:
    """Full names of all functions and records that users import, by ``__all__``."""
    modules = [f"ibjax.{name}" for name in (*PACKAGES, *MODULES)]
    modules += [
        f"ibjax.{package}.{module.name}"
        for package in MODULES
        if hasattr(found := importlib.import_module(f"ibjax.{package}"), "__path__")
        for module in pkgutil.iter_modules(found.__path__)
        if not module.name.startswith("_")
    ]
    names = {
        f"{module}.{name}"
        for module in modules
        for name in importlib.import_module(module).__all__
        if _is_called(getattr(importlib.import_module(module), name))
    }
    return sorted({"ibjax.information_plane", *names} - set(ELSEWHERE))


@functools.cache
def calls() -> dict:
    from tests.hostile import calls_analysis, calls_mi

    return calls_analysis.CALLS | calls_mi.CALLS


def calls_of(function: str) -> list[str]:
    """The function's calls: its name, or several that begin with it and a comma."""
    return [name for name in calls() if name == function or name.startswith(f"{function},")]


def cases_of(function: str) -> list[tuple]:
    return [
        (name, argument, hostile)
        for name in calls_of(function)
        for argument, value in calls()[name][1].items()
        for hostile in VALUES[kind_of_argument(argument, value)]
        if (name, argument, hostile.name) not in ALLOWED
        and not any(function.startswith(k) and hostile.name in names for k, names in DATA.items())
    ]


def wrong_outcome(name, argument, hostile) -> str | None:
    """What is wrong with the outcome; None where nothing is."""
    function, valid = calls()[name]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        arguments = valid | {argument: hostile.make(valid[argument])}
        try:
            result = function(**arguments)
        except Exception as error:
            why = refusal(error)
            if why is None and hostile.verdict == SAME:
                return f"refused: {error}"
            return why
        if hostile.verdict == REFUSED:
            return f"gave a result: {str(result)[:80]}"
        if hostile.verdict == SAME and not same_numbers(result, function(**valid)):
            return f"gave another result: {str(result)[:80]}"
    return None


def assert_no_wrong_outcome(cases):
    wrong = [
        f"{name}({argument}=<{hostile.name}>): {outcome}"
        for name, argument, hostile in cases
        if (outcome := wrong_outcome(name, argument, hostile)) is not None
    ]
    assert not wrong, "\n".join([f"IBJAX_HOSTILE_SEED={SEED}", *wrong])


each_function = pytest.mark.parametrize("function", public_functions())


@each_function
def test_has_a_valid_call(function):
    """A new public function adds one to a table."""
    assert calls_of(function)


@pytest.mark.usefixtures("as_users")
@each_function
def test_a_sample_of_the_day(function):
    cases = cases_of(function)
    sample = random.Random(f"{SEED} {function}").sample(cases, min(CASES_A_FUNCTION, len(cases)))
    assert_no_wrong_outcome(sample)


@pytest.mark.slow
@pytest.mark.usefixtures("as_users")
@each_function
def test_every_value(function):
    assert_no_wrong_outcome(cases_of(function))


def with_argument(function, valid, argument, value):
    return function(**valid | {argument: value})


TRACED = {
    "nan": np.nan,
    "inf": np.inf,
    "-inf": -np.inf,
    "subnormal": 1e-42,
    "-0": -0.0,
    "largest": 3.4e38,
}


@pytest.mark.slow
@pytest.mark.parametrize("function", [name for name in public_functions() if name.endswith("_mi")])
def test_traced_values_give_nan_or_a_number(function):
    """One lane of a ``vmap`` for each: NaN and infinity spoil their own, and no other."""
    for name in calls_of(function):
        estimate, valid = calls()[name]
        for argument, value in valid.items():
            if kind_of_argument(argument, value) != "float array" or argument in ("bins", "weights"):
                continue
            lanes = np.stack([np.array(value)] * (len(TRACED) + 1))
            for lane, bad in enumerate(TRACED.values()):
                lanes[lane].flat[-1] = np.float32(bad)
            traced = functools.partial(with_argument, estimate, valid, argument)
            for bits in jax.tree.leaves(jax.vmap(traced)(jnp.asarray(lanes))):
                assert np.isnan(bits[:3]).all(), (name, argument)
                assert np.isfinite(bits[-1]), (name, argument)
