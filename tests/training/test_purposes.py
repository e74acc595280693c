"""Seeds for some purposes in place of the networks' own: what is shared, and what is refused."""

import jax
import pytest

from tests.training.test_loop import CONFIG, DATA, quick_fit
from tests.training.test_steps import assert_identical


@pytest.mark.slow
def test_networks_share_what_equal_numbers_draw_for_a_purpose():
    seeds, others = [5, 3, 8], [3, 3, 5]
    own = quick_fit(CONFIG, DATA, seeds=seeds, schedule=[0])
    init = quick_fit(CONFIG, DATA, seeds=seeds, purpose_seeds={"init": others}, schedule=[0])

    def networks(params, positions):
        return jax.tree.map(lambda x: x[positions], params)

    at_start, own_start = (jax.tree.map(lambda x: x[:, 0], h.records) for h in (init, own))
    assert_identical(at_start, networks(own_start, [1, 1, 0]))
    # The same weights end elsewhere where data are others; seed 3, all of whose numbers are its own,
    # as without.
    assert all((leaf[0] != leaf[1]).any() for leaf in jax.tree.leaves(init.params))
    assert_identical(networks(init.params, [1]), networks(own.params, [1]))
    everything = dict.fromkeys(("init", "split", "order"), others)
    same = quick_fit(CONFIG, DATA, seeds=seeds, purpose_seeds=everything, schedule=[0])
    assert_identical(same.params, networks(own.params, [1, 1, 0]))


@pytest.mark.parametrize(
    "given",
    [
        {"init": [1]},
        {"split": [0.5, 1.0]},
        {"order": [-1, 0]},
        {"noise": [[1, 2]]},
        {"init": [2**31, 0]},
    ],
)
def test_purposes_take_one_number_for_each_seed(given):
    with pytest.raises(ValueError, match="purpose_seeds: expected 2 whole numbers"):
        quick_fit(CONFIG, DATA, seeds=[0, 1], purpose_seeds=given)


def test_unknown_purposes_are_refused():
    with pytest.raises(ValueError, match=r"purpose_seeds: expected one of .*; got 'weights'"):
        quick_fit(CONFIG, DATA, seeds=[0, 1], purpose_seeds={"weights": [0, 1]})
