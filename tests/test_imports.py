"""The floors of the house: who may import whom, read from the syntax trees."""

import ast
import functools
import importlib
import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

# A module imports from the floors above it and, below the first, from its own where SIBLINGS_APART
# does not say otherwise.
FLOORS = (
    ("types", "functions", "numerics", "checks", "arrays", "tracing", "sorting", "version"),
    ("batching", "results", "grid_results"),
    ("datasets", "losses", "models", "mi", "bottleneck"),
    ("training",),
    ("analysis", "plane", "plane_report", "presets"),
    ("plots",),
)
FLOOR = {unit: number for number, units in enumerate(FLOORS) for unit in units}
SIBLINGS_APART = {FLOOR["datasets"]}

# May import everything; nobody imports them.
LEAVES = ("tests", "benchmarks", "notebooks")

MODULES = {
    ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path
    for folder in ("ibjax", "experiments", "benchmarks")
    for path in sorted((ROOT / folder).rglob("*.py"))
}
LIBRARY = [name for name in MODULES if name.split(".")[0] == "ibjax"]


@functools.cache
def imported_names(source: str) -> list[str]:
    """Dotted names that a source imports, anywhere in it; relative imports begin with a dot."""
    names = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            module = "." * node.level + (node.module or "")
            names += [f"{module}.{alias.name}" for alias in node.names]
    return names


def violations(module: str, source: str) -> list[str]:
    """The imports of ``module`` that go against the arrows."""
    return [name for name in imported_names(source) if not may_import(module, name)]


def may_import(module: str, name: str) -> bool:
    package, *parts = module.split(".")
    target, *inner = name.split(".")
    if target == "":
        return False  # relative
    if target in LEAVES:
        return target == package == "benchmarks"
    if target == "experiments":
        if package == "experiments":
            return inner[:1] in (["lab"], parts[:1])  # its own folder
        return package in LEAVES
    if target != "ibjax" or package != "ibjax" or not parts:
        return True  # others' packages; users of the library; its front door
    return bool(inner) and unit_may_import(parts[0], inner[0])


def unit_may_import(unit: str, other: str) -> bool:
    if unit == other:
        return True
    if other not in FLOOR:
        return False  # the front door, or a module without a floor
    if FLOOR[unit] == FLOOR[other]:
        return FLOOR[unit] not in SIBLINGS_APART
    return FLOOR[other] < FLOOR[unit]


def test_every_module_has_a_floor():
    units = {name.split(".")[1] for name in LIBRARY if name != "ibjax"}
    assert {"types", "datasets", "mi", "training"} <= units  # the walk has found the library
    assert units <= FLOOR.keys()


@pytest.mark.parametrize("module", MODULES)
def test_imports_only_from_the_floors_above(module):
    assert violations(module, MODULES[module].read_text()) == []


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("ibjax.types", "from ibjax.batching import blocks_of_seeds"),
        ("ibjax.checks", "import ibjax.mi"),
        ("ibjax.mi.binned", "from ibjax.datasets import symmetric_task"),
        ("ibjax.datasets.mnist", "from ibjax import models"),
        ("ibjax.models", "def f():\n    from ibjax.mi.binned import binned_mi"),
        ("ibjax.training.loop", "from ibjax.analysis.records import PlaneRecord"),
        ("ibjax.results", "import ibjax.training as t"),
        ("ibjax.analysis.records", "import numpy, ibjax.plots"),
        ("ibjax.mi.binned", "from ._patterns import label_ranks"),
        ("ibjax.mi.binned", "from . import _patterns"),
        ("ibjax.plots", "import ibjax"),
        ("ibjax.plots", "from ibjax import information_plane"),
        ("ibjax.plots", "from ibjax import *"),
        ("ibjax.plots", "from ibjax.unheard_of import f"),
        ("ibjax.plots", "from experiments.lab import main"),
        ("ibjax.checks", "from tests.oracles import binned_mi_twin"),
        ("ibjax", "import benchmarks.binned"),
        ("experiments.a", "from experiments.b import run"),
        ("experiments.a", "import experiments"),
        ("experiments.a", "from experiments import b"),
        ("experiments.lab", "from experiments.a import run"),
        ("experiments.a", "from tests import oracles"),
        ("experiments.a", "import notebooks.helpers"),
        ("benchmarks.a", "from tests import oracles"),
    ],
)
def test_sees_imports_against_the_arrows(module, source):
    assert len(violations(module, source)) == 1


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("ibjax.mi.binned", "from ibjax.mi._patterns import label_ranks\nimport jax.numpy as jnp"),
        ("ibjax.mi.binned", "from ibjax import numerics, types"),
        ("ibjax.training.loop", "from ibjax.datasets import random_split"),
        ("ibjax.plane", "from ibjax.analysis import PlaneRecord\nimport ibjax.training"),
        ("ibjax", "from ibjax.plots import draw_plane"),
        ("experiments.a", "import ibjax\nfrom experiments.lab import main"),
        ("experiments.a", "from experiments import lab"),
        ("benchmarks.a", "import experiments.a, ibjax\nfrom benchmarks.timing import best_of"),
    ],
)
def test_lets_the_arrows_pass(module, source):
    assert violations(module, source) == []


