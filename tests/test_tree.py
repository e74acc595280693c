"""Tests lie where their modules lie: the file to look in follows from the module's name."""

from pathlib import Path

import pytest

TESTS = Path(__file__).parent
ROOT = TESTS.parent

# Folders of tests, and those of their modules.
PACKAGES = ("analysis", "bottleneck", "datasets", "mi", "plots", "training")
FOLDERS = {name: f"ibjax/{name}" for name in PACKAGES} | {"experiments/lab": "experiments/lab"}

# Test files without a module of their name, and why.
OF_SEVERAL_MODULES = {
    "mi/test_binned_calls.py": "more of test_binned.py: jit, vmap, refusals",
    "mi/test_binned_values.py": "more of test_binned.py: layers whose information is known",
    "mi/test_contract.py": "what every estimator of a layer does",
    "mi/test_contract_variables.py": "what every estimator of two variables does",
    "mi/test_precision.py": "offsets and scales, of all estimators",
    "mi/test_settings.py": "the user's settings of JAX, of all estimators",
    "plots/test_facets.py": "all figures, of any dims",
    "training/test_compilation.py": "what is compiled, how often, and for which platforms",
    "training/test_epoch_order.py": "more of test_steps.py: the order of samples",
    "training/test_purposes.py": "seeds by purpose, through config and loop",
    "training/test_resume.py": "what a run resumes from, through checkpoint, fingerprint and loop",
    "training/test_settings.py": "the user's settings of JAX, of all training",
    "experiments/lab/test_runs.py": "real runs, killed and stopped, through all of lab",
}


def without_module(tests: Path, modules: Path) -> list[str]:
    """Names of the test files of a folder that belong to no module of the other."""
    names = {path.stem.lstrip("_") for path in modules.iterdir() if path.suffix in ("", ".py")}
    return [path.name for path in sorted(tests.glob("test_*.py")) if path.stem[5:] not in names]


@pytest.mark.parametrize("folder", FOLDERS)
def test_every_test_file_has_its_module(folder):
    found = {f"{folder}/{name}" for name in without_module(TESTS / folder, ROOT / FOLDERS[folder])}
    expected = {path for path in OF_SEVERAL_MODULES if path.rpartition("/")[0] == folder}
    assert found == expected, "expected a module of that name, or a reason in OF_SEVERAL_MODULES"


def test_sees_test_files_without_a_module(tmp_path):
    tests, modules = tmp_path / "tests", tmp_path / "modules"
    for path in (tests, modules, modules / "of_parts"):
        path.mkdir()
    for name in ("kde", "of_parts", "open", "private"):
        (tests / f"test_{name}.py").touch()
    for name in ("open", "_private"):
        (modules / f"{name}.py").touch()
    assert without_module(tests, modules) == ["test_kde.py"]
