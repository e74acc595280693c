"""Hostile arguments: each is right, or refused by name with expected and got."""

import dataclasses
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from ibjax.datasets.splits import all_rows_split, num_training_samples
from ibjax.models import MLP
from ibjax.training import TrainConfig, fit, make_model
from ibjax.training.schedule import SCHEDULES, recorded_epochs
from ibjax.types import LabelledSamples
from tests.training.test_loop import CONFIG, DATA, all_of, keep_params, quick_fit
from tests.training.test_steps import assert_identical


@pytest.fixture(autouse=True)
def as_for_users(monkeypatch):
    """Whose arguments no type checker has seen."""
    monkeypatch.setattr("jaxtyping.config.jaxtyping_disable", True)


@pytest.fixture(scope="module")
def straight():
    return quick_fit(CONFIG, DATA, seeds=[0, 1])


NAN, INF = float("nan"), float("inf")
NO_NUMBERS = ["3", None, [3], (), {}, 1j, NAN, INF, True, np.bool_(True), object()]
NO_WHOLE_NUMBERS = [0, -1, 2.5, 1e3, np.float32(3), *NO_NUMBERS]
NO_FRACTIONS = [0, 1, 2, -0.5, *NO_NUMBERS]
# Short, for tables.
labelled = LabelledSamples

NO_FUNCTIONS = ["binned_mi", 3, [keep_params], np.ones(3), LabelledSamples]
NO_NAMES = ["", "TANH", 3, None, True, b"sgd", ["sgd"]]


def cases(**arguments):
    return [
        pytest.param(name, value, id=f"{name}-{type(value).__name__}-{i}")
        for name, values in arguments.items()
        for i, value in enumerate(values)
    ]


def without_none(values):
    return [value for value in values if value is not None]


@pytest.mark.parametrize(
    ("name", "value"),
    cases(
        widths=[3, "32", None, (), [], (3, 0), (3, 2.0), (3, "2"), np.ones((2, 2), int), {3, 2}, {3: 2}],
        activation=[3, None, ("tanh",), ("tanh",) * 3, (), ("tanh", 3), [["tanh"]], b"tanh", {"tanh"}],
        init=NO_NAMES,
        loss=NO_NAMES,
        optimizer=[*NO_NAMES, optax.sgd(0.1)],
        split=NO_NAMES,
        learning_rate=[0, -1, *NO_NUMBERS, optax.constant_schedule(0.1)],
        weight_decay=[-1e-9, *NO_NUMBERS],
        noise_variance=[-1e-9, *NO_NUMBERS],
        train_fraction=NO_FRACTIONS,
        num_epochs=NO_WHOLE_NUMBERS,
        batch_size=without_none(NO_WHOLE_NUMBERS),
        shuffle=[0, 1, "False", None, [True]],
    ),
)
def test_configs_refuse_by_name(name, value):
    given = {"widths": (4, 3, 2), "activation": ("tanh", "relu")} | {name: value}
    with pytest.raises(ValueError, match=f"^{name}s?: expected .* got "):
        TrainConfig(**given)


def test_configs_refuse_traced_numbers():
    for name in ("learning_rate", "weight_decay", "noise_variance", "train_fraction", "num_epochs"):
        with pytest.raises(ValueError, match=f"^{name}: expected .* got a traced value"):
            jax.jit(lambda x, name=name: TrainConfig(**{name: x}).num_epochs)(0.5)


def test_configs_hold_plain_values():
    plain = TrainConfig(
        widths=(300, 200, 2), activation=("tanh", "relu"), num_epochs=30000, batch_size=200,
        learning_rate=0.5, weight_decay=0.25, noise_variance=0.0, train_fraction=0.75, shuffle=False,
    )  # fmt: skip
    small = TrainConfig(
        widths=np.array([300, 200, 2], np.int16), activation=np.array(["tanh", "relu"]),
        num_epochs=np.int16(30000), batch_size=np.uint8(200), learning_rate=np.float16(0.5),
        weight_decay=jnp.float32(0.25), noise_variance=0, train_fraction=np.float32(0.75),
        shuffle=np.bool_(False),
    )  # fmt: skip
    assert small == plain
    assert hash(small) == hash(plain)
    for field in dataclasses.fields(TrainConfig):
        assert type(getattr(small, field.name)) is type(getattr(plain, field.name))
    assert {type(width) for width in small.widths} == {int}
    assert {type(name) for name in small.activation} == {str}
    assert TrainConfig(widths=[4, 2], activation=["tanh"]) == TrainConfig((4, 2), ("tanh",))


@pytest.mark.parametrize("fraction", NO_FRACTIONS[:4])
def test_a_fraction_is_ignored_where_all_rows_train(fraction):
    assert TrainConfig(split="all_rows", train_fraction=fraction).train_fraction == fraction


