"""Does the ELBO push encodings away from the prior?

Claim: Zhao, Song & Ermon (2017) with their example of two data points: where the decoder is
flexible, the ELBO is largest for encodings that do not overlap, whatever that costs in KL(q(z|x) ||
p(z)): their mass goes to minus and plus infinity, and q(z) is far from the prior. InfoVAE, which does
not charge for I_q(x;z) and charges much for KL(q(z) || p(z)), stays with the prior.

Command:  python -m experiments.info_vae
Time:     about 3 minutes of CPU time, on one core
Expect:   ELBO: KL(q(z)||p(z)) grows as the floor falls, from 0.5 to 0.8 bits where encodings may narrow
          (the means stop near 1) and from 1.0 to 2.6 where they may not (the means move out to 2.1).
          InfoVAE stays within 0.05 bits of the prior; beta-VAE puts both encodings onto it.

Data x = -1 and 1, latent z of one dimension with prior N(0, 1), encoder N(mu_x, sigma_x^2) with four
free numbers, decoder N(m(z), s(z)^2) by a network 1-16-16-2 of tanh units; every expectation is a
quadrature, so that steps have no sampling noise. ELBO; beta-VAE with beta = 4 on the whole
KL(q(z|x) || p(z)); InfoVAE with alpha = 1, lambda = 20 and KL as its divergence (analysis.py
has the loss). The ELBO is unbounded where s(z) may fall to 0; here s(z) is at least 0.1, 0.03 or 0.01,
and what happens as that falls is the claim. "width 1" fixes sigma_x = 1: means are then all that can
move. 50 random encoders and decoders an arm, 3000 steps of Adam, rate 0.01 falling to 0; ``--epochs`` is
the number of steps.

Dims: encoder, objective, floor, seed, step; of the trained ones also point (x) and z.
"""

import dataclasses
import itertools
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from experiments.info_vae.analysis import Setting, decode, init_vae, objective, train_vae
from experiments.info_vae.figures import plot_encodings, plot_vae_course
from experiments.lab import (
    LabConfig,
    Scale,
    Table,
    interval_cells,
    interval_text,
    levels_of,
    scale_of,
    table_of_rows,
)
from ibjax.analysis.compression import NEGLIGIBLE_BITS
from ibjax.analysis.intervals import Interval, mean_interval
from ibjax.results import environment
from ibjax.training import log_spaced_epochs

BETA, LAMBDA = 4.0, 20.0

# name -> (alpha, lambda)
OBJECTIVES = {
    "ELBO": (0.0, 1.0),
    f"beta-VAE, beta {BETA:.0f}": (1 - BETA, BETA),
    f"InfoVAE, lambda {LAMBDA:.0f}": (1.0, LAMBDA),
}
ENCODERS = {"free width": 1.0, "width 1": 0.0}
FLOORS = (0.1, 0.03, 0.01)
FULL, SMOKE = Scale(epochs=3000), Scale(epochs=100)  # steps
NUM_RECORDED = 60
Z = np.linspace(-6, 6, 241, dtype=np.float32)
DIMS = ("encoder", "objective", "floor", "seed")

# Encodings that tell less of x have collapsed onto the prior.
COLLAPSED_BITS = 0.05

COURSE = {
    "information": "I_q(x;z) [bits]",
    "divergence": "KL(q(z)||p(z)) [bits]",
    "separation": "|mu_1 - mu_-1| / 2",
    "elbo": "ELBO [nats]",
}


@dataclasses.dataclass(frozen=True)
class Config(LabConfig):
    """Does the ELBO push encodings away from the prior?"""

    trains = False


def run(config: Config, *, folder: Path | None = None) -> xr.Dataset:
    """Train all arms in one program; there are no checkpoints, and ``folder`` is not used."""
    steps = log_spaced_epochs(scale_of(config, FULL, SMOKE).epochs, NUM_RECORDED)
    arms = itertools.product(ENCODERS.values(), OBJECTIVES.values(), FLOORS)
    numbers = [(alpha, lam, floor, free) for free, (alpha, lam), floor in arms]
    settings = Setting(*jnp.asarray(numbers, jnp.float32).T)
    starts = jax.vmap(lambda seed: init_vae(jax.random.key(seed)))(jnp.asarray(config.seed_range))
    shape = (len(ENCODERS), len(OBJECTIVES), len(FLOORS), len(config.seed_range))
    vaes, (terms, codes), (m, s) = jax.tree.map(
        lambda x: np.asarray(x).reshape(*shape, *x.shape[2:]), trained(steps)(settings, starts)
    )
    finite = [np.isfinite(p).reshape(*shape, -1).all(axis=-1) for p in jax.tree.leaves(vaes)]
    bits = {"units": "bits"}
    course = (*DIMS, "step")
    data = {
        "information": (course, terms.information / np.log(2), bits),
        "divergence": (course, terms.divergence / np.log(2), bits),
        "elbo": (course, objective(terms, 0.0, 1.0), {"units": "nats"}),
        "separation": (course, np.abs(np.diff(codes.mean, axis=-1))[..., 0] / 2, {"units": "1"}),
        "mean_width": (course, codes.width.mean(axis=-1), {"units": "1"}),
        "mean": ((*DIMS, "point"), codes.mean[..., -1, :], {"units": "1"}),
        "width": ((*DIMS, "point"), codes.width[..., -1, :], {"units": "1"}),
        "m": ((*DIMS, "z"), m, {"units": "1"}),
        "s": ((*DIMS, "z"), s, {"units": "1"}),
        "diverged": (DIMS, ~np.all(finite, axis=0), {"units": "1"}),
    }
    coords = {
        "encoder": list(ENCODERS),
        "objective": list(OBJECTIVES),
        "floor": list(FLOORS),
        "seed": list(config.seed_range),
        "step": steps,
        "point": [-1, 1],
        "z": Z,
    }
    return xr.Dataset(data, coords).assign_attrs(
        source="Zhao, Song & Ermon (2017)",
        dataset="x = -1 and 1, equally likely",
        objectives="; ".join(f"{k}: alpha {a}, lambda {b}" for k, (a, b) in OBJECTIVES.items()),
        divergence="KL(q(z) || p(z)) by quadrature",
        optimizer="Adam, 0.01 falling to 0 by a cosine, gradients clipped at norm 1",
        seed=config.seed,
        **environment(),
    )


