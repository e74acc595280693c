"""Identity of a run: everything that must stay the same for its checkpoints to be continued."""

from collections.abc import Mapping, Sequence
from typing import Any

import jax
import numpy as np

from ibjax.models import MLP
from ibjax.training.blocks import Lanes, Run, measure
from ibjax.training.checkpoint import code_versions
from ibjax.training.data import samples_of
from ibjax.training.fingerprint import fingerprint, fingerprint_of_arrays, fingerprint_of_jaxpr

__all__ = ["run_description"]


def run_description(
    run: Run,
    lanes: Lanes,
    *,
    seeds_of: Sequence[np.ndarray],
    purposes: Mapping[str, np.ndarray],
    numbers: Mapping[str, Any] | None,
    platform: str,
) -> dict[str, Any]:
    """Return everything that defines a run, for ``describe_run``; functions by what they compute.

    Args:
        run: settings and data.
        lanes: untrained networks of any block, from whose shapes the programs are traced.
        seeds_of: seeds of every block.
        purposes: (seed,) seeds to use instead of the networks' own, by purpose.
        numbers: (network,) numeric settings instead of the config's, by name.
        platform: platform of the devices.
    """
    params, opt_state = jax.tree.map(lambda x: x[0], lanes.state)
    model = run.recipe.model
    own_numbers = jax.tree.map(lambda x: x[0], lanes.numbers)

    def first_state(numbers, params):
        return run.recipe.optimizer(numbers, 1).init(params)

    def step(numbers, grads, state, params):
        return run.recipe.optimizer(numbers, 1).update(grads, state, params)

    steps = (
        fingerprint(first_state, own_numbers, params),
        fingerprint(step, own_numbers, params, opt_state, params),
    )
    record = fingerprint_of_jaxpr(measure.trace(lanes, run.data, run.record).jaxpr)
    drawn = run.draw_own and f"computes sha256:{fingerprint(run.draw_own, lanes.keys.data[0])}"
    shared = run.data and f"holds sha256:{fingerprint_of_arrays(run.data)}"
    return {
        **run.config.as_dict(),
        "model": None if isinstance(model, MLP) else f"computes sha256:{_own_model(run, lanes)}",
        "record": f"computes sha256:{record}",
        "optimizer_steps": f"computes sha256:{''.join(steps)}",
        "data": shared or drawn,
        "draw_labels": shared and drawn,
        "lanes": run.lanes,
        "recorded": run.epochs.tolist(),
        "keys": f"draws sha256:{fingerprint_of_arrays(jax.random.bits(lanes.keys.init[0], (8,)))}",
        "versions": code_versions(),
        "blocks": [seeds.tolist() for seeds in seeds_of],
        "purpose_seeds": [(k, seeds.tolist()) for k, seeds in sorted(purposes.items())],
        "numbers": {k: np.asarray(v).tolist() for k, v in (numbers or {}).items()},
        "platform": platform,
    }


def _own_model(run: Run, lanes: Lanes) -> str:
    params, drawn = jax.tree.map(lambda x: x[0], (lanes.state.params, lanes.drawn))
    return fingerprint(run.recipe.model.apply, params, samples_of(run.data, drawn).x)
