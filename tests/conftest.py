"""Strict modes: two host devices, no silent rank promotion, shape annotations checked."""

import ctypes
import gc
import mmap
import os
import shutil
import sys
import tempfile
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

# A worker gives memory back after a test if it has more than this, and has grown by so much since.
MOST_MB, ROOM_MB = 1000, 100


def pytest_configure(config):
    config.pluginmanager.register(Memory())
    # A program without host callbacks is compiled once for a worker, after it has given memory back too,
    # and for the processes that its tests start. Workers do not share: files are not written at once.
    folder = tempfile.mkdtemp(prefix="programs-")
    os.environ["JAX_COMPILATION_CACHE_DIR"] = folder
    os.environ["JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS"] = "0"
    jax.config.update("jax_compilation_cache_dir", folder)
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0)
    config.add_cleanup(lambda: shutil.rmtree(folder, ignore_errors=True))


class Memory:
    """A plugin of its own, so that doctests outside this folder give memory back, too."""

    kept_mb = 0.0

    def pytest_collection_finish(self):
        give_memory_back()

    @pytest.hookimpl(trylast=True)
    def pytest_runtest_teardown(self):
        if resident_mb() > max(MOST_MB, self.kept_mb + ROOM_MB):
            give_memory_back()
            self.kept_mb = resident_mb()


def give_memory_back() -> None:
    """Drop programs and figures, which would make workers grow by gigabytes."""
    plt.close("all")
    jax.clear_caches()
    gc.collect()
    if sys.platform == "linux" and hasattr(libc := ctypes.CDLL(None), "malloc_trim"):
        libc.malloc_trim(0)  # or what is free stays with the process


def resident_mb() -> float:
    """Memory of this process; 0 where the system does not say."""
    statm = Path("/proc/self/statm")
    pages = int(statm.read_text().split()[1]) if statm.exists() else 0
    return pages * mmap.PAGESIZE / 2**20


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
