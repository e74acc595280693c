"""Tables, and what they may say."""

import pytest

from experiments.lab import Table
from experiments.lab.tables import with_caution

FOUND = Table("found", ["layer", "low"], [[1, 0.5]], ["low: of the 95% interval", "It compresses."])


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
    assert with_caution(FOUND, 10, smoke=False) == FOUND
    assert with_caution(FOUND, None, smoke=False) == FOUND
    counts = Table("seeds", ["layer", "dead"], [[1, 0]], ["dead: constant"])
    assert with_caution(counts, 9, smoke=False) == counts


def test_a_column_has_a_name_of_its_own():
    with pytest.raises(ValueError, match="expected a name for each column, got low twice"):
        Table("found", ["gain", "low", "loss", "low"], [[1, 2, 3, 4]])