@pytest.mark.parametrize(
    ("name", "value"),
    cases(
        widths=[3, "32", None, (), (3, 0), (3, 2.0)],
        activations=["tanh", 3, None, (), ("tanh", 3)],
        kernel_init=NO_NAMES,
        noise_variance=[-1, "0.1", NAN],
    ),
)
def test_networks_refuse_by_name(name, value):
    given = {"widths": (3, 2), "activations": ("tanh",)} | {name: value}
    with pytest.raises(
        ValueError, match=r"^(widths|activations?|init|noise_variance): expected .* got "
    ):
        MLP(**given)


def test_networks_of_lists_are_networks():
    model = MLP([np.int8(3), 2], ["tanh"])
    assert model == MLP((3, 2), ("tanh",))
    assert hash(model) == hash(MLP((3, 2), ("tanh",)))


@pytest.mark.parametrize("x", [np.ones(3), np.full((2, 3), NAN), np.ones((2, 3), complex), "x", None])
def test_networks_refuse_other_inputs(x):
    model = MLP((3, 2), ("tanh",))
    params = model.init(jax.random.key(0), np.ones((1, 3)))
    with pytest.raises(ValueError, match=r"^x: expected .* got "):
        model.apply(params, x)


@pytest.mark.parametrize(
    ("name", "value"),
    cases(
        config=["tanh", None, {"widths": (3, 2)}, TrainConfig],
        seeds=[
            [], 3, "012", None, {0: 1}, {0, 1}, [0, 0], [0, -1], [0.0, 1.0], [True, False], [NAN],
            [2**31], [2**70], [[0, 1]], np.zeros((0,), int), (i for i in range(2)), ["0"], [None],
        ],
        record=[None, *NO_FUNCTIONS],
        optimizer=["sgd", 0.1, optax.sgd, (1, 2), keep_params],
        draw_labels=NO_FUNCTIONS,
        on_advance=NO_FUNCTIONS,
        schedule=[
            "every", "", None, 3, [0.5], [1.0], [NAN], ["1"], [[1, 2]], [True], [-1], [7], [2**70],
            {1: 2}, b"\x01", [None], np.ones((2, 2), int),
        ],
        lanes=without_none(NO_WHOLE_NUMBERS),
        seeds_per_batch=without_none(NO_WHOLE_NUMBERS),
        devices=[[], (), "cpu", 0, [0], ["cpu"], jax.devices()[0], [None], {}],
        purpose_seeds=[
            [1, 2], "init", {"weights": [0, 1]}, {"init": [0]}, {"init": 3}, {"init": [0.0, 1.0]},
            {"init": "01"}, {"init": [0, 2**31]}, {"init": [True, False]}, {"init": None}, {3: [0, 1]},
        ],
        checkpoint_dir=[3, True, ["a"], __file__],
        resume=["yes", 1, 0, None, "", "True", "anyversion"],
    ),
)  # fmt: skip
def test_fit_refuses_by_name(name, value):
    given = {"config": CONFIG, "data": DATA, "seeds": [0, 1], "record": keep_params} | {name: value}
    with pytest.raises(ValueError, match=rf"^{name}[^:]*: expected .*got "):
        fit(**given)


def test_an_unhashable_record_is_refused():
    class Record(dict):
        def __call__(self, params, data, split):
            return params

    with pytest.raises(ValueError, match=r"record: expected a hashable function, got \{\}"):
        fit(CONFIG, DATA, seeds=[0], record=Record())


X, Y = np.asarray(DATA.x), np.asarray(DATA.y)


class Torch:
    """As a tensor of another library, which NumPy can read."""

    def __init__(self, array):
        self.array = array

    def __array__(self, dtype=None, copy=None):
        return np.asarray(self.array, dtype)


def masked(array):
    return np.ma.masked_array(array, np.arange(array.size).reshape(array.shape) == 3)


@pytest.mark.parametrize(
    "data",
    [
        None, {"x": X, "y": Y}, (X, Y), [X, Y], X, "data", 3,
        labelled(None, Y), labelled(X, None), labelled("x", Y), labelled(X, "y"),
        labelled(X, Y.astype(str)),
        labelled(X * np.float64(1e300), Y), labelled(X + 1j, Y), labelled(X.astype(str), Y),
        labelled(masked(X), Y),
        labelled(X, masked(Y)), labelled(X.astype("M8[s]"), Y), labelled(X, Y + 0.5),
        labelled(X, Y + 1j),
        labelled(X, Y + np.int64(2**32)), labelled(X, Y.astype(np.uint64) + 2**63), labelled(X, Y - 1),
        labelled(X[:, :0], Y), labelled(X[:0], Y[:0]), labelled(X[0, 0], Y), labelled(X, Y[0]),
        labelled([*X.tolist()[:-1], [1.0]], Y), labelled(X, Y[:-1]),
        labelled(X * NAN, Y),
        labelled(1e9 + np.asarray(X, np.float64) * 1e-3, Y),
        labelled(np.full(X.shape, None), Y),
    ],
)  # fmt: skip
def test_fit_refuses_other_data(data):
    with pytest.raises(ValueError, match=r"^(data|x|y|x and y|batch_size): expected .*got "):
        quick_fit(CONFIG, data, seeds=[0, 1])


