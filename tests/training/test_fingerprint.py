"""What a function computes is told by its program: changes are seen, names and processes are not."""

import functools
import inspect
import os
import subprocess
import sys
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import ibjax
from ibjax.analysis.records import PlaneRecord, PlanesRecord
from ibjax.mi import binned_mi, exact_mi, kde_mi
from ibjax.models import MLP
from ibjax.training.fingerprint import fingerprint, fingerprint_of_arrays, fingerprint_of_sources
from ibjax.types import LabelledSamples, Split
from tests.marks import slow

MODEL = MLP((4, 2), ("tanh",))
PARAMS = MODEL.init(jax.random.key(0), jnp.zeros((1, 3)))
DATA = LabelledSamples(jnp.ones((20, 3)), jnp.zeros(20, int))
SPLIT = Split(jnp.arange(15), jnp.arange(15, 20))


def of_record(record):
    return fingerprint(record, PARAMS, DATA, SPLIT)


def of_estimator(estimator):
    return of_record(PlaneRecord(MODEL, estimator))


def of_optimizer(optimizer):
    return fingerprint(optimizer.init, PARAMS), fingerprint(
        optimizer.update, PARAMS, optimizer.init(PARAMS), PARAMS
    )


def of_host(function):
    shape = jax.ShapeDtypeStruct((20,), jnp.float32)

    def record(params, data, split):
        return jax.pure_callback(function, shape, data.x[:, 0], vmap_method="sequential")

    return of_record(record)


FIRST, SECOND = np.arange(5000.0), np.arange(5000.0) + 1e-3 * (np.arange(5000) == 2500)
FACTOR = 2.0


class Scaled:
    """A host function that is an object."""

    def __init__(self, factor):
        self.factor = factor

    def __call__(self, x):
        return self.factor * x

    def plus(self, x):
        return self.factor + x


def scaled(x, factor=2.0):
    return factor * x


def by_global(x):
    return FACTOR * x


def by_other(x):
    return by_global(x) + 1


def constant(array):
    return lambda params, data, split: data.x.sum() + jnp.asarray(array)


# Everything in a group computes something else than the others.
GROUPS = {
    "bins": [
        functools.partial(of_estimator, functools.partial(binned_mi, bin_width=0.07)),
        functools.partial(of_estimator, functools.partial(binned_mi, bin_width=0.0701)),
        functools.partial(of_estimator, functools.partial(binned_mi, bins=29)),
        functools.partial(of_estimator, functools.partial(binned_mi, bins=30)),
        functools.partial(of_estimator, functools.partial(binned_mi, bins=30, range=(-1.0, 1.1))),
        functools.partial(of_estimator, exact_mi),
        functools.partial(of_estimator, functools.partial(kde_mi, noise_variance=1e-3)),
        functools.partial(of_estimator, functools.partial(kde_mi, noise_variance=2e-3)),
    ],
    "rows": [
        functools.partial(of_record, PlaneRecord(MODEL, binned_mi)),
        functools.partial(of_record, PlaneRecord(MODEL, binned_mi, rows="test")),
        functools.partial(of_record, PlaneRecord(MODEL, binned_mi, rows="train")),
        functools.partial(of_record, PlanesRecord(MODEL, {"binned": binned_mi, "exact": exact_mi})),
        functools.partial(of_record, PlaneRecord(MLP((4, 2), ("relu",)), binned_mi)),
    ],
    "optimizers": [
        functools.partial(of_optimizer, optimizer)
        for optimizer in (
            optax.sgd(0.1),
            optax.sgd(0.2),
            optax.sgd(optax.constant_schedule(0.1)),
            optax.sgd(optax.cosine_decay_schedule(0.1, 100)),
            optax.sgd(optax.cosine_decay_schedule(0.1, 101)),
            optax.sgd(optax.piecewise_constant_schedule(0.1, {100: 0.5})),
            optax.sgd(optax.piecewise_constant_schedule(0.1, {100: 0.6})),
            optax.sgd(0.1, momentum=0.9),
            optax.adam(0.1),
            optax.adam(0.1, eps=1e-7),
            optax.adagrad(0.1, initial_accumulator_value=0.1),
            optax.adagrad(0.1, initial_accumulator_value=0.2),
        )
    ],
    "constants": [
        functools.partial(of_record, constant(a))
        for a in (FIRST, SECOND, FIRST.astype(np.int32), FIRST[:, None], FIRST[:-1], 1.0, 2.0)
    ],
    "draws": [
        functools.partial(fingerprint, functools.partial(draw, shape=(9,)), jax.random.key(0))
        for draw in (jax.random.normal, jax.random.uniform, jax.random.laplace)
    ],
    "host": [
        functools.partial(of_host, function)
        for function in (
            scaled,
            functools.partial(scaled, factor=3.0),
            functools.partial(scaled, factor=4.0),
            Scaled(2.0),
            Scaled(3.0),
            Scaled(FIRST),
            Scaled(SECOND),
            Scaled(2.0).plus,
            Scaled(3.0).plus,
            by_global,
            by_other,
            np.vectorize(by_global),
            np.vectorize(by_other),
            np.sin,
            np.cos,
            lambda x: FIRST * x,
            lambda x: SECOND * x,
            lambda x: np.sin(x),
            lambda x: np.cos(x),
            lambda x: x in {"a", "b", "c", "d", "e"},
        )
    ],
}