def trained(steps: np.ndarray):
    """Return ``f(settings, starts)``: trained autoencoders, their records, and their decoders on Z."""

    def train_and_decode(setting, start):
        vae, records = train_vae(start, setting, steps)
        return vae, records, decode(vae, jnp.asarray(Z), floor=setting.floor)

    return jax.jit(jax.vmap(jax.vmap(train_and_decode, (None, 0)), (0, None)))


def report(results: xr.Dataset) -> tuple[dict[str, Figure], list[Table]]:
    """Draw encodings, reconstructions and the course of training, and tabulate the ends."""
    floor, count = float(results.floor.min()), results.sizes["seed"]
    lowest = results.sel(floor=floor)
    note = f"s(z) at least {floor}, {count} seeds"
    figures = {
        f"encodings_{encoder.replace(' ', '_')}.png": plot_encodings(
            lowest.sel(encoder=encoder), median_seed(lowest, encoder), title=f"{encoder}: {note}"
        )
        for encoder in results.encoder.values
    }
    figures["course.png"] = plot_vae_course(
        lowest, column="encoder", labels=COURSE, title=f"Mean with 95% band, {note}"
    )
    verdicts = [verdict(results, encoder) for encoder in results.encoder.values]
    return figures, [ends_table(results, verdicts)]


def median_seed(results: xr.Dataset, encoder: str) -> int:
    """Return the seed whose ELBO network keeps the median I_q(x;z)."""
    kept = results.information.sel(encoder=encoder).isel(objective=0, step=-1)
    return int(kept.sortby(kept).seed[kept.sizes["seed"] // 2])


def ends_table(results: xr.Dataset, sentences: list[str]) -> Table:
    """Tabulate every arm's last step: means with 95% intervals; collapsed, diverged seeds, all kept."""
    factors, rows = DIMS[:-1], []
    for row in levels_of(results, factors):
        end = results.sel(row).isel(step=-1)
        for name in ("information", "divergence", "separation", "mean_width", "elbo"):
            row |= interval_cells(name, mean_interval(end[name].values))
        row["collapsed"] = int((end.information < COLLAPSED_BITS).sum())
        row["diverged"] = int(end.diverged.sum())
        rows.append(row)
    return table_of_rows("ends", rows, sentences)


def verdict(results: xr.Dataset, encoder: str) -> str:
    """Say whether KL(q(z)||p(z)) grows as the floor falls, by objective, within seeds; and by what."""
    end = results.sel(encoder=encoder).isel(step=-1)
    floors = np.sort(end.floor.values)
    sentences = []
    for name in end.objective.values:
        lowest, highest = (end.sel(objective=name, floor=floor) for floor in (floors[0], floors[-1]))
        kl, mean, width, information = (
            interval_text(mean_interval(lowest[term].values))
            for term in ("divergence", "separation", "mean_width", "information")
        )
        changes = {
            term: mean_interval((lowest[term] - highest[term]).values)
            for term in ("divergence", "separation", "mean_width")
        }
        grows = float(changes["divergence"].low) > NEGLIGIBLE_BITS
        kl_change, mean_change, width_change = map(signed, changes.values())
        sentences.append(
            f"{name}: KL(q(z)||p(z)) {kl} bits, |mu| {mean}, sigma {width}, I_q {information} bits; as "
            f"the floor falls from {floors[-1]} to {floors[0]} q(z) "
            f"{'moves away from' if grows else 'does not leave'} the prior (KL {kl_change} bits, |mu| "
            f"{mean_change}, sigma {width_change})."
        )
    return f"{encoder}, s(z) at least {floors[0]}: {' '.join(sentences)}"


def signed(change: Interval) -> str:
    """Return a change with its interval, with signs, for sentences."""
    estimate, low, high = map(float, change[:3])
    return f"{estimate:+.2f}, {low:+.2f} to {high:+.2f}"
