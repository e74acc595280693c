import dataclasses
import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ibjax.analysis.records import JointRecord, PlaneRecord, PlanesRecord
from ibjax.mi import binned_mi
from ibjax.models import MLP
from ibjax.types import LabelledSamples, Record, Split, Variable
from tests.marks import slow

NUM_SAMPLES, NUM_TRAIN = 60, 45
MODEL = MLP((5, 4, 3), ("tanh", "relu"))
NAMES = {"ixt", "ity", "num_varying", "train_loss", "test_loss", "train_accuracy", "test_accuracy"}

by_width = functools.partial(binned_mi, bin_width=0.25)


@pytest.fixture(scope="module")
def params():
    params = MODEL.init(jax.random.key(0), jnp.zeros((1, 6)))
    return jax.tree.map(lambda p: 2 * p, params)


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(0)
    x = rng.integers(0, 2, size=(NUM_SAMPLES, 6))
    return LabelledSamples(jnp.asarray(x, jnp.float32), jnp.asarray(rng.integers(0, 3, NUM_SAMPLES)))


@pytest.fixture(scope="module")
def split():
    rows = jnp.asarray(np.random.default_rng(1).permutation(NUM_SAMPLES))
    return Split(rows[:NUM_TRAIN], rows[NUM_TRAIN:])


def numpy_network(params, x):
    """Hidden activations and probabilities."""
    layers = [jax.tree.map(np.asarray, params["params"][f"layer_{i}"]) for i in (1, 2, 3)]
    first = np.tanh(x @ layers[0]["kernel"] + layers[0]["bias"])
    second = np.maximum(first @ layers[1]["kernel"] + layers[1]["bias"], 0)
    e = np.exp(second @ layers[2]["kernel"] + layers[2]["bias"])
    return first, second, e / e.sum(axis=1, keepdims=True)


def test_losses_and_accuracies_equal_numpy_on_their_own_rows(params, data, split):
    got = jax.jit(PlaneRecord(MODEL, binned_mi))(params, data, split)
    assert set(got) == NAMES
    x, y = map(np.asarray, data)
    p = numpy_network(params, x)[-1]
    losses = -np.log(p[np.arange(NUM_SAMPLES), y])
    correct = p.argmax(axis=1) == y
    for part, rows in (("train", split.train), ("test", split.test)):
        rows = np.asarray(rows)
        assert got[f"{part}_loss"] == pytest.approx(losses[rows].mean(), rel=1e-5)
        assert got[f"{part}_accuracy"] == pytest.approx(correct[rows].mean(), abs=1e-6)
    # The parts differ here, so that one taken for the other is seen.
    assert abs(got["train_loss"] - got["test_loss"]) > 1e-2
    assert abs(got["train_accuracy"] - got["test_accuracy"]) > 1e-2


@pytest.mark.slow
def test_losses_are_in_nats(data, split):
    params = MODEL.init(jax.random.key(0), jnp.zeros((1, 6)))
    got = jax.jit(PlaneRecord(MODEL, binned_mi))(jax.tree.map(jnp.zeros_like, params), data, split)
    assert got["train_loss"] == pytest.approx(np.log(3), rel=1e-6)
    assert got["test_loss"] == pytest.approx(np.log(3), rel=1e-6)


@pytest.mark.parametrize("rows", [slow("all"), slow("train"), "test"])
@pytest.mark.parametrize("estimator", [slow(binned_mi, id="bins"), pytest.param(by_width, id="width")])
def test_information_is_the_estimators_of_each_layers_activations(params, data, split, rows, estimator):
    got = jax.jit(PlaneRecord(MODEL, estimator, rows=rows))(params, data, split)
    chosen = slice(None) if rows == "all" else np.asarray(getattr(split, rows))
    logits, hidden = MODEL.apply(params, data.x)
    layers = [*hidden, jax.nn.softmax(logits)]
    assert got["ixt"].shape == got["ity"].shape == (3,)
    for layer, t in enumerate(layers):
        expected = estimator(np.asarray(t)[chosen], np.asarray(data.y)[chosen])
        assert float(got["ixt"][layer]) == float(expected.ixt)
        assert float(got["ity"][layer]) == float(expected.ity)
    # The last layer is the softmax's probabilities.
    np.testing.assert_allclose(layers[-1], numpy_network(params, np.asarray(data.x))[-1], atol=1e-6)


