"""Learning when to spike: a noisy network and its deterministic twin are taught spike times; how precise can they be in noise?

Frozen Poisson-like input, one hidden layer, output neurons with target spikes at random steps; the loss is the squared van Rossum
distance (`losses.VanRossum`). The noisy network has Gaussian escape noise of width sigma in both layers and learns by `NDL`; its
twin fires when u > theta and learns by the surrogate gradient with the same family's density, from the same weights in as many
updates. The noisy network also learns by `losses.NegativeLogLikelihood`, for which the output is given its targets. Each seed has
an input, targets and weights of its own. Learned networks then run freely, many times, in NumPy (`reference.forward`, no code of
the training's): also before learning, and the twin's weights in noise that it wasn't trained in.

Distances are relative to that of silence: 1 is what a network reaches that never fires. A target spike is hit where the output
fires within `WINDOW` steps of it, by the nearest spike; the others are extra. Jitter is the standard deviation over repeats of the
hit's time, its root mean square over target spikes; spikes at random in the window would have 2.58 steps, and of many in it the
nearest is near by chance, so read it beside the extra ones. The learning rate was chosen with the seed before those reported.
"""

from __future__ import annotations

import dataclasses
import itertools
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pandas as pd
import quantities as pq
from matplotlib.figure import Figure

import nsnn_neuro as nsnn
from nsnn_neuro import reference

from .harness import Claim, StudyConfig, verifier
from .shared.intervals import interval
from .shared.surrogate_rules import deterministic

CLAIM = "Noise-driven learning teaches a network spike times, which its noise makes the less precise the larger it is"
SABOTAGES = {"other targets": "networks are taught other spike times than those they are judged by"}
WINDOW = 4
CHANCE = float(np.sqrt(((2 * WINDOW + 1) ** 2 - 1) / 12))
"""jitter of a spike at random in the window, steps"""
APART, FIRST, TARGETS = 10, 10, 3
"""least distance and first step of target spikes, their number per output neuron"""
MEANS, SPREADS = (0.02, 0.02), (0.2, 0.12)
"""of the weights before learning"""
NEURON: dict[str, Any] = {"beta": 0.9, "theta": 1.0, "reset": "hard"}
MEASURES = ["distance", "shuffled", "jitter", "offset", "reliability", "missing", "extra"]


@dataclasses.dataclass(frozen=True)
class Config(StudyConfig):
    """Everything that decides a run."""

    seeds: int = 5
    sizes: tuple[int, ...] = (100, 80, 4)
    steps: int = 50
    rate_in: float = 0.05
    """spikes per step of an input"""
    tau: float = 5.0
    """of the loss, steps"""
    sigmas: tuple[float, ...] = (0.1, 0.2, 0.4, 0.8)
    widths: tuple[float, ...] = (0.2, 0.4)
    """of the twin's surrogate"""
    rate: float = 0.002
    updates: int = 240
    batch: int = 5
    """repeats of the input in an update; one for the twin, where they would all be the same"""
    repeats: int = 100

    QUICK: ClassVar[dict[str, Any]] = {
        "sigmas": (0.2, 0.8),
        "widths": (0.4,),
    }


def task(config: Config, seed: int) -> tuple[np.ndarray, np.ndarray, list[np.ndarray]]:
    """Input spikes (steps, n_in), target spikes (steps, n_out) and the weights before learning."""
    rng = np.random.default_rng(seed)
    n_in, n_out = config.sizes[0], config.sizes[-1]
    x = (rng.random((config.steps, n_in)) < config.rate_in).astype(float)
    y = np.stack([_target(rng, config.steps) for _ in range(n_out)], axis=1)
    pairs = zip(config.sizes, config.sizes[1:], MEANS, SPREADS, strict=False)
    return x, y, [rng.normal(mean, spread, (a, b)) for a, b, mean, spread in pairs]


def _target(rng: np.random.Generator, steps: int) -> np.ndarray:
    """Spikes at random steps, so far apart that their windows don't overlap."""
    room = steps - FIRST - (TARGETS - 1) * (APART - 1)
    y = np.zeros(steps)
    y[FIRST + np.sort(rng.choice(room, TARGETS, replace=False)) + np.arange(TARGETS) * (APART - 1)] = 1
    return y


