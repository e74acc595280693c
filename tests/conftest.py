"""Strict modes: two host devices, no silent rank promotion, shape annotations checked."""

import ctypes
import gc
import sys
from pathlib import Path

import jax
import matplotlib as mpl
import matplotlib.pyplot as plt
import pytest
from jaxtyping import install_import_hook

jax.config.update("jax_num_cpu_devices", 2)
jax.config.update("jax_numpy_rank_promotion", "raise")
mpl.use("Agg")

# From here on every import of ibjax checks its jaxtyping annotations.
install_import_hook("ibjax", "beartype.beartype")


def give_memory_back() -> None:
    """Drop programs and figures, which would make workers grow by gigabytes."""
    plt.close("all")
    jax.clear_caches()
    gc.collect()
    if sys.platform == "linux" and hasattr(libc := ctypes.CDLL(None), "malloc_trim"):
        libc.malloc_trim(0)  # or what is free stays with the process


def pytest_collection_finish(session):
    give_memory_back()


@pytest.hookimpl(trylast=True)
def pytest_runtest_teardown(item, nextitem):
    if nextitem is None or nextitem.path != item.path:
        give_memory_back()


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
