"""Tables: how they are built and saved, and what they may say."""

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from experiments.lab import (
    Table,
    interval_cells,
    interval_text,
    layer_rows,
    seeds_table,
    table_of,
    table_of_rows,
)
from experiments.lab.tables import with_caution
from ibjax.analysis.intervals import Interval
from tests.made import results_of

FOUND = table_of_rows(
    "found", [{"layer": 1, "low": 0.5}], ["low: of the 95% interval", "It compresses."]
)


def test_nothing_follows_from_a_smoke_run():
    said = with_caution(FOUND, 4, smoke=True).sentences
    assert said == [
        "low: of the 95% interval",
        "A smoke run, of 4 networks and few epochs, shows that everything works; "
        "nothing follows from its numbers.",
    ]
    assert (
        "A smoke run shows that everything works" in with_caution(FOUND, None, smoke=True).sentences[1]
    )


def test_few_seeds_are_said_where_there_are_intervals_or_a_verdict():
    few = "With 9 networks per arm, fewer than 10, these intervals say little."
    assert with_caution(FOUND, 9, smoke=False).sentences == [*FOUND.sentences, few]
    for num_seeds in (10, None):
        assert with_caution(FOUND, num_seeds, smoke=False) is FOUND
    counts = table_of_rows("seeds", [{"layer": 1, "dead": 0}], ["dead: constant"])
    assert with_caution(counts, 9, smoke=False) is counts


def test_a_column_has_a_name_of_its_own():
    frame = pd.DataFrame([[1, 2, 3, 4]], columns=["gain", "low", "loss", "low"])
    with pytest.raises(ValueError, match="expected a name for each column, got low twice"):
        Table("found", frame)


def test_rows_have_the_same_columns_in_the_order_of_the_first():
    table = table_of_rows("found", [{"a": 1, "b": 2}, {"b": 4, "a": 3}])
    assert table.frame.to_numpy().tolist() == [[1, 2], [3, 4]]
    with pytest.raises(ValueError, match="rows: expected columns a, b, got a, c"):
        table_of_rows("found", [{"a": 1, "b": 2}, {"a": 3, "c": 4}])
    with pytest.raises(ValueError, match="rows: expected columns b, got a"):
        table_of_rows("found", [{"a": 1}], columns=["b"])


def test_a_table_without_rows_has_its_columns(tmp_path):
    numbers, _ = table_of_rows("none", [], columns=["layer", "bits"]).save(tmp_path)
    assert numbers.read_text() == "layer,bits\n"


def test_whole_numbers_stay_whole_beside_unknown_ones_and_words(tmp_path):
    rows = [{"seeds": 3, "gain": np.nan}, {"seeds": "-", "gain": 1.5}, {"seeds": np.int64(4), "gain": 2}]
    table = table_of_rows("found", rows)
    assert str(table) == "found\nseeds   gain\n    3    nan\n    -  1.500\n    4      2"
    numbers, text = table.save(tmp_path)
    assert numbers.read_text() == "seeds,gain\n3,nan\n-,1.5\n4,2\n"
    assert text.read_text() == f"{table}\n"


def test_intervals_are_cells_by_name_and_words():
    interval = Interval(np.float32(1), 0.5, 2.25, 50)
    assert interval_cells("gain", interval) == {"gain": 1.0, "gain_low": 0.5, "gain_high": 2.25}
    assert {type(cell) for cell in interval_cells("gain", interval).values()} == {float}
    assert interval_text(interval) == "1.00 (0.50 to 2.25)"


def test_layers_are_rows_that_begin_with_their_arm():
    values = {"gain": ("layer", [0.5, 1.5]), "num_seeds": ("layer", [7, 8])}
    rows = layer_rows(xr.Dataset(values, {"layer": [1, 2]}), activation="tanh")
    assert rows == [
        {"activation": "tanh", "layer": 1, "gain": 0.5, "num_seeds": 7},
        {"activation": "tanh", "layer": 2, "gain": 1.5, "num_seeds": 8},
    ]
    assert [*rows[0]] == ["activation", "layer", "gain", "num_seeds"]


def test_a_dataset_is_a_table_by_its_dims_in_the_order_of_the_first_variable():
    data = xr.Dataset(
        {"gain": (("layer", "arm"), [[1.0, 2.0], [3.0, 4.0]]), "loss": (("arm", "layer"), np.eye(2))},
        {"arm": ["a", "b"], "layer": [1, 2], "width": ("layer", [5, 6])},
    )
    frame = table_of("found", data, ["It follows."]).frame
    assert frame.columns.tolist() == ["layer", "arm", "width", "gain", "loss"]
    assert frame.to_numpy().tolist() == [
        [1, "a", 5, 1.0, 1.0],
        [1, "b", 5, 2.0, 0.0],
        [2, "a", 6, 3.0, 0.0],
        [2, "b", 6, 4.0, 1.0],
    ]


def test_seeds_that_diverge_or_die_are_counted_by_arm_and_padding_is_no_layer():
    num_varying = np.ones((2, 3, 2, 3))
    num_varying[0, 1, -1, 0] = 0  # dead
    num_varying[0, :, :, 2] = np.nan  # the shallower arm's padding
    accuracy = np.stack([np.full((3, 2), 0.9), np.full((3, 2), 0.8)])
    accuracy[1, 0] = np.nan
    diverged = np.array([[0, 0, 0], [1, 0, 0]], bool)
    values = {"num_varying": num_varying, "diverged": diverged, "test_accuracy": accuracy}
    results = results_of(values, {"depth": ["1", "2"]}, epochs=[0, 5])
    results = results.assign_coords(num_layers=("depth", [2, 3]))
    table = seeds_table(results, ["test_accuracy"])
    assert table.name == "seeds"
    assert table.frame.columns.tolist() == ["depth", "seeds", "diverged", "dead", "test_accuracy"]
    assert table.frame.to_numpy().tolist() == [
        ["1", 3, 0, 1, pytest.approx(0.9)],
        ["2", 3, 1, 0, pytest.approx(0.8)],
    ]