# Modules of analysis and plots that fewer than two experiments use, and who else wants them.
WANTED = {
    "ibjax.analysis.controls": "anyone who claims that training compresses",
    "ibjax.analysis.single_unit": "a truth to test estimators against",
    "ibjax.analysis.states": "anyone who bins a layer and asks which samples share a state",
    "ibjax.analysis.weights": "matching of units, to compare networks of different seeds",
    "ibjax.plots.levels": "any statistic against a factor",
    "ibjax.plots.snapshots": "films of any plane",
}


def experiments_that_use(module):
    """Names of the experiments that import it, or one of its names from ``ibjax.plots``."""
    package = module.rpartition(".")[0]
    names = {module}
    if package == "ibjax.plots":
        names |= {f"{package}.{n}" for n in importlib.import_module(module).__all__}
    users = set()
    for user, path in MODULES.items():
        imported = imported_names(path.read_text())
        if any(i == n or i.startswith(f"{n}.") for i in imported for n in names):
            users.add(user)
    return {user.split(".")[1] for user in users if user.startswith("experiments.")}


@pytest.mark.parametrize(
    "module",
    [m for m in LIBRARY if m.startswith(("ibjax.analysis.", "ibjax.plots."))],
)
def test_the_library_holds_what_two_questions_use(module):
    used_by = experiments_that_use(module)
    assert (len(used_by) < 2) == (module in WANTED), used_by


@pytest.mark.parametrize("module", LIBRARY)
def test_public_names_are_listed_and_exist(module):
    loaded = importlib.import_module(module)
    listed = loaded.__all__
    assert len(set(listed)) == len(listed)
    assert [name for name in listed if not hasattr(loaded, name)] == []


def test_estimators_in_files_without_an_underscore_are_public():
    """Users need not know the other files of ``ibjax.mi``."""
    stub = imported_names((ROOT / "ibjax/mi/__init__.pyi").read_text())
    files = {path.stem for path in (ROOT / "ibjax/mi").glob("*.py")}
    assert {name.split(".")[1] for name in stub} == {name for name in files if name[0] != "_"}


def test_importing_does_no_device_work_and_changes_no_configuration():
    script = f"""
        import importlib
        import jax

        before = dict(jax.config.values)
        for module in {LIBRARY}:
            importlib.import_module(module)
        after = dict(jax.config.values)
        assert before
        changed = {{name for name in after if after[name] != before.get(name, after[name])}}
        assert not changed, changed

        # Possible only as long as no backend has started.
        jax.config.update("jax_num_cpu_devices", 3)
        assert jax.device_count() == 3, jax.devices()
    """
    run_script(script)


@pytest.mark.parametrize(
    "statement", ["import ibjax", "import ibjax.mi", "from ibjax.mi import binned_mi"]
)
def test_estimators_load_no_library_that_they_do_not_use(statement):
    run_script(f"""
        import sys

        {statement}
        heavy = {{"flax", "matplotlib", "optax", "orbax", "pandas", "scipy", "xarray"}}
        assert not heavy & sys.modules.keys(), heavy & sys.modules.keys()
    """)


def run_script(script):
    """In a process of its own, with JAX's own settings."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("JAX_", "XLA_"))}
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script)],
        cwd=ROOT,
        env={**environment, "JAX_PLATFORMS": "cpu"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