def of_group(name):
    return [str(digest()) for digest in GROUPS[name]]


@pytest.mark.parametrize("name", [slow(k) if k in ("bins", "rows") else k for k in GROUPS])
def test_what_computes_something_else_is_told_apart(name):
    digests = of_group(name)
    assert len(set(digests)) == len(digests)
    assert of_group(name) == digests


def test_numpy_functions_are_the_same_after_a_look_at_their_signature(monkeypatch):
    before = of_host(np.exp2)
    monkeypatch.setattr(np.exp2, "__signature__", inspect.signature(scaled), raising=False)
    assert of_host(np.exp2) == before


def test_values_that_a_host_function_reads_count(monkeypatch):
    before = {f: of_host(f) for f in (by_global, by_other)}
    monkeypatch.setitem(globals(), "FACTOR", 3.0)
    after = {f: of_host(f) for f in (by_global, by_other)}
    assert all(before[f] != after[f] for f in before)


def closure(factor):
    def host(x):
        return x * factor

    return host


def test_closures_count_and_what_only_looks_alike_does_not():
    assert of_host(closure(2.0)) == of_host(closure(2.0))
    assert of_host(closure(2.0)) != of_host(closure(3.0))
    assert of_record(constant(FIRST)) == of_record(constant(FIRST.copy()))


def test_a_host_function_may_refer_to_itself():
    def itself(x, times=3):
        return x if times == 0 else itself(x, times - 1)

    assert of_host(itself) == of_host(itself)


def test_programs_within_programs_count():
    def nested(width):
        def body(carry, x):
            branch = jax.lax.cond(x > 0, lambda v: v * width, lambda v: v, carry)
            return jax.lax.while_loop(lambda v: v < 3, lambda v: v + width, branch), x

        return lambda params, data, split: jax.jit(lambda x: jax.lax.scan(body, 0.0, x))(data.x[:, 0])

    assert of_record(nested(0.5)) == of_record(nested(0.5))
    assert of_record(nested(0.5)) != of_record(nested(0.25))


def test_derivatives_and_prints_count_without_their_addresses():
    def record(factor):
        @jax.custom_vjp
        def f(x):
            return factor * x

        f.defvjp(lambda x: (f(x), x), lambda x, g: (factor * g,))

        def of_network(params, data, split):
            jax.debug.print("{}", data.x[0, 0])
            return f(data.x).sum() + jax.grad(lambda x: f(x).sum())(data.x).sum()

        return of_network

    assert of_record(record(2.0)) == of_record(record(2.0))
    assert of_record(record(2.0)) != of_record(record(3.0))


def test_arrays_are_told_by_numbers_shape_and_dtype():
    arrays = [FIRST, SECOND, FIRST.astype(np.float32), FIRST[:, None], FIRST[::-1], jax.random.key(0)]
    assert len({fingerprint_of_arrays(a) for a in arrays}) == len(arrays)
    assert fingerprint_of_arrays(FIRST[::2]) == fingerprint_of_arrays(FIRST[::2].copy())
    assert fingerprint_of_arrays((FIRST, SECOND)) != fingerprint_of_arrays((SECOND, FIRST))
    assert fingerprint_of_arrays([FIRST[:2], FIRST[2:4]]) != fingerprint_of_arrays([FIRST[:4]])


CHILD = """
from tests.training import test_fingerprint as t
from tests.marks import slow
print([t.of_group(name) for name in reversed(t.GROUPS)][::-1], t.fingerprint_of_sources())
"""


@pytest.mark.slow
def test_digests_are_the_same_in_another_process():
    root = Path(ibjax.__file__).parents[1]
    done = subprocess.run(
        [sys.executable, "-c", CHILD], cwd=root, check=True, capture_output=True, text=True,
        env=os.environ | {"PYTHONPATH": str(root), "PYTHONHASHSEED": "7", "JAX_PLATFORMS": "cpu"},
    )  # fmt: skip
    here = [of_group(name) for name in GROUPS]
    assert done.stdout.strip() == f"{here} {fingerprint_of_sources()}"
