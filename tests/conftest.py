"""Strict modes: two host devices, no silent rank promotion, shape annotations checked."""

from pathlib import Path

import jax
import matplotlib as mpl
import pytest
from jaxtyping import install_import_hook

jax.config.update("jax_num_cpu_devices", 2)
jax.config.update("jax_numpy_rank_promotion", "raise")
mpl.use("Agg")

# From here on every import of ibjax checks its jaxtyping annotations.
install_import_hook("ibjax", "beartype.beartype")


@pytest.fixture
def full_products():
    """A test's own networks multiply in full float32, as ibjax's do: accelerators would not."""
    with jax.default_matmul_precision("float32"):
        yield


@pytest.fixture
def as_users(monkeypatch):
    """Calls as users make them, whose arguments no type checker has seen."""
    monkeypatch.setattr("jaxtyping.config.jaxtyping_disable", True)


@pytest.fixture(scope="session")
def reference_data() -> Path:
    """A folder next to the checkout that holds the original files; tests of them skip without it."""
    found = sorted(Path(__file__).parents[2].glob("*/data/var_u.mat"))
    if not found:
        pytest.skip("no data/var_u.mat in a folder next to the checkout")
    return found[0].parent
