"""Made-up results of a grid."""

import numpy as np
import xarray as xr

from tests.made import EPOCHS, results_of

SCALES, RATES = tuple(2.0 ** np.arange(-3, 4)), (0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0)


def made_grid(bits=None, *, seeds=12, learnt=1.0) -> xr.Dataset:
    """Networks that fit by a third of training, and lose the given bits of I(X;T) in the last third.

    Pre-activations end at the initial scale times 1 + 10 times the rate, and begin at the initial scale.

    Args:
        bits: (activation, init_scale, learning_rate, layer) compression; 1 by default.
        seeds: networks per cell.
        learnt: (activation, init_scale, learning_rate) share of networks that learn, the first ones.
    """
    cells = (2, len(SCALES), len(RATES))
    bits = np.broadcast_to(1.0 if bits is None else bits, (*cells, 3))
    size = (*cells, seeds, len(EPOCHS), 3)
    rng, time = np.random.default_rng(0), np.linspace(0, 1, len(EPOCHS))[:, None]
    fallen = np.clip(3 * time - 2, 0, 1)
    ixt = 8 - bits[..., None, None, :] * fallen + 0.01 * rng.normal(size=size)
    ity = np.minimum(3 * time, 1) * np.ones(size)
    done = np.arange(seeds) < seeds * np.broadcast_to(learnt, cells)[..., None]
    accuracy = np.broadcast_to(np.where(done, 1.0, 0.5)[..., None], size[:-1])
    scale, rate = np.asarray(SCALES)[:, None], np.asarray(RATES)
    growth = np.linspace(0, 1, len(EPOCHS)) * (10 * rate)[..., None] + 1  # (rate, epoch)
    driven = np.broadcast_to((scale[..., None] * growth)[None, :, :, None, :, None], size)
    variables = {"ixt": ixt, "ity": ity, "pre_activation": driven, "saturated": driven / (1 + driven)}
    variables |= {"train_accuracy": accuracy, "test_accuracy": accuracy}
    factors = {"activation": ["tanh", "relu"], "init_scale": SCALES, "learning_rate": RATES}
    return results_of(variables, factors, epochs=EPOCHS, binning="bins of 0.07")
