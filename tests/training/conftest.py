"""Training is compared with networks written in the tests."""

import pytest


@pytest.fixture(autouse=True)
def products_as_in_training(full_products):
    """The twins' products are as exact."""
