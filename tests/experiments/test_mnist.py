"""MNIST: the networks learn and are measured where they should be; everything is written and said."""

import numpy as np
import pytest

from experiments import mnist
from tests.datasets.idx_files import write_mnist
from tests.made import results_of


@pytest.fixture
def folder(tmp_path):
    write_mnist(tmp_path, {"train": 300, "test": 200})
    return tmp_path


def test_training_images_come_first_and_the_test_images_are_measured(folder):
    config = mnist.Config(data=folder)
    task = mnist.images(config)
    assert task.data.x.shape == (500, 784)
    assert task.split == {"split": "first_rows", "train_fraction": 0.6}
    assert config.rows == "test"
    test = mnist.mnist("test", folder=folder)
    np.testing.assert_array_equal(task.data.x[300:], test.x)
    np.testing.assert_array_equal(task.data.y[300:], test.y)


def test_the_test_images_alone_are_enough(folder):
    for path in folder.glob("train*"):
        path.unlink()
    config = mnist.Config(data=folder, train_split="test")
    task = mnist.images(config)
    assert task.data.x.shape == (200, 784)
    assert task.split == {"split": "random", "train_fraction": 0.8}
    assert config.rows == "all"
    with pytest.raises(ValueError, match=r"^folder: expected train-images-idx3"):
        mnist.images(mnist.Config(data=folder))


def test_epochs_by_option():
    assert mnist.Config().scale.epochs == 200
    assert mnist.Config(full=True).scale.epochs == 10_000
    assert mnist.Config(full=True, epochs=7).scale.epochs == 7
    assert mnist.Config(full=True, smoke=True).scale.epochs == 2


@pytest.fixture
def planes():
    """Layer 1 always at the ceiling of 10 bits; layer 2 of the tanh networks compresses by 2 in bins."""
    rng = np.random.default_rng(0)
    ixt = 6 + 0.01 * rng.normal(size=(2, 2, 5, 4, 3))
    ixt[..., 0] = 9.99
    ixt[0, 1, :, 1:3, 1] += 2
    factors = {"activation": ["tanh", "relu"], "estimator": ["kde", "bins"]}
    return results_of({"ixt": ixt, "ity": ixt / 4}, factors, num_samples=1024)


def test_the_table_says_what_compresses_and_what_cannot_be_seen(planes):
    table = mnist.compression_table(planes)
    assert len(table.frame) == 2 * 2 * 3
    (seen,) = table.frame[table.frame.compression_low > 0.05].itertuples(index=False)
    assert seen[:3] == ("tanh", "bins", 2)
    assert seen.compression == pytest.approx(2, abs=0.05)
    assert dict(zip(table.frame.layer, table.frame.at_ceiling, strict=True)) == {1: 1, 2: 0, 3: 0}
    blind = "; of layer 1, always at the ceiling, nothing follows."
    assert table.sentences[:2] == [
        f"tanh, kde: hidden layers that compress: none{blind}",
        f"tanh, bins: hidden layers that compress: 2 by {seen.compression:.2f} bits{blind}",
    ]


@pytest.mark.slow
@pytest.mark.parametrize("train_split", ["train", "test"])
def test_smoke_run_gives_every_plane(folder, train_split):
    config = mnist.Config(smoke=True, seeds=2, data=folder, train_split=train_split)
    results = mnist.run(config, folder=folder / "checkpoints")
    assert results.ixt.dims == ("activation", "estimator", "seed", "epoch", "layer")
    assert results.epoch.values.tolist() == [0, 1, 2]
    assert results.ixt.attrs["units"] == results.ity.attrs["units"] == "bits"
    assert results.attrs["num_samples"] == 200
    assert results.measured_on == {"train": "the test samples", "test": "all 200 inputs"}[train_split]
    assert results.trained_on == {"train": "300 train images", "test": "160 test images"}[train_split]
    assert not results.diverged.any()
    # No estimate exceeds what the images can tell.
    assert (results.ixt >= -1e-4).all()
    assert (results.ixt <= np.log2(200) + 1e-3).all()
    assert (results.ity <= np.log2(10) + 1e-3).all()
    figures, tables = mnist.report(results)
    assert set(figures) == {"information_plane.png", "compression.png"}
    assert [table.name for table in tables] == ["compression", "seeds"]


@pytest.mark.slow
def test_on_real_images_tanh_layers_lose_information_where_relu_layers_gain(reference_data, monkeypatch):
    """The claim, early in training: on 1500 of the test images, the networks as in the paper."""
    if not (folder := reference_data / "mnist").is_dir():
        pytest.skip("no MNIST in the folder of the original files")
    monkeypatch.setattr(mnist, "SMOKE_IMAGES", 1500)
    monkeypatch.setattr(mnist, "SMOKE", mnist.FULL)
    config = mnist.Config(smoke=True, seeds=2, epochs=60, train_split="test", data=folder)
    results = mnist.run(config)
    assert (results.test_accuracy.isel(epoch=-1) > 0.25).all()  # a tenth by chance
    change = (results.ixt.isel(epoch=-1) - results.ixt.max("epoch")).sel(estimator="kde", layer=[3, 4])
    assert (change.sel(activation="tanh") < -0.1).all()  # -0.25 to -0.5 bits in each seed
    rise = (results.ixt.isel(epoch=-1) - results.ixt.isel(epoch=0)).sel(layer=[3, 4])
    assert (rise.sel(activation="relu") > 0.5).all()  # by both estimators