def _train(config: Config, arm: str, width: float, seed: int) -> nsnn.Fit:
    x, y, weights = task(config, seed)
    if config.sabotage == "other targets":
        y = task(config, seed + config.seeds)[1]
    family = nsnn.Gaussian(width)
    adam: dict[str, Any] = {"optimizer": nsnn.Adam()}
    noisy = arm != "twin"
    loss = nsnn.losses.NegativeLogLikelihood() if arm == "likelihood" else nsnn.losses.VanRossum(config.tau)
    rule = nsnn.NDL(config.rate, **adam) if noisy else nsnn.SurrogateGradient(family, config.rate, **adam)
    net = nsnn.feedforward(
        list(config.sizes),
        noise=nsnn.EscapeNoise(family) if noisy else None,
        neuron=nsnn.NSNNNeuron(**NEURON),
        plasticity=rule,
        weights=weights,
        seed=seed,
    )
    batch, part = config.batch if noisy else 1, 20  # updates in an epoch
    shown = [np.repeat(a[None], batch * part, axis=0) for a in (x, y)]
    return nsnn.train(
        net, shown, loss=loss, encoder=nsnn.coding.Direct(), epochs=config.updates // part,
        batch=batch, validation=0, schedule="cosine", seed=seed, progress=False,
    )  # fmt: skip


def _fire(config: Config, weights: list[np.ndarray], x: np.ndarray, sigma: float, seed: int) -> np.ndarray:
    """The output's spikes in repeats, (repeats, steps, n_out); sigma 0: one, without noise."""
    if not sigma:
        return deterministic(weights, x[None], **NEURON)[1][-1]
    shown = np.broadcast_to(x, (config.repeats, *x.shape))
    return reference.forward(weights, shown, nsnn.Gaussian(sigma), seed=seed, **NEURON)[1][-1]


def measure(o: np.ndarray, y: np.ndarray, tau: float, rng: np.random.Generator) -> dict[str, float]:
    """What is told of spikes o (repeats, steps, n) and their targets y (steps, n); see the module's text."""
    loss = nsnn.losses.VanRossum(tau)
    silence = float(loss.value(np.zeros_like(y), y))
    distances = loss.value(o, np.broadcast_to(y, o.shape)) / silence
    others = [np.stack([_target(rng, len(y)) for _ in y.T], axis=1) for _ in range(20)]
    shuffled = [loss.value(o, np.broadcast_to(other, o.shape)).mean() for other in others]
    times, hits = [], 0
    for k in range(y.shape[1]):
        for at in np.flatnonzero(y[:, k]):
            offsets = np.array([_nearest(one[:, k], at) for one in o])
            times.append(offsets)
            hits += int(np.isfinite(offsets).sum())
    wanted = len(o) * y.sum()
    often = [t[np.isfinite(t)] for t in times if np.isfinite(t).sum() > 1]
    seen = [t[np.isfinite(t)] for t in times if np.isfinite(t).any()]
    return {
        "distance": float(distances.mean()),
        "se": float(distances.std(ddof=1) / np.sqrt(len(o))) if len(o) > 1 else np.nan,
        "shuffled": float(np.mean(shuffled) / silence),
        "jitter": float(np.sqrt(np.mean([t.var(ddof=1) for t in often]))) if often else np.nan,
        "offset": float(np.sqrt(np.mean([t.mean() ** 2 for t in seen]))) if seen else np.nan,
        "reliability": _reliability(o),
        "missing": float(1 - hits / wanted),
        "extra": float((o.sum() - hits) / wanted),
    }


def _nearest(o: np.ndarray, at: int) -> float:
    """The time of the spike nearest to a target, from it; NaN if there is none in the window."""
    d = np.flatnonzero(o) - at
    d = d[np.abs(d) <= WINDOW]
    return float(d[np.argmin(np.abs(d))]) if d.size else np.nan


