"""Identity of a run: everything that must stay the same for its checkpoints to be continued."""

from collections.abc import Mapping, Sequence
from typing import Any

import jax
import numpy as np

from ibjax.training.blocks import Lanes, Run, measure
from ibjax.training.checkpoint import code_versions
from ibjax.training.fingerprint import fingerprint, fingerprint_of_arrays, fingerprint_of_jaxpr

__all__ = ["run_description"]


def run_description(
    run: Run,
    lanes: Lanes,
    *,
    seeds_of: Sequence[np.ndarray],
    purposes: Mapping[str, np.ndarray],
    platform: str,
) -> dict[str, Any]:
    """Return everything that defines a run, for ``describe_run``; functions by what they compute.

    Args:
        run: settings and data.
        lanes: untrained networks of any block, from whose shapes the programs are traced.
        seeds_of: seeds of every block.
        purposes: (seed,) seeds to use instead of the networks' own, by purpose.
        platform: platform of the devices.
    """
    params, opt_state = jax.tree.map(lambda x: x[0], lanes.state)
    optimizer = run.recipe.optimizer
    steps = fingerprint(optimizer.init, params), fingerprint(optimizer.update, params, opt_state, params)
    record = fingerprint_of_jaxpr(measure.trace(lanes, run.data, run.record).jaxpr)
    drawn = run.draw_own and f"computes sha256:{fingerprint(run.draw_own, lanes.keys.data[0])}"
    shared = run.data and f"holds sha256:{fingerprint_of_arrays(run.data)}"
    return {
        **run.config.as_dict(),
        "record": f"computes sha256:{record}",
        "optimizer_steps": f"computes sha256:{''.join(steps)}",
        "data": shared or drawn,
        "draw_labels": shared and drawn,
        "lanes": run.lanes,
        "recorded": run.epochs.tolist(),
        "keys": f"draws sha256:{fingerprint_of_arrays(jax.random.bits(lanes.keys.init[0], (8,)))}",
        "versions": code_versions(),
        "blocks": [seeds.tolist() for seeds in seeds_of],
        "purpose_seeds": [(k, numbers.tolist()) for k, numbers in sorted(purposes.items())],
        "platform": platform,
    }