@pytest.mark.parametrize(
    "data",
    [
        LabelledSamples(X.astype(">f4"), Y.astype(">i8")),
        LabelledSamples(X.astype(np.float64), Y.astype(np.uint64)),
        LabelledSamples(X.astype(np.longdouble), Y.astype(bool)),
        LabelledSamples(np.asfortranarray(X), np.repeat(Y, 2)[::2]),
        LabelledSamples(X.tolist(), Y.tolist()),
        LabelledSamples(Torch(X), Torch(Y)),
        LabelledSamples(np.ma.masked_array(X), np.ma.masked_array(Y)),
        LabelledSamples(jnp.asarray(X), jnp.asarray(Y, jnp.int8)),
    ],
)
def test_fit_takes_arrays_of_all_kinds(straight, data):
    assert_identical(all_of(quick_fit(CONFIG, data, seeds=[0, 1])), all_of(straight))


@pytest.mark.parametrize("dtype", [np.float16, jnp.bfloat16, np.int8, np.uint16, ">i4", bool])
def test_fit_takes_numbers_of_all_kinds(dtype):
    x = np.abs(np.round(4 * X)).astype(dtype)
    got, expected = (
        quick_fit(CONFIG, LabelledSamples(x, Y), seeds=[0, 1]) for x in (x, x.astype(np.float32))
    )
    assert_identical(all_of(got), all_of(expected))


def test_fit_takes_frames_of_pandas(straight):
    pandas = pytest.importorskip("pandas")
    labels = pandas.Series(Y).map({0: "no", 1: "yes"}).astype("category")
    for y in (pandas.Series(Y, dtype="Int64"), labels):
        got = quick_fit(CONFIG, LabelledSamples(pandas.DataFrame(X), y), seeds=[0, 1])
        assert_identical(all_of(got), all_of(straight))
    missing = pandas.Series([None, *Y[1:].tolist()], dtype="Int64")
    with pytest.raises(ValueError, match=r"^y: expected .* got "):
        quick_fit(CONFIG, LabelledSamples(pandas.DataFrame(X), missing), seeds=[0, 1])


@pytest.mark.parametrize(
    "seeds", [(0, 1), range(2), np.array([0, 1], np.uint8), np.array([0, 1], ">i8"), jnp.arange(2)]
)
def test_fit_takes_seeds_of_all_kinds(straight, seeds):
    history = quick_fit(CONFIG, DATA, seeds=seeds, purpose_seeds={"init": np.arange(2, dtype=np.int8)})
    assert_identical(all_of(history), all_of(straight))
    assert history.seeds.dtype == np.int64


def test_fit_takes_small_integers_everywhere(straight):
    config = dataclasses.replace(
        CONFIG, widths=np.int8([4, 2]), num_epochs=np.uint8(6), batch_size=np.int8(12)
    )
    history = quick_fit(
        config, DATA, seeds=[0, 1], lanes=np.int8(2), seeds_per_batch=np.uint8(1),
        schedule=np.array([3, 1, 1], np.int8),
    )  # fmt: skip
    assert_identical(all_of(history), all_of(straight))


@pytest.mark.parametrize("name", SCHEDULES)
def test_schedules_of_small_integers_are_those_of_ints(name):
    for count in (np.int8(120), np.int16(30000), np.uint8(200)):
        np.testing.assert_array_equal(recorded_epochs(name, count), recorded_epochs(name, int(count)))


@pytest.mark.parametrize("fraction", ["0.8", None, NAN, [0.8]])
def test_splits_refuse_other_fractions(fraction):
    with pytest.raises(ValueError, match=r"^train_fraction: expected .*got "):
        num_training_samples(50, fraction)


@pytest.mark.parametrize("count", NO_WHOLE_NUMBERS)
def test_splits_refuse_other_counts(count):
    for split in (all_rows_split, lambda n: num_training_samples(n, 0.8)):
        with pytest.raises(ValueError, match=r"^num_samples: expected .*got "):
            split(count)


def test_splits_of_small_integers():
    assert num_training_samples(np.int8(100), np.float32(0.8)) == 80
    assert num_training_samples(np.uint16(60000), 0.8) == 48000