def _reliability(o: np.ndarray) -> float:
    """Schreiber's, with a filter of 2 steps, the mean over neurons that fire; NaN for one repeat."""
    if len(o) == 1:
        return float("nan")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", nsnn.measures.SilentNeuronWarning)
        found = [
            nsnn.measures.schreiber_reliability(
                [np.flatnonzero(one[:, k]) * 1e-3 for one in o], sigma=2 * pq.ms
            )
            for k in range(o.shape[2])
            if o[:, :, k].any()
        ]
    return float(np.mean(found)) if found else float("nan")


def run(
    config: Config, out: Path | None = None, progress: Callable[[str], None] = lambda text: None
) -> pd.DataFrame:
    """Rows of `part`: "measure", one for each arm, sigma and seed; "firing", the share of repeats that fire in a step.

    Arms: noisy, likelihood, untrained (in the noise sigma), twin (sigma 0), twin in noise. The first seed's noisy rows also have
    the distance that `Fit.evaluate` finds, `evaluated` with its standard error.
    """
    rows: list[dict[str, Any]] = []
    for seed in range(config.seed + 1, config.seed + 1 + config.seeds):
        progress(f"learning: seed {seed}")
        first = seed == config.seed + 1
        x, y, weights = task(config, seed)
        rng = np.random.default_rng([seed, 2])

        def row(arm: str, sigma: float, width: float, w: list[np.ndarray], seed=seed, x=x, y=y, rng=rng):
            o = _fire(config, w, x, sigma, seed)
            found = {"part": "measure", "arm": arm, "sigma": sigma, "width": width, "seed": seed}
            return found | measure(o, y, config.tau, rng), o

        for sigma in config.sigmas:
            rows.append(row("untrained", sigma, np.nan, weights)[0])
            for arm in ("likelihood", "noisy"):
                fit = _train(config, arm, sigma, seed)
                found, o = row(arm, sigma, sigma, fit.network.get_weights())
                rows.append(found | (_evaluated(config, fit, x, y) if first and arm == "noisy" else {}))
                rows += firing_rows(o, y, arm, sigma) if first else []
        for width in config.widths:
            twin = _train(config, "twin", width, seed).network.get_weights()
            rows.append(row("twin", 0.0, width, twin)[0])
            rows += [row("twin in noise", sigma, width, twin)[0] for sigma in config.sigmas]
    return pd.DataFrame(rows)


def _evaluated(config: Config, fit: nsnn.Fit, x: np.ndarray, y: np.ndarray) -> dict[str, float]:
    n, loss = config.repeats, nsnn.losses.VanRossum(config.tau)
    found = fit.evaluate((np.repeat(x[None], n, axis=0), np.repeat(y[None], n, axis=0)), seed=1)
    silence = float(loss.value(np.zeros_like(y), y))
    return {"evaluated": found["loss"] / silence, "evaluated_se": found["se"] / silence}


def firing_rows(o: np.ndarray, y: np.ndarray, arm: str, sigma: float) -> Iterator[dict[str, Any]]:
    """Rows of the share of repeats in which each output neuron fires in each step."""
    for (step, neuron), value in np.ndenumerate(o.mean(0)):
        yield {
            "part": "firing", "arm": arm, "sigma": sigma, "neuron": neuron, "step": step, "value": value, "target": y[step, neuron],
        }  # fmt: skip


def by_seed_and_sigma(table: pd.DataFrame, arm: str, column: str) -> pd.DataFrame:
    """A measure of an arm, (seeds, sigmas); of the twin, at each sigma, that with the width of the least mean distance."""
    rows = table[(table.part == "measure") & (table.arm == arm)]
    if arm.startswith("twin"):
        means = rows.groupby(["sigma", "width"]).distance.mean()
        best = {sigma: means[sigma].idxmin() for sigma in rows.sigma.unique()}
        rows = rows[rows.width == rows.sigma.map(best)]
    return rows.pivot(index="seed", columns="sigma", values=column)


def _slopes(found: pd.DataFrame) -> np.ndarray:
    """Of a measure's logarithm over that of sigma, one for each seed; of sigmas where all have a value, NaN for fewer than two."""
    found = found.dropna(axis=1)
    if found.shape[1] < 2:
        return np.full(len(found), np.nan)
    return np.polyfit(np.log(found.columns.to_numpy(float)), np.log(found.to_numpy().T), 1)[0]


