"""Programs are compiled once, whatever the devices, and hold what accelerators can run."""

import subprocess
import sys

import jax
import numpy as np
import pytest
from jax import export

from ibjax.analysis import PlaneRecord
from ibjax.mi import binned_mi
from ibjax.training import TrainConfig, make_model
from ibjax.training.blocks import Block, _advance, measure, training_settings, untrained_lanes
from ibjax.training.config import numbers_of
from ibjax.training.engine import prepared_run
from tests.marks import slow
from tests.training.test_steps import make_data

COUNT = """
import sys, jax, jax.monitoring, numpy as np
jax.config.update("jax_num_cpu_devices", 8)
from ibjax.training import TrainConfig, fit
compiled = []
jax.monitoring.register_event_duration_secs_listener(
    lambda name, seconds, **_: compiled.append(1) if name.endswith("backend_compile_duration") else None
)
rng = np.random.default_rng(0)
class Data:
    x, y = rng.normal(size=(50, 3)), rng.integers(0, 2, 50)
fit(
    TrainConfig(widths=(4, 2), batch_size=12, num_epochs=4), Data, seeds=range(16), schedule=[2],
    lanes=2, record=lambda params, data, split: params, devices=jax.devices()[: int(sys.argv[1])],
)
print(len(compiled))
"""


@pytest.mark.slow
def test_programs_are_compiled_once_for_any_number_of_devices():
    counts = [
        subprocess.run(
            [sys.executable, "-c", COUNT, str(n)], capture_output=True, text=True, check=True
        ).stdout.split()[-1]
        for n in (1, 2, 8)
    ]
    assert len(set(counts)) == 1, counts


def run_and_lanes(batch_size):
    config = TrainConfig(widths=(4, 3, 2), batch_size=batch_size, num_epochs=2)
    numbers = jax.tree.map(lambda x: x[None], numbers_of(config))
    with training_settings():
        run = prepared_run(
            config,
            make_data(50),
            numbers=numbers,
            record=PlaneRecord(make_model(config), binned_mi),
            epochs=np.arange(3),
            lanes=2,
        )
        return run, untrained_lanes(run, Block(np.arange(1), numbers, {}))


def export_both(platform, batch_size):
    run, lanes = run_and_lanes(batch_size)
    with training_settings():
        advance = export.export(_advance, platforms=[platform])
        advance(lanes, run.data, 0, 1, recipe=run.recipe)
        export.export(measure, platforms=[platform])(lanes, run.data, record=run.record)


@pytest.mark.parametrize("batch_size", [8, slow(None)])
@pytest.mark.parametrize("platform", ["cuda", slow("tpu"), slow("rocm")])
def test_training_is_lowered_for_accelerators_without_callbacks(platform, batch_size):
    export_both(platform, batch_size)


@pytest.mark.slow
def test_a_callback_would_be_refused():
    with pytest.raises(NotImplementedError, match="host_callbacks"):
        export_both("cpu", None)


SHARDED = """
import threading
import jax, numpy as np
jax.config.update("jax_num_cpu_devices", 4)
from jax.sharding import Mesh, NamedSharding, PartitionSpec
from ibjax.training import TrainConfig
from ibjax.training.blocks import Block, Watch, run_block
from ibjax.training.config import numbers_of
from ibjax.training.devices import LANES
from ibjax.training.engine import prepared_run
from tests.training.test_steps import make_data

SEEDS = np.arange(7, dtype=np.int32)  # of 8 lanes
config = TrainConfig(widths=(4, 3, 2), batch_size=None, num_epochs=4)
numbers = jax.tree.map(lambda x: np.full(len(SEEDS), x), numbers_of(config))

def trained(lanes, place, chosen):
    run = prepared_run(
        config, make_data(50), numbers=numbers, record=lambda params, data, split: params,
        epochs=np.array([0, 1, 4]), lanes=lanes,
    )
    block = Block(SEEDS[chosen], jax.tree.map(lambda x: x[chosen], numbers), {})
    return run_block(run, block, place, Watch(None, len(SEEDS), threading.Event()))

mesh = Mesh(jax.devices(), (LANES,))
together = trained(8, NamedSharding(mesh, PartitionSpec(LANES)), slice(None))
parts = [trained(2, jax.devices()[0], slice(i, i + 2)) for i in range(0, 8, 2)]
alone = jax.tree.map(lambda *leaves: np.concatenate(leaves), *parts)
jax.tree.map(np.testing.assert_array_equal, together, alone)
print("equal")
"""


@pytest.mark.slow
def test_lanes_divided_among_devices_are_those_of_single_devices():
    """As on several accelerators: one program, of which each device runs its own lanes."""
    done = subprocess.run([sys.executable, "-c", SHARDED], capture_output=True, text=True, check=False)
    assert done.stdout.strip() == "equal", done.stderr
