"""The tests' own networks multiply in full float32, as training does: accelerators would not."""

import jax
import pytest


@pytest.fixture(autouse=True)
def full_products():
    with jax.default_matmul_precision("float32"):
        yield