def _below(a: pd.DataFrame, b: pd.DataFrame) -> tuple[bool, str]:
    """Whether a is below b at each sigma (the paired 95 % intervals exclude 0), and the numbers."""
    holds, told = True, []
    for sigma in a.columns:
        mean, low, high = interval(a[sigma] - b[sigma])
        holds = holds and high < 0
        told.append(f"sigma {sigma:g}: {mean:+.2f} [{low:+.2f}, {high:+.2f}]")
    return holds, "; ".join(told)


def claims(table: pd.DataFrame) -> list[Claim]:
    """The study's claims with their evidence."""
    distance = by_seed_and_sigma(table, "noisy", "distance")
    jitter, reliability = (by_seed_and_sigma(table, "noisy", name) for name in ("jitter", "reliability"))
    steep, steep_low, steep_high = interval(_slopes(jitter))
    fall, fall_low, fall_high = interval(_slopes(reliability))
    twin = by_seed_and_sigma(table, "twin", "distance")[0.0]
    checked = table.dropna(subset=["evaluated"])
    z = (checked.distance - checked.evaluated) / np.hypot(checked.se, checked.evaluated_se)
    sigmas = distance.columns
    least = distance.mean().idxmin()
    apart = interval(distance[sigmas[0]] - distance[least])
    return [
        Claim(
            "at every sigma the learned distance is below that before learning",
            *_below(distance, by_seed_and_sigma(table, "untrained", "distance")),
        ),
        Claim(
            "and below that to other targets of the same number of spikes",
            *_below(distance, by_seed_and_sigma(table, "noisy", "shuffled")),
        ),
        Claim(
            "jitter grows with sigma (the slope of its logarithm is positive)",
            steep_low > 0,
            f"jitter ~ sigma^{steep:.2f} [{steep_low:.2f}, {steep_high:.2f}]; means {_means(jitter)} steps",
        ),
        Claim(
            "the distance that `Fit.evaluate` finds is that of the reference's spikes (all |z| < 4)",
            bool(len(z) and (z.abs() < 4).all()),
            f"z = {', '.join(f'{value:+.2f}' for value in z)}",
        ),
        Claim(
            "the twin without noise learns its targets (mean distance below .05)",
            bool(twin.mean() < 0.05),
            f"{twin.mean():.3f}; {int((twin == 0).sum())} of {twin.size} seeds have every spike in its step and no other",
        ),
        Claim(
            "reliability falls with sigma",
            fall_high < 0,
            f"reliability ~ sigma^{fall:.2f} [{fall_low:.2f}, {fall_high:.2f}]; means {_means(reliability)}",
            central=False,
        ),
        Claim(
            "jitter grows less than in proportion to sigma",
            steep_high < 1,
            f"exponent {steep:.2f} [{steep_low:.2f}, {steep_high:.2f}] (the window alone holds it below {CHANCE:.2f} steps)",
            central=False,
        ),
        Claim(
            "a network that learned in the noise is nearer to its targets than the twin put into it, at every sigma",
            *_below(distance, by_seed_and_sigma(table, "twin in noise", "distance")),
            central=False,
        ),
        Claim(
            "taught by the likelihood of the targets it is nearer to them than taught by the distance itself, at every sigma",
            *_below(by_seed_and_sigma(table, "likelihood", "distance"), distance),
            central=False,
        ),
        Claim(
            "too little noise is bad for learning: the smallest sigma isn't the one of the least distance",
            bool(least != sigmas[0] and apart[1] > 0),
            f"least at {least:g}; smallest less that one {apart[0]:+.2f} [{apart[1]:+.2f}, {apart[2]:+.2f}]; "
            f"means {_means(distance)}",
            central=False,
        ),
    ]


def _means(found: pd.DataFrame) -> str:
    return ", ".join(
        f"{sigma:g}: {values.mean():.2f} ± {values.std(ddof=1):.2f}" for sigma, values in found.items()
    )


verify = verifier(claims)


