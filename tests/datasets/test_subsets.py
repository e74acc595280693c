"""Parts of a dataset against NumPy's masks."""

import numpy as np
import pytest

from ibjax.datasets import select_classes
from ibjax.types import LabelledSamples


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(0)
    return LabelledSamples(rng.normal(size=(300, 4)).astype(np.float32), rng.integers(0, 10, 300))


def test_the_first_of_each_class_in_their_order(data):
    chosen = select_classes(data, (8, 1, 3), 11)
    assert chosen.x.shape == (33, 4)
    assert chosen.y.dtype == np.int32
    for new, old in enumerate((8, 1, 3)):
        np.testing.assert_array_equal(chosen.x[chosen.y == new], data.x[data.y == old][:11])
    positions = [np.flatnonzero((data.x == row).all(axis=1))[0] for row in np.asarray(chosen.x)]
    assert positions == sorted(positions)


@pytest.mark.parametrize(
    ("classes", "per_class", "message"),
    [
        ((), 1, "classes: expected one or more"),
        ((1, 1), 1, "each once"),
        ((1,), 0, "per_class"),
        ((1, 11), 1, "the 0 samples of class 11, got 1"),
    ],
)
def test_bad_requests_are_refused(data, classes, per_class, message):
    with pytest.raises(ValueError, match=message):
        select_classes(data, classes, per_class)


@pytest.mark.parametrize("dtype", [np.int8, np.uint8, np.int32])
def test_sizes_of_any_whole_type_are_the_same(dtype):
    data = LabelledSamples(np.arange(6.0)[:, None], np.array([7, 5, 7, 9, 5, 7]))
    found = select_classes(data, np.array([5, 7], dtype), dtype(2))
    assert found.x[:, 0].tolist() == [0.0, 1.0, 2.0, 4.0]
    with pytest.raises(ValueError, match="classes: expected one or more labels, each once, got"):
        select_classes(data, [5, 5], 1)