@pytest.mark.slow
def test_information_of_other_rows_is_another(params, data, split):
    values = [
        np.asarray(jax.jit(PlaneRecord(MODEL, binned_mi, rows=rows))(params, data, split)["ixt"])
        for rows in ("all", "train", "test")
    ]
    assert (values[0] != values[1]).any()
    assert (values[1] != values[2]).any()


@pytest.mark.slow
def test_noise_of_training_is_not_measured(params, data, split):
    noisy = MLP(MODEL.widths, MODEL.activations, noise_variance=0.5)
    quiet = jax.jit(PlaneRecord(MODEL, binned_mi))(params, data, split)
    for name, value in jax.jit(PlaneRecord(noisy, binned_mi))(params, data, split).items():
        np.testing.assert_array_equal(value, quiet[name])


@pytest.mark.slow
def test_a_network_that_is_not_finite_has_nan_everywhere(params, data, split):
    broken = jax.tree.map(lambda p: jnp.full_like(p, jnp.nan), params)
    record = jax.jit(PlaneRecord(MODEL, binned_mi))
    assert all(np.isfinite(v).all() for v in record(params, data, split).values())
    got = record(broken, data, split)
    assert got.pop("num_varying").tolist() == [5, 4, 3]  # none is known to be constant
    for name, value in got.items():
        assert np.isnan(value).all(), name


@pytest.mark.slow
@pytest.mark.parametrize("rows", ["all", slow("test")])
def test_units_that_vary_are_counted_over_the_samples_measured(data, split, rows):
    params = jax.tree.map(jnp.zeros_like, MODEL.init(jax.random.key(0), data.x))
    first, second = (params["params"][f"layer_{i}"] for i in (1, 2))
    # One unit of the first layer varies; another only with an input that is on in training alone.
    x = data.x.at[:, 5].set(0.0).at[split.train[0], 5].set(1.0)
    first["kernel"] = first["kernel"].at[0, 1].set(1e-3).at[5, 2].set(1.0)
    first["bias"] = first["bias"] + 0.5
    second["bias"] = second["bias"] - 1.0  # relu units that are never on
    got = jax.jit(PlaneRecord(MODEL, by_width, rows=rows))(params, data._replace(x=x), split)
    assert got["num_varying"].dtype == jnp.int32
    assert got["num_varying"].tolist() == [2 if rows == "all" else 1, 0, 0]
    # The first of the two varies within one bin, and one sample in 60 is in a bin of its own.
    p = np.array([1 / 60, 59 / 60])
    assert got["ixt"][0] == pytest.approx(-(p * np.log2(p)).sum() if rows == "all" else 0.0)


def test_records_of_equal_settings_are_equal():
    record = PlaneRecord(MODEL, by_width, rows="train")
    again = PlaneRecord(MLP((5, 4, 3), ("tanh", "relu")), functools.partial(binned_mi, bin_width=0.25),
                        rows="train")  # fmt: skip
    assert record == again
    assert hash(record) == hash(again)
    assert PlaneRecord(MODEL, by_width, rows="test") != record
    assert PlaneRecord(MODEL, binned_mi, rows="train") != record
    assert PlaneRecord(MLP((5, 4, 3), ("tanh", "tanh")), by_width, rows="train") != record
    assert str(record) == "binned_mi(bin_width=0.25)"


def test_a_setting_can_be_replaced():
    planes = PlanesRecord(MODEL, {"bins": binned_mi, "width": by_width})
    replaced = dataclasses.replace(planes, rows="test")
    assert replaced == PlanesRecord(MODEL, {"bins": binned_mi, "width": by_width}, rows="test")
    assert dataclasses.replace(PlaneRecord(MODEL, by_width), rows="test").rows == "test"