def summary(table: pd.DataFrame) -> pd.DataFrame:
    """Means over seeds with their standard deviations."""
    rows = table[table.part == "measure"]
    groups = rows.groupby(["arm", "sigma", "width"], dropna=False, sort=False)[MEASURES]
    means, spread = groups.mean(), groups.std(ddof=1)
    shown = means.map("{:.2f}".format) + " ± " + spread.map("{:.2f}".format)
    return shown.reset_index()


def plot(table: pd.DataFrame) -> Figure:
    """Distance, jitter, missing and extra spikes against sigma: means over seeds, bars of one standard error."""
    figure = Figure(figsize=(10.0, 3.2), layout="constrained")
    left, middle, right = figure.subplots(1, 3)
    colours = {
        "noisy": "#A8201A",
        "likelihood": "#E69F00",
        "twin in noise": "#0072B2",
        "untrained": "#999999",
    }

    def curve(ax, arm, column, label, **style):
        found = by_seed_and_sigma(table, arm, column)
        ax.errorbar(found.columns, found.mean(), found.sem(), label=label, ms=4, lw=1.2, capsize=2, **style)

    for arm, colour in colours.items():
        curve(left, arm, "distance", arm, color=colour, marker="o")
    curve(
        left,
        "noisy",
        "shuffled",
        "noisy, other targets",
        color=colours["noisy"],
        ls=":",
        marker="o",
        mfc="white",
    )
    left.axhline(1, color="black", lw=0.6, ls="--")
    for arm in ("noisy", "likelihood", "twin in noise"):
        curve(middle, arm, "jitter", arm, color=colours[arm], marker="o")
        curve(right, arm, "missing", f"{arm}: missing", color=colours[arm], marker="v")
        curve(right, arm, "extra", f"{arm}: extra", color=colours[arm], marker="^", ls="--", mfc="white")
    middle.axhline(CHANCE, color="black", lw=0.6, ls="--")
    labels = ("distance / that of silence", "jitter (steps)", "per target spike")
    for ax, label in zip((left, middle, right), labels, strict=True):
        ax.set(xscale="log", xlabel="noise, sigma", ylabel=label)
        if ax is left:
            ax.set_yscale("log")
        else:
            ax.set_ylim(0, None)
        sigmas = sorted(table.loc[table.arm == "noisy", "sigma"].unique())
        ax.set_xticks(sigmas, [f"{s:g}" for s in sigmas])
        ax.minorticks_off()
        ax.legend(frameon=False, fontsize=7)
        ax.spines[["top", "right"]].set_visible(False)
    return figure


def figures(table: pd.DataFrame) -> dict[str, Figure]:
    """The measures, and when the learned outputs of one seed fire."""
    return {CLAIM: plot(table), "When the outputs of one seed fire; lines: targets": _plot_firing(table)}


def _plot_firing(table: pd.DataFrame) -> Figure:
    rows = table[table.part == "firing"]
    sigmas, arms = sorted(rows.sigma.unique()), ("noisy", "likelihood")
    figure = Figure(figsize=(10.0, 1.2 + 1.1 * len(sigmas)), layout="constrained")
    axes = figure.subplots(len(sigmas), len(arms), sharex=True, sharey=True, squeeze=False)
    for ax, (sigma, arm) in zip(axes.flat, itertools.product(sigmas, arms), strict=True):
        here = rows[(rows.sigma == sigma) & (rows.arm == arm)]
        share, wanted = (
            here.pivot(index="neuron", columns="step", values=name).to_numpy(float)
            for name in ("value", "target")
        )
        image = ax.imshow(share, aspect="auto", cmap="Greys", vmin=0, vmax=1, interpolation="nearest")
        neuron, step = np.nonzero(wanted)
        ax.vlines(step, neuron - 0.5, neuron + 0.5, color="#A8201A", lw=0.8)
        ax.set_yticks(range(len(share)))
    for ax, sigma in zip(axes[:, 0], sigmas, strict=True):
        ax.set_ylabel(f"sigma {sigma:g}")
    for top, bottom, arm in zip(axes[0], axes[-1], arms, strict=True):
        top.set_title(arm, fontsize=9)
        bottom.set_xlabel("step")
    figure.colorbar(image, ax=axes, label="share of repeats", aspect=30)
    return figure
