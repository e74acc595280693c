"""The entropy of Nemenman, Shafee and Bialek: published values and hard posteriors."""

import numpy as np
import pytest

from tests.mi.test_entropies import BITS, entropy_of, entropy_of_many, entropy_twin


def test_nsb_of_three_samples():
    assert entropy_of([2, 1], "nsb") == pytest.approx(0.8497, abs=5e-5)
    assert entropy_twin([2, 1], "nsb") == pytest.approx(0.8497, abs=5e-5)


@pytest.mark.slow
def test_nsb_as_published_by_another_library():
    """The two examples of ndd's README, whose integrals are accurate to 5e-6."""
    counts = [7, 3, 5, 8, 9, 1, 3, 3, 1, 0, 2, 5, 2, 11, 4, 23, 5, 0, 8, 0]
    assert entropy_of(counts, "nsb") / BITS == pytest.approx(2.623634344902917, abs=1e-6)
    counts = [4, 12, 4, 5, 3, 1, 5, 1, 2, 2, 2, 2, 11, 3, 4, 12, 12, 1, 2]
    assert entropy_of(counts, "nsb", 100) / BITS == pytest.approx(2.8060922529931225, abs=6e-6)


@pytest.mark.slow
@pytest.mark.parametrize(("K", "nats"), [(1e5, 11.4941029), (1e8, 12.0222213)])  # by 60-digit arithmetic
def test_nsb_of_samples_that_nearly_all_differ(K, nats):
    """10,000 samples, 500 pairs of which agree; the posterior's deviation is 0.014 and 0.046 nats."""
    counts = np.array([2] * 500 + [1] * 9000)
    assert entropy_of_many(counts, "nsb", K) / BITS == pytest.approx(nats, abs=1e-4)