@pytest.mark.slow
def test_equal_records_share_a_program(params, data, split):
    traces = []

    def counted(t, y, *, bin_width):
        traces.append(bin_width)
        return binned_mi(t, y, bin_width=bin_width)

    measure = jax.jit(lambda record: record(params, data, split), static_argnames="record")
    for _ in range(2):
        measure(PlaneRecord(MODEL, functools.partial(counted, bin_width=0.25)))
    assert traces == [0.25] * 3  # once for each layer


def test_a_record_declares_what_it_measures(params, data, split):
    planes = PlanesRecord(MODEL, {"bins": binned_mi, "width": by_width})
    settings = PlanesRecord(MODEL, {"width": in_two_widths}, settings=("fine", "coarse"), factor="bins")
    for record in (PlaneRecord(MODEL, binned_mi), planes, settings, JointRecord([planes, FirstBias()])):
        measured = jax.eval_shape(record, params, data, split)
        assert measured.keys() == record.variables.keys()
        for name, variable in record.variables.items():
            assert measured[name].ndim == len(variable.dims)
            assert variable.units in ("bits", "nats", "1")
    assert planes.coords == {"estimator": ("bins", "width")}
    assert settings.coords == {"bins": ("width",), "setting": ("fine", "coarse")}
    assert settings.variables["ixt"].dims == ("bins", "setting", "layer")
    assert str(planes) == "bins: binned_mi; width: binned_mi(bin_width=0.25)"


def test_unknown_rows_are_refused():
    with pytest.raises(ValueError, match="rows: expected one of all, test, train; got 'validation'"):
        PlaneRecord(MODEL, binned_mi, rows="validation")


def in_two_widths(t, y):
    mi = [binned_mi(t, y, bin_width=width) for width in (0.25, 0.5)]
    return jax.tree.map(lambda *bits: jnp.stack(bits), *mi)


@pytest.mark.slow
def test_several_estimators_see_what_each_sees_alone(params, data, split):
    record = PlanesRecord(MODEL, {"bins": binned_mi, "width": by_width}, rows="test")
    got = record(params, data, split)
    for i, estimator in enumerate((binned_mi, by_width)):
        alone = jax.jit(PlaneRecord(MODEL, estimator, rows="test"))(params, data, split)
        for name, value in alone.items():
            np.testing.assert_array_equal(got[name][i] if name in ("ixt", "ity") else got[name], value)


@pytest.mark.slow
def test_settings_lie_between_estimators_and_layers(params, data, split):
    record = PlanesRecord(MODEL, {"width": in_two_widths}, settings=("fine", "coarse"))
    got = record(params, data, split)
    assert got["ixt"].shape == got["ity"].shape == (1, 2, 3)
    alone = jax.jit(PlaneRecord(MODEL, by_width))(params, data, split)
    for name in ("ixt", "ity"):
        np.testing.assert_array_equal(got[name][0, 0], alone[name])


@pytest.mark.slow
def test_one_output_is_a_sigmoid_unit(data, split):
    """The same as two outputs of which the first is 0."""
    one, two = MLP((4, 1), ("tanh",)), MLP((4, 2), ("tanh",))
    params = one.init(jax.random.key(1), jnp.zeros((1, 6)))
    layers = params["params"]
    padded = jax.tree.map(lambda p: jnp.concatenate([jnp.zeros_like(p), p], -1), layers["layer_2"])
    binary = LabelledSamples(data.x, (data.y > 0).astype(jnp.int32))
    got = jax.jit(PlaneRecord(one, by_width))(params, binary, split)
    of_two = {"params": {"layer_1": layers["layer_1"], "layer_2": padded}}
    expected = jax.jit(PlaneRecord(two, by_width))(of_two, binary, split)
    for name in NAMES - {"ixt", "ity", "num_varying"}:
        assert got[name] == pytest.approx(float(expected[name]), abs=1e-6), name
    h = np.tanh(np.asarray(data.x) @ layers["layer_1"]["kernel"])
    unit = 1 / (1 + np.exp(-(h @ layers["layer_2"]["kernel"])))  # biases are 0
    np.testing.assert_allclose(got["ixt"][1], by_width(jnp.asarray(unit), binary.y).ixt, atol=1e-6)