DRAWN_LABELS = [
    (lambda key: jnp.zeros(50), "expected integer class labels, got dtype float32"),
    (lambda key: jnp.full(50, NAN), "expected integer class labels, got dtype float32"),
    (lambda key: jnp.zeros(49, int), r"expected one label .*shape \(50,\), got \(49,\)"),
    (lambda key: jnp.zeros((50, 1), int), r"expected one label .*shape \(50,\), got \(50, 1\)"),
    (lambda key: 0, r"expected one label .*shape \(50,\), got "),
    (lambda key: (jnp.zeros(50, int),), r"expected one label .*shape \(50,\), got "),
    (lambda key: jnp.full(50, 7), "expected labels from 0 to 1, .* 2 outputs .* got 7 to 7"),
    (lambda key: jnp.full(50, -1), "expected labels from 0 to 1, .* got -1 to -1"),
    (lambda key: jnp.full(50, 2**31, jnp.uint32), "expected labels from 0 to 1, .* got 2147483648 to"),
    # Of one seed of several only.
    (
        lambda key: jnp.where(jax.random.uniform(key) < 0.3, 2, jnp.zeros(50, int)),
        "expected labels .* got 0 to 2",
    ),
]


@pytest.mark.parametrize(("draw", "message"), DRAWN_LABELS)
def test_drawn_labels_are_checked(tmp_path, draw, message):
    with pytest.raises(ValueError, match=f"^draw_labels: {message}"):
        quick_fit(
            CONFIG, DATA, seeds=range(12), draw_labels=draw, checkpoint_dir=tmp_path / "run",
            on_advance=lambda advance: pytest.fail("trained"),
        )  # fmt: skip
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("dtype", [bool, np.int8, np.uint32])
def test_drawn_labels_of_all_kinds(dtype):
    def draw(key):
        return jax.random.bernoulli(key, 0.5, (50,))

    got, expected = (
        quick_fit(CONFIG, DATA, seeds=[0, 1], draw_labels=lambda key, d=d: draw(key).astype(d))
        for d in (dtype, np.int32)
    )
    assert_identical(all_of(got), all_of(expected))


def test_drawn_labels_are_for_classes():
    numbers = dataclasses.replace(CONFIG, loss="squared_error")
    data = LabelledSamples(X, np.zeros((50, 2)))
    with pytest.raises(ValueError, match='draw_labels: expected with the loss "cross_entropy"'):
        quick_fit(numbers, data, seeds=[0], draw_labels=lambda key: jnp.zeros(50, int))


class Other(NamedTuple):
    a: jax.Array
    b: jax.Array


@pytest.mark.parametrize(
    "draw",
    [
        lambda key: (jnp.ones((50, 3)), jnp.zeros(50, int)),
        lambda key: {"x": jnp.ones((50, 3)), "y": jnp.zeros(50, int)},
        lambda key: Other(jnp.ones((50, 3)), jnp.zeros(50, int)),
        lambda key: LabelledSamples([[1.0], [2.0]], jnp.zeros(2, int)),
        lambda key: LabelledSamples(jnp.ones((50, 3), complex), jnp.zeros(50, int)),
        lambda key: LabelledSamples(jnp.ones((50, 3)), jnp.zeros(50)),
        lambda key: LabelledSamples(jnp.ones((50, 3)), jnp.zeros(49, int)),
        lambda key: LabelledSamples(jnp.full((50, 3), 2**24 + 1), jnp.zeros(50, int)),
        lambda key: LabelledSamples(jnp.ones((50, 3)), jnp.full(50, -1)),
        lambda key: LabelledSamples(jnp.full((50, 3), NAN), jnp.zeros(50, int)),
        lambda key: LabelledSamples(jnp.ones((10, 3)), jnp.zeros(10, int)),
    ],
)
def test_drawn_data_are_checked(draw):
    with pytest.raises(ValueError, match=r"^(data|x|y|x and y|batch_size): expected .*got "):
        quick_fit(CONFIG, draw, seeds=[0, 1])


@pytest.mark.slow
def test_drawn_integers_train_as_floats():
    def draw(key, dtype):
        x = jax.random.randint(key, (50, 3), -3, 3)
        return LabelledSamples(x.astype(dtype), (x[:, 0] > 0).astype(jnp.int8))

    got, expected = (
        quick_fit(CONFIG, lambda key, d=d: draw(key, d), seeds=[0, 1]) for d in (jnp.int32, jnp.float32)
    )
    assert_identical(all_of(got), all_of(expected))


def test_equal_models_of_configs_share_programs():
    assert make_model(TrainConfig(widths=[4, 2])) == make_model(TrainConfig(widths=np.int16([4, 2])))