@pytest.mark.slow
def test_each_layer_may_have_an_estimator_of_its_own(params, data, split):
    widths = (0.1, 0.25, 0.5)
    own = tuple(functools.partial(binned_mi, bin_width=w) for w in widths)
    got = jax.jit(PlaneRecord(MODEL, own, rows="train"))(params, data, split)
    for i, estimator in enumerate(own):
        alone = jax.jit(PlaneRecord(MODEL, estimator, rows="train"))(params, data, split)
        assert got["ixt"][i] == alone["ixt"][i]
    both = jax.jit(PlanesRecord(MODEL, {"own": own, "width": by_width}, rows="train"))(
        params, data, split
    )
    np.testing.assert_array_equal(both["ixt"][0], got["ixt"])
    assert PlaneRecord(MODEL, own) == PlaneRecord(MODEL, list(own))


def test_an_estimator_for_each_layer_and_no_more():
    with pytest.raises(ValueError, match="one for each of the 3 layers, got 2"):
        PlaneRecord(MODEL, (binned_mi, binned_mi))


@dataclasses.dataclass(frozen=True)
class FirstBias(Record):
    def __call__(self, params, data, split):
        return {"bias": params["params"]["layer_1"]["bias"]}

    @property
    def variables(self):
        return {"bias": Variable(("unit",), "1", "bias")}


@pytest.mark.slow
def test_a_joint_record_measures_what_its_parts_measure(params, data, split):
    plane = PlaneRecord(MODEL, by_width, rows="train")
    joint = JointRecord([plane, FirstBias()])
    got, expected = joint(params, data, split), plane(params, data, split)
    assert got.keys() == {*expected, "bias"}
    np.testing.assert_array_equal(got["ixt"], expected["ixt"])
    np.testing.assert_array_equal(got["bias"], params["params"]["layer_1"]["bias"])
    assert joint == JointRecord((plane, FirstBias()))
    assert joint.rows == "train"


@pytest.mark.usefixtures("as_users")
def test_a_joint_record_is_of_records():
    def refused(records: Any, message):
        with pytest.raises(ValueError, match=message):
            JointRecord(records)

    refused([], "records: expected a sequence of records, got none")
    refused([PlaneRecord(MODEL, by_width), "plane"], "expected a function of params, data and split")
    refused([lambda params, data, split: {}], "expected records that declare their variables")


@pytest.mark.usefixtures("as_users")
def test_several_estimators_have_names():
    wrong: Any
    for wrong in ({}, [binned_mi], binned_mi):
        with pytest.raises(ValueError, match="estimators: expected one or more estimators by name"):
            PlanesRecord(MODEL, wrong)


@pytest.mark.slow
def test_validation_rows_are_the_last_training_rows(params, data, split):
    plain = PlaneRecord(MODEL, by_width, rows="train")
    held = dataclasses.replace(plain, validation_fraction=0.25)
    measured = held(params, data, split)
    assert measured.keys() == held.variables.keys()
    assert measured.keys() - plain.variables.keys() == {"validation_loss", "validation_accuracy"}
    count = int(len(split.train) * 0.75)
    parts = Split(split.train[:count], split.train[count:])
    by_hand = plain(params, data, parts)
    for quantity in ("loss", "accuracy"):
        assert measured[f"train_{quantity}"] == by_hand[f"train_{quantity}"]
        assert measured[f"validation_{quantity}"] == by_hand[f"test_{quantity}"]
        assert measured[f"test_{quantity}"] == plain(params, data, split)[f"test_{quantity}"]
    np.testing.assert_array_equal(measured["ixt"], plain(params, data, split)["ixt"])
    planes = PlanesRecord(MODEL, {"width": by_width}, rows="train", validation_fraction=0.25)
    assert planes(params, data, split)["validation_loss"] == measured["validation_loss"]
    with pytest.raises(ValueError, match="validation_fraction: expected"):
        PlaneRecord(MODEL, by_width, validation_fraction=1.0)
